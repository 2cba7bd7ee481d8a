"""The demo's own processes: started in sessions of their own, ended by their ids, never by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from metanode.core.cli.passphrase import ENVIRONMENT as PASSPHRASE_VARIABLE
from metanode.core.model.errors import MetanodeError

STOP_S_MAX = 15.0
"""Longest wait for a process to end after SIGTERM; then it is killed, and that fails the demo."""
WORDS_CHARS_MAX = 300
"""Longest end of a process's output that is shown when it fails."""


class Processes:
    """Processes that run along, each with a log file in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def last_words(self, name: str) -> str:
        """Return the end of a process's log."""
        return _said(self._log(name).read_text(errors="replace"))

    def _log(self, name: str) -> Path:
        return self._directory / f"{name.replace(' ', '-')}.log"

    def spawn(self, name: str, words: list[str]) -> None:
        """Start a module as a process in a session of its own, so that Ctrl-C reaches only the demo."""
        with self._log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *words],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env=_environment(), start_new_session=True,
            )  # fmt: skip

    def check(self) -> None:
        """Raise when a process has ended by itself, with its last words."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise MetanodeError(
                    "INTERNAL", f"the {name} ended with code {process.returncode}: {self.last_words(name)}"
                )

    def stop(self) -> bool:
        """End the processes, the miner first; True if each ended by itself when asked."""
        clean = True
        for name in reversed(list(self._running)):
            process = self._running[name]
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                clean = False
        return clean


def run_verb(*words: str) -> dict[str, Any]:
    """Run a verb as a process of its own and return its JSON answer.

    It runs in a session of its own: a Ctrl-C at the terminal is the demo's, which waits for the verb's end.

    :raises MetanodeError: INTERNAL with its last words when it fails.
    """
    command = [sys.executable, "-m", "metanode.core.cli", *words, "--json"]
    done = subprocess.run(
        command, env=_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        start_new_session=True,
    )  # fmt: skip
    if done.returncode:
        raise MetanodeError("INTERNAL", f"`metanode {words[0]}` failed: {_said(done.stdout or done.stderr)}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _environment() -> dict[str, str]:
    """The demo's keys have a passphrase of their own: the user's must not meet them."""
    kept = {key: value for key, value in os.environ.items() if key != PASSPHRASE_VARIABLE}
    return {**kept, "PYTHONUNBUFFERED": "1"}


def _said(output: str) -> str:
    """Return the last line of an output; of a refusal in JSON, what it says."""
    line = (output.strip().splitlines() or ["no output"])[-1]
    try:
        answer = json.loads(line)
    except ValueError:
        return line[-WORDS_CHARS_MAX:]
    return str(answer.get("message", line) if isinstance(answer, dict) else line)[:WORDS_CHARS_MAX]
