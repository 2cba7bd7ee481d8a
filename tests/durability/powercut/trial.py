"""Cut the power at every moment of a recording, recover, hold the outcome against what had been said by then.

A sync is killed when, taken out of the recording, some cut behind it leaves a state whose recovery breaks a promise.
"""

from __future__ import annotations

import copy
import hashlib
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


NONE: frozenset[int] = frozenset()
UNPROMISED = ("status.json",)
"""What a miner shows to people: a cut may take its newest name, though never leave half of it."""


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

    def walk(self, facts: Facts, drop: frozenset[int] = NONE) -> Iterator[Cut]:
        """Yield every cut, `facts` kept up to date; with `drop`, only those that the missing syncs can matter to."""
        disk, lost, number = self.disk(), set[int](), 0
        seen: object = None
        last = max(drop, default=0)
        for segment in self.segments:
            disk.restart(segment.root)
            for record in segment.records:
                if record.op in (Op.SYNC, Op.SEND, Op.FAILED) and (not drop or lost):
                    now = self._pending(disk), facts
                    if now != seen:
                        yield Cut(number, disk, lost | disk.unwritten)
                        seen = now[0], copy.deepcopy(facts)
                if number in drop:
                    lost |= {change.serial for change in covered(disk, record)}
                    disk.apply(record, synced=False)
                else:
                    for change in disk.apply(record):
                        lost.discard(change.serial)
                    if lost and record.op is Op.SYNC:
                        lost &= disk.mattering()
                if drop and number > last and not lost:
                    return
                self.subject.observe(facts, record, disk)
                number += 1
        yield Cut(number, disk, lost | disk.unwritten)

    def _pending(self, disk: Disk) -> tuple[int, int, int, int]:
        writes, names = disk.writes, disk.names
        return (len(writes), writes[-1].serial if writes else 0, len(names), names[-1].serial if names else 0)

    def syncs(self) -> list[Sync]:
        """List the syncs that have more to make durable than meaningless names."""
        disk, number, found = self.disk(), 0, []
        for segment in self.segments:
            disk.restart(segment.root)
            for record in segment.records:
                if record.op is Op.SYNC:
                    path = "/".join(disk.relative(disk.fds[record.fd][1])) or "."
                    done = disk.apply(record)
                    changes = [one for one in done if not (isinstance(one, Named) and meaningless(one.name))]
                    if any(not (isinstance(one, Named) and one.name in UNPROMISED) for one in changes):
                        found.append(Sync(number, record.flag == 0, label(path, changes), len(changes)))
                else:
                    disk.apply(record)
                number += 1
        return found

    def repeated(self, drop: int) -> bool:
        """Whether all that a sync made durable is so by later ones, or gone, before anything more is said.

        Then the sync is redundant here by construction: nobody was told anything that rests on it alone.
        """
        facts, disk, lost, number = self.subject.fresh(), self.disk(), set[int](), 0
        for segment in self.segments:
            disk.restart(segment.root)
            for record in segment.records:
                if number == drop:
                    lost = {change.serial for change in covered(disk, record)}
                    disk.apply(record, synced=False)
                else:
                    lost -= {change.serial for change in disk.apply(record)}
                if number > drop and record.op is Op.SYNC:
                    lost &= disk.mattering()
                if number > drop and not lost:
                    return True
                before = copy.deepcopy(facts) if number >= drop and record.op in (Op.SEND, Op.SYNC) else facts
                self.subject.observe(facts, record, disk)
                if facts != before:
                    return False
                number += 1
        return False

    def check(
        self,
        tally: Tally,
        *,
        drop: frozenset[int] = NONE,
        part: tuple[int, int] = (0, 1),
        states_max: int | None = None,
        keep: float = 0.0,
        facts: Facts | None = None,
        since: int = 0,
    ) -> str | None:
        """Try every cut; return the first violation.

        :param drop: positions of syncs that are taken out.
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
        """Recover a state, once; and without what is meaningless, which must make no difference."""
        if state.digest not in self._outcomes:
            tally.recoveries += 1
            outcome = self._outcomes[state.digest] = self.subject.recover(state)
            plain = {path: data for path, data in state.files.items() if not any(map(meaningless, path.split("/")))}
            if plain.keys() != state.files.keys():
                key = hashlib.blake2b(repr(sorted(plain.items())).encode(), digest_size=16).digest()
                if key not in self._outcomes:
                    self._outcomes[key] = self.subject.recover(state._replace(files=plain))
                assert self._outcomes[key] == outcome, f"a temporary means something: {state.how}"
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


def meaningless(name: str) -> bool:
    """Whether something has a name only until it is whole; `Trial.outcome` sees that nothing rests on it."""
    return name.endswith((".new", ".new-journal", ".tmp")) or name.startswith(".init-")


def _plain(name: str) -> str:
    """Take what is random out of a temporary name."""
    if name.startswith(".init-"):
        return ".init-*"
    if name.endswith(".tmp"):
        return ".*.tmp"
    return name
