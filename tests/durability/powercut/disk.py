"""What a disk may hold: the tree as the process sees it, and what a power cut may leave of it.

Strict POSIX, no file system's kindness: a file's bytes and size are durable once it is synced, a name once the
directory that holds it is synced.  Everything later is pending, and a cut keeps any part of it: a prefix of the
directory operations (every journal keeps their order) and any subset of the writes, each whole, torn or as zeros.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from powercut.recording import CREATED, TRUNCATED, Op, Record

WHOLE_SUBSETS_MAX = 6
"""Up to this many pending writes every subset of them is tried."""
RANDOM_SUBSETS = 16
SECTOR = 512


@dataclass(eq=False)
class Inode:
    """A file or a directory, named or not."""

    number: int
    is_dir: bool
    data: bytearray = field(default_factory=bytearray)
    entries: dict[str, Inode] = field(default_factory=dict)
    durable: bytes = b""
    durable_entries: dict[str, Inode] = field(default_factory=dict)
    version: int = 0
    """How often it was synced: with the pending writes, says which contents are possible."""
    system: int = 0
    """The number the kernel gave it, 0 when unknown."""


class Write(NamedTuple):
    """A pending change of a file: bytes at an offset, or a new size."""

    serial: int
    inode: Inode
    offset: int
    data: bytes | None
    """None: the size becomes `offset`."""


class Named(NamedTuple):
    """A pending change of names; `directory` is the one whose sync makes it durable."""

    serial: int
    directory: Inode
    name: str
    inode: Inode | None
    """What the name stands for now; None: nothing any more."""
    source: tuple[Inode, str] | None
    """Where a rename took it from."""


class Torn(NamedTuple):
    """How much of one write got to the disk: bytes [start, end) of it, zeros instead when `zero`."""

    which: int
    start: int
    end: int
    zero: bool


class State(NamedTuple):
    """What a power cut left: bytes by relative path, None for a directory."""

    digest: bytes
    files: dict[str, bytes | None]
    how: str


class Disk:
    """A tree below `root`, fed with the records of processes one after the other."""

    def __init__(self, root: str, ignored: Callable[[str], bool]) -> None:
        self._root = root
        self._ignored = ignored
        self._numbers = itertools.count(1)
        self._serials = itertools.count(1)
        self.top = Inode(0, is_dir=True)
        self.writes: list[Write] = []
        self.names: list[Named] = []
        self.fds: dict[int, tuple[Inode, str]] = {}
        self.unwritten: set[int] = set()
        """Serials of writes whose sync failed: the process reads them, and no later sync makes them durable."""
        self._contents: dict[tuple[object, ...], tuple[bytes, bytes]] = {}

    def restart(self, root: str | None = None) -> None:
        """A new process: no descriptors; what is pending stays in the page cache."""
        self.fds.clear()
        if root is not None and root != self._root:
            self._root = root  # a copy: the same tree under other numbers
            known: dict[str, Inode] = {}
            _reach(self.top, "", lambda inode: inode.entries, known)
            for path, inode in known.items():
                inode.system = 0
                if self._ignored(path) and not inode.is_dir:
                    parent, _, name = path.rpartition("/")
                    del (known[parent] if parent else self.top).entries[name]
            self.top.system = 0

    def seed(self, tree: dict[str, bytes | None]) -> None:
        """Take a tree as durable."""
        for path, data in sorted(tree.items()):
            *parents, name = path.split("/")
            inode = Inode(next(self._numbers), data is None)
            if data is not None:
                inode.data, inode.durable = bytearray(data), bytes(data)
            directory = self._walk(parents)
            directory.entries[name] = directory.durable_entries[name] = inode

    def relative(self, path: str) -> list[str]:
        """Return the parts of a path below the root."""
        return [part for part in path[len(self._root) :].split("/") if part not in ("", ".")]

    def _walk(self, parts: Sequence[str]) -> Inode:
        inode = self.top
        for part in parts:
            inode = inode.entries[part]
        return inode

    def find(self, path: str) -> Inode | None:
        """Return what the process sees under a relative path."""
        try:
            return self._walk([part for part in path.split("/") if part])
        except KeyError:
            return None

    def apply(self, record: Record, *, synced: bool = True) -> list[Write | Named]:
        """Take one record; return what it made durable.

        :param synced: False for a sync that is taken out of the program.
        """
        match record.op:
            case Op.OPEN:
                self._open(record)
            case Op.CLOSE:
                self.fds.pop(record.fd, None)
            case Op.DUP:
                self.fds[record.fd2] = self.fds[record.fd]
            case Op.WRITE:
                self._write(self.fds[record.fd], record.a, record.data)
            case Op.TRUNCATE:
                self._write(self.fds[record.fd], record.a, None)
            case Op.EXTEND:
                target = self.fds[record.fd]
                if record.a > len(target[0].data):
                    self._write(target, record.a, None)
            case Op.RENAME | Op.LINK:
                self._rename(record)
            case Op.UNLINK | Op.RMDIR:
                *parents, name = self.relative(record.path)
                directory = self._walk(parents)
                del directory.entries[name]
                self._name(directory, name, None, None, record.path)
            case Op.MKDIR:
                *parents, name = self.relative(record.path)
                self._make(self._walk(parents), name, record.path, is_dir=True)
            case Op.SYNC if synced and not self.swallowed(record):
                return self._sync(self.fds[record.fd][0])
            case Op.FAILED:
                inode = self.fds[record.fd][0]
                self.unwritten |= {one.serial for one in self.writes if one.inode is inode and one.data is not None}
            case Op.ALARM:
                raise AssertionError(f"the recorder cannot model: {record.path} {record.path2}")
        return []

    def swallowed(self, record: Record) -> bool:
        """Whether it is SQLite's sync of a directory: SQLite does not look whether that worked, so nobody may."""
        return record.op is Op.SYNC and record.flag == 1 and self.fds[record.fd][0].is_dir

    def _open(self, record: Record) -> None:
        parts = self.relative(record.path)
        inode = self.find("/".join(parts))
        if record.flag & CREATED:
            assert inode is None, f"{record.path} was created although it is there"
            inode = self._make(self._walk(parts[:-1]), parts[-1], record.path, is_dir=False)
        assert inode is not None, f"{record.path} was opened and nothing had made it"
        assert inode.system in (0, record.a), f"{record.path} is another file than the record says"
        inode.system = record.a
        self.fds[record.fd] = (inode, record.path)
        if record.flag & TRUNCATED:
            self._write(self.fds[record.fd], 0, None)

    def _make(self, directory: Inode, name: str, path: str, *, is_dir: bool) -> Inode:
        inode = Inode(next(self._numbers), is_dir)
        directory.entries[name] = inode
        self._name(directory, name, inode, None, path)
        return inode

    def _rename(self, record: Record) -> None:
        *parents, name = self.relative(record.path)
        *parents2, name2 = self.relative(record.path2)
        source, target = self._walk(parents), self._walk(parents2)
        inode = source.entries[name]
        taken = None
        if record.op is Op.RENAME:
            del source.entries[name]
            taken = (source, name)
        target.entries[name2] = inode
        self._name(target, name2, inode, taken, record.path2)

    def _name(
        self, directory: Inode, name: str, inode: Inode | None, source: tuple[Inode, str] | None, path: str
    ) -> None:
        change = Named(next(self._serials), directory, name, inode, source)
        if self._ignored("/".join(self.relative(path))):
            _rename_entry(change, {}, durable=True)
        else:
            self.names.append(change)

    def _write(self, target: tuple[Inode, str], offset: int, data: bytes | None) -> None:
        inode, path = target
        if self._ignored("/".join(self.relative(path))):
            return
        change = Write(next(self._serials), inode, offset, data)
        _write_into(inode.data, change)
        self.writes.append(change)

    def _sync(self, inode: Inode) -> list[Write | Named]:
        done: list[Write | Named] = []
        if inode.is_dir:
            done += [change for change in self.names if change.directory is inode]
            for change in done:
                assert isinstance(change, Named)
                _rename_entry(change, {}, durable=True)
            self.names = [change for change in self.names if change.directory is not inode]
        else:
            done += [one for one in self.writes if one.inode is inode and one.serial not in self.unwritten]
            left = [one for one in self.writes if one.inode is inode and one.serial in self.unwritten]
            self.writes = [change for change in self.writes if change.inode is not inode]
            if left:
                durable = bytearray(inode.durable)
                for change in done:
                    assert isinstance(change, Write)
                    _write_into(durable, change)
                inode.durable = bytes(durable)
                self.writes += [piece for one in left for piece in self._not_rewritten(one, done)]
            else:
                inode.durable = bytes(inode.data)
            inode.version += 1
        return done

    def _not_rewritten(self, lost: Write, done: Sequence[Write | Named]) -> Iterator[Write]:
        """Yield what later writes, durable now, have left of one whose sync failed."""
        assert lost.data is not None
        start = lost.offset
        kept = [True] * len(lost.data)
        for change in done:
            if isinstance(change, Write) and change.serial > lost.serial:
                end = change.offset + len(change.data) if change.data is not None else start + len(kept)
                for index in range(max(0, change.offset - start), min(len(kept), end - start)):
                    kept[index] = False
        at = 0
        for same, run in itertools.groupby(kept):
            length = sum(1 for _ in run)
            if same:
                piece = Write(next(self._serials), lost.inode, start + at, lost.data[at : at + length])
                self.unwritten.add(piece.serial)
                yield piece
            at += length

    def volatile(self) -> dict[str, bytes | None]:
        """Return the tree as the process sees it: what a SIGKILL leaves."""
        found: dict[str, Inode] = {}
        _reach(self.top, "", lambda inode: inode.entries, found)
        return {
            path: None if inode.is_dir else bytes(inode.data)
            for path, inode in found.items()
            if not self._ignored(path)
        }

    def mattering(self) -> set[int]:
        """Return the serials of pending changes that any later state can still show."""
        found: dict[str, Inode] = {}
        _reach(self.top, "", lambda inode: inode.entries, found)
        _reach(self.top, "/", lambda inode: inode.durable_entries, found)
        alive = {*found.values(), self.top, *(change.inode for change in self.names if change.inode is not None)}
        serials = {change.serial for change in self.names if change.directory in alive}
        return serials | {write.serial for write in self.writes if write.inode in alive}

    # What a cut leaves.

    def states(self, chance: random.Random, torn: int, prefer: Iterable[int] = ()) -> Iterator[State]:
        """Yield the states a cut at this moment could leave, without repeating the same choice.

        One of each prefix of the names in turn, so that whoever stops early has seen them all.

        :param torn: how many ways each write is torn, at most seven.
        :param prefer: serials of changes to leave out first, one by one and together: what a missing sync would
            have made durable.
        """
        preferred = frozenset(prefer)
        prefixes = list(range(len(self.names), -1, -1))
        missing = [index for index in prefixes if index < len(self.names) and self.names[index].serial in preferred]
        counts = dict.fromkeys([len(self.names), *sorted(missing), *prefixes])
        turns = [self._states_of(count, chance, torn, preferred) for count in counts]
        while turns:
            for turn in list(turns):
                state = next(turn, None)
                if state is None:
                    turns.remove(turn)
                else:
                    yield state

    def _states_of(self, count: int, chance: random.Random, torn: int, preferred: frozenset[int]) -> Iterator[State]:
        """Yield the states that keep the first `count` changes of names."""
        overlay: dict[Inode, dict[str, Inode]] = {}
        for change in self.names[:count]:
            _rename_entry(change, overlay)
        reachable: dict[str, Inode] = {}
        _reach(self.top, "", _over(overlay), reachable)
        inodes = set(reachable.values())
        writes = [write for write in self.writes if write.inode in inodes]
        how = f"names {count}/{len(self.names)}"
        for chosen, cut in _choices(writes, chance, torn, preferred):
            yield self._state(reachable, writes, chosen, cut, how)

    def _state(
        self, reachable: dict[str, Inode], writes: Sequence[Write], chosen: frozenset[int], cut: Torn | None, how: str
    ) -> State:
        by_inode: dict[Inode, list[int]] = {}
        for index, write in enumerate(writes):
            if index in chosen or (cut is not None and index == cut.which):
                by_inode.setdefault(write.inode, []).append(index)
        files: dict[str, bytes | None] = {}
        total = hashlib.blake2b(digest_size=16)
        for path, inode in sorted(reachable.items()):
            total.update(path.encode() + b"\0")
            if inode.is_dir:
                files[path] = None
                continue
            mine = by_inode.get(inode, [])
            torn = cut if cut is not None and cut.which in mine else None
            serials = tuple(writes[index].serial for index in mine)
            key = (inode.number, inode.version, serials, torn and (torn[1:], writes[torn.which].serial))
            found = self._contents.get(key)
            if found is None:
                data = bytearray(inode.durable)
                for index in mine:
                    _write_into(data, writes[index], torn if torn is not None and torn.which == index else None)
                found = bytes(data), hashlib.blake2b(data, digest_size=16).digest()
                if len(self._contents) > 2000:
                    self._contents.clear()
                self._contents[key] = found
            files[path] = found[0]
            total.update(found[1])
        kept = f"{len(chosen)}/{len(writes)} writes {'' if len(chosen) > 12 else sorted(chosen)}"
        return State(total.digest(), files, f"{how}, {kept}{'' if cut is None else f', torn {tuple(cut)}'}")


