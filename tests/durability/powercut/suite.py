"""The suite in jobs: what CI runs small and `make soak-durability` runs whole.

`python -m powercut.suite DIRECTORY LEVEL JOB...` runs jobs on the recording in DIRECTORY and prints one JSON line each.
A job is `component:NAME`, or `states:I/N`, `syncs:I/N`, `restarts:I/N` of the recorded node, the I-th part of N.
"""

from __future__ import annotations

import json
import pickle
import random
import re
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from powercut import recording, workload
from powercut.components import FAILING, ComponentSubject
from powercut.disk import read_tree, write_tree
from powercut.node import NodeFacts, NodeOutcome, NodeSubject
from powercut.recording import Op
from powercut.trial import Segment, Sync, Tally, Trial

RAM = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())
HERE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Level:
    """How much is tried."""

    steps: tuple[int, ...]
    """What the client does in each life of the node: stopped, killed, stopped, ..."""
    torn: int
    """Ways in which each write is torn."""
    states_max: int | None
    """Of each cut."""
    mutated_states_max: int | None
    restarts: int
    """Starts that are recorded and cut again."""
    component_kills: int
    """Moments at which each component is killed and started again."""
    failing_step: int
    """Of all ways in which a component's syncs may fail, each so-many-th is tried."""
    every_sync: bool
    """Also SQLite's syncs of a class that has been killed once."""


LEVELS = {
    "ci": Level((7, 6, 3), 1, 12, 30, 8, 6, 3, False),
    "soak": Level((20, 12, 8, 6, 8), 7, 1000, 200, 96, 60, 1, True),
}

SYNCS_OF_A_START = 20
"""About so many syncs has a start with a block behind it."""

@dataclass
class Report:
    """What a job tried and found."""

    job: str
    tally: Tally = field(default_factory=Tally)
    mutated: Tally = field(default_factory=Tally)
    broken: list[str] = field(default_factory=list)
    """Broken promises of the program as it is."""
    killed: dict[str, int] = field(default_factory=dict)
    alive: dict[str, int] = field(default_factory=dict)
    """Syncs, by label, whose loss was seen; and SQLite's whose was not."""
    repeated: dict[str, int] = field(default_factory=dict)
    """Ours whose loss was not seen because later ones do the same before anything more is said."""
    lines: dict[str, bool] = field(default_factory=dict)
    """Lines of ours that call for a sync, `file:line`; and whether it is seen when the line is left out."""
    alive_own: list[str] = field(default_factory=list)
    """Ours whose loss nobody would see."""
    seconds: float = 0.0

    def line(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self))


def record(directory: Path, level: Level, seed: int) -> None:
    """Build the recorder and record a node's life, unless an earlier run did."""
    if (directory / "life.pickle").exists():
        return
    library = recording.build(directory)
    assert library is not None, "the C compiler is gone"
    shutil.rmtree(directory / "base", ignore_errors=True)
    for log in directory.glob("*.log"):
        log.unlink()
    life = workload.live(directory, library, steps=level.steps, seed=seed)
    (directory / "life.new").write_bytes(pickle.dumps((life, seed)))
    (directory / "life.new").rename(directory / "life.pickle")


def node_trial(
    directory: Path, scratch: Path, level: Level
) -> tuple[Trial[NodeFacts, NodeOutcome], workload.Life, int]:
    """Return the trial of the recorded node, its record held against the files and the client's own list."""
    life, seed = pickle.loads((directory / "life.pickle").read_bytes())
    segments = [Segment(str(life.home), list(recording.read(log))) for log in life.logs]
    subject = NodeSubject(life.home, scratch)
    trial = Trial(subject, life.before, segments, seed=seed, torn=level.torn)
    disk, facts = trial.disk(), subject.fresh()
    for segment in segments:
        disk.restart()
        for one in segment.records:
            disk.apply(one)
            subject.observe(facts, one, disk)
    real = {path: data for path, data in read_tree(life.home).items() if not subject.ignored(path)}
    real.pop("node.log")  # standard error, opened by us
    assert disk.volatile() == real, "the record does not give the files: a call was not hooked"
    assert set(life.acknowledged) <= facts.acknowledged, "an acknowledgement was not recorded"
    return trial, life, seed


def run_states(directory: Path, scratch: Path, level: Level, part: tuple[int, int], report: Report) -> None:
    """Every cut of the recorded lives."""
    trial, _, _ = node_trial(directory, scratch, level)
    broken = trial.check(report.tally, part=part, states_max=level.states_max)
    report.broken += [broken] if broken else []


