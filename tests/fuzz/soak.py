"""Fuzz everything for a given time: `make soak-fuzz` (FUZZ_SECONDS, default 600).

Each part gets a share of the time and a seed that differs from run to run; inputs that behaved in a new way are kept
below build/fuzz/ and are where the next run goes on.  A finding ends the run: its seed is printed and, for decoders,
its input kept under build/fuzz/findings/.  The part `native` wants Debian's gcc, clang and libclang-rt-14-dev, and says
what it skips without them; `differential` is done when it has compared a million messages.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import trio

from fuzzkit import crowd, differential, dumps, hostile, http_bytes, native_soak
from fuzzkit.http_live import HttpHunt
from fuzzkit.ledger import LedgerHunt
from fuzzkit.loop import Finding, Hunt
from fuzzkit.node import Node
from fuzzkit.parsers import check_stream
from fuzzkit.targets import TARGETS
from metanode.core.crypto import install

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / "build" / "fuzz"
SCHEMATHESIS_CHECKS = "not_a_server_error,content_type_conformance,status_code_conformance,response_schema_conformance"

Part = Callable[[float, str], str]
"""Runs for so many seconds under a seed and returns its line of figures."""


def decoders(seconds: float, seed: str) -> str:
    """Every decoder of bytes and texts, in turn."""
    runs: Counter[str] = Counter()
    for target in TARGETS:
        hunt = Hunt(target, Random(f"{seed} {target.name}"), DIRECTORY / "corpus" / target.name)
        end = time.monotonic() + seconds / len(TARGETS)
        try:
            while time.monotonic() < end:
                hunt.step()
        except Finding as finding:
            kept = DIRECTORY / "findings" / target.name
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(finding.data)
            raise
        runs.update(inputs=hunt.runs, accepted=hunt.outcomes["accepted"], behaviours=hunt.kinds)
        print(f"  {target.name}: {hunt.runs} inputs, {hunt.outcomes['accepted']} accepted, {hunt.kinds} behaviours")
    return f"{len(TARGETS)} targets, " + ", ".join(f"{count} {name}" for name, count in runs.items())


def ledger(seconds: float, seed: str) -> str:
    """Blocks of good and malformed envelopes."""
    hunt = LedgerHunt(seed)
    blocks = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        hunt.step()
        blocks += 1
    at_door = sum(count for name, count in hunt.outcomes.items() if name.startswith("door "))
    return f"{blocks} blocks, {at_door} envelopes at the door, {len(hunt.outcomes)} outcomes"


def parsers(seconds: float, seed: str) -> str:
    """Broken HTTP streams through both request parsers."""
    chance, streams = Random(seed), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        check_stream(chance, http_bytes.stream(chance))
        streams += 1
    return f"{streams} streams, each in three cuts through both parsers"


def native_code(seconds: float, seed: str) -> str:
    """The C shims under sanitizers, with every compiler that has them."""
    return native_soak.run(seconds, Random(seed), DIRECTORY)


def against_package(seconds: float, seed: str) -> str:
    """The BLAKE3 extension against PyPI's, from the message where the last run stopped, whatever the seed."""
    return differential.run(seconds, DIRECTORY / "differential.json")


def live(seconds: float, seed: str) -> str:
    """Random requests on every route of a real node."""
    with tempfile.TemporaryDirectory() as directory, Node(Path(directory) / "home") as node:
        hunt = HttpHunt(node, seed)
        steps = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            hunt.step()
            steps += 1
        node.check_well()
        replies = sum(hunt.outcomes.values())
        return f"{steps} connections, {replies} replies of {len(hunt.outcomes)} kinds, RSS {node.rss_mib():.1f} MiB"


def schemathesis(seconds: float, seed: str) -> str:
    """The outside judge of the OpenAPI document."""
    tool = Path(sys.executable).with_name("schemathesis")
    if not tool.exists():
        return "skipped: schemathesis is not installed (pip install -e '.[fuzz]')"
    cases = rounds = 0
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as directory, Node(Path(directory) / "home") as node:
        while rounds == 0 or time.monotonic() < end:
            command = [
                str(tool), "run", f"http://127.0.0.1:{node.port}/openapi.json",
                "--exclude-path", "/v1/events",  # it never ends
                "--checks", SCHEMATHESIS_CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", "100",
                "--seed", str(Random(f"{seed} {rounds}").randrange(2**31)), "--suppress-health-check", "all",
            ]  # fmt: skip
            done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=900, check=False)
            assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
            found = re.search(r"(\d+) generated", done.stdout)
            cases += int(found[1]) if found else 0
            rounds += 1
        node.check_well()
    return f"{cases} cases in {rounds} rounds, checks {SCHEMATHESIS_CHECKS}"


