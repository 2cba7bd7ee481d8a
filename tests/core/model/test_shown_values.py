"""What an error or a log line shows of a value: enough to recognise it, never all of something long."""

from __future__ import annotations

from typing import Any

import pytest

from metanode.core.model import amounts, codec
from metanode.core.model.accounts import parse_account
from metanode.core.model.block import Block
from metanode.core.model.bodies import Attest, MachineRecord, MachineReveal
from metanode.core.model.bundle import Bundle, ReceiptItem, StateItem
from metanode.core.model.envelope import build_envelope
from metanode.core.model.errors import Rejection
from metanode.core.model.state_map import StateMap

SECRET = b"\xaa\xbb" * 40
"""Stands for the bytes that must not be printed."""


@pytest.mark.parametrize(
    ("text", "shown"), [("x" * 40, "x" * 40), ("x" * 41, "x" * 37 + "..."), ("x" * 5_000, "x" * 37 + "...")]
)
def test_a_refused_amount_is_shown_up_to_forty_characters(text: str, shown: str) -> None:
    """A megabyte of digits in a request does not become a megabyte of reply."""
    with pytest.raises(Rejection) as caught:
        amounts.parse_amount(text)
    assert caught.value.message == f"{shown!r} is not an amount of coins"


@pytest.mark.parametrize(
    ("text", "shown"), [("x" * 64, "x" * 64), ("x" * 65, "x" * 61 + "..."), ("x" * 5_000, "x" * 61 + "...")]
)
def test_a_refused_account_is_shown_up_to_sixty_four_characters(text: str, shown: str) -> None:
    """As for amounts; a whole id still fits."""
    with pytest.raises(Rejection) as caught:
        parse_account(text)
    assert caught.value.message == f"account {shown!r} starts with neither mn1 nor RTC"


@pytest.mark.parametrize(
    ("call", "message", "expected"),
    [
        (lambda: codec.expect_bytes(1, "x"), "x is 1", "bytes"),
        (lambda: codec.expect_bytes(b"ab", "x", size=3), "x is 2 bytes", "3 bytes"),
        (lambda: codec.expect_bytes(b"abcd", "x", maximum=3), "x is 4 bytes", "at most 3 bytes"),
        (lambda: codec.expect_text("abcd", "x", maximum=3), "x is 4 characters", "text of at most 3 bytes"),
        (lambda: codec.expect_list({0: 1}, "x"), "x is 1 keys", "an array"),
        (lambda: codec.expect_list([1], "x", size=2), "x is 1 items", "an array of 2"),
        (lambda: codec.expect_list([1, 2, 3], "x", maximum=2), "x is 3 items", "an array of at most 2"),
        (lambda: codec.expect_uint(9, "x", minimum=1, maximum=8), "x is 9", "an integer from 1 to 8"),
        (lambda: codec.expect_map([], [0], "x"), "x is 0 items", "a map"),
        (lambda: codec.expect_map({}, [0, 1], "x"), "x lacks key 0", "keys 0, 1"),
        (lambda: codec.expect_map({0: 0}, [], "x"), "x has unknown key 0", "keys none"),
    ],
)
def test_a_value_of_the_wrong_shape_is_named_with_its_size_and_what_would_fit(
    call: Any, message: str, expected: str
) -> None:
    """In one line, whatever the value is."""
    with pytest.raises(Rejection) as caught:
        call()
    assert (caught.value.code, caught.value.message, caught.value.expected) == ("BAD_SHAPE", message, expected)


def test_a_printed_object_leaves_out_its_bytes() -> None:
    """Blocks, proofs and inventories come in kilobytes; ids, heights and counts are what one looks for."""
    state = StateMap.from_entries([(b"key", b"value")])
    envelope = build_envelope(
        chain_id=1, kind=1, sender=bytes(20), nonce=0, fee=0, valid_until=1, body=SECRET,
        sign=lambda digest: SECRET[:64], genesis_hash=bytes(32),
    )  # fmt: skip
    shown = [
        envelope,
        Block(b"header", SECRET, (0, len(SECRET))),
        MachineRecord(bytes(32), bytes(20), bytes(32), SECRET, 0, (), SECRET, ""),
        MachineReveal(bytes(32), SECRET, SECRET[:64]),
        Attest(0, bytes(32), SECRET, (), ""),
        ReceiptItem(SECRET, SECRET, 0, 1, (SECRET,), (SECRET,)),
        StateItem(b"key", b"value", state.prove(b"key")),
        Bundle(bytes(32), SECRET, SECRET, SECRET, ()),
    ]
    for value in shown:
        assert r"\xaa\xbb" not in repr(value)
        assert "siblings" not in repr(value)
        assert "offsets" not in repr(value)
        assert "_checked" not in repr(value)
