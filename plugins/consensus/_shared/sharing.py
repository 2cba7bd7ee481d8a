"""Envelopes that were given to this node, told to its peers, so that whoever leads next can include them."""

from __future__ import annotations

from collections import deque

import trio

from metanode.core.bus import EnvelopeAdmitted
from metanode.core.hooks import PluginContext
from metanode.core.model import codec
from metanode.core.model.block import envelope_ids
from metanode.core.model.errors import MetanodeError
from metanode.core.model.limits import ENVELOPE_BYTES_MAX
from metanode.core.peers import POOL_SOURCE
from metanode.core.roles import Admission, Peers
from metanode.core.wire.frames import Lane

BATCH_ENVELOPES_MAX = 2_048
"""Most envelopes of one payload."""
BATCH_BYTES_MAX = 512 * 1024
"""A payload ends once its envelopes reach this."""
GATHER_S = 0.01
"""How long to wait for more before a payload is sent, seconds."""
GAP_S = 0.1
"""Shortest time between two payloads, seconds: under load many envelopes share one, and cost a peer less."""
FORGED_CODES = frozenset({"NOT_CANONICAL", "BAD_SHAPE", "INVALID_SIGNATURE", "WRONG_CHAIN"})
"""Refusals of what no honest node passes on: it checked these itself."""
FORGED_MAX = 16
"""A peer that passed on more forged envelopes than this within FORGED_S is not heard for the rest of that time."""
FORGED_S = 60.0
KNOWN_MAX = 65_536
"""Ids of envelopes that came from peers and are not told again."""

PAYLOAD_MAX = BATCH_BYTES_MAX + ENVELOPE_BYTES_MAX + 5 * BATCH_ENVELOPES_MAX + 16
"""Largest payload of envelopes that is read, bytes."""


async def share(context: PluginContext, peers: Peers) -> None:
    """Tell and hear, until cancelled.  Peers are directly joined, so what one says is not said again."""
    heard: deque[bytes] = deque(maxlen=KNOWN_MAX)
    known: set[bytes] = set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_hear, context, peers, heard, known)
        await _tell(context, peers, known)


class Forgers:
    """Who passes on envelopes that can be nobody's; the others are not limited, for each is heard in its turn."""

    def __init__(self) -> None:
        self._counted: dict[bytes, tuple[float, int]] = {}

    def is_one(self, peer: bytes) -> bool:
        """Whether this peer is not to be heard now."""
        since, count = self._counted.get(peer, (0.0, 0))
        if count and trio.current_time() - since > FORGED_S:
            del self._counted[peer]
            return False
        return count > FORGED_MAX

    def note(self, peer: bytes, count: int) -> None:
        """Count forged envelopes of a peer."""
        if count:
            since, before = self._counted.get(peer, (trio.current_time(), 0))
            self._counted[peer] = since, before + count


async def _tell(context: PluginContext, peers: Peers, known: set[bytes]) -> None:
    async with context.bus.subscribe(EnvelopeAdmitted, capacity=BATCH_ENVELOPES_MAX) as admitted:
        batch: list[bytes] = []
        size = 0
        send_at, told_at = float("inf"), float("-inf")
        while True:
            with trio.move_on_at(send_at) as waited:
                event = await admitted.__anext__()
            if not waited.cancelled_caught:
                envelope = None if event.id in known else context.roles.mempool.pending(event.id)
                if envelope is not None:
                    if not batch:
                        send_at = max(trio.current_time() + GATHER_S, told_at + GAP_S)
                    batch.append(envelope.raw)
                    size += len(envelope.raw)
            full = len(batch) >= BATCH_ENVELOPES_MAX or size >= BATCH_BYTES_MAX
            if batch and (full or trio.current_time() >= send_at):
                peers.broadcast(Lane.TRANSACTIONS, codec.encode(batch))
                batch, size = [], 0
                send_at, told_at = float("inf"), trio.current_time()


async def _hear(context: PluginContext, peers: Peers, heard: deque[bytes], known: set[bytes]) -> None:
    forgers = Forgers()
    async for peer, payload in peers.subscribe(Lane.TRANSACTIONS):
        if forgers.is_one(peer):
            continue
        try:
            items = codec.expect_list(
                codec.decode(payload, bytes_max=PAYLOAD_MAX), "envelopes", maximum=BATCH_ENVELOPES_MAX
            )
            raws = [codec.expect_bytes(item, "envelope", maximum=ENVELOPE_BYTES_MAX) for item in items]
        except MetanodeError as error:
            context.log.info("peer %s sent no envelopes: %s", peer.hex()[:16], error)
            continue
        answers = await _submit(context, raws, heard, known)
        forgers.note(peer, sum(answer.error is not None and answer.error.code in FORGED_CODES for answer in answers))


async def _submit(
    context: PluginContext, raws: list[bytes], heard: deque[bytes], known: set[bytes]
) -> list[Admission]:
    """Give the pool what a peer passed on."""
    for envelope_id in envelope_ids(raws):  # before they are admitted, for then `_tell` hears of them
        if envelope_id not in known:
            if len(heard) == KNOWN_MAX:
                known.discard(heard[0])
            heard.append(envelope_id)
            known.add(envelope_id)
    return await context.roles.mempool.submit(raws, source=POOL_SOURCE)