def run_syncs(directory: Path, scratch: Path, level: Level, part: tuple[int, int], report: Report) -> None:
    """Take each sync out of the recording."""
    trial, _, _ = node_trial(directory, scratch, level)
    syncs = trial.syncs()
    labels = sorted({sync.label for sync in syncs})
    mine = {label for index, label in enumerate(labels) if index % part[1] == part[0]}
    # Shared out one by one where each is tried, by class where the first that is killed will do.
    for index, sync in enumerate(syncs):
        if level.every_sync or (sync.own and "wal/wal" in sync.label):
            if index % part[1] == part[0]:
                _mutate(trial, sync, level, report)
        elif sync.label in mine and (sync.own or sync.label not in report.killed):
            _mutate(trial, sync, level, report)


def _mutate(trial: Trial[Any, Any], sync: Sync, level: Level, report: Report, **given: Any) -> None:
    if trial.check(report.mutated, drop=frozenset([sync.number]), states_max=level.mutated_states_max, **given):
        report.killed[sync.label] = report.killed.get(sync.label, 0) + 1
        return
    if not sync.own:
        report.alive[sync.label] = report.alive.get(sync.label, 0) + 1
    elif trial.repeated(sync.number):
        report.repeated[sync.label] = report.repeated.get(sync.label, 0) + 1
    else:
        report.alive_own.append(f"{sync.label} at record {sync.number}")


