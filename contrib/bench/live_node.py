"""rss.node, http.get and rss.miner: a real `metanode run` process in a home of its own, and a real miner beside it."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from measuring import Result, UnavailableError, cpu_s, environment, finish, last_line, python, rss_mib

START_S = 30.0
"""Longest wait for the node to listen."""
STOP_S = 15.0
"""Longest wait for a process to end after SIGTERM."""
IDLE_S = 10.0
"""How long the node runs without any request before its memory is read."""
ATTESTED_S = 60.0
"""Longest wait for the miner's first attestation."""
LOAD_S = 5.0
CONNECTIONS = 16
REQUEST = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@dataclass(frozen=True)
class LiveNode:
    """A running node."""

    pid: int
    url: str
    sponsor: str
    """Account of its sponsor, mn1..."""
    directory: Path
    """A scratch directory that goes when the node does."""


@contextmanager
def live_node() -> Iterator[LiveNode]:
    """Run a devnet node, SQLite and HTTP on any free port, for as long as the block lasts.

    :raises UnavailableError: it cannot be set up or does not listen.
    """
    with tempfile.TemporaryDirectory(prefix="metanode-bench-") as scratch:
        directory = Path(scratch)
        home = directory / "home"
        made = finish(python("-m", "metanode.core.cli", "init", "--home", str(home), "--port", "0", "--json"))
        sponsor = json.loads(made.output)["sponsor"]
        with started(directory / "node.log", "-m", "metanode.core.cli", "run", "--home", str(home)) as process:
            url = _wait_for_address(process, home / "run" / "node.json", directory / "node.log")
            yield LiveNode(process.pid, url, sponsor, directory)


@contextmanager
def started(log: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run Python with these words, output into `log`, and end it with the block, by its own id."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            python(*words), env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def node_memory() -> list[Result]:
    """A solo node that makes its blocks and is asked nothing."""
    with live_node():
        pass  # the first start of a checkout compiles its bytecode, which costs memory
    with live_node() as node:
        before, start = cpu_s(node.pid), time.monotonic()
        time.sleep(IDLE_S)
        share = (cpu_s(node.pid) - before) / (time.monotonic() - start)
        mib = rss_mib(node.pid)
    return [
        Result(
            "rss.node",
            mib,
            "MiB",
            conditions=(
                f"`metanode run`, SQLite and HTTP, devnet (a block per second), no request for {IDLE_S:g} s, "
                f"{share * 100:.2f} % of one core; VmRSS, bytecode cached; no peer installed"
            ),
        )
    ]


def http_get() -> list[Result]:
    """GET /health over kept connections, one request on the way in each."""
    with live_node() as node:
        parts = urlsplit(node.url)
        assert parts.hostname is not None, "a node's address names a host"
        assert parts.port is not None, "a node's address names a port"
        address = (parts.hostname, parts.port)
        _load(address, 0.5)
        before = cpu_s(node.pid)
        replies, wall_s = _load(address, LOAD_S)
        used = cpu_s(node.pid) - before
    return [
        Result(
            "http.get",
            replies / wall_s,
            "requests/s",
            cpu_us=used / replies * 1e6,
            conditions=(
                f"GET /health, {CONNECTIONS} kept connections, {LOAD_S:g} s, loopback, the client is another process "
                f"in Python on the same machine; the node makes blocks meanwhile; CPU is the node's alone; "
                f"no peer installed (a Flask and gunicorn stack would be one)"
            ),
        )
    ]


def miner_memory() -> list[Result]:
    """A miner that registered this machine and attested, at rest between two attestations."""
    finish(python("-m", "metanode.miner.command", "--help"))  # compiles the bytecode, see `node_memory`
    with live_node() as node:
        log = node.directory / "miner.log"
        words = ["-m", "metanode.miner.command", "--json", "run", "--wallet", node.sponsor, "--node", node.url]
        with started(log, *words, "--dir", str(node.directory / "miner")) as miner:
            seconds = _wait_for_event(miner, log, "attested")
            time.sleep(1)
            mib = rss_mib(miner.pid)
    return [
        Result(
            "rss.miner",
            mib,
            "MiB",
            conditions=(
                f"`metanode-miner run` one second after its first attestation ({seconds:.0f} s after the start), "
                "real node; VmRSS, bytecode cached; no peer installed"
            ),
        )
    ]


def _wait_for_address(process: subprocess.Popen[bytes], state: Path, log: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise UnavailableError(f"`metanode run` ended with code {process.returncode}: {last_line(_text(log))}")
        if state.exists() and (addresses := json.loads(state.read_text(encoding="utf-8"))["addresses"]):
            return str(addresses[0])
        time.sleep(0.05)
    raise UnavailableError(f"`metanode run` does not listen after {START_S:g} s: {last_line(_text(log))}")


def _wait_for_event(process: subprocess.Popen[bytes], log: Path, event: str) -> float:
    start = time.monotonic()
    while time.monotonic() - start < ATTESTED_S:
        if process.poll() is not None:
            raise UnavailableError(f"the miner ended with code {process.returncode}: {last_line(_text(log))}")
        if f'"event": "{event}"' in _text(log):
            return time.monotonic() - start
        time.sleep(0.1)
    raise UnavailableError(f"the miner has not {event} after {ATTESTED_S:g} s: {last_line(_text(log))}")


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def _load(address: tuple[str, int], seconds: float) -> tuple[int, float]:
    """Send requests for a while; return how many were answered 200, and the seconds it took.

    :raises UnavailableError: another status, or the node hung up.
    """
    replies = 0
    with selectors.DefaultSelector() as selector:
        try:
            for _ in range(CONNECTIONS):
                connection = socket.create_connection(address, timeout=5)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(connection, selectors.EVENT_READ)
                connection.sendall(REQUEST)
            start = time.perf_counter()
            while (took := time.perf_counter() - start) < seconds:
                for key, _ in selector.select(timeout=5):
                    connection = key.fileobj  # type: ignore[assignment]  # only sockets were registered
                    _read_reply(connection)
                    replies += 1
                    connection.sendall(REQUEST)
        except OSError as error:
            raise UnavailableError(f"GET /health: {error.strerror or error}") from None
        finally:
            for key in list(selector.get_map().values()):
                os.close(key.fd)
    return replies, took


def _read_reply(connection: socket.socket) -> None:
    data = connection.recv(65536)
    while True:
        head, mark, body = data.partition(b"\r\n\r\n")
        if mark:
            fields = head.lower().split(b"\r\n")
            length = next((int(line[15:]) for line in fields if line.startswith(b"content-length:")), None)
            if not fields[0].startswith(b"http/1.1 200 ") or length is None:
                raise UnavailableError(f"GET /health was answered {fields[0].decode(errors='replace')}")
            if len(body) >= length:
                return
        more = connection.recv(65536)
        if not more:
            raise UnavailableError("GET /health: the node closed the connection")
        data += more