def attacks(seconds: float, seed: str) -> str:
    """Hostile clients; about a minute, however little time there is."""
    with tempfile.TemporaryDirectory() as directory, Node(Path(directory) / "home", hostile.SETTINGS) as node:
        for name, attack in hostile.ATTACKS:
            print(f"  {trio.run(hostile.run, node, name, attack).line()}", flush=True)
        return f"{len(hostile.ATTACKS)} attacks, RSS at the end {node.rss_mib():.1f} MiB"


def accounts(seconds: float, seed: str) -> str:
    """A hundred thousand accounts."""
    with tempfile.TemporaryDirectory() as directory, Node(Path(directory) / "home", prepare=crowd.fund) as node:
        return crowd.run(node, seconds, seed).line()


def machines(seconds: float, seed: str) -> str:
    """Dumps of strangers' machines, counted over all runs; then, within the time, sources of the largest size."""
    chance, counts = Random(seed), Counter[str]()
    kept = DIRECTORY / "dumps.json"
    before = json.loads(kept.read_text(encoding="utf-8"))["dumps"] if kept.exists() else 0
    end = time.monotonic() + 0.8 * seconds
    while time.monotonic() < end:
        dumps.step(chance, counts)
    in_all = before + counts.total()
    kept.write_text(json.dumps({"dumps": in_all}) + "\n", encoding="utf-8")
    slowest, tried = 0.0, 0
    while time.monotonic() < end + 0.2 * seconds:
        begun = time.process_time()
        dumps.check_hostile(chance.choice(dumps.SYSTEMS), chance.choice(dumps.PIECES), dumps.LARGEST)
        slowest, tried = max(slowest, time.process_time() - begun), tried + 1
    assert slowest < dumps.LARGEST_SECONDS_MAX, f"{slowest:.1f} s for a dump of the largest sources"
    largest = f"{tried} of the largest sources, slowest {slowest:.1f} s"
    return f"{counts.total()} dumps ({in_all} in all runs), {len(counts)} kinds, {largest}"


PARTS: dict[str, tuple[Part, float]] = {
    "decoders": (decoders, 0.30),
    "ledger": (ledger, 0.10),
    "parsers": (parsers, 0.10),
    "native": (native_code, 0.05),
    "differential": (against_package, 0.05),
    "dumps": (machines, 0.05),
    "live": (live, 0.10),
    "schemathesis": (schemathesis, 0.05),
    "attacks": (attacks, 0.0),
    "accounts": (accounts, 0.20),
}
"""Each part and its share of the time."""


def main() -> int:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="time for all parts together")
    parser.add_argument("--only", choices=sorted(PARTS), help="one part, with all the time")
    parser.add_argument("--seed", help="repeat the run of this seed")
    args = parser.parse_args()
    install()
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    state_file = DIRECTORY / "state.json"
    state = json.loads(state_file.read_text(encoding="utf-8")) if state_file.exists() else {"runs": 0, "seconds": 0}
    seed = args.seed or f"{state['runs']}"
    print(f"seed {seed}, run {state['runs'] + 1} (before: {state['seconds']:.0f} s), {platform.platform()}", flush=True)
    chosen = {args.only: (PARTS[args.only][0], 1.0)} if args.only else PARTS
    begun = time.monotonic()
    for name, (part, share) in chosen.items():
        started = time.monotonic()
        line = part(share * args.seconds, f"{seed} {name}")
        print(f"{name}: {line} ({time.monotonic() - started:.0f} s)", flush=True)
    state = {"runs": state["runs"] + 1, "seconds": state["seconds"] + time.monotonic() - begun}
    state_file.write_text(json.dumps(state) + "\n", encoding="utf-8")
    print(f"no finding in {time.monotonic() - begun:.0f} s; kept inputs lie in {DIRECTORY.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
