"""rss.node and rss.miner: a real `metanode run` process in a home of its own, and a real miner beside it."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from measuring import Result, UnavailableError, cpu_s, environment, finish, last_line, python, rss_mib, rss_peak_mib

START_S = 30.0
"""Longest wait for the node to listen."""
STOP_S = 15.0
"""Longest wait for a process to end after SIGTERM."""
IDLE_S = 10.0
"""How long the node runs without any request before its memory is read."""
ATTESTED_S = 60.0
"""Longest wait for the miner's first attestation."""
READINGS = 21
READING_S = 0.1
"""How often and how far apart a resting miner's memory is read: one reading may meet its next measurement."""


@dataclass(frozen=True)
class LiveNode:
    """A running node."""

    pid: int
    url: str
    sponsor: str
    """Account of its sponsor, mn1..."""
    directory: Path
    """A scratch directory that goes when the node does; the home is `home` in it."""
    start_s: float
    """From the start of the process until it listened."""


@contextmanager
def live_node(prepare: Callable[[Path], None] = lambda home: None) -> Iterator[LiveNode]:
    """Run a devnet node, SQLite and HTTP on any free port, for as long as the block lasts.

    :param prepare: changes the home before the node starts.
    :raises UnavailableError: it cannot be set up or does not listen.
    """
    with tempfile.TemporaryDirectory(prefix="metanode-bench-") as scratch:
        directory = Path(scratch)
        home = directory / "home"
        made = finish(python("-m", "metanode.core.cli", "init", "--home", str(home), "--port", "0", "--json"))
        sponsor = json.loads(made.output)["sponsor"]
        prepare(home)
        start = time.monotonic()
        with started(directory / "node.log", "-m", "metanode.core.cli", "run", "--home", str(home)) as process:
            url = _wait_for_address(process, home / "run" / "node.json", directory / "node.log")
            yield LiveNode(process.pid, url, sponsor, directory, time.monotonic() - start)


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


def miner_memory() -> list[Result]:
    """A miner that registered this machine and attested, at rest between two attestations."""
    finish(python("-m", "metanode.miner.command", "--help"))  # compiles the bytecode, see `node_memory`
    with live_node() as node:
        log = node.directory / "miner.log"
        words = ["-m", "metanode.miner.command", "--json", "run", "--wallet", node.sponsor, "--node", node.url]
        with started(log, *words, "--dir", str(node.directory / "miner")) as miner:
            seconds = _wait_for_event(miner, log, "attested")
            mib, peak_mib = _resting_mib(miner.pid), rss_peak_mib(miner.pid)
    return [
        Result(
            "rss.miner",
            mib,
            "MiB",
            conditions=(
                f"`metanode-miner run` after its first attestation ({seconds:.0f} s after the start), real node; "
                f"VmRSS, median of {READINGS} readings in {READINGS * READING_S:.0f} s, bytecode cached; "
                f"peak {peak_mib:.1f} MiB, while its probes walk 8 MiB; no peer installed"
            ),
        )
    ]


def _resting_mib(pid: int) -> float:
    """Return the median of a process's memory over two seconds, MiB."""
    readings = []
    for _ in range(READINGS):
        time.sleep(READING_S)
        readings.append(rss_mib(pid))
    return statistics.median(readings)


def _wait_for_address(process: subprocess.Popen[bytes], state: Path, log: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise UnavailableError(f"`metanode run` ended with code {process.returncode}: {last_line(_text(log))}")
        if state.exists() and (addresses := json.loads(state.read_text(encoding="utf-8"))["addresses"]):
            return str(addresses[0])
        time.sleep(0.01)
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
