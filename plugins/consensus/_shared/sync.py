"""What nodes say to each other about blocks they have and blocks they lack, on the lane of that name.

tip       [0, height]                       the newest block that is final here
ask       [1, first height]                 send me what follows
blocks    [2, [[block, certificate] ...]]   the answer: final blocks, heights rising by one
wanted    [3, height, header hash]          send me this proposed block
proposed  [4, block]                        the answer
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from metanode.core.model import codec
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import BLOCK_WIRE_BYTES_MAX, CERTIFICATE_BYTES_MAX, HASH_BYTES
from metanode.core.wire.frames import PAYLOAD_BYTES_MAX

SYNC_BLOCKS_MAX = 64
"""Most blocks of one answer."""
SYNC_BYTES_MAX = 512 * 1024
"""An answer ends once its blocks reach this; it always holds one."""

assert SYNC_BYTES_MAX + BLOCK_WIRE_BYTES_MAX + CERTIFICATE_BYTES_MAX + 16 * SYNC_BLOCKS_MAX <= PAYLOAD_BYTES_MAX, (
    "an answer that a full block ends still fits a frame"
)


@dataclass(frozen=True)
class Tip:
    """The newest block that is final at the sender."""

    height: int


@dataclass(frozen=True)
class AskBlocks:
    """Send me final blocks from this height."""

    first: int


@dataclass(frozen=True)
class FinalBlocks:
    """Blocks and the certificates that make them final."""

    blocks: tuple[tuple[bytes, bytes], ...] = field(repr=False)


@dataclass(frozen=True)
class AskProposed:
    """Send me a block that was proposed at this height."""

    height: int
    hash: bytes


@dataclass(frozen=True)
class ProposedBlock:
    """A proposed block; its hash says which."""

    block: bytes = field(repr=False)


SyncMessage: TypeAlias = "Tip | AskBlocks | FinalBlocks | AskProposed | ProposedBlock"


def encode_sync(message: SyncMessage) -> bytes:
    """Return the canonical bytes."""
    match message:
        case Tip(height):
            return codec.encode([0, height])
        case AskBlocks(first):
            return codec.encode([1, first])
        case FinalBlocks(blocks):
            return codec.encode([2, [[block, certificate] for block, certificate in blocks]])
        case AskProposed(height, hash32):
            return codec.encode([3, height, hash32])
        case ProposedBlock(block):
            return codec.encode([4, block])


def decode_sync(data: bytes) -> SyncMessage:
    """Decode a message and check its shape and bounds.

    :raises Rejection: BAD_SHAPE, or TOO_LARGE.
    :raises CodecError: bytes that are not canonical CBOR.
    """
    match codec.decode(data, bytes_max=PAYLOAD_BYTES_MAX):
        case [0, int(height)]:
            return Tip(height)
        case [1, int(first)]:
            return AskBlocks(codec.expect_uint(first, "sync.first", minimum=1))
        case [2, blocks]:
            items = codec.expect_list(blocks, "sync.blocks", maximum=SYNC_BLOCKS_MAX)
            return FinalBlocks(tuple(_final(item) for item in items))
        case [3, int(height), hash32]:
            return AskProposed(height, codec.expect_bytes(hash32, "sync.hash", size=HASH_BYTES))
        case [4, block]:
            return ProposedBlock(_block(block))
    raise Rejection("BAD_SHAPE", "bytes that are no sync message", "a message of docs/consensus.md")


def _final(item: codec.Value) -> tuple[bytes, bytes]:
    block, certificate = codec.expect_list(item, "an item of sync.blocks", size=2)
    return _block(block), codec.expect_bytes(certificate, "sync.certificate", maximum=CERTIFICATE_BYTES_MAX)


def _block(value: codec.Value) -> bytes:
    return codec.expect_bytes(value, "sync.block", maximum=BLOCK_WIRE_BYTES_MAX)
