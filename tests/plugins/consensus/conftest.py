"""A node whose storage outlives it: what a restart finds is what the run before left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from metanode.core import crypto
from metanode.core.clock import Clock
from metanode.core.home import solo_genesis
from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.identity import fresh_identity
from metanode.core.kernel import Node
from metanode.core.model import kinds
from metanode.core.model.bodies import Transfer
from metanode.core.model.envelope import Envelope, build_envelope
from metanode.core.roles import Storage
from metanode.core.settings import Settings
from metanode.core.testing.clock import START_MS, SeededRandomness, VirtualClock
from metanode.core.testing.workers import InlineWorkers
from metanode.plugins.storage.memory.store import MemoryStorage

SEED = 7


class KeptStorage:
    """An inline plugin that hands out the same storage at every start."""

    MANIFEST = {
        "name": "storage.kept",
        "role": "storage",
        "summary": "memory that survives the node",
        "api": {"roles": 1},
    }

    def __init__(self) -> None:
        self.storage = MemoryStorage()

    @hookimpl
    def provide_storage(self, context: PluginContext) -> Storage:
        """Answer the hook."""
        return self.storage


class World:
    """One chain: its genesis and keys, its storage, and a home for its log."""

    def __init__(self, home: Path) -> None:
        crypto.install()
        self.identity = fresh_identity(SeededRandomness(SEED))
        self.genesis = solo_genesis(self.identity, genesis_ms=START_MS)
        self.kept = KeptStorage()
        self.home = home

    @asynccontextmanager
    async def node(self, clock: Clock | None = None, **solo: int) -> AsyncIterator[Node]:
        """Run a node of this chain until the block ends."""
        roles = {"storage": "kept", "ledger": "attested", "mempool": "fifo", "consensus": "solo"}
        async with Node.open(
            Settings.from_mapping(
                {"node": {"blocked_ms": 0}, "roles": roles, "plugins": {"consensus": {"solo": solo}}}
            ),
            plugins=[self.kept],
            clock=clock or VirtualClock(),
            randomness=SeededRandomness(SEED + 1),
            workers=InlineWorkers(),
            home=self.home,
            genesis=self.genesis,
            identity=self.identity,
        ) as node:
            yield node

    def transfer(self, nonce: int, amount: int = 1) -> Envelope:
        """A signed transfer of the sponsor."""
        sponsor = self.identity.sponsor
        return build_envelope(
            chain_id=self.genesis.chain_id,
            kind=kinds.TRANSFER,
            sender=sponsor.account,
            nonce=nonce,
            fee=self.genesis.params.min_fee,
            valid_until=1000,
            body=Transfer(b"\x07" * 20, amount).encode(),
            public_key=sponsor.public_key if nonce == 0 else b"",
            sign=sponsor.sign,
            genesis_hash=self.genesis.hash,
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh chain."""
    return World(tmp_path)
