"""A foreign Python that runs here under an emulator: what starts it, what compiles for it; and bounded commands."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
Say = Callable[[str], None]

_lock = threading.Lock()
_running: set[subprocess.Popen[str]] = set()
_stopping = threading.Event()


class Unavailable(Exception):
    """Something that this machine lacks; the text is one line and says what to install."""


class Failure(Exception):
    """Something that is wrong; the text is one line."""


@dataclass(frozen=True)
class Foreign:
    """An interpreter for another processor."""

    architecture: str
    emulator: tuple[str, ...]
    """The emulator and where the foreign C library lies; the processor is added."""
    python: Path
    compiler: tuple[str, ...]
    """The cross compiler and the processor it may compile for."""
    headers: tuple[Path, ...]
    """Folders of Python.h and pyconfig.h."""
    search: tuple[Path, ...]
    """Modules it needs beside ours."""

    def launcher(self, folder: Path, cpu: str, search: Sequence[Path]) -> Path:
        """Write a program that starts the interpreter on a processor, and return it.

        This machine's kernel knows how to start it, so a test may start another interpreter; no binfmt_misc is needed.
        """
        path = os.pathsep.join(map(str, (*search, *self.search)))
        emulator = shutil.which(self.emulator[0]) or self.emulator[0]
        command = shlex.join([emulator, *self.emulator[1:], "-cpu", cpu, str(self.python), "-S"])
        program = folder / f"python-{cpu}"
        program.write_text(
            f"#!/bin/sh\nexport PYTHONPATH=${{PYTHONPATH:-{shlex.quote(path)}}}\nexec {command} \"$@\"\n", "utf-8"
        )
        program.chmod(0o755)
        return program


def run(
    command: Sequence[str], seconds: float, *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Run a command to its end and return what it printed; what it started ends with it.

    :raises Failure: it printed its reason, or took longer than `seconds`.
    """
    name = Path(command[0]).name
    code, output = finish(command, seconds, cwd=cwd, env=env)
    if code is None:
        raise Failure(f"{name} took longer than {seconds:.0f} s")
    if code:
        raise Failure(f"{name} ended with code {code}: {last_line(output)}")
    return output


def finish(
    command: Sequence[str], seconds: float, *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> tuple[int | None, str]:
    """Run a command and return its code (None: stopped after `seconds`) and everything it printed."""
    with _lock:
        if _stopping.is_set():
            raise Failure("interrupted")
        try:
            # A group of its own: what the command has started ends with it.
            process = subprocess.Popen(
                command, cwd=cwd, env=None if env is None else dict(env), stdin=subprocess.DEVNULL, text=True,
                errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError:
            raise Unavailable(f"{command[0]} is not installed") from None
        _running.add(process)
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _kill(process)
        output, _ = process.communicate()
        return None, output
    finally:
        with _lock:
            _running.discard(process)
            if process.poll() is None:
                _kill(process)
                process.wait()
    return process.returncode, output


def stop_all() -> None:
    """End every command that other threads are waiting for, and let none begin."""
    with _lock:
        _stopping.set()
        for process in _running:
            if process.poll() is None:
                _kill(process)


@contextmanager
def ended_with_us() -> Iterator[None]:
    """An interrupt, an error or SIGTERM inside ends every running command, also those of other threads.

    SIGTERM is made an exit where nothing else answers it.
    """

    def terminated(number: int, frame: object) -> None:
        sys.exit(128 + number)

    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    except BaseException:
        stop_all()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _kill(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)


def last_line(output: str) -> str:
    """Return the last line that says something."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "rror" in line]
    return (errors or lines or ["it printed nothing"])[-1][:200]
