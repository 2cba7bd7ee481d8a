"""What a process can tell of itself: how much memory it holds, and where it stands when nothing in it can run.

`StackDump` is for the second.  While C code holds the interpreter lock no other thread can look; a signal handler in C
can, and the frames it reads stand still.  It must not look at frames that move: a reader that met one being dropped
has ended the process with signal 11, so whoever can still run puts the alarm off (docs/decisions/0009-faults.md).
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import signal
import sys
import traceback
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import NamedTuple

DUMP_BYTES_MAX = 1 << 20
"""How much of a dump is read, bytes; the interpreter writes a hundred frames at most."""

IDLE = frozenset({"get_events", "_work"})
"""trio's functions that wait, for input and for a thread's next job: nobody is blocked there; the machine slept."""

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
    """A file that is given the main thread's stack when `arm` is not called again in time.

    For a program that has the process to itself: it takes the process's SIGALRM, and can only be made in the main
    thread.  The signal ends a system call that blocks too long, as any signal does.

    :param directory: made when missing; the file's name holds the process id.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = directory / _DUMP_NAME.format(os.getpid())
        # The handler only writes: it must always be at the end.
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "rb+", buffering=0)
        self._head = b""
        signal.signal(signal.SIGALRM, signal.SIG_IGN)  # what `close` goes back to: a late signal must not kill
        faulthandler.register(signal.SIGALRM, file=self._file, all_threads=False)

    def arm(self, after_s: float, places: Mapping[str, str]) -> None:
        """Dump after this many seconds, unless called again before.  The calling thread will not take the alarm.

        :param places: whose code is where, for whoever reads the file.
        """
        head = json.dumps(dict(places)).encode() + b"\n"
        # Not every time: a memory card should not be written to four times a second.
        if head != self._head or os.fstat(self._file.fileno()).st_size > len(head):
            with suppress(OSError):  # a disk that refuses must not end the watch: others read less, that is all
                self._file.truncate(0)
                self._file.write(head)
            self._head = head
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        signal.setitimer(signal.ITIMER_REAL, after_s)

    def note(self, stack: Iterable[Place]) -> None:
        """Write down a stack that Python code could take, in place of the dump, for other processes to read."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        text = "".join(f'  File "{place.file}", line {place.line} in {place.function}\n' for place in stack)
        with suppress(OSError):
            self._file.write(text.encode("utf-8", "replace"))

    def stack(self) -> list[Place]:
        """Return the stack dumped since `arm`, innermost frame first; empty when there was no need."""
        return _parse(os.pread(self._file.fileno(), DUMP_BYTES_MAX, len(self._head)).decode("utf-8", "replace"))

    def close(self) -> None:
        """Dump no more and remove the file."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.unregister(signal.SIGALRM)
        self._file.close()
        _remove(self._path)


def read_dump(directory: Path, pid: int) -> tuple[str, str]:
    """Return (plugin, place) that process `pid` stands blocked in now, ("", "") when it does not."""
    try:
        head, _, dumped = (directory / _DUMP_NAME.format(pid)).read_text("utf-8", "replace").partition("\n")
        stack = _parse(dumped)
        return ("", "") if not stack or stack[0].function in IDLE else blame(stack, json.loads(head))
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
        _remove(path)
        if place:
            found.append((plugin, place))
    return found


def _remove(path: Path) -> None:
    """Remove a dump.  A disk that has become read-only keeps it; it says nothing once its process is gone."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _parse(dumped: str) -> list[Place]:
    return [Place(file, line, function) for file, line, function in _FRAME.findall(dumped)]
