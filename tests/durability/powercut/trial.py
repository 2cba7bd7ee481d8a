"""Cut the power at every moment of a recording, recover, hold the outcome against what had been said by then.

A sync is killed when, taken out of the recording, some cut behind it leaves a state whose recovery breaks a promise.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from powercut.disk import Disk, Named, State, Write
from powercut.recording import Op, Record

Facts = TypeVar("Facts")
Outcome = TypeVar("Outcome")


class Subject(Protocol[Facts, Outcome]):
    """What is tried: which files count, what was promised, how it recovers."""

    def ignored(self, path: str) -> bool:
        """Whether a file's content means nothing to a recovery."""

    def fresh(self) -> Facts:
        """Return that nothing has been promised."""

    def observe(self, facts: Facts, record: Record, disk: Disk) -> None:
        """Add to `facts` what this record tells the world; the record has been applied to `disk`."""

    def recover(self, state: State) -> Outcome:
        """Do what a restart does on this state, and say what came of it."""

    def violation(self, outcome: Outcome, facts: Facts) -> str | None:
        """Return which promise is broken, None when all are kept."""


@dataclass(frozen=True)
class Segment:
    """The records of one process, and the directory they happened in."""

    root: str
    records: Sequence[Record]


@dataclass(frozen=True)
class Sync:
    """One sync of a recording."""

    number: int
    """Position in the recording, segments counted through."""
    own: bool
    """Ours (fsync), not SQLite's (fdatasync)."""
    first: bool
    """The process's first on this file."""
    label: str
    """File and role: syncs with one label are one class."""
    changes: int
    """What it made durable."""


@dataclass
class Cut:
    """A moment at which the power may fail."""

    number: int
    disk: Disk
    lost: set[int]
    """Serials of changes that would be durable had the dropped sync been there."""


@dataclass
class Tally:
    """What was tried."""

    cuts: int = 0
    states: int = 0
    """Choices of what a cut leaves."""
    recoveries: int = 0
    """Different contents among them, each recovered once."""
    violations: list[str] = field(default_factory=list)


class Trial(Generic[Facts, Outcome]):
    """A recording, its subject, and the outcomes known so far."""

    def __init__(
        self,
        subject: Subject[Facts, Outcome],
        tree: dict[str, bytes | None],
        segments: Sequence[Segment],
        *,
        seed: int,
        torn: int,
    ) -> None:
        self.subject = subject
        self._tree = tree
        self.segments = segments
        self._seed = seed
        self._torn = torn
        self._outcomes: dict[bytes, Outcome] = {}
        self.kept: dict[bytes, tuple[State, Facts]] = {}
        """States put aside by `check`, and what had been said when they came about, by digest."""

    def disk(self) -> Disk:
        """Return the disk before the first record."""
        disk = Disk(self.segments[0].root, self.subject.ignored)
        disk.seed(self._tree)
        return disk

    def walk(self, facts: Facts, drop: int | None = None) -> Iterator[Cut]:
        """Yield every cut, `facts` kept up to date; with `drop`, only those that the missing sync can matter to."""
        disk, lost, number = self.disk(), set[int](), 0
        seen: object = None
        for segment in self.segments:
            disk.restart(segment.root)
            for record in segment.records:
                if record.op in (Op.SYNC, Op.SEND) and (drop is None or lost):
                    now = self._pending(disk), record.op is Op.SEND
                    if now != seen:
                        yield Cut(number, disk, lost)
                    seen = now
                if number == drop:
                    lost = {change.serial for change in covered(disk, record)}
                    disk.apply(record, synced=False)
                else:
                    for change in disk.apply(record):
                        lost.discard(change.serial)
                    if lost and record.op is Op.SYNC:
                        lost &= disk.mattering()
                if drop is not None and number > drop and not lost:
                    return
                self.subject.observe(facts, record, disk)
                number += 1
        yield Cut(number, disk, lost)

    def _pending(self, disk: Disk) -> tuple[int, int, int, int]:
        writes, names = disk.writes, disk.names
        return (len(writes), writes[-1].serial if writes else 0, len(names), names[-1].serial if names else 0)

    def syncs(self) -> list[Sync]:
        """List the syncs that have something to make durable."""
        disk, number, found = self.disk(), 0, []
        for segment in self.segments:
            disk.restart(segment.root)
            known: set[str] = set()
            for record in segment.records:
                if record.op is Op.SYNC:
                    path = "/".join(disk.relative(disk.fds[record.fd][1])) or "."
                    changes = disk.apply(record)
                    if changes:
                        kind = label(path, changes)
                        found.append(Sync(number, record.flag == 0, path not in known, kind, len(changes)))
                    known.add(path)
                else:
                    disk.apply(record)
                number += 1
        return found

    def check(
        self, tally: Tally, *, drop: int | None = None, part: tuple[int, int] = (0, 1), states_max: int | None = None,
        keep: float = 0.0, facts: Facts | None = None, since: int = 0,
    ) -> str | None:
        """Try every cut; return the first violation.

        :param part: (which, of how many): only these cuts, for several processes.
        :param states_max: at most so many states for each cut.
        :param keep: the share of states put aside in `kept`, with what had been said.
        :param facts: what had been said before the first record.
        :param since: only cuts from this record on.
        """
        facts = self.subject.fresh() if facts is None else copy.deepcopy(facts)
        chance = random.Random(self._seed)
        for count, cut in enumerate(self.walk(facts, drop)):
            if count // 4 % part[1] != part[0] or cut.number < since:
                continue
            tally.cuts += 1
            for index, state in enumerate(cut.disk.states(chance, self._torn, cut.lost)):
                if states_max is not None and index >= states_max:
                    break
                tally.states += 1
                broken = self.subject.violation(self.outcome(state, tally), facts)
                if broken is not None:
                    found = f"cut before record {cut.number} ({state.how}): {broken}"
                    tally.violations.append(found)
                    return found
                if keep and chance.random() < keep:
                    self.kept[state.digest] = state, copy.deepcopy(facts)
        return None

    def outcome(self, state: State, tally: Tally) -> Outcome:
        """Recover a state, once."""
        if state.digest not in self._outcomes:
            tally.recoveries += 1
            self._outcomes[state.digest] = self.subject.recover(state)
        return self._outcomes[state.digest]


def covered(disk: Disk, record: Record) -> list[Write | Named]:
    """Return what a sync would make durable."""
    inode = disk.fds[record.fd][0]
    if inode.is_dir:
        return [change for change in disk.names if change.directory is inode]
    return [change for change in disk.writes if change.inode is inode]


def label(path: str, changes: Iterable[Write | Named]) -> str:
    """Return the class of a sync: the file and the role it plays there."""
    parts = set()
    for change in changes:
        if isinstance(change, Named):
            parts.add(f"{'-' if change.inode is None else '+'}{_plain(change.name)}")
        elif path.endswith("-wal"):
            parts.add("header" if change.offset == 0 and change.data is not None else "frames")
        else:
            parts.add("size" if change.data is None else "bytes")
    return f"{'/'.join(map(_plain, path.split('/')))} [{' '.join(sorted(parts))}]"


def _plain(name: str) -> str:
    """Take what is random out of a temporary name."""
    if name.startswith(".init-"):
        return ".init-*"
    if name.endswith(".tmp"):
        return ".*.tmp"
    return name
