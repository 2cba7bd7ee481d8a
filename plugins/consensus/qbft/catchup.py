"""Blocks that peers have and this node lacks: who is asked for what, and when again.  One request at a time."""

from __future__ import annotations

import trio

from metanode.core.hooks import PluginContext
from metanode.core.model.block import decode_block
from metanode.core.model.errors import MetanodeError, StorageError
from metanode.core.model.header import decode_header
from metanode.core.roles import Peers
from metanode.core.wire.frames import Lane
from metanode.plugins.consensus._shared.blocks import Blocks
from metanode.plugins.consensus._shared.chain import Chain
from metanode.plugins.consensus._shared.sync import (
    SYNC_BLOCKS_MAX,
    SYNC_BYTES_MAX,
    AskBlocks,
    AskProposed,
    FinalBlocks,
    ProposedBlock,
    SyncMessage,
    Tip,
    decode_sync,
    encode_sync,
)
from metanode.plugins.consensus._shared.whole import whole_block_hash
from metanode.plugins.consensus.qbft.voter import Action, Voter

TELL_S = 2.0
"""How often the own height is told to all, seconds."""
ANSWER_S = 5.0
"""How long an answer is waited for before someone else is asked, seconds."""

SHUN_S = 60.0
"""How long a peer is not asked again that sent what does not prove itself, or nothing, seconds."""


class CatchUp:
    """The sync lane: answers peers, and asks them."""

    def __init__(self, context: PluginContext, peers: Peers, chain: Chain, blocks: Blocks, voter: Voter) -> None:
        self._context = context
        self._peers = peers
        self._chain = chain
        self._blocks = blocks
        self._voter = voter
        self._tips: dict[bytes, int] = {}
        self._shunned: dict[bytes, float] = {}
        self._wanted: AskProposed | None = None
        self._asked: tuple[bytes, float] | None = None
        self._tell_at = 0.0

    @property
    def behind(self) -> int:
        """How many blocks a connected peer says it has above the head."""
        tips = [self._tips.get(peer, 0) for peer in self._peers.connected()]
        return max(0, max(tips, default=0) - self._chain.head.height)

    @property
    def deadline(self) -> float:
        """When `tell_and_ask` wants to be called."""
        return min(self._tell_at, self._asked[1] if self._asked else self._tell_at)

    def tell_and_ask(self) -> None:
        """Tell the own height to all; ask again when an answer is overdue."""
        now = trio.current_time()
        if self._tell_at <= now:
            self._tell_at = now + TELL_S
            self._peers.broadcast(Lane.SYNC, encode_sync(Tip(self._chain.head.height)))
            if self._wanted is not None:
                self._peers.broadcast(Lane.SYNC, encode_sync(self._wanted))
            connected = set(self._peers.connected())
            self._tips = {peer: height for peer, height in self._tips.items() if peer in connected}
            self._shunned = {peer: until for peer, until in self._shunned.items() if until > now}
        if self._asked is not None and self._asked[1] <= now:
            self._shun(self._asked[0])
        self._ask()

    def tell(self, peer: bytes) -> None:
        """Tell one peer the own height."""
        self._peers.send(peer, Lane.SYNC, encode_sync(Tip(self._chain.head.height)))

    def heard_of(self, peer: bytes, height: int) -> None:
        """A peer has, or seems to have, final blocks up to this height."""
        self._tips[peer] = max(height, self._tips.get(peer, 0))
        self._ask()

    def lacks(self, height: int) -> None:
        """A block is decided and not at hand: whoever committed to it has it."""
        for peer in self._peers.connected():
            self._tips[peer] = max(height, self._tips.get(peer, 0))
        self._ask()

    def fetch(self, height: int, hash32: bytes) -> None:
        """Ask everyone for a proposed block."""
        self._wanted = AskProposed(height, hash32)
        self._peers.broadcast(Lane.SYNC, encode_sync(self._wanted))

    def advanced(self) -> None:
        """The head has moved."""
        self._wanted = None
        self._asked = None
        self._ask()

    async def hear(self, peer: bytes, payload: bytes) -> list[Action]:
        """Answer a peer, or take its answer; stores blocks that prove themselves.

        :raises MetanodeError: what no honest peer sends; StorageError: the disk refuses.
        """
        message = decode_sync(payload)
        match message:
            case Tip(height):
                self.heard_of(peer, height)
            case AskBlocks(first):
                await self._answer(peer, first)
            case FinalBlocks(blocks):
                await self._take(peer, blocks)
            case AskProposed(height, hash32):
                self._show(peer, height, hash32)
            case ProposedBlock(block):
                if self._wanted is not None and whole_block_hash(block) == self._wanted.hash:
                    return self._voter.supply(block)
        return []

    def _ask(self) -> None:
        if self._asked is not None or not self.behind:
            return
        ahead = [peer for peer in self._peers.connected() if self._tips.get(peer, 0) > self._chain.head.height]
        # Shunned ones last, soonest to be trusted first: a lone peer that was slow must still be asked.
        best = min(ahead, key=lambda peer: (self._shunned.get(peer, 0.0), -self._tips[peer]))
        if self._peers.send(best, Lane.SYNC, encode_sync(AskBlocks(self._chain.head.height + 1))):
            self._asked = (best, trio.current_time() + ANSWER_S)

    async def _answer(self, peer: bytes, first: int) -> None:
        blocks: list[tuple[bytes, bytes]] = []
        size = 0
        last = min(self._chain.head.height, first + SYNC_BLOCKS_MAX - 1)
        for height in range(first, last + 1):
            record = await self._context.roles.storage.block(height)
            if record is None:
                break
            block = record.block.encode()
            blocks.append((block, record.certificate))
            size += len(block) + len(record.certificate)
            if size >= SYNC_BYTES_MAX:
                break
        if blocks:
            self._send(peer, FinalBlocks(tuple(blocks)))

    async def _take(self, peer: bytes, blocks: tuple[tuple[bytes, bytes], ...]) -> None:
        if self._asked is None or self._asked[0] != peer:
            return  # nobody asked it
        self._asked = None
        try:
            for block, certificate in blocks:
                height = decode_header(decode_block(block).header).height
                if height > self._chain.head.height:
                    await self._blocks.store_synced(block, certificate)
        except StorageError:
            raise
        except MetanodeError:
            self._shun(peer)
            self._ask()
            raise

    def _shun(self, peer: bytes) -> None:
        self._shunned[peer] = trio.current_time() + SHUN_S
        self._asked = None

    def _show(self, peer: bytes, height: int, hash32: bytes) -> None:
        block = self._voter.block(hash32) if height == self._voter.state.height else None
        if block is not None:
            self._send(peer, ProposedBlock(block))
        elif height <= self._chain.head.height:
            self.tell(peer)

    def _send(self, peer: bytes, message: SyncMessage) -> None:
        self._peers.send(peer, Lane.SYNC, encode_sync(message))
