"""start.miner_cpu_ms and fingerprint.s: what it costs to start a program and let it do its one thing."""

from __future__ import annotations

import json
import statistics

from measuring import Finished, Result, finish, python

STARTS = 7


def miner_start() -> list[Result]:
    """CPU from the start of the process until the miner could talk to a node: imports, cryptography, self-tests."""
    code = "import metanode.miner.command; from metanode.core import crypto; crypto.install()"
    runs, bare = _alternating_starts(python("-c", code), python("-c", "pass"))
    ours = statistics.median(run.cpu_s for run in runs)
    python_alone = statistics.median(run.cpu_s for run in bare)
    return [
        Result(
            "start.miner_cpu_ms",
            ours * 1e3,
            "ms",
            cpu_us=ours * 1e6,
            conditions=(
                f"median of {STARTS}, bytecode cached; the interpreter alone takes {python_alone * 1e3:.0f} ms; "
                f"wall {statistics.median(run.wall_s for run in runs) * 1e3:.0f} ms; no peer installed"
            ),
        )
    ]


def fingerprint_seconds() -> list[Result]:
    """One whole `metanode-fingerprint` on this machine."""
    run = finish(python("-m", "metanode.fingerprint.command", "--json"))
    quick = finish(python("-m", "metanode.fingerprint.command", "--json", "--no-crosscheck"))
    report = json.loads(run.output)
    return [
        Result(
            "fingerprint.s",
            run.wall_s,
            "s",
            cpu_us=run.cpu_s * 1e6,
            conditions=(
                f"probes and second opinions, {len(report)} sections of JSON, {run.cpu_s:.2f} s CPU; "
                f"without second opinions {quick.wall_s:.2f} s; peak {run.rss_max_mib:.1f} MiB; no peer installed"
            ),
        )
    ]


def _alternating_starts(ours: list[str], bare: list[str]) -> tuple[list[Finished], list[Finished]]:
    finish(ours)  # writes the bytecode
    pairs = [(finish(ours), finish(bare)) for _ in range(STARTS)]
    return [mine for mine, _ in pairs], [alone for _, alone in pairs]