def _choices(
    writes: Sequence[Write], chance: random.Random, torn: int, preferred: frozenset[int]
) -> Iterator[tuple[frozenset[int], Torn | None]]:
    """Yield (writes kept whole, one torn write): the likely ones first."""
    n = len(writes)
    every = frozenset(range(n))
    seen: set[frozenset[int]] = set()
    wanted = [index for index, write in enumerate(writes) if write.serial in preferred]

    def subsets() -> Iterator[frozenset[int]]:
        if wanted:
            yield every - set(wanted)
            for index in wanted:
                yield every - {index}
                yield every - set(wanted[wanted.index(index) :])
        if n <= WHOLE_SUBSETS_MAX:
            for size in range(n, -1, -1):
                yield from map(frozenset, itertools.combinations(range(n), size))
            return
        yield every
        for index in range(n):
            yield frozenset(range(index))
            yield frozenset([index])
            yield every - {index}
        for _ in range(RANDOM_SUBSETS):
            yield frozenset(index for index in range(n) if chance.random() < 0.5)

    for chosen in subsets():
        if chosen not in seen:
            seen.add(chosen)
            yield chosen, None
    for index in range(n):
        ways = _tears(index, writes[index])
        if len(ways) > torn:
            ways = chance.sample(ways, torn)
        for way in ways:
            yield frozenset(range(index)), way
            if index + 1 < n and chance.random() < 0.25:
                yield every - {index}, way


