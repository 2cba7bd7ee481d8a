"""A chain of several real validators to be measured: each node a process, its blocks seen as its own event stream."""

from __future__ import annotations

import json
import socket
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from measuring import UnavailableError, cpu_s, rss_mib
from transfers import BALANCE, Wallet

from metanode.core.cli.dev_topology import Topology
from metanode.core.model.genesis import Genesis, genesis_from_json
from metanode.core.testing.devnet import Devnet
from metanode.core.testing.impaired_devnet import ImpairedDevnet
from metanode.core.testing.impairment import Impairment
from metanode.core.testing.namespaces import missing

SEED = 1
START_S = 120.0
"""Longest wait for every node's first blocks."""
WARM_BLOCKS = 8
"""Blocks before anything is measured."""
STREAM_S = 60.0
"""Longest silence of an event stream."""
POOL_ENTRIES = 50_000
LOADED = {
    "mempool": {"fifo": {
        "entries_max": POOL_ENTRIES, "bytes_max_mib": 64, "requests_per_minute": 1_000_000,
        "exempt_sources": ["local", "127.0.0.1"],
    }},
}  # fmt: skip
"""Settings of nodes under load: a wide pool, and no limit of requests."""
HISTOGRAM_MS = (10, 20, 30, 50, 75, 100, 150, 200, 250, 300, 400, 500, 750, 1000, 2000, 5000)


@dataclass(frozen=True)
class Seen:
    """A block as one node told of it, once it was durable there."""

    node: int
    height: int
    time_ms: int
    """When its leader began to build it, by the header."""
    envelopes: int
    at_ms: float
    """When the node's event arrived here, by the same clock."""

    @property
    def took_ms(self) -> float:
        """From the leader's clock to final and durable on this node."""
        return self.at_ms - self.time_ms


