"""Any number of whole nodes in one process, on one virtual clock, under one seed: a BFT chain for a test.

    from metanode.core.testing.cluster import Cluster

    async def test_my_program(autojump_clock, tmp_path):
        cluster = Cluster(4, tmp_path)
        async with cluster.running(0, 1, 2, 3) as nodes:
            await cluster.wait_for_height(5)
            await nodes[0].roles.mempool.submit([...], source="local")

The nodes are whole: production plugins, their logs and stores below the directory given.  Replaced are the
clock, the links (`cluster.net` fails as told) and the threads.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import trio

from metanode.core import crypto
from metanode.core.home import SPONSOR_BALANCE, founders_genesis
from metanode.core.identity import Identity, fresh_identity
from metanode.core.kernel import Node
from metanode.core.settings import Settings
from metanode.core.testing.clock import START_MS, SeededRandomness, VirtualClock
from metanode.core.testing.faulty_net import FaultyNet, FaultyTransportPlugin
from metanode.core.testing.workers import InlineWorkers


def seed_scheduler(seed: int) -> None:
    """Let the seed decide also the order in which trio runs tasks that are ready together.

    trio shuffles on purpose and has these two names for tests that must be repeated; Hypothesis uses them too.
    """
    scheduler: Any = sys.modules["trio._core._run"]
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True
    scheduler._r.seed(seed)


class SkewedClock:
    """A node's own idea of the wall time: off by `skew_ms`, which a test may change."""

    def __init__(self, shared: Callable[[], VirtualClock]) -> None:
        self._shared = shared
        self.skew_ms = 0

    def now_ms(self) -> int:
        return self._shared().now_ms() + self.skew_ms

    def monotonic(self) -> float:
        return self._shared().monotonic()


class Cluster:
    """Validators of one chain; each is started and stopped by itself."""

    def __init__(
        self,
        size: int = 4,
        homes: Path | None = None,
        *,
        seed: int = 1,
        storage: str = "memory",
        guests: int = 0,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        """:param homes: where each node keeps its data; None: nowhere, a stopped node forgets everything.
        :param storage: the storage plugin; `sqlite` needs homes.
        :param guests: further nodes, numbered after the validators: funded, joined to all, and in no set.
        :param params: chain parameters that differ from those of the network `devnet`.
        """
        crypto.install()
        seeds = SeededRandomness(seed)
        self.seed = seed
        self.identities: list[Identity] = [fresh_identity(seeds) for _ in range(size + guests)]
        founded = founders_genesis(self.identities[:size], genesis_ms=START_MS)
        guest_accounts = [(guest.sponsor.account, SPONSOR_BALANCE) for guest in self.identities[size:]]
        self.genesis = replace(
            founded,
            params=replace(founded.params, **(params or {})),
            accounts=tuple(sorted([*founded.accounts, *guest_accounts])),
        )
        self.net = FaultyNet(seed)
        self.homes = homes
        self.storage = storage
        self._begun: VirtualClock | None = None
        self.clocks = [SkewedClock(self._clock) for _ in self.identities]
        self.nodes: dict[int, Node] = {}
        """The nodes that run now, by index."""
        self._seeds = seeds

    def _clock(self) -> VirtualClock:
        if self._begun is None:  # only now, inside the trio run
            self._begun = VirtualClock()
            seed_scheduler(self.seed)
        return self._begun

    def home(self, index: int) -> Path | None:
        """Where a node keeps its data."""
        return None if self.homes is None else self.homes / f"n{index}"

    def settings(self, index: int) -> Settings:
        """The settings of one node: it keeps a link to every other one."""
        others = [(i, other) for i, other in enumerate(self.identities) if i != index]
        return Settings.from_mapping(
            {
                "node": {"blocked_ms": 0},
                "roles": {
                    "storage": self.storage,
                    "ledger": "attested",
                    "mempool": "fifo",
                    "consensus": "qbft",
                    "transport": ["faulty"],
                },
                "peers": {"dial": [f"faulty:n{i}#{other.node.public_key.hex()}" for i, other in others]},
            },
            source=f"node {index} of a cluster",
        )

    @asynccontextmanager
    async def node(self, index: int, plugins: Sequence[object] = ()) -> AsyncIterator[Node]:
        """Run one node until the block ends."""
        async with Node.open(
            self.settings(index),
            plugins=[FaultyTransportPlugin(self.net, f"n{index}"), *plugins],
            clock=self.clocks[index],
            randomness=SeededRandomness(int.from_bytes(self._seeds.bytes(6), "big")),
            workers=InlineWorkers(),
            home=self.home(index),
            genesis=self.genesis,
            identity=self.identities[index],
        ) as node:
            self.nodes[index] = node
            try:
                yield node
            finally:
                del self.nodes[index]

    @asynccontextmanager
    async def running(self, *indices: int) -> AsyncIterator[list[Node]]:
        """Run these nodes, all when none is named, until the block ends."""
        chosen = indices or tuple(range(len(self.identities)))
        async with self._nested(chosen):
            yield [self.nodes[index] for index in chosen]

    @asynccontextmanager
    async def _nested(self, indices: Sequence[int]) -> AsyncIterator[None]:
        if not indices:
            yield
            return
        async with self.node(indices[0]), self._nested(indices[1:]):
            yield

    async def wait_for_height(self, height: int, *, within_s: float = 60) -> None:
        """Return once every running node has this height; virtual seconds.

        :raises trio.TooSlowError: they do not, in this time.
        """
        with trio.fail_after(within_s):
            for node in list(self.nodes.values()):
                await node.roles.consensus.wait_for_height(height)

    @property
    def height(self) -> int:
        """The lowest head among the nodes that run."""
        return min(node.roles.consensus.head.height for node in self.nodes.values())

    async def check_agreement(self) -> int:
        """Compare every block that two running nodes hold, and return how many heights were compared.

        :raises AssertionError: two nodes hold different blocks at one height.
        """
        agreed: dict[int, bytes] = {}
        for index, node in self.nodes.items():
            for height in range(1, node.roles.consensus.head.height + 1):
                record = await node.roles.storage.block(height)
                assert record is not None, f"node {index} lost block {height}"
                known = agreed.setdefault(height, record.header_hash)
                assert known == record.header_hash, f"seed {self.seed}: two blocks at height {height}"
        return len(agreed)
