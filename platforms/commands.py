"""Running helper programs with a hard time limit."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Sequence

from metanode.platforms.captured import COMMAND

OUTPUT_CHARS_MAX = 1 << 20
"""Longest output kept of one command, characters."""


def run_limited(command: Sequence[str], *, seconds_max: float) -> tuple[str | None, str]:
    """Return (standard output, "") of a command, or (None, the reason in a few words).

    The command runs in its own session without input; when the time is up, it and every
    child it started are killed.  A non-zero exit with output counts as an answer, because
    some tools say "none" that way.
    """
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except FileNotFoundError:
        return None, f"{command[0]} is not installed"
    except OSError as error:
        return None, f"{command[0]}: {(error.strerror or 'cannot be started').lower()}"
    with process:
        try:
            output, _ = process.communicate(timeout=seconds_max)
        except subprocess.TimeoutExpired:
            return None, f"{command[0]} took longer than {seconds_max:g} s"
        finally:
            _end(process)
    text = output.decode("utf-8", "replace")[:OUTPUT_CHARS_MAX]
    if process.returncode != 0 and not text.strip():
        return None, f"{command[0]} ended with status {process.returncode}"
    return text, ""


def read_commands(
    commands: Iterable[Sequence[str]], files: dict[str, str], unread: dict[str, str], *, seconds_max: float
) -> None:
    """Run each command and put its output, or why there is none, under `cmd:` and the command line."""
    for command in commands:
        key = COMMAND + " ".join(command)
        text, reason = run_limited(command, seconds_max=seconds_max)
        if text is None:
            unread[key] = reason
        else:
            files[key] = text


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the session of a command that did not finish; it is reaped by the caller's `with`."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            process.kill()