def _tears(index: int, write: Write) -> list[Torn]:
    if write.data is None:
        return []
    n = len(write.data)
    ends = dict.fromkeys(end for end in (1, SECTOR, n // 2, n - SECTOR, n - 1) if 0 < end < n)
    tail = n // 2 // SECTOR * SECTOR or n // 2
    return [Torn(index, 0, end, False) for end in ends] + [Torn(index, tail, n, False), Torn(index, 0, n, True)]


def _write_into(data: bytearray, write: Write, torn: Torn | None = None) -> None:
    if write.data is None:
        if write.offset < len(data):
            del data[write.offset :]
        else:
            data.extend(bytes(write.offset - len(data)))
        return
    start, part = write.offset, write.data
    if torn is not None:
        # The size may be there before the bytes are: what was not written reads as it was, or as zeros behind the end.
        end = start + len(part)
        if end > len(data) and torn.end == len(part):
            data.extend(bytes(end - len(data)))
        start, part = start + torn.start, part[torn.start : torn.end]
        if torn.zero:
            part = bytes(len(part))
            if start < len(write.inode.durable):
                return  # no disk turns written bytes into zeros; it only forgets to write new ones
    if start > len(data):
        data.extend(bytes(start - len(data)))
    data[start : start + len(part)] = part


def _rename_entry(change: Named, overlay: dict[Inode, dict[str, Inode]], *, durable: bool = False) -> None:
    """Apply a change of names to the durable tree, or to copies of its directories in `overlay`."""

    def entries(directory: Inode) -> dict[str, Inode]:
        if durable:
            return directory.durable_entries
        return overlay.setdefault(directory, dict(directory.durable_entries))

    if change.source is not None and entries(change.source[0]).get(change.source[1]) is change.inode:
        del entries(change.source[0])[change.source[1]]
    if change.inode is None:
        entries(change.directory).pop(change.name, None)
    else:
        entries(change.directory)[change.name] = change.inode


def _over(overlay: dict[Inode, dict[str, Inode]]) -> Callable[[Inode], dict[str, Inode]]:
    return lambda inode: overlay.get(inode, inode.durable_entries)


def _reach(
    directory: Inode, prefix: str, entries: Callable[[Inode], dict[str, Inode]], found: dict[str, Inode]
) -> None:
    for name, inode in entries(directory).items():
        found[prefix + name] = inode
        if inode.is_dir:
            _reach(inode, f"{prefix}{name}/", entries, found)


def read_tree(root: Path) -> dict[str, bytes | None]:
    """Return what is below a directory."""
    found: dict[str, bytes | None] = {}
    for path in sorted(root.rglob("*")):
        found[str(path.relative_to(root))] = None if path.is_dir() else path.read_bytes()
    return found


def write_tree(root: Path, tree: dict[str, bytes | None]) -> None:
    """Make a directory hold a tree; it must not exist."""
    os.mkdir(root)
    for path, data in sorted(tree.items()):
        target = f"{root}/{path}"
        if data is None:
            os.mkdir(target, 0o700)
        else:
            fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(fd, data)
            finally:
                os.close(fd)
