"""Power cuts: whatever a cut leaves of a real node's files, the next start keeps every promise the last one made.

A preload library records every write and sync of real processes (`powercut/recorder.c`); `powercut/disk.py` derives
what strict POSIX allows a cut to leave; each such state is recovered with the production code.  Taking a sync out of
the recording must make that fail: else the sync is not needed, or this suite is blind.  `make soak-durability` tries
far more.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("helpers")]

SEED = int(os.environ.get("METANODE_TEST_SEED", "20251120"))
PROCESSES = 2
COMPONENTS = ("wal", "directories", "database", "keystore", "miner", "init")


@pytest.fixture(scope="module")
def recorded(recorder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real node's three lives: stopped, killed, stopped."""
    from powercut import suite

    directory = tmp_path_factory.mktemp("recorded")
    print(f"seed {SEED} (METANODE_TEST_SEED)")
    suite.record(directory, suite.LEVELS["ci"], SEED)
    return directory


def run_jobs(directory: Path, jobs: Iterable[str]) -> list[dict[str, Any]]:
    """Run jobs, each in a process, and return their reports; none may have found a broken promise."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "powercut.suite", str(directory), "ci", job],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for job in jobs
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


def parts(job: str) -> list[str]:
    """The job in as many parts as processes."""
    return [f"{job}:{number}/{PROCESSES}" for number in range(PROCESSES)]


def test_a_node_survives_every_power_cut(recorded: Path) -> None:
    """It starts; what was acknowledged is final or waits; what was promised or told is the block; the supply sums."""
    reports = run_jobs(recorded, parts("states"))
    assert sum(report["tally"]["recoveries"] for report in reports) > 300


def test_a_node_survives_power_cuts_while_it_recovers_from_one(recorded: Path) -> None:
    """Also when it was a kill that it recovers from, whose page cache the cut then takes."""
    reports = run_jobs(recorded, parts("restarts"))
    assert sum(report["tally"]["recoveries"] for report in reports) > 100


def test_every_sync_of_the_node_is_needed(recorded: Path) -> None:
    """Ours one by one; of SQLite's at least one of each class, file and role; the exceptions have names and reasons."""
    from powercut import suite
    from powercut.trial import Sync

    reports = run_jobs(recorded, parts("syncs"))
    killed = sum((Counter(report["killed"]) for report in reports), Counter())
    alive = sum((Counter(report["alive"]) for report in reports), Counter())
    unseen = {label for label in alive if label not in killed and not suite.allowed(Sync(0, False, False, label, 0))}
    assert not unseen, "no sync of these classes is missed"
    needed = {"data/consensus.solo/wal/wal.log [bytes]", "data/consensus.solo/wal/wal.new [bytes]"}
    needed |= {f"data/storage.sqlite/chain.sqlite-wal [{role}]" for role in ("frames", "header")}
    needed |= {"data/storage.sqlite/chain.sqlite [bytes size]", "data/storage.sqlite [+chain.sqlite-wal]"}
    assert needed <= set(killed), "the workload reaches every role"


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_part_that_syncs_keeps_its_own_promise(name: str, recorder: Path, tmp_path: Path) -> None:
    """Cut anywhere, killed anywhere and cut after the next start; each of its syncs is needed for that."""
    shutil.copy(recorder, tmp_path / "recorder.so")
    (report,) = run_jobs(tmp_path, [f"component:{name}"])
    assert report["killed"]
