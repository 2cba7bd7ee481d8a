"""A pool on a bench: a plain ledger, a clock set by hand, a head made of nonces.

The storage is given by the test, since core knows no plugin; one in memory is right, because
the checks wait for "all tasks blocked", which a disk's threads would escape.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import trio
import trio.testing

from metanode.core.bus import Bus
from metanode.core.health import HealthRegistry
from metanode.core.hooks import PluginContext
from metanode.core.http import Route
from metanode.core.identity import fresh_identity
from metanode.core.metrics import MetricRegistry
from metanode.core.model.accounts import account_id
from metanode.core.model.bodies import KINDS
from metanode.core.model.envelope import Envelope, build_envelope
from metanode.core.model.errors import MetanodeError, Rejection
from metanode.core.model.genesis import Genesis
from metanode.core.model.hashing import H
from metanode.core.model.kinds import ATTEST, TRANSFER, KindRegistry
from metanode.core.model.limits import NONCE_AHEAD_MAX
from metanode.core.model.state_map import StateMap
from metanode.core.model.validators import Validator, encode_set
from metanode.core.roles import AccountView, Head, Mempool, Roles, Storage
from metanode.core.testing.clock import SeededRandomness
from metanode.core.testing.contracts import running
from metanode.core.testing.contracts.ledger import DEVNET_PARAMS
from metanode.core.testing.no_peers import NoPeers
from metanode.core.testing.workers import InlineWorkers

GENESIS_HASH = bytes(range(32))
CHAIN_ID = 7

PARAMS = replace(DEVNET_PARAMS, attests_per_block_max=20, vm_weight=0, bond_min=1)


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def now_ms(self) -> int:
        return round(self.seconds * 1000)


class PlainLedger:
    """As much of a ledger as a pool asks: nonces from the state, and refusals a test has ordered."""

    def __init__(self) -> None:
        self.kinds = KindRegistry()
        for kind in KINDS:
            self.kinds.register(kind)
        self.refuse: dict[bytes, MetanodeError] = {}
        """Refusals by envelope id."""
        self.batches: list[int] = []
        """How many envelopes each call to `check` held."""

    def account(self, state: StateMap, account: bytes) -> AccountView:
        """Read an account; its value is its nonce."""
        value = state.get(b"\x01" + account)
        return AccountView(account, 0, int.from_bytes(value or b"", "big"), b"")

    def check(self, head: Head, envelopes: Sequence[Envelope]) -> list[MetanodeError | None]:
        """Check nonces, and refuse what was ordered."""
        self.batches.append(len(envelopes))
        return [self._check(head, envelope) for envelope in envelopes]

    def _check(self, head: Head, envelope: Envelope) -> MetanodeError | None:
        base = self.account(head.state, envelope.sender).nonce
        if envelope.id in self.refuse:
            return self.refuse[envelope.id]
        if self.kinds.get(envelope.kind).nonceless:
            return None
        if envelope.nonce < base:
            return Rejection("REPLAYED", f"nonce {envelope.nonce} is used up")
        if envelope.nonce > base + NONCE_AHEAD_MAX:
            return Rejection("BAD_NONCE", f"nonce {envelope.nonce} is too far ahead")
        return None


class _NoRoutes:
    def routes(self) -> Sequence[Route]:
        return ()


@dataclass
class Bench:
    """What a pool needs around it.  `storage` and `ledger` outlive the pools started on them."""

    provide: Callable[[PluginContext], Mempool]
    storage: Storage
    settings: Mapping[str, Any]
    ledger: PlainLedger = field(default_factory=PlainLedger)
    clock: ManualClock = field(default_factory=ManualClock)
    bus: Bus = field(default_factory=Bus)

    @asynccontextmanager
    async def pool(self, head: Head | None = None, *, recover: bool = True) -> AsyncIterator[Mempool]:
        """Run a pool around the block, recovered on `head` (genesis when none is given)."""
        await self.storage.open(GENESIS_HASH)
        async with running(self.storage):
            pool = self.provide(self._context())
            async with running(pool):
                if recover:
                    await pool.recover(head or head_at(0))
                yield pool

    def _context(self) -> PluginContext:
        randomness = SeededRandomness(1)
        identity = fresh_identity(randomness)
        node = account_id(identity.node.public_key)
        validator = Validator(node, identity.consensus.public_key, identity.vrf.public_key, bond=1)
        roles = Roles()
        roles.fill("storage", "bench", self.storage)
        roles.fill("ledger", "bench", self.ledger)
        return PluginContext(
            plugin="mempool.bench",
            settings=self.settings,
            data_dir=None,
            genesis=Genesis("bench", CHAIN_ID, 0, PARAMS, encode_set([validator]), (), 0),
            identity=identity,
            roles=roles,
            clock=self.clock,
            randomness=randomness,
            workers=InlineWorkers(),
            peers=NoPeers(),
            bus=self.bus,
            health=HealthRegistry(),
            metrics=MetricRegistry(),
            log=logging.getLogger("metanode.bench"),
            http=_NoRoutes(),
        )


class _NoAncestors:
    def at(self, height: int) -> tuple[bytes, int] | None:
        return None


def head_at(height: int, nonces: Mapping[bytes, int] | None = None) -> Head:
    """Return a head on which these accounts have these next nonces."""
    entries = [(b"\x01" + account, nonce.to_bytes(8, "big")) for account, nonce in (nonces or {}).items()]
    mark = height.to_bytes(32, "big")
    return Head(
        height=height,
        header_hash=mark,
        time_ms=height * 1000,
        beta=H("leader", mark) * 2,
        state=StateMap.from_entries(entries),
        header=None,
        certificate=None,
        ancestors=_NoAncestors(),
    )


def sender(number: int) -> bytes:
    """Return one of many account ids."""
    return number.to_bytes(20, "big")


def transfer(who: int, nonce: int, *, fee: int = 100, valid_until: int = 1000, body: bytes = b"") -> Envelope:
    """Return an envelope of a kind that pays; its signature is invented."""
    return _envelope(TRANSFER, sender(who), nonce=nonce, fee=fee, valid_until=valid_until, body=body)


def attest(who: int, number: int, *, valid_until: int = 1000) -> Envelope:
    """Return an envelope of a kind that pays nothing; `number` makes it another one."""
    return _envelope(ATTEST, sender(who), nonce=0, fee=0, valid_until=valid_until, body=number.to_bytes(8, "big"))


async def settled() -> None:
    """Wait until every task has done what it can."""
    await trio.testing.wait_all_tasks_blocked()


def _envelope(kind: int, account: bytes, *, nonce: int, fee: int, valid_until: int, body: bytes) -> Envelope:
    return build_envelope(
        chain_id=CHAIN_ID,
        kind=kind,
        sender=account,
        nonce=nonce,
        fee=fee,
        valid_until=valid_until,
        body=body,
        sign=lambda digest: digest * 2,
        genesis_hash=GENESIS_HASH,
    )
