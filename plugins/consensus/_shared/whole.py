"""A block's identity is its header's; whether the body beside it is the header's own is asked here, first of all."""

from __future__ import annotations

from metanode.core.model.block import decode_block, envelope_ids, tx_root
from metanode.core.model.errors import Rejection
from metanode.core.model.header import decode_header, header_hash


def whole_block_hash(data: bytes) -> bytes:
    """Return the header hash of an encoded block whose body is the one its header names.

    Votes and certificates name a header alone: without this a liar could hang another body on it, and what
    a quorum decided would look invalid to whoever got that one.

    :raises MetanodeError: no block, or BAD_ROOT.
    """
    block = decode_block(data)
    if tx_root(envelope_ids(block.envelope_bytes())) != decode_header(block.header).roots.tx:
        raise Rejection("BAD_ROOT", "a block's body is not the one its header names")
    return header_hash(block.header)
