"""A real miner process whose node goes away, comes back, is another one, or follows another chain.

One machine is one record on a chain, so the tests share the miner's directory and run in order of the story.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from metanode.core.cli.node_api import NodeApi
from metanode.core.crypto import keystore
from metanode.core.home import Home
from metanode.core.testing.clock import SeededRandomness

pytestmark = pytest.mark.endtoend

WAIT_S = 60.0
"""Longest wait for anything; on an idle host nothing takes more than a few seconds."""
OWNER = "RTC" + "22" * 20
METANODE = [sys.executable, "-m", "metanode.core.cli"]


class NodeProcess:
    """A node of a home, which may be started again."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it; return its address once it serves."""
        with (self.home.path / "log").open("ab") as log:
            self.process = subprocess.Popen([*METANODE, "run", "--home", str(self.home.path)], stdout=log, stderr=log)
        deadline = time.monotonic() + WAIT_S
        while True:
            state = self.home.read_running()
            if state is not None and state["pid"] == self.process.pid and state["addresses"]:
                return str(state["addresses"][0])
            assert self.process.poll() is None, (self.home.path / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the node did not start in time"
            time.sleep(0.02)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(WAIT_S)


class Gate:
    """What stands between miner and node at an address that never changes: open, or shut for some paths."""

    def __init__(self) -> None:
        self.target = ""
        self.shut: Callable[[bytes], bool] = lambda head: False
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Let nobody in any more."""
        self._server.shutdown(socket.SHUT_RDWR)  # wakes the accept, which closing alone would not
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            # Where the node is away or one side gave up, the connection closes, as it would without a gate.
            with connection, suppress(OSError):
                self._pass_on(connection)

    def _pass_on(self, connection: socket.socket) -> None:
        connection.settimeout(WAIT_S)
        head, body = b"", b""
        while b"\r\n\r\n" not in head:
            head += _received(connection)
        head, _, body = head.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
        while len(body) < length:
            body += _received(connection)
        if self.shut(head) or not self.target:
            return
        host, _, port = self.target.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port)), WAIT_S) as node:
            node.sendall(head + b"\r\n\r\n" + body)
            while chunk := node.recv(65536):
                connection.sendall(chunk)


def _received(connection: socket.socket) -> bytes:
    chunk = connection.recv(65536)
    if not chunk:
        raise ConnectionError("the miner went away")
    return chunk


class MinerProcess:
    """A miner and everything it told."""

    def __init__(self, directory: Path, url: str, *words: str) -> None:
        self.directory = directory
        command = [sys.executable, "-m", "metanode.miner.command", "run", "--json", "--wallet", OWNER, "--node", url]
        self.process = subprocess.Popen(
            [*command, "--dir", str(directory), "--retries", "1", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={key: value for key, value in os.environ.items() if key != "METANODE_PASSPHRASE"},
        )  # fmt: skip
        self.events: list[dict[str, Any]] = []
        self._told = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._told:
                self.events.append(json.loads(line))
                self._told.notify_all()

    def wait_for(self, kind: str, *, after: int = 0, **fields: object) -> int:
        """Wait for an event; return how many had been told with it."""

        def found() -> int | None:
            for at, event in enumerate(self.events[after:], after):
                if event.get("event") == kind and all(event[name] == value for name, value in fields.items()):
                    return at + 1
            return None

        with self._told:
            assert self._told.wait_for(found, WAIT_S), self.events[-5:]
            at = found()
            assert at is not None
            return at

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it and return its exit code; nothing may stand on standard error."""
        self.process.send_signal(number)
        return self.finish()

    def finish(self) -> int:
        """Wait for its end."""
        code = self.process.wait(WAIT_S)
        self._reader.join()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        assert "Traceback" not in errors, errors
        return code


def make_home(path: Path) -> Home:
    """A devnet home with blocks of 0.2 s and intervals of 1 s, in epochs so long that nothing is too late."""
    subprocess.run([*METANODE, "init", "--home", str(path), "--port", "0"], check=True, capture_output=True)
    home = Home(path)
    text = home.genesis_file.read_text()
    changes = {"block_ms": (1000, 200), "slot_ms": (2000, 500), "slots_per_epoch": (10, 1000)}
    for name, (before, after) in changes.items():
        assert f'"{name}": {before},' in text
        text = text.replace(f'"{name}": {before},', f'"{name}": {after},')
    home.genesis_file.write_text(text)
    return home


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything of this module."""
    return tmp_path_factory.mktemp("away")


@pytest.fixture(scope="module")
def node(place: Path) -> Iterator[NodeProcess]:
    """The node; tests start and end it."""
    made = NodeProcess(make_home(place / "home"))
    # The same chain under another node key, from before the chain began.
    shutil.copytree(made.home.path, place / "impostor")
    yield made
    made.end()


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    """The address that the miner knows."""
    made = Gate()
    yield made
    made.close()


@pytest.fixture
def miner(place: Path, gate: Gate) -> Iterator[Callable[..., MinerProcess]]:
    """Start miners on the one directory; whatever runs at the end is killed."""
    started: list[MinerProcess] = []

    def start(*words: str, url: str = "") -> MinerProcess:
        started.append(MinerProcess(place / "miner", url or gate.url, *words))
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            process.end(signal.SIGKILL)


@pytest.fixture
def running(node: NodeProcess, gate: Gate, miner: Callable[..., MinerProcess]) -> MinerProcess:
    """A node that serves, and a miner that has attested."""
    if node.process is None or node.process.poll() is not None:
        gate.target = node.start()
    gate.shut = lambda head: False
    process = miner()
    process.wait_for("attested")
    return process


def status(place: Path) -> dict[str, Any]:
    """What `metanode-miner status` shows."""
    command = [sys.executable, "-m", "metanode.miner.command", "status", "--json", "--dir", str(place / "miner")]
    value: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return value


def test_a_miner_started_before_its_node_waits_for_it(
    node: NodeProcess, gate: Gate, miner: Callable[..., MinerProcess], place: Path
) -> None:
    """It says so, shows it in its status, and registers and attests once the node is there."""
    process = miner()
    process.wait_for("waiting", code="UNREACHABLE")
    shown = status(place)
    assert (shown["running"], shown["state"], shown["attested"]) == (True, "waiting", 0)
    gate.target = node.start()
    process.wait_for("registered")
    process.wait_for("attested")
    assert process.end() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_a_mining_miner(running: MinerProcess, place: Path, number: signal.Signals, code: int) -> None:
    """SIGTERM is how services end things, Ctrl-C how people do; its status says that it stopped."""
    assert running.end(number) == code
    assert running.events[-1]["event"] == "stopped"
    shown = status(place)
    assert (shown["running"], shown["state"]) == (False, "stopped")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_a_waiting_miner(
    miner: Callable[..., MinerProcess], number: signal.Signals, code: int
) -> None:
    """It does not sit its wait out."""
    process = miner("--backoff", "10", url="http://127.0.0.1:1")
    process.wait_for("waiting")
    began = time.monotonic()
    assert process.end(number) == code
    assert time.monotonic() - began < 4, "the wait was 5 s at least"


def test_a_second_miner_on_the_directory_is_refused(
    running: MinerProcess, miner: Callable[..., MinerProcess]
) -> None:
    """The first goes on; two would attest one machine against each other."""
    second = miner()
    assert second.finish() == 1
    assert second.events[-1]["code"] == "STORAGE_LOCKED"
    running.wait_for("attested", after=len(running.events))
    assert running.end() == 0


def test_a_miner_outlives_its_node(running: MinerProcess, node: NodeProcess, gate: Gate, place: Path) -> None:
    """kill -9 of the node: the miner waits ever longer, and goes on by itself when the node is back."""
    node.end(signal.SIGKILL)
    told = running.wait_for("waiting", code="UNREACHABLE", after=len(running.events))
    running.wait_for("waiting", code="UNREACHABLE", after=told)
    assert status(place)["state"] == "waiting"
    gate.target = node.start()
    running.wait_for("attested", after=len(running.events))
    assert status(place)["state"] == "mining"
    assert running.end() == 0


def test_what_was_measured_survives_node_and_miner_and_is_delivered_later(
    running: MinerProcess, node: NodeProcess, gate: Gate, miner: Callable[..., MinerProcess], place: Path
) -> None:
    """The node goes away after the challenge, the miner is killed: the attestation is on disk and is delivered."""
    gate.shut = lambda head: head.startswith(b"POST /v1/attest/submit")
    running.wait_for("queued", code="UNREACHABLE", after=len(running.events))
    running.end(signal.SIGKILL)
    waiting = sorted(path.name for path in (place / "miner" / "queue").glob("*.envelope"))
    assert waiting
    shown = status(place)
    assert (shown["running"], shown["queued"]) == (False, len(waiting))

    gate.shut = lambda head: False
    again = miner()
    replies: list[dict[str, Any]] = []
    told = 0
    while len(replies) < len(waiting):
        told = again.wait_for("attested", after=told)
        replies.append(again.events[told - 1]["reply"])
    assert [f"{reply['interval']:020}.envelope" for reply in replies] == waiting
    api = NodeApi(gate.url)
    for reply in replies:
        assert api.wait_final(reply["id"], WAIT_S)["receipt"]["code"] == "OK"
    assert again.end() == 0
    assert set(waiting).isdisjoint(path.name for path in (place / "miner" / "queue").iterdir())


def test_a_node_of_another_chain_is_refused(
    running: MinerProcess, miner: Callable[..., MinerProcess], place: Path
) -> None:
    """Both chains are named, nothing is sent to it, and the record of the own chain stays."""
    assert running.end() == 0
    other = NodeProcess(make_home(place / "other"))
    memory = (place / "miner" / "memory.json").read_bytes()
    try:
        process = miner(url=other.start())
        assert process.finish() == 1
    finally:
        other.end()
    answer = process.events[-1]
    assert answer["code"] == "WRONG_CHAIN"
    assert other.home.genesis().hash.hex()[:16] in answer["message"]
    assert (place / "miner" / "memory.json").read_bytes() == memory
    assert "WRONG_CHAIN" in status(place)["last"]


def test_another_nodes_key_is_refused(
    running: MinerProcess, miner: Callable[..., MinerProcess], place: Path
) -> None:
    """The same chain, but not the node that was trusted on first contact: its replies are not believed."""
    assert running.end() == 0
    home = Home(place / "impostor")
    passphrase = home.passphrase()
    assert passphrase is not None
    (home.keys_dir / "node.key").unlink()
    keystore.create(
        home.keys_dir / "node.key", b"\x55" * 32, passphrase, label="impostor", randomness=SeededRandomness(5)
    )
    impostor = NodeProcess(home)
    try:
        process = miner(url=impostor.start())
        assert process.finish() == 1
    finally:
        impostor.end()
    answer = process.events[-1]
    assert answer["code"] == "BAD_REPLY"
    assert "as before" in answer["message"]
    assert "remembered node key" in answer["expected"]


def test_the_right_node_is_taken_again(running: MinerProcess, place: Path) -> None:
    """After all of that the machine still is who it was."""
    assert status(place)["running"] is True
    assert running.end() == 0
