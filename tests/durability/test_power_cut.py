"""Power cuts: whatever a cut leaves of a real node's files, the next start keeps every promise the last one made.

A preload library records every write and sync of real processes (`powercut/recorder.c`); `powercut/disk.py` derives
what strict POSIX allows a cut to leave; each such state is recovered with the production code.  Taking a sync out of
the recording must make that fail: else the sync is not needed, or this suite is blind.  `make soak-durability` tries
far more.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("helpers")]

SEED = int(os.environ.get("METANODE_TEST_SEED", "20251120"))
PROCESSES = 2
COMPONENTS = (("init",), ("wal", "directories", "database", "keystore", "wallet", "miner"))
"""Shared out between two processes."""
DURABLE = ("sync_file", "sync_directory", "make_directory", "write_new", "replace")
CALLS = {"os.fsync", "os.fdatasync", *(f"durable.{name}" for name in DURABLE)}
FOUND_AFTER_A_KILL = {"data/storage.sqlite/chain.sqlite-wal [frames header]"}
"""The sync of a log that was written anew: needed only where a start finds what its predecessor had not synced."""


@pytest.fixture(scope="module")
def recorded(recorder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real node's three lives: stopped, killed, stopped."""
    from powercut import suite

    directory = tmp_path_factory.mktemp("recorded")
    print(f"seed {SEED} (METANODE_TEST_SEED)")
    suite.record(directory, suite.LEVELS["ci"], SEED)
    return directory


def run_jobs(directory: Path, shares: Iterable[tuple[str, ...]]) -> list[dict[str, Any]]:
    """Run jobs, each share in a process, and return their reports; none may have found a broken promise."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "powercut.suite", str(directory), "ci", *jobs],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for jobs in shares
    ]
    reports = []
    for process in started:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err[-3000:]
        reports += [json.loads(line) for line in out.splitlines()]
    for report in reports:
        tried = Counter(report["tally"] | {"violations": 0}) + Counter(report["mutated"] | {"violations": 0})
        print(f"{report['job']}: {dict(tried)}, {report['seconds']} s")
        assert report["broken"] == []
        assert report["alive_own"] == [], "these syncs of ours may be missing and nobody would see it"
    return reports


def parts(job: str) -> list[tuple[str, ...]]:
    """The job in as many parts as processes."""
    return [(f"{job}:{number}/{PROCESSES}",) for number in range(PROCESSES)]


def test_a_node_survives_every_power_cut(recorded: Path) -> None:
    """It starts; what was acknowledged is final or waits; what was promised or told is the block; the supply sums."""
    reports = run_jobs(recorded, parts("states"))
    assert sum(report["tally"]["recoveries"] for report in reports) > 300


def test_a_node_survives_power_cuts_while_it_recovers_from_one(recorded: Path) -> None:
    """Also when it was a kill that it recovers from, whose page cache the cut then takes."""
    reports = run_jobs(recorded, parts("restarts"))
    assert sum(report["tally"]["recoveries"] for report in reports) > 100
    assert {label for report in reports for label in report["killed"]} >= FOUND_AFTER_A_KILL


def test_every_sync_of_the_node_is_needed(recorded: Path) -> None:
    """Ours one by one, save where another does the same before anything is said; of SQLite's one of each class."""
    reports = run_jobs(recorded, parts("syncs"))
    killed = sum((Counter(report["killed"]) for report in reports), Counter())
    alive = sum((Counter(report["alive"]) for report in reports), Counter())
    assert set(alive) - set(killed) - FOUND_AFTER_A_KILL == set(), "no sync of these classes is missed"
    needed = {f"data/consensus.solo/wal/{what}" for what in ("wal.log [bytes]", "wal.log.new [bytes]")}
    needed |= {"data/consensus.solo [+wal]", "data/consensus.solo/wal [+lock +wal.log]"}
    needed |= {f"data/storage.sqlite/chain.sqlite-wal [{role}]" for role in ("frames", "header")}
    needed |= {"data/storage.sqlite/chain.sqlite [bytes size]", "data/storage.sqlite/chain.sqlite.new [bytes]"}
    needed |= {"data/storage.sqlite [+chain.sqlite +chain.sqlite-wal]"}
    assert needed <= set(killed), "the workload reaches every role"


def test_every_part_that_syncs_keeps_its_own_promise(recorder: Path, tmp_path: Path) -> None:
    """Cut anywhere, killed anywhere, stopped by any sync that fails; and every line of ours that syncs is needed."""
    shutil.copy(recorder, tmp_path / "recorder.so")
    reports = run_jobs(tmp_path, [tuple(f"component:{name}" for name in share) for share in COMPONENTS])
    seen = {line for report in reports for line, missed in report["lines"].items() if missed}
    unseen = {f"{file}:{first}" for file, first, last in lines_that_sync()
              if not seen & {f"{file}:{line}" for line in range(first, last + 1)}}  # fmt: skip
    assert not unseen, "these lines may be left out and nobody would see it"


def lines_that_sync() -> Iterator[tuple[str, int, int]]:
    """Yield file, first and last line of every call of ours that is there to make something durable."""
    root = Path(__file__).resolve().parents[2]
    for folder in ("core", "miner", "platforms", "plugins"):
        for path in sorted((root / folder).rglob("*.py")):
            tree = ast.parse(path.read_text())
            froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
            imported = {one.name for node in froms if node.module == "metanode.platforms.durable" for one in node.names}
            syncing = imported | (set(DURABLE) if path.name == "durable.py" else set())
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and (
                    (isinstance(node.func, ast.Name) and node.func.id in syncing)
                    or (isinstance(node.func, ast.Attribute) and ast.unparse(node.func) in CALLS)
                ):
                    yield str(path.relative_to(root)), node.lineno, node.end_lineno or node.lineno