def run_restarts(directory: Path, scratch: Path, level: Level, part: tuple[int, int], report: Report) -> None:
    """Start on what cuts and kills left, record the start, cut it again."""
    trial, life, seed = node_trial(directory, scratch, level)
    chance = random.Random(seed * 1000 + part[0])
    trial.check(Tally(), part=part, states_max=4, keep=1.0)
    kept = chance.sample(sorted(trial.kept.items()), min(len(trial.kept), level.restarts // part[1]))
    base = scratch / "restarts"
    base.mkdir()
    made: dict[str, tuple[Any, ...]] = {}
    for number, (_, (state, facts)) in enumerate(kept):
        made[str(base / f"cut{number}")] = (state, facts)
        write_tree(base / f"cut{number}", state.files)
    records = [one for segment in trial.segments for one in segment.records]
    wanted = level.restarts // part[1] // 2
    # Half of them when only a sync is missing for an answer: then a start finds what only the page cache holds.
    nearly = _before_answers(trial)
    moments = {*chance.sample(range(1, len(records)), wanted // 2), *chance.sample(nearly, wanted - wanted // 2)}
    for moment in sorted(moments):
        before, disk = _until(trial, moment)
        made[str(base / f"kill{moment}")] = (before, moment)
        write_tree(base / f"kill{moment}", disk.volatile())
        # And once more, stopped this time by a sync that fails, and started again.
        failing = base / f"kill{moment}-{chance.choice(('fail', 'dead'))}{chance.randrange(1, SYNCS_OF_A_START)}"
        made[str(failing)] = (before, moment)
        write_tree(failing, disk.volatile())
    command = [sys.executable, "-m", "powercut.restart", str(life.home), *made]
    log = scratch / "restarts.log"
    recording.run(directory / "recorder.so", log, base, command)
    parts = recording.split(list(recording.read(log)), list(made))
    for root, (start, context) in made.items():
        again = Segment(root, parts[root])
        if isinstance(context, int):
            cut = Trial(trial.subject, life.before, [*start, again], seed=seed, torn=1)
            broken = cut.check(report.tally, since=context, states_max=level.states_max)
            for sync in () if re.search(FAILING, root) else cut.syncs():
                # SQLite's others are left out one by one by the job `syncs`.
                mine = level.every_sync or sync.own or sync.label.endswith("[frames header]")
                if mine and sync.number >= context and sync.label not in report.killed:
                    _mutate(cut, sync, level, report, since=context)
        else:
            cut = Trial(trial.subject, start.files, [again], seed=seed, torn=1)
            broken = cut.check(report.tally, facts=context, states_max=level.states_max)
        report.broken += [f"restart in {Path(root).name}: {broken}"] if broken else []


def _before_answers(trial: Trial[Any, Any]) -> list[int]:
    """Return the positions of the syncs behind which an envelope was acknowledged."""
    found, last, number = set[int](), 0, 0
    facts, disk = trial.subject.fresh(), trial.disk()
    for segment in trial.segments:
        disk.restart(segment.root)
        for one in segment.records:
            disk.apply(one)
            known = len(facts.acknowledged)
            trial.subject.observe(facts, one, disk)
            last = number if one.op is Op.SYNC else last
            if len(facts.acknowledged) > known:
                found.add(last)
            number += 1
    return sorted(found)


def _until(trial: Trial[Any, Any], moment: int) -> tuple[list[Segment], Any]:
    """Return the segments up to a record, and the disk then."""
    disk, segments, left = trial.disk(), [], moment
    for segment in trial.segments:
        disk.restart(segment.root)
        segments.append(Segment(segment.root, segment.records[:left]))
        for one in segments[-1].records:
            disk.apply(one)
        left -= len(segments[-1].records)
        if left == 0:
            break
    return segments, disk


def run_component(directory: Path, scratch: Path, level: Level, name: str, report: Report) -> None:
    """Cut a component anywhere; kill it anywhere, start it again and cut that; take out each of its syncs."""
    base = scratch / name
    (base / "first").mkdir(parents=True)

    def recorded(directories: list[str]) -> dict[str, list[recording.Record]]:
        log = scratch / f"{name}.log"
        log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "powercut.components", name, *directories]
        recording.run(directory / "recorder.so", log, base, command)
        return recording.split(list(recording.read(log)), directories)

    root = str(base / "first")
    records = recorded([root])[root]
    subject = ComponentSubject(name, scratch)
    trial = Trial(subject, {}, [Segment(root, records)], seed=1, torn=level.torn)
    moments = [number for number in range(1, len(records)) if records[number - 1].op not in (Op.SEND, Op.CLOSE)]
    moments = moments[:: max(1, -(-len(moments) // level.component_kills))]
    # And with every sync of ours still to come: then the next start finds what only the page cache holds.
    moments += {sync.label: sync.number for sync in trial.syncs() if sync.own}.values()
    starts = {}
    for moment in sorted(set(moments)):
        segments, disk = _until(trial, moment)
        starts[str(base / f"kill{moment}")] = (moment, segments)
        write_tree(base / f"kill{moment}", disk.volatile())
    syncs = sum(one.op is Op.SYNC for one in records)
    ways = [f"sync-{how}{number}" for number in range(1, syncs + 1) for how in ("fail", "dead")]
    failing = [str(base / way) for way in ways[:: level.failing_step]]
    for path in failing:
        Path(path).mkdir()
    restarted = recorded([*starts, *failing])

    broken = trial.check(report.tally)
    report.broken += [broken] if broken else []
    for sync in trial.syncs():
        if sync.own:
            _mutate(trial, sync, level, report)
    _drop_lines(trial, level, report)
    for killed_root, (moment, segments) in starts.items():
        both = [*segments, Segment(killed_root, restarted[killed_root])]
        second = Trial(subject, {}, both, seed=1, torn=min(2, level.torn))
        second._outcomes = trial._outcomes
        broken = second.check(report.tally, since=moment, states_max=level.states_max)
        report.broken += [f"killed after {moment} records: {broken}"] if broken else []
        for sync in second.syncs():
            # Once a class is enough here: in many of these starts a later sync covers the same names.
            if sync.number >= moment and sync.own and sync.label not in report.killed:
                _mutate(second, sync, level, report, since=moment)
        _drop_lines(second, level, report)
    for path in failing:
        stopped = Trial(subject, {}, [Segment(path, restarted[path])], seed=1, torn=min(2, level.torn))
        broken = stopped.check(report.tally, states_max=level.states_max)
        report.broken += [f"{Path(path).name}, then started again: {broken}"] if broken else []


def _drop_lines(trial: Trial[Any, Any], level: Level, report: Report) -> None:
    """Take every line of ours that calls for a sync out of the program, unless that was missed already."""
    by_line: dict[str, set[int]] = {}
    number, called_by = 0, []
    for segment in trial.segments:
        for record in segment.records:
            if record.op is Op.SEND:
                said = json.loads(record.data)
                called_by = said["value"] if said["what"] == "syncs" else []
            elif record.op is Op.SYNC and record.flag == 0:
                for line in called_by:
                    by_line.setdefault(line, set()).add(number)
            number += 1
    for line, numbers in by_line.items():
        if not report.lines.get(line):
            drop = frozenset(numbers)
            report.lines[line] = bool(trial.check(report.mutated, drop=drop, states_max=level.mutated_states_max))


def run(directory: Path, level: Level, job: str) -> Report:
    """Run one job in RAM."""
    report = Report(job)
    started = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="powercut-", dir=RAM))
    kind, _, which = job.partition(":")
    try:
        if kind == "component":
            run_component(directory, scratch, level, which, report)
        else:
            number, _, count = which.partition("/")
            work = {"states": run_states, "syncs": run_syncs, "restarts": run_restarts}[kind]
            work(directory, scratch, level, (int(number), int(count)), report)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    report.seconds = round(time.monotonic() - started, 1)
    return report


if __name__ == "__main__":
    for one in sys.argv[3:]:
        print(run(Path(sys.argv[1]), LEVELS[sys.argv[2]], one).line(), flush=True)
