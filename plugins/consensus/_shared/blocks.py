"""Blocks on top of the head: built, checked once each, stored; and the local rules that fresh proposals must meet."""

from __future__ import annotations

from functools import partial

import trio

from metanode.core.hooks import PluginContext
from metanode.core.model import ecvrf, leader
from metanode.core.model.block import decode_block
from metanode.core.model.errors import CodecError, InvalidBlock, MetanodeError, Rejection
from metanode.core.model.header import header_hash
from metanode.core.model.validators import decode_set
from metanode.core.model.vote import Certificate, decode_certificate, verify_certificate
from metanode.plugins.consensus._shared.chain import Chain, Proposal
from metanode.plugins.consensus._shared.whole import whole_block_hash

AHEAD_MS_MAX = 2_000
"""A fresh proposal may be this far ahead of the validator's clock (protocol.md section 3)."""
BEHIND_MS_MAX = 10_000
"""And this far behind it."""


class Blocks:
    """The blocks of one height, by header hash; a block that was found valid stays so."""

    def __init__(self, context: PluginContext, chain: Chain) -> None:
        self._context = context
        self._chain = chain
        self._valid: dict[bytes, Proposal] = {}

    async def build(self, proposer: int) -> bytes:
        """Assemble a block of this node and return its bytes."""
        context, head, params = self._context, self._chain.head, self._context.genesis.params
        candidates = context.roles.mempool.select(
            count_max=params.block_envelopes_max, bytes_max=params.block_bytes_max
        )
        fields = self._chain.fields(context.clock.now_ms(), proposer)
        proof = ecvrf.prove(context.identity.vrf.seed, leader.alpha(head.beta, head.height + 1))
        proposal = await context.workers.run(partial(self._chain.assemble, fields, candidates, proof))
        self._valid[proposal.header_hash] = proposal
        return proposal.block.encode()

    async def fault(self, block: bytes, proposer: int | None) -> str:
        """Return what is wrong with a block, empty when it is valid.

        :param proposer: who must have made it, now; None for one that was prepared before: then neither is asked.
        """
        try:
            proposal = await self._checked(block)
        except (InvalidBlock, Rejection, CodecError) as error:  # anything else is this node's fault, not the block's
            return str(error)
        if proposer is None:
            return ""
        header = proposal.header
        if header.proposer_index != proposer:
            return f"a fresh block by validator {header.proposer_index}, whose turn it is not"
        # At the rule's own pace time may run ahead of every clock; a parent from the future is not this leader's fault.
        earliest = self._chain.head.time_ms + 1
        off_ms = header.time_ms - self._context.clock.now_ms()
        if header.time_ms != earliest and not -BEHIND_MS_MAX <= off_ms <= AHEAD_MS_MAX:
            return f"a fresh block whose time is {off_ms} ms off this node's clock"
        return ""

    async def store(self, block: bytes, certificate: Certificate) -> None:
        """Make a block durable that a quorum is known to have certified.

        :raises MetanodeError: SAFETY_FAULT, it breaks a rule here: this node, or too many others, are wrong.
        """
        try:
            proposal = await self._checked(block)
        except InvalidBlock as error:
            height = self._chain.head.height + 1
            message = f"block {height} is certified and breaks a rule here: {error}"
            raise MetanodeError("SAFETY_FAULT", message) from error
        # Shielded: a stop that arrives now waits for the disk, so the next start finds either all of it or none.
        with trio.CancelScope(shield=True):
            await self._chain.commit(proposal, certificate)
        self._valid = {}

    async def store_synced(self, block: bytes, raw_certificate: bytes) -> None:
        """Make a block durable that a peer says is final.

        :raises MetanodeError: its certificate does not show it; SAFETY_FAULT when it does and the block may not stand.
        """
        certificate = decode_certificate(raw_certificate)
        hash32 = whole_block_hash(block)
        genesis, validators = self._context.genesis, decode_set(self._chain.validator_set)
        height = self._chain.head.height + 1
        await self._context.workers.run(
            partial(verify_certificate, certificate, hash32, height, validators, genesis.hash)
        )
        await self.store(block, certificate)

    async def _checked(self, block: bytes) -> Proposal:
        decoded = decode_block(block)
        hash32 = header_hash(decoded.header)
        if hash32 not in self._valid:
            self._valid[hash32] = await self._context.workers.run(partial(self._chain.check, decoded))
        return self._valid[hash32]
