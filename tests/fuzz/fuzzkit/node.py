"""A real `metanode run` process on loopback to be attacked, and what it weighs."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from metanode.core.crypto import keystore
from metanode.core.crypto.keys import KeyPair
from metanode.core.home import Home

UNLIMITED = {"plugins.mempool.fifo": 'exempt_sources = ["local", "127.0.0.1"]'}
"""Else the limit per source would answer for everything behind it."""
START_S_MAX = 60.0
REPLY_S_MAX = 60.0


class Node:
    """A node on a fresh home; a context manager that ends it.

    :param prepare: changes the home before the node starts.
    :param settings: lines for `metanode.toml` by table, e.g. {"plugins.api.http": "header_timeout_s = 1"}.
    """

    def __init__(
        self, directory: Path, settings: dict[str, str] | None = None, prepare: Callable[[Home], None] | None = None
    ) -> None:
        self.home = Home(directory)
        self._prepare = prepare
        self._settings = settings or {}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Node:
        command = [sys.executable, "-m", "metanode.core.cli", "init", "--network", "devnet", "--port", "0"]
        subprocess.run([*command, "--home", str(self.home.path)], check=True, capture_output=True)
        text = self.home.settings_file.read_text(encoding="utf-8")
        for table, lines in {**UNLIMITED, **self._settings}.items():
            head = f"[{table}]\n"
            text = text.replace(head, f"{head}{lines}\n") if head in text else f"{text}\n{head}{lines}\n"
        self.home.settings_file.write_text(text, encoding="utf-8")
        if self._prepare is not None:
            self._prepare(self.home)
        with self.log_file.open("ab") as log:
            run = [sys.executable, "-m", "metanode.core.cli", "run", "--home", str(self.home.path)]
            self._process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=log)
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            state = self.home.read_running()
            if state is not None and state["pid"] == self._process.pid and state["addresses"]:
                self.port = int(state["addresses"][0].rsplit(":", 1)[1])
                return self
            assert self._process.poll() is None, self.log()[-2000:]
            time.sleep(0.02)
        raise AssertionError("the node did not start in time")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(START_S_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def log_file(self) -> Path:
        """What the node logs."""
        return self.home.path / "node.log"

    def log(self) -> str:
        """Return the log so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def rss_mib(self) -> float:
        """Return the process's resident memory, MiB."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024

    def check_well(self) -> None:
        """Fail when the process has ended, no longer answers, or logged a failure of its own."""
        assert self._process is not None
        assert self._process.poll() is None, f"the node ended:\n{self.log()[-3000:]}"
        status, _, value = self.ask("GET", "/health")
        assert (status, value["ok"]) == (200, True), value
        bad = [line for line in self.log().splitlines() if "Traceback" in line or "failed to answer" in line]
        assert not bad, "\n".join(bad[:5]) + self.log()[-3000:]

    def connect(self, timeout_s: float = REPLY_S_MAX) -> socket.socket:
        """Return a connected socket."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)

    def ask(self, method: str, target: str, body: bytes | None = None) -> tuple[int, dict[str, str], Any]:
        """Return (status, headers by lower-case name, JSON value or bytes) of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=REPLY_S_MAX)
        try:
            connection.request(method, target, body, {"Content-Type": "application/json"} if body else {})
            reply = connection.getresponse()
            data = reply.read()
        finally:
            connection.close()
        headers = {name.lower(): value for name, value in reply.getheaders()}
        is_json = headers.get("content-type") == "application/json" and data
        return reply.status, headers, json.loads(data) if is_json else data

    def sponsor(self) -> KeyPair:
        """Return the key of the account that genesis funds."""
        passphrase = self.home.passphrase()
        assert passphrase is not None
        return KeyPair.from_seed(keystore.open(self.home.keys_dir / "sponsor.key", passphrase))