class Network:
    """A running chain, and what its nodes told."""

    def __init__(self, net: Devnet, genesis: Genesis) -> None:
        self.net = net
        self.genesis = genesis
        self.seen: list[Seen] = []
        self.stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def size(self) -> int:
        """How many validators."""
        return len(self.net.nodes)

    def inside(self, node: int) -> AbstractContextManager[None]:
        """Return where this node's API can be reached: for networks of namespaces, in its own."""
        return self.net.links.spaces[node].inside() if isinstance(self.net, ImpairedDevnet) else nullcontext()

    def connect(self, node: int) -> socket.socket:
        """Open a connection to a node's API."""
        parts = urlsplit(self.net.places[node].url)
        with self.inside(node):
            return socket.create_connection((parts.hostname or "", parts.port or 0), STREAM_S)

    def watch(self) -> None:
        """Follow every node's blocks from now on."""
        for node in range(self.size):
            self.start(self._follow, node)

    def start(self, work: Callable[[int], None], node: int) -> None:
        """Run something about a node in a thread, until `stopping`."""
        thread = threading.Thread(target=work, args=(node,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def end(self) -> None:
        """Wait for the threads; the nodes have ended, so their streams have too."""
        for thread in self._threads:
            thread.join()

    def stored(self, above: int) -> list[int]:
        """Return how many envelopes each block above a height has in the first node's file, in order of height."""
        file = self.net.places[0].home.path / "data" / "storage.sqlite" / "chain.sqlite"
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as reader:
            question = "SELECT length(offsets) / 4 - 1 FROM blocks WHERE height > ? ORDER BY height"
            return [count for (count,) in reader.execute(question, (above,))]

    def window(self, seconds: float) -> Window:
        """Watch for so long."""
        first, began, before = len(self.seen), time.monotonic(), self._used_s()
        time.sleep(seconds)
        took_s, used_s = time.monotonic() - began, self._used_s() - before
        running = [node for node in self.net.nodes if node.running]
        memory = [rss_mib(node.pid) for node in running]
        return Window(self.seen[first:], took_s, used_s / len(running), memory)

    def _used_s(self) -> float:
        return sum(cpu_s(node.pid) for node in self.net.nodes if node.running)

    def _follow(self, node: int) -> None:
        with self.connect(node) as stream:
            stream.sendall(b"GET /v1/events?types=block_finalized HTTP/1.1\r\nHost: bench\r\n\r\n")
            buffer = b""
            try:
                while not self.stopping.is_set() and (data := stream.recv(65536)):
                    at_ms = time.time() * 1000
                    *lines, buffer = (buffer + data).split(b"\n")
                    for line in lines:
                        if line.startswith(b"data: ") and b'"envelopes"' in line:
                            value = json.loads(line[6:])
                            self.seen.append(
                                Seen(node, value["height"], value["time_ms"], value["envelopes"], at_ms)
                            )
            except OSError:
                return  # the node was killed, or has ended


@dataclass(frozen=True)
class Window:
    """What was seen while the network was watched."""

    seen: Sequence[Seen]
    took_s: float
    cpu_s: float
    """CPU of one node, on average."""
    memory_mib: Sequence[float]

    @property
    def blocks(self) -> int:
        """Heights that a node told of."""
        return len({block.height for block in self.seen})

    @property
    def cpu_ms_per_block(self) -> float:
        """CPU of one node for one block, everything that it does."""
        return self.cpu_s / max(1, self.blocks) * 1000

    @property
    def transfers(self) -> int:
        """Envelopes in the blocks that every watched node has."""
        return sum({block.height: block.envelopes for block in self.seen}.values())

    def took_ms(self) -> list[float]:
        """From the leader's clock until durable, for each block on each node."""
        if not self.seen:
            raise UnavailableError("the network made no block while it was measured")
        return sorted(block.took_ms for block in self.seen)

    def after_due_ms(self, block_ms: int) -> list[float]:
        """From when a block was due until durable, on each node: also counts rounds that brought nothing."""
        times = {block.height: block.time_ms for block in self.seen}
        return sorted(
            block.at_ms - times[block.height - 1] - block_ms for block in self.seen if block.height - 1 in times
        )


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of sorted values does not exceed."""
    return values[min(len(values) - 1, int(len(values) * share))]


def histogram(values: Sequence[float]) -> str:
    """Return how many values are within each bound, in words."""
    rows, low = [], 0
    for bound in HISTOGRAM_MS:
        count = sum(1 for value in values if low <= value < bound)
        if count:
            rows.append(f"<{bound}: {count}")
        low = bound
    beyond = sum(1 for value in values if value >= low)
    return " ".join(rows + ([f"more: {beyond}"] if beyond else []))


def spread(values: Sequence[float]) -> str:
    """Return median, tail and histogram in words."""
    return (
        f"p50 {statistics.median(values):.0f}, p95 {quantile(values, 0.95):.0f}, most {values[-1]:.0f} ms of "
        f"{len(values)} (ms {histogram(values)})"
    )


@contextmanager
def network(
    validators: int, block_ms: int, *, wallets: Sequence[Wallet] = (), impairment: Impairment | None = None,
    watched: bool = True,
) -> Iterator[Network]:  # fmt: skip
    """Run a chain that makes a block every `block_ms`, empty or not; warm when the block begins.

    :param wallets: own coins at genesis.
    :param impairment: when given, nodes are namespaces and their links are this bad.
    :param watched: whether every node's blocks are followed; costs each node some CPU for each envelope.
    :raises UnavailableError: it cannot be set up, or makes no blocks.
    """
    params = {"block_ms": block_ms, "slot_ms": 4 * block_ms}  # a quarter of a slot is the pace of empty blocks
    topology = Topology("devnet", validators, 0, params=params, settings=LOADED)
    with tempfile.TemporaryDirectory(prefix="metanode-bench-") as scratch:
        if impairment is None:
            net = Devnet(Path(scratch), topology)
        elif reason := missing():
            raise UnavailableError(reason)
        else:
            net = ImpairedDevnet(Path(scratch), topology, seed=SEED, impairment=impairment)
        genesis = _fund(net, wallets)
        made = Network(net, genesis)
        try:
            with net:
                try:
                    net.wait_for_height(WARM_BLOCKS, within_s=START_S)
                except AssertionError as error:
                    raise UnavailableError(str(error)) from None
                if watched:
                    made.watch()
                yield made
                made.stopping.set()
        finally:
            made.stopping.set()
            made.end()


def _fund(net: Devnet, wallets: Sequence[Wallet]) -> Genesis:
    """Give the wallets coins in everybody's genesis, and return it."""
    text = net.places[0].home.genesis_file.read_text(encoding="utf-8")
    value = json.loads(text)
    value["accounts"].update({wallet.text: BALANCE for wallet in wallets})
    text = json.dumps(value)
    for place in net.places:
        place.home.genesis_file.write_text(text, encoding="utf-8")
    return genesis_from_json(text)
