"""Two votes that exclude each other, brought before the ledger: an envelope by this node's sponsor, free of charge.

It goes through this node's own pool, which tells peers, so that whoever leads next can include it.
"""

from __future__ import annotations

from metanode.core.bus import BlockFinalized
from metanode.core.hooks import PluginContext
from metanode.core.model import kinds
from metanode.core.model.envelope import Envelope, build_envelope
from metanode.core.model.limits import VALIDATORS_MAX
from metanode.core.model.stake_bodies import Evidence
from metanode.core.model.vote import Vote
from metanode.plugins.consensus._shared.chain import Chain

VALID_BLOCKS = 100
"""For how many blocks an envelope of evidence may stand; then another one is made."""
PASSING = frozenset({"POOL_FULL", "PUBKEY_MISSING", "PUBKEY_UNEXPECTED", "RATE_LIMITED"})
"""Refusals that another try may not meet; after any other there is nothing to bring, or it is punished already."""


class Accuser:
    """What this node knows against others: one pair for each key until it is settled, tried once a block.

    In memory: whoever restarts has others to tell.
    """

    def __init__(self, context: PluginContext, chain: Chain) -> None:
        self._context = context
        self._chain = chain
        self._open: dict[bytes, Evidence] = {}
        self._brought: dict[bytes, Envelope] = {}

    def note(self, key: bytes, one: Vote, other: Vote) -> None:
        """Take note of two signed votes of one consensus key.  Never waits; further pairs of that key add nothing."""
        if key not in self._open and len(self._open) < VALIDATORS_MAX:
            self._open[key] = Evidence.of(key, one, other)

    async def run(self) -> None:
        """Bring what is noted, until cancelled."""
        async with self._context.bus.subscribe(BlockFinalized, capacity=1) as blocks:
            async for _ in blocks:
                for key in list(self._open):
                    await self._bring(key)

    async def _bring(self, key: bytes) -> None:
        pool, head = self._context.roles.mempool, self._chain.head
        before = self._brought.get(key)
        if before is not None and pool.pending(before.id) is not None and before.valid_until > head.height:
            return  # it waits
        envelope = self._envelope(self._open[key])
        (answer,) = await pool.submit([envelope.raw], source="local")
        if answer.error is None:
            self._brought[key] = envelope
            self._context.log.warning("brought evidence against validator key %s", key.hex())
        elif answer.error.code not in PASSING:
            del self._open[key]
            self._brought.pop(key, None)
            self._context.log.info("evidence against %s is done with: %s", key.hex()[:16], answer.error.line())

    def _envelope(self, evidence: Evidence) -> Envelope:
        context, head = self._context, self._chain.head
        genesis, sponsor = context.genesis, context.identity.sponsor
        shown = context.roles.ledger.account(head.state, sponsor.account).public_key
        return build_envelope(
            chain_id=genesis.chain_id,
            kind=kinds.EVIDENCE,
            sender=sponsor.account,
            nonce=0,
            fee=0,
            valid_until=head.height + min(VALID_BLOCKS, genesis.params.max_valid),
            body=evidence.encode(),
            public_key=b"" if shown else sponsor.public_key,
            sign=sponsor.sign,
            genesis_hash=genesis.hash,
        )
