"""Measure metanode on this machine: `make bench`, or `make bench ONLY=blake3` for the ids that begin so.

Peers run in the same process or beside ours, unslowed, in alternating rounds; CPU time stands beside wall time,
because machines are noisy.  Prints a table and writes build/bench.json.  Nothing here asserts a speed: a part that
cannot run says why in `conditions`.  The whole takes less than six minutes; chains of several validators are measured
only by `make bench-long`, or, shorter, when ONLY names them.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from door import balance_rate, http_get, http_mix, http_post, loaded_memory, node_start
from finality import consensus_cpu, finality_nine, finality_twenty_five, finality_wide
from footprint import install_mib
from handshakes import noise_handshakes
from hashes import blake3_batch, blake3_batch_4lane, blake3_batch_avx2, blake3_single, merkle_root
from live_node import miner_memory, node_memory
from measuring import ROOT, Result, UnavailableError, commit, host, rounded
from proofs import bundle_bytes
from quic_bulk import quic_bulk
from signatures import ed25519_batch
from starts import fingerprint_seconds, miner_start
from throughput import tps_four, tps_nine
from vintage import altivec

PARTS: dict[str, Callable[[], list[Result]]] = {
    "blake3.single": blake3_single,
    "blake3.batch": blake3_batch,
    "blake3.batch_avx2": blake3_batch_avx2,
    "blake3.batch_4lane": blake3_batch_4lane,
    "merkle.root": merkle_root,
    "ed25519.batch": ed25519_batch,
    "noise.handshakes": noise_handshakes,
    "quic.bulk": quic_bulk,
    "vintage.altivec": altivec,
    "bundle.bytes": bundle_bytes,
    "install.mib": install_mib,
    "start.miner_cpu_ms": miner_start,
    "start.node_s": node_start,
    "fingerprint.s": fingerprint_seconds,
    "rss.node": node_memory,
    "rss.miner": miner_memory,
    "http.get": http_get,
    "http.post": http_post,
    "http.mix": http_mix,
    "balance.rate": balance_rate,
    "rss.node_loaded": loaded_memory,
}
"""What measures each id, in the order in which they run."""
NETWORKS: dict[str, Callable[[], list[Result]]] = {
    "finality.n9.p50_ms": finality_nine,
    "consensus.n9.cpu_ms": consensus_cpu,
    "finality.n9.wan_p50_ms": finality_wide,
    "finality.n25.p50_ms": finality_twenty_five,
    "devnet.n4.tps": tps_four,
    "devnet.n9.tps": tps_nine,
}
"""The same for chains of several validators, each a process: together they take minutes."""
IN_FULL = {"devnet.n4.tps": partial(tps_four, long=True), "devnet.n9.tps": partial(tps_nine, long=True)}
"""What `--long` measures for longer."""
BUDGET_S = 320.0
"""No part starts after this, but for --long."""
OUTPUT = ROOT / "build" / "bench.json"


def main() -> int:
    """Run the chosen parts; 1 when a part failed in a way it did not foresee, 2 when none was chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="PREFIX", help="only ids that begin with this, e.g. blake3")
    parser.add_argument("--long", action="store_true", help="chains of several validators, at full length")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="default: build/bench.json in the checkout")
    args = parser.parse_args()
    known = {**NETWORKS, **IN_FULL} if args.long else {**PARTS, **NETWORKS} if args.only else PARTS
    chosen = {name: part for name, part in known.items() if name.startswith(args.only)}
    if not chosen:
        print(f"no benchmark begins with {args.only!r}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    start = time.monotonic()
    report: dict[str, Any] = {"commit": commit(), "host": host(), "results": []}
    results: list[Result] = []
    broken = False
    for name, part in chosen.items():
        if sys.stderr.isatty():
            print(f"\r\x1b[Kmeasuring {name}", end="", file=sys.stderr, flush=True)
        try:
            if time.monotonic() - start > BUDGET_S and not args.long:
                raise UnavailableError(f"not run: the parts before it took more than {BUDGET_S:g} s")
            results += part()
        except UnavailableError as error:
            results.append(Result(name, None, "", conditions=str(error)))
        except Exception as error:  # noqa: BLE001 - one broken part must not cost the numbers of the others
            broken = True
            results.append(Result(name, None, "", conditions=f"failed: {type(error).__name__}: {error}"))
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    report["results"] = [result.to_json() for result in results]
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(table(report["host"], results))
    print(f"\n{time.monotonic() - start:.0f} s; {args.output}")
    return int(broken)


def table(machine: dict[str, Any], results: list[Result]) -> str:
    """Return the results for people."""
    lines = [", ".join(f"{key} {value}" for key, value in machine.items()), ""]
    lines.append(f"{'id':22} {'value':>10} {'unit':14} {'peer':>10} {'ratio':>7} {'CPU us':>10}")
    for row in results:
        numbers = [_number(row.value), _number(row.peer_value), _number(row.ratio), _number(row.cpu_us)]
        lines.append(f"{row.id:22} {numbers[0]:>10} {row.unit:14} {numbers[1]:>10} {numbers[2]:>7} {numbers[3]:>10}")
        note = f"against {row.peer}; {row.conditions}" if row.peer else row.conditions
        lines += textwrap.wrap(note, 110, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{rounded(value):g}"


if __name__ == "__main__":
    sys.exit(main())
