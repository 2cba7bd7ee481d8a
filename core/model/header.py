"""The block header: what validators certify and light clients follow.

It names no round, so that a block proposed again keeps its identity.
"""

from __future__ import annotations

from dataclasses import dataclass

from metanode.core.model import codec
from metanode.core.model.errors import Rejection
from metanode.core.model.hashing import H
from metanode.core.model.limits import HASH_BYTES, HEADER_BYTES_MAX, VRF_PROOF_BYTES

VERSION = 1


@dataclass(frozen=True)
class Roots:
    """Roots of the block's lists and of the state after it, 32 bytes each."""

    tx: bytes
    """List root over the envelope ids."""
    receipts: bytes
    """List root over the receipt bytes."""
    state: bytes
    """Root of the state map after this block."""


@dataclass(frozen=True)
class Header:
    """A decoded header.  Its hash is over the encoded bytes: see `header_hash`."""

    version: int
    chain_id: int
    height: int
    """From 1; genesis has no header."""
    time_ms: int
    """Unix time, milliseconds, above the parent's."""
    proposer_index: int
    """Place of the proposer in the validator set of this height."""
    prev_hash: bytes
    """Hash of the parent header; the genesis hash at height 1."""
    roots: Roots
    validator_set_hash: bytes
    """The set that certifies this header."""
    next_validator_set_hash: bytes
    """The set that certifies the next one."""
    params_hash: bytes
    vrf_proof: bytes
    """The proposer's ECVRF proof, 80 bytes."""

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        return codec.encode(
            {
                0: self.version,
                1: self.chain_id,
                2: self.height,
                3: self.time_ms,
                4: self.proposer_index,
                5: self.prev_hash,
                6: {1: self.roots.tx, 2: self.roots.receipts, 3: self.roots.state},
                7: self.validator_set_hash,
                8: self.next_validator_set_hash,
                9: self.params_hash,
                10: self.vrf_proof,
            }
        )


def decode_header(data: bytes) -> Header:
    """Decode a header and check its shape.

    :raises Rejection: TOO_LARGE, BAD_SHAPE, BAD_VERSION, or BAD_HEADER for height 0.
    :raises CodecError: bytes that are not canonical CBOR.
    """
    if len(data) > HEADER_BYTES_MAX:
        raise Rejection("TOO_LARGE", f"header of {len(data)} bytes", f"at most {HEADER_BYTES_MAX} bytes")
    fields = codec.read_map(data, range(11), "header")
    version = codec.expect_uint(fields[0], "header.v")
    if version != VERSION:
        raise Rejection("BAD_VERSION", f"header version {version}", f"version {VERSION}")
    height = codec.expect_uint(fields[2], "header.height")
    if height == 0:
        raise Rejection("BAD_HEADER", "header of height 0", "height 1 or above: genesis has no header")
    roots = codec.expect_map(fields[6], range(1, 4), "header.roots")
    return Header(
        version=version,
        chain_id=codec.expect_uint(fields[1], "header.chain_id"),
        height=height,
        time_ms=codec.expect_uint(fields[3], "header.time_ms"),
        proposer_index=codec.expect_uint(fields[4], "header.proposer_index"),
        prev_hash=codec.expect_bytes(fields[5], "header.prev_hash", size=HASH_BYTES),
        roots=Roots(
            tx=codec.expect_bytes(roots[1], "header.roots.tx", size=HASH_BYTES),
            receipts=codec.expect_bytes(roots[2], "header.roots.receipts", size=HASH_BYTES),
            state=codec.expect_bytes(roots[3], "header.roots.state", size=HASH_BYTES),
        ),
        validator_set_hash=codec.expect_bytes(fields[7], "header.validator_set_hash", size=HASH_BYTES),
        next_validator_set_hash=codec.expect_bytes(fields[8], "header.next_validator_set_hash", size=HASH_BYTES),
        params_hash=codec.expect_bytes(fields[9], "header.params_hash", size=HASH_BYTES),
        vrf_proof=codec.expect_bytes(fields[10], "header.vrf_proof", size=VRF_PROOF_BYTES),
    )


def header_hash(data: bytes) -> bytes:
    """Return H(header, data) of encoded header bytes: the block's identity."""
    return H("header", data)
