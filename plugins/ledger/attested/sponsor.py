"""The node as sponsor: its own account carries the machine records of miners and pays their fees."""

from __future__ import annotations

import trio

from metanode.core.hooks import PluginContext
from metanode.core.model import kinds
from metanode.core.model.envelope import build_envelope
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import NONCE_AHEAD_MAX
from metanode.plugins.ledger.attested.schedule import Schedule
from metanode.plugins.ledger.attested.verdicts import Lru

REMEMBERED_MAX = 1_024
"""Bodies whose pending envelope is remembered, so that a miner may ask twice."""
SHARE = 4
"""One source may use this fraction (1/SHARE, at least one) of the new machines of an epoch: asking is free, so
that otherwise a single stranger could use them all and nobody else could register."""
SOURCES_MAX = 1_024
"""Sources whose commits are counted in an epoch; beyond it the one that was quiet longest is forgotten."""


class Shares:
    """How many new machines each source had committed in the running epoch."""

    def __init__(self, machines_max: int) -> None:
        self.machines_max = max(1, machines_max // SHARE)
        """Commits of one source in one epoch."""
        self._epoch = -1
        self._counts: Lru[str, int] = Lru(SOURCES_MAX)

    def check(self, source: str, epoch: int) -> None:
        """Check that a source may have one more.

        :raises Rejection: SPONSOR_CAP.
        """
        if epoch != self._epoch:
            self._epoch, self._counts = epoch, Lru(SOURCES_MAX)
        if (self._counts.get(source) or 0) >= self.machines_max:
            raise Rejection(
                "SPONSOR_CAP",
                f"{source} has registered {self.machines_max} machines here in epoch {epoch}, this source's share",
                "the next epoch, or another sponsor",
            )

    def count(self, source: str) -> None:
        """Count a commit that `check` let pass."""
        self._counts.put(source, (self._counts.get(source) or 0) + 1)


class Sponsor:
    """Builds, signs and submits envelopes from the node's sponsor account."""

    def __init__(self, context: PluginContext, schedule: Schedule) -> None:
        self._context = context
        self._schedule = schedule
        self._shares = Shares(context.genesis.params.machines_per_sponsor_epoch)
        self._key = context.identity.sponsor
        self._sent: Lru[tuple[int, bytes], bytes] = Lru(REMEMBERED_MAX)
        # One at a time: two requests must not draw the same nonce.
        self._turn = trio.Lock()

    @property
    def account(self) -> bytes:
        """The account that pays."""
        return self._key.account

    async def submit(self, kind: int, body: bytes, *, source: str) -> bytes:
        """Submit a body and return its envelope's id; the same body again returns the pending one's.

        :param source: who asked, for the pool's limit per source and the share of new machines.
        :raises MetanodeError: SPONSOR_CAP, POOL_FULL, or what the pool refused it with.
        """
        mempool = self._context.roles.mempool
        async with self._turn:
            sent = self._sent.get((kind, body))
            if sent is not None and mempool.pending(sent) is not None:
                return sent
            genesis = self._context.genesis
            params = genesis.params
            head = self._context.roles.consensus.head
            if kind == kinds.MACHINE_COMMIT:
                self._shares.check(source, self._schedule.epoch(head.time_ms))
            nonce = mempool.next_nonce(self.account)
            view = self._context.roles.ledger.account(head.state, self.account)
            if nonce > view.nonce + NONCE_AHEAD_MAX:
                raise Rejection("POOL_FULL", "the node's sponsor has as many envelopes waiting as it may")
            envelope = build_envelope(
                chain_id=genesis.chain_id,
                kind=kind,
                sender=self.account,
                nonce=nonce,
                fee=params.min_fee,
                valid_until=head.height + min(params.max_valid, params.reveal_window_blocks),
                body=body,
                sign=self._key.sign,
                genesis_hash=genesis.hash,
                # An account shows its key once, in its first envelope.
                public_key=self._key.public_key if nonce == view.nonce and not view.public_key else b"",
            )
            (admission,) = await mempool.submit([envelope.raw], source=source)
            if admission.error is not None:
                raise admission.error
            self._sent.put((kind, body), envelope.id)
            if kind == kinds.MACHINE_COMMIT:
                self._shares.count(source)
            return envelope.id
