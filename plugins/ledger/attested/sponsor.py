"""The node as sponsor: its own account carries the machine records of miners and pays their fees."""

from __future__ import annotations

import trio

from metanode.core.hooks import PluginContext
from metanode.core.model.envelope import build_envelope
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import NONCE_AHEAD_MAX
from metanode.plugins.ledger.attested.verdicts import Lru

REMEMBERED_MAX = 1_024
"""Bodies whose pending envelope is remembered, so that a miner may ask twice."""


class Sponsor:
    """Builds, signs and submits envelopes from the node's sponsor account."""

    def __init__(self, context: PluginContext) -> None:
        self._context = context
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

        :param source: who asked, for the pool's limit per source.
        :raises MetanodeError: what the pool refused it with.
        """
        mempool = self._context.roles.mempool
        async with self._turn:
            sent = self._sent.get((kind, body))
            if sent is not None and mempool.pending(sent) is not None:
                return sent
            genesis = self._context.genesis
            params = genesis.params
            head = self._context.roles.consensus.head
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
            return envelope.id
