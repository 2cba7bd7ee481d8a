"""The processes of a network on one machine: started, looked at, ended by their ids, never by name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metanode.core.cli.dev_homes import Place
from metanode.core.cli.passphrase import ENVIRONMENT as PASSPHRASE_VARIABLE
from metanode.core.light.http_client import HttpClient
from metanode.core.model.errors import MetanodeError

STOP_S_MAX = 15.0
"""Longest wait for a node to end after SIGTERM; then it is killed."""
ANSWER_S_MAX = 2.0
"""Longest wait for a node's answer when it is looked at."""
WORDS_CHARS_MAX = 300
"""Longest end of a node's log that is shown when it died."""


@dataclass(frozen=True)
class Usage:
    """What a process has used."""

    cpu_s: float
    rss_mib: float


class DevNode:
    """One node of the network, as a process that may come and go."""

    def __init__(self, place: Place, directory: Path) -> None:
        self.place = place
        self.program: tuple[str, ...] = ("-m", "metanode.core.cli")
        """What Python runs as `metanode`."""
        self.starts = 0
        """How often it was started."""
        self._log = directory / f"{place.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._http = HttpClient(place.url, timeout_s=ANSWER_S_MAX)

    @property
    def name(self) -> str:
        """v0, w0, ..."""
        return self.place.name

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of its process, also of one that ended."""
        assert self._process is not None, "started before"
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How its process ended; negative: by that signal."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches only who started it."""
        assert not self.running, f"{self.name} runs"
        self.starts += 1
        kept = {key: value for key, value in os.environ.items() if key != PASSPHRASE_VARIABLE}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self.program, "run", "--home", str(self.place.home.path)],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env={**kept, "PYTHONUNBUFFERED": "1"}, start_new_session=True,
            )  # fmt: skip

    def signal(self, number: int) -> None:
        """Send its process a signal."""
        if self.running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def ask_to_end(self) -> None:
        """Send SIGTERM, once: the node would take a second one as impatience."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)  # one that was stopped hears nothing else

    def await_end(self) -> bool:
        """Wait until it has ended; False if it had to be killed."""
        if self._process is None:
            return True
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def stop(self) -> bool:
        """End it with SIGTERM; False if it had to be killed."""
        self.ask_to_end()
        return self.await_end()

    def get(self, path: str) -> Any:
        """GET a route.

        :raises MetanodeError: UNREACHABLE, TIMEOUT, or what the node refused with.
        """
        return self._http.get(path).require()

    def status(self) -> dict[str, Any] | None:
        """Return what it says at /v1/status; None while it does not answer."""
        if not self.running:
            return None
        try:
            value: dict[str, Any] = self.get("/v1/status")
        except MetanodeError:
            return None
        return value

    def usage(self) -> Usage | None:
        """Return what its process has used since it was started; None where this system does not tell."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(errors="replace")
            fields = Path(f"/proc/{self.pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        except (OSError, StopIteration, AssertionError):
            return None
        return Usage((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), kib / 1024)

    def last_words(self) -> str:
        """Return the last line of its log."""
        lines = self._log.read_text(errors="replace").strip().splitlines() if self._log.exists() else []
        return lines[-1][-WORDS_CHARS_MAX:] if lines else "no output"


class DevNodes:
    """All of them."""

    def __init__(self, places: list[Place], directory: Path) -> None:
        self._nodes = [DevNode(place, directory) for place in places]
        self._threads = ThreadPoolExecutor(max_workers=min(16, len(places)))

    def __iter__(self) -> Any:
        return iter(self._nodes)

    def __getitem__(self, index: int) -> DevNode:
        return self._nodes[index]

    def __len__(self) -> int:
        return len(self._nodes)

    def start(self) -> None:
        """Start those that do not run."""
        for node in self._nodes:
            if not node.running:
                node.start()

    def statuses(self) -> list[dict[str, Any] | None]:
        """Ask all at once: one that was stopped must not make the others look old."""
        return list(self._threads.map(DevNode.status, self._nodes))

    def stop(self) -> bool:
        """End all; True if each ended when asked."""
        for node in self._nodes:
            node.ask_to_end()
        ended = [node.await_end() for node in self._nodes]
        self._threads.shutdown(wait=False)
        return all(ended)
