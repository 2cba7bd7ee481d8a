"""How a proof bundle is written; what it proves is tested beside `core.light.bundle`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from metanode.core.model import codec
from metanode.core.model.bundle import Bundle, StateItem, decode_bundle
from metanode.core.model.errors import CodecError, Rejection
from metanode.core.model.limits import BUNDLE_BYTES_MAX
from metanode.core.model.state_map import StateMap

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "bundle.json").read_text())
HASH = bytes(32)
RECEIPT_ROW: list[Any] = [1, b"envelope", b"receipt", 0, 1, [], []]
STATE_ROW: list[Any] = [2, b"key", b"value", 1, [HASH], [HASH, HASH], 2]


def bundle(*rows: list[Any], **changes: Any) -> bytes:
    """Return the bytes of a bundle with these items."""
    fields: dict[int, Any] = {0: 1, 1: HASH, 2: b"header", 3: b"certificate", 4: b"set", 5: list(rows)}
    return codec.encode({**fields, **{int(name[1:]): value for name, value in changes.items()}})


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_a_vector_survives_decoding_and_encoding(case: dict[str, Any]) -> None:
    """A bundle has one form."""
    data = bytes.fromhex(case["bundle"])
    decoded = decode_bundle(data)
    assert decoded.encode() == data
    assert len(decoded.items) == case["items"]
    assert decoded.genesis_hash.hex() == case["genesis_hash"]


def test_a_present_empty_value_differs_from_an_absent_one() -> None:
    """An entry may hold no bytes and still be there."""
    state = StateMap.from_entries([(b"there", b"")])
    items = tuple(StateItem(key, state.get(key), state.prove(key)) for key in (b"there", b"not"))
    decoded = decode_bundle(Bundle(HASH, b"h", b"c", b"s", items).encode())
    assert decoded.items == items


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (bundle(v0=2), "BAD_VERSION"),
        (bundle(v1=bytes(31)), "BAD_SHAPE"),
        (bundle(v6=0), "BAD_SHAPE"),
        (bundle(v5={}), "BAD_SHAPE"),
        (bundle([]), "BAD_SHAPE"),
        (bundle([3, *RECEIPT_ROW[1:]]), "BAD_SHAPE"),
        (bundle([*RECEIPT_ROW, 0]), "BAD_SHAPE"),
        (bundle([*RECEIPT_ROW[:4], 0, [], []]), "BAD_SHAPE"),
        (bundle([*RECEIPT_ROW[:5], [bytes(31)], []]), "BAD_SHAPE"),
        (bundle([*RECEIPT_ROW[:5], [HASH] * 33, []]), "BAD_SHAPE"),
        (bundle([*STATE_ROW[:3], 0, *STATE_ROW[4:]]), "BAD_SHAPE"),
        (bundle([*STATE_ROW[:3], 2, *STATE_ROW[4:]]), "BAD_SHAPE"),
        (bundle([*STATE_ROW[:4], [HASH] * 257, *STATE_ROW[5:]]), "BAD_SHAPE"),
        (bundle([*STATE_ROW[:5], [HASH], 2]), "BAD_SHAPE"),
        (bundle([*STATE_ROW[:5], [HASH] * 3, 2]), "BAD_SHAPE"),
        (bundle(*[RECEIPT_ROW] * 257), "BAD_SHAPE"),
        (bytes(BUNDLE_BYTES_MAX + 1), "TOO_LARGE"),
    ],
)
def test_a_bundle_of_the_wrong_shape_is_refused(data: bytes, code: str) -> None:
    """Each with its stable code, before any hash is computed."""
    with pytest.raises(Rejection) as caught:
        decode_bundle(data)
    assert caught.value.code == code


def test_the_rows_these_cases_bend_are_good_themselves() -> None:
    """Else the refusals above would prove nothing."""
    assert len(decode_bundle(bundle(RECEIPT_ROW, STATE_ROW)).items) == 2


def test_every_prefix_of_a_bundle_is_refused() -> None:
    """No truncation is mistaken for a whole bundle."""
    data = bundle(RECEIPT_ROW, STATE_ROW)
    for end in range(len(data)):
        with pytest.raises(CodecError):
            decode_bundle(data[:end])
