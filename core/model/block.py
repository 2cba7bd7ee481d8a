"""A block: a header, envelope bytes end to end, and the offsets between them.

The body is carried as received and never decoded as a whole, so that checking,
storing and sending a block costs one copy.  Headers stay for ever; bodies may be pruned.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from metanode.core.model import codec
from metanode.core.model.errors import Rejection
from metanode.core.model.hashing import H_many
from metanode.core.model.limits import (
    BLOCK_BYTES_MAX,
    BLOCK_ENVELOPES_MAX,
    BLOCK_WIRE_BYTES_MAX,
    ENVELOPE_BYTES_MAX,
    HEADER_BYTES_MAX,
)
from metanode.core.model.merkle import list_root


@dataclass(frozen=True)
class Block:
    """Header bytes, body bytes and n + 1 offsets for n envelopes; offsets start at 0 and end at len(body)."""

    header: bytes
    body: bytes = field(repr=False)
    offsets: tuple[int, ...] = field(repr=False)

    @classmethod
    def build(cls, header: bytes, envelopes: Sequence[bytes]) -> Block:
        """Join encoded envelopes in order."""
        return cls(header, b"".join(envelopes), tuple(accumulate(map(len, envelopes), initial=0)))

    def envelope_bytes(self) -> list[bytes]:
        """Return the bytes of each envelope in order."""
        return [self.body[start:end] for start, end in pairwise(self.offsets)]

    def encode(self) -> bytes:
        """Return CBOR [header, body, offsets as u32 big-endian]."""
        return codec.encode([self.header, self.body, struct.pack(f">{len(self.offsets)}I", *self.offsets)])


def decode_block(data: bytes) -> Block:
    """Decode a block and check that its offsets cut the body into envelopes; the envelopes stay opaque.

    :raises Rejection: TOO_LARGE, or BAD_SHAPE.
    :raises CodecError: bytes that are not canonical CBOR.
    """
    if len(data) > BLOCK_WIRE_BYTES_MAX:
        raise Rejection("TOO_LARGE", f"block of {len(data)} bytes", f"at most {BLOCK_WIRE_BYTES_MAX} bytes")
    parts = codec.expect_list(codec.decode(data, bytes_max=BLOCK_WIRE_BYTES_MAX), "block", size=3)
    header = codec.expect_bytes(parts[0], "block.header", maximum=HEADER_BYTES_MAX)
    body = codec.expect_bytes(parts[1], "block.body", maximum=BLOCK_BYTES_MAX)
    packed = codec.expect_bytes(parts[2], "block.offsets")
    count, odd = divmod(len(packed), 4)
    if odd or count == 0:
        raise Rejection("BAD_SHAPE", f"block.offsets has {len(packed)} bytes", "4 bytes per envelope and 4 more")
    if count - 1 > BLOCK_ENVELOPES_MAX:
        raise Rejection("TOO_LARGE", f"block of {count - 1} envelopes", f"at most {BLOCK_ENVELOPES_MAX}")
    offsets = struct.unpack(f">{count}I", packed)
    if offsets[0] != 0 or offsets[-1] != len(body):
        raise Rejection("BAD_SHAPE", f"block.offsets run from {offsets[0]} to {offsets[-1]}", f"0 to {len(body)}")
    for start, end in pairwise(offsets):
        if not 0 < end - start <= ENVELOPE_BYTES_MAX:
            raise Rejection(
                "BAD_SHAPE", f"block.offsets step from {start} to {end}", f"steps of 1 to {ENVELOPE_BYTES_MAX} bytes"
            )
    return Block(header, body, offsets)


def envelope_ids(envelopes: Sequence[bytes]) -> list[bytes]:
    """Return H(tx, bytes) of each envelope."""
    return H_many("tx", envelopes)


def tx_root(ids: Sequence[bytes]) -> bytes:
    """Return the list root over envelope ids in block order (header.roots.tx)."""
    return list_root(ids)


def receipts_root(receipts: Sequence[bytes]) -> bytes:
    """Return the list root over encoded receipts in block order (header.roots.receipts)."""
    return list_root(receipts)
