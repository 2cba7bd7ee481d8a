"""The language of nodes that lack blocks, and when a block is due."""

from __future__ import annotations

from dataclasses import replace

import pytest

from metanode.core.discovery import PACKAGE_DIR
from metanode.core.model import codec
from metanode.core.model.errors import MetanodeError
from metanode.core.model.params import network_params
from metanode.plugins.consensus._shared.due import due_in_ms
from metanode.plugins.consensus._shared.sync import (
    SYNC_BLOCKS_MAX,
    AskBlocks,
    AskProposed,
    FinalBlocks,
    ProposedBlock,
    SyncMessage,
    Tip,
    decode_sync,
    encode_sync,
)


@pytest.mark.parametrize(
    "message",
    [Tip(0), AskBlocks(1), FinalBlocks(((b"block", b"cert"),) * SYNC_BLOCKS_MAX), AskProposed(9, b"\x01" * 32),
     ProposedBlock(b"block"), FinalBlocks(())],
    ids=lambda message: type(message).__name__,
)  # fmt: skip
def test_a_sync_message_survives_its_encoding(message: SyncMessage) -> None:
    """Values in, bytes out, the same values back; nothing shorter or longer is one."""
    raw = encode_sync(message)
    assert decode_sync(raw) == message
    for wrong in (raw[:-1], raw + b"\x00", b""):
        with pytest.raises(MetanodeError):
            decode_sync(wrong)


@pytest.mark.parametrize(
    "value",
    [[1, 0], [5, 1], [0, b"1"], [2, [[b"block"]]], [2, [[b"block", b"cert"]] * (SYNC_BLOCKS_MAX + 1)],
     [3, 9, b"short"], [4, 7], 3, [0]],
    ids=str,
)  # fmt: skip
def test_a_sync_message_of_another_shape_is_refused(value: codec.Encodable) -> None:
    """By code, before anything is looked up for it."""
    with pytest.raises(MetanodeError) as caught:
        decode_sync(codec.encode(value))
    assert caught.value.code == "BAD_SHAPE"


def test_a_block_is_due_soon_for_envelopes_and_in_time_for_challenges() -> None:
    """One block time when something waits; else a quarter slot, at most a minute; never later for a wrong clock."""
    params = network_params((PACKAGE_DIR / "core/model/data/networks.json").read_text(), "testnet")
    params = replace(params, block_ms=1_000, slot_ms=60_000)
    assert due_in_ms(params, 10_000, 10_000, waiting=True) == 1_000
    assert due_in_ms(params, 10_400, 10_000, waiting=True) == 600
    assert due_in_ms(params, 10_000, 10_000, waiting=False) == 15_000
    assert due_in_ms(params, 99_000, 10_000, waiting=False) == 0
    assert due_in_ms(params, 0, 3_600_000, waiting=False) == 15_000
    assert due_in_ms(replace(params, slot_ms=600_000), 0, 0, waiting=False) == 60_000
    assert due_in_ms(replace(params, block_ms=90_000), 0, 0, waiting=False) == 90_000
