"""What a process can tell of itself: how much memory it holds, and where it stands when nothing in it can run.

`StackDump` is for the second: the interpreter's faulthandler has a thread in C, which needs no interpreter lock,
so it writes down the stacks even while an extension module holds that lock.  The process has one such timer.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import NamedTuple

DUMP_BYTES_MAX = 1 << 20
"""How much of a dump is read, bytes; a hundred frames a thread is the most the interpreter writes."""

WAITING = "get_events"
"""trio's function that waits for input: a loop found there was not blocked by its own thread."""

_FRAME = re.compile(r'^  File "(.*)", line (\d+|\?\?\?) in (.*)$', re.MULTILINE)
_DUMP_NAME = "stacks.{}.txt"


class Place(NamedTuple):
    """One frame of a stack."""

    file: str
    line: str
    function: str

    def __str__(self) -> str:
        return f"{self.function} ({self.file}:{self.line})"


def rss_bytes() -> int:
    """Return the memory this process holds in RAM, bytes; without /proc, the most it ever held."""
    statm = _statm()
    if statm is not None:
        return int(os.pread(statm, 128, 0).split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@cache
def _statm() -> int | None:
    try:
        return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def stack_of(frame: FrameType | None) -> list[Place]:
    """Return a running frame and its callers, innermost first."""
    rows = [] if frame is None else traceback.walk_stack(frame)
    return [Place(f.f_code.co_filename, str(line), f.f_code.co_name) for f, line in rows]


def stack_of_error(trace: TracebackType | None) -> list[Place]:
    """Return where an exception came from, innermost first."""
    rows = [Place(f.f_code.co_filename, str(line), f.f_code.co_name) for f, line in traceback.walk_tb(trace)]
    return rows[::-1]


def suspect(stacks: Sequence[Sequence[Place]], places: Mapping[str, str]) -> Sequence[Place]:
    """Return the stack that keeps the loop from running: the last one, unless that waits, then the first of a plugin.

    Empty when nobody is to blame, as after the whole machine slept.
    """
    if not stacks or not stacks[-1] or stacks[-1][0].function != WAITING:
        return stacks[-1] if stacks else []
    return next((stack for stack in stacks[:-1] if blame(stack, places)[0]), [])


def blame(stack: Iterable[Place], places: Mapping[str, str]) -> tuple[str, str]:
    """Return (plugin, place) of the outermost frame that belongs to a plugin, else ("", innermost place).

    The outermost one, because a plugin that calls a slow library is the one to ask.

    :param stack: innermost first.
    :param places: plugin names by the file or folder their code is in.
    """
    plugin = found = innermost = ""
    for place in stack:
        innermost = innermost or str(place)
        for path, name in places.items():
            if place.file == path or place.file.startswith(path + os.sep):
                plugin, found = name, str(place)
    return plugin, found or innermost


class StackDump:
    """A file that is given the stacks of all threads when `arm` is not called again in time.

    :param directory: made when missing; the file's name holds the process id.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = directory / _DUMP_NAME.format(os.getpid())
        # The timer's thread only writes: it must always be at the end.
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "rb+", buffering=0)
        self._head = b""

    def arm(self, after_s: float, places: Mapping[str, str]) -> None:
        """Dump after this many seconds, unless called again before.

        :param places: whose code is where, for whoever reads the file.
        """
        head = json.dumps(dict(places)).encode() + b"\n"
        # Not every time: a memory card should not be written to four times a second.
        if head != self._head or os.fstat(self._file.fileno()).st_size > len(head):
            self._file.truncate(0)
            self._file.write(head)
            self._head = head
        faulthandler.dump_traceback_later(after_s, file=self._file)

    def stacks(self) -> list[list[Place]]:
        """Return the stacks dumped since `arm`, innermost frame first, the main thread's last."""
        dumped = os.pread(self._file.fileno(), DUMP_BYTES_MAX, len(self._head))
        return _stacks(dumped.decode("utf-8", "replace"))

    def close(self) -> None:
        """Dump no more and remove the file."""
        faulthandler.cancel_dump_traceback_later()
        self._file.close()
        self._path.unlink(missing_ok=True)


def read_dump(directory: Path, pid: int) -> tuple[str, str]:
    """Return (plugin, place) that process `pid` stands blocked in now, ("", "") when it does not."""
    try:
        head, _, dumped = (directory / _DUMP_NAME.format(pid)).read_text("utf-8", "replace").partition("\n")
        places = json.loads(head)
        return blame(suspect(_stacks(dumped), places), places)
    except (OSError, ValueError, AttributeError):
        return "", ""


def left_dumps(directory: Path) -> list[tuple[str, str]]:
    """Return (plugin, place) of every process that ended while it was blocked, and remove what such processes left."""
    found = []
    for path in sorted(directory.glob(_DUMP_NAME.format("*"))):
        pid = path.name.split(".")[1]
        if not pid.isdigit() or _alive(int(pid)):
            continue
        plugin, place = read_dump(directory, int(pid))
        path.unlink(missing_ok=True)
        if place:
            found.append((plugin, place))
    return found


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _stacks(dumped: str) -> list[list[Place]]:
    """Return the frames per thread: the interpreter writes the oldest, the main thread, last."""
    threads = dumped.split("(most recent call first):")[1:]
    return [[Place(file, line, function) for file, line, function in _FRAME.findall(part)] for part in threads]
