"""Build the recorder, run a process under it, read what it wrote down."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("recorder.c")
_HEAD = struct.Struct("<IHHiiQQII")


class Op(IntEnum):
    """What a record is about; the numbers of recorder.c."""

    OPEN = 1
    CLOSE = 2
    DUP = 3
    WRITE = 4
    TRUNCATE = 5
    RENAME = 6
    UNLINK = 7
    LINK = 8
    MKDIR = 9
    RMDIR = 10
    SYNC = 11
    SEND = 12
    ALARM = 13
    EXTEND = 14
    FAILED = 15


CREATED, TRUNCATED = 1, 2
"""Flags of OPEN."""


@dataclass(frozen=True)
class Record:
    """One call that had an effect."""

    op: Op
    flag: int
    fd: int
    fd2: int
    a: int
    """Inode of OPEN, offset of WRITE, size of TRUNCATE and EXTEND."""
    path: str
    path2: str
    data: bytes


def build(directory: Path) -> Path | None:
    """Compile the recorder into `directory`; None where no C compiler can make it."""
    compiler = shutil.which(os.environ.get("CC", "gcc")) or shutil.which("cc")
    if compiler is None:
        return None
    library = directory / "recorder.so"
    flags = ["-O1", "-shared", "-fPIC", "-pthread", "-U_FILE_OFFSET_BITS"]
    command = [compiler, *flags, "-o", str(library), str(SOURCE), "-ldl"]
    return library if subprocess.run(command, capture_output=True, check=False).returncode == 0 else None


def environment(library: Path, log: Path, root: Path) -> dict[str, str]:
    """Return the environment in which a process records what it does below `root`."""
    added = {"LD_PRELOAD": str(library), "METANODE_RECORD": str(log), "METANODE_RECORD_ROOT": str(root.resolve())}
    return {**os.environ, **added}


def run(library: Path, log: Path, root: Path, command: Sequence[str], status: int = 0) -> str:
    """Run a command to its end under the recorder and return what it printed."""
    done = subprocess.run(command, env=environment(library, log, root), capture_output=True, text=True, check=False)
    assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def read(log: Path) -> Iterator[Record]:
    """Yield the records of a log in order; what a SIGKILL cut off in the middle of a record is left out."""
    data = log.read_bytes()
    position = 0
    while position + _HEAD.size <= len(data):
        total, op, flag, fd, fd2, a, _, first, second = _HEAD.unpack_from(data, position)
        if position + total > len(data):
            break
        start = position + _HEAD.size
        path, rest = data[start : start + first], data[start + first : start + first + second]
        named = op in (Op.RENAME, Op.LINK, Op.ALARM)
        yield Record(
            Op(op), flag, fd, fd2, a, os.fsdecode(path), os.fsdecode(rest) if named else "", b"" if named else rest
        )
        position += total


def split(records: Sequence[Record], directories: Sequence[str]) -> dict[str, list[Record]]:
    """Sort the records of one process by the directory they are about; a SEND is JSON that names it."""
    parts: dict[str, list[Record]] = {directory: [] for directory in directories}
    owners: dict[int, str] = {}
    for record in records:
        if record.path:
            owner = next((name for name in directories if f"{record.path}/".startswith(f"{name}/")), "")
        elif record.op is Op.SEND:
            owner = _told(record.data)
        else:
            owner = owners.get(record.fd, "")
        if record.op is Op.OPEN:
            owners[record.fd] = owner
        elif record.op is Op.DUP:
            owners[record.fd2] = owner
        if owner:
            parts[owner].append(record)
    return parts


def _told(data: bytes) -> str:
    try:
        return str(json.loads(data)["directory"])
    except ValueError:
        return ""  # an event loop waking itself
