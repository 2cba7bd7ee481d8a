"""Receipts: numbers only, and nothing changed after a failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model.block import receipts_root
from metanode.core.model.errors import ERROR_CODES, MetanodeError, Rejection
from metanode.core.model.limits import RECEIPT_BYTES_MAX, UINT_MAX
from metanode.core.model.receipt import CODE_MAX, Event, Receipt, decode_receipt

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "receipt.json").read_text())


def receipt_of(fields: dict[str, Any]) -> Receipt:
    """Return the receipt that a vector's fields spell."""
    events: list[Event] = [
        tuple(bytes.fromhex(value) if isinstance(value, str) else value for value in event)
        for event in fields["events"]
    ]
    return Receipt(bytes.fromhex(fields["id"]), fields["code"], fields["fee"], tuple(events))


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_a_vector_is_encoded_and_read_back(case: dict[str, Any]) -> None:
    """Fields and bytes are the same everywhere."""
    data = bytes.fromhex(case["receipt"])
    assert receipt_of(case["fields"]).encode() == data
    assert decode_receipt(data) == receipt_of(case["fields"])


def test_the_vectors_have_the_root_they_say() -> None:
    """The receipts root is the list root over receipt bytes in order."""
    assert receipts_root([bytes.fromhex(case["receipt"]) for case in VECTORS["cases"]]).hex() == VECTORS["root"]


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=lambda case: case["name"])
def test_an_invalid_vector_is_refused(case: dict[str, Any]) -> None:
    """Each with its stable code."""
    with pytest.raises(MetanodeError) as caught:
        decode_receipt(bytes.fromhex(case["receipt"]))
    assert caught.value.code == case["code"]


def test_an_oversized_receipt_is_refused_unread() -> None:
    """A light client never decodes more than the bound."""
    with pytest.raises(Rejection, match="TOO_LARGE"):
        decode_receipt(bytes(RECEIPT_BYTES_MAX + 1))


def test_every_error_number_fits_a_receipt() -> None:
    """A body can fail with any code of the table, and none of them is success."""
    assert all(0 < row.number <= CODE_MAX for row in ERROR_CODES.values())


values = st.one_of(st.integers(0, UINT_MAX), st.binary(max_size=40))
events = st.builds(lambda number, rest: (number, *rest), st.integers(0, UINT_MAX), st.lists(values, max_size=4))


@settings(derandomize=True)
@given(st.binary(min_size=32, max_size=32), st.integers(0, UINT_MAX), st.lists(events, max_size=5))
def test_any_success_survives_encoding(envelope_id: bytes, fee: int, changed: list[Event]) -> None:
    """Events of plugins' own numbers are carried like the named ones."""
    receipt = Receipt(envelope_id, 0, fee, tuple(changed))
    assert decode_receipt(receipt.encode()) == receipt
