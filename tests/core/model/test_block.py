"""Blocks: opaque envelope bytes and the offsets that cut them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model import codec
from metanode.core.model.block import Block, decode_block, envelope_ids, receipts_root, tx_root
from metanode.core.model.errors import MetanodeError, Rejection
from metanode.core.model.limits import (
    BLOCK_BYTES_MAX,
    BLOCK_ENVELOPES_MAX,
    BLOCK_WIRE_BYTES_MAX,
    ENVELOPE_BYTES_MAX,
    HEADER_BYTES_MAX,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "block.json").read_text())


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_a_vector_is_built_and_read_back(case: dict[str, Any]) -> None:
    """Header and envelopes give the block's bytes, and the bytes give them back untouched."""
    envelopes = [bytes.fromhex(each) for each in case["envelopes"]]
    block = Block.build(bytes.fromhex(case["header"]), envelopes)
    assert block.body.hex() == case["body"]
    assert list(block.offsets) == case["offsets"]
    assert block.encode().hex() == case["block"]
    assert decode_block(bytes.fromhex(case["block"])) == block
    assert block.envelope_bytes() == envelopes
    ids = envelope_ids(envelopes)
    assert [each.hex() for each in ids] == case["ids"]
    assert tx_root(ids).hex() == case["tx_root"]


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=lambda case: case["name"])
def test_an_invalid_vector_is_refused(case: dict[str, Any]) -> None:
    """Offsets must cut the body exactly, each envelope at least one byte."""
    with pytest.raises(MetanodeError) as caught:
        decode_block(bytes.fromhex(case["block"]))
    assert caught.value.code == case["code"]


@settings(derandomize=True)
@given(st.binary(max_size=40), st.lists(st.binary(min_size=1, max_size=40), max_size=20))
def test_any_envelopes_survive_the_block(header: bytes, envelopes: list[bytes]) -> None:
    """A block never looks into its envelopes."""
    block = decode_block(Block.build(header, envelopes).encode())
    assert block.header == header
    assert block.envelope_bytes() == envelopes


def test_a_block_at_its_limits_is_read_and_beyond_them_refused() -> None:
    """The wire bound has room for the fullest block, and every bound is enforced."""
    step = ENVELOPE_BYTES_MAX
    full = Block.build(bytes(HEADER_BYTES_MAX), [bytes(step)] * (BLOCK_BYTES_MAX // step))
    assert decode_block(full.encode()) == full
    many = Block.build(b"", [b"x"] * BLOCK_ENVELOPES_MAX)
    assert len(decode_block(many.encode()).envelope_bytes()) == BLOCK_ENVELOPES_MAX
    for block, code in (
        (Block.build(b"", [b"x"] * (BLOCK_ENVELOPES_MAX + 1)), "TOO_LARGE"),
        (Block.build(bytes(HEADER_BYTES_MAX + 1), []), "BAD_SHAPE"),
        (Block.build(b"", [bytes(step + 1)]), "BAD_SHAPE"),
        (Block.build(b"", [*full.envelope_bytes(), b"x"]), "BAD_SHAPE"),
    ):
        with pytest.raises(Rejection) as caught:
            decode_block(block.encode())
        assert caught.value.code == code
    with pytest.raises(Rejection, match="TOO_LARGE"):
        decode_block(codec.encode([bytes(BLOCK_WIRE_BYTES_MAX)]))


def test_roots_tell_order_and_count_apart() -> None:
    """The same items in another order, or one more, make another root."""
    items = [bytes([n]) * 32 for n in range(3)]
    roots = {tx_root(items), tx_root(items[::-1]), tx_root(items[:2]), tx_root([*items, items[2]]), receipts_root([])}
    assert len(roots) == 5
