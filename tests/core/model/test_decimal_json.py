"""The strict JSON reader: exact numbers, one reading, nothing lenient."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model.decimal_json import Decimal10, Json, loads
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import FOREIGN_JSON_BYTES_MAX

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "decimal_json.json").read_text())

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


def _untag(tagged: dict[str, Any]) -> Json:
    (kind, value), = tagged.items()  # fmt: skip
    match kind:
        case "object":
            return {key: _untag(item) for key, item in value}
        case "array":
            return [_untag(item) for item in value]
        case "number":
            return Decimal10(int(value[0]), value[1])
        case "word":
            words: dict[str, bool | None] = {"true": True, "false": False, "null": None}
            return words[value]
        case _:
            text: str = value
            return text


def _numbers(value: Any) -> Any:
    """A document of plain Python with every integer as the reader gives it."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal10.normal(value, 0)
    return value


@pytest.mark.parametrize("row", VECTORS["accept"], ids=lambda row: ascii(row["json"])[:30])
def test_every_accepted_vector_has_its_exact_value(row: dict[str, Any]) -> None:
    """Equal numbers are equal objects however they are spelled."""
    assert loads(row["json"].encode()) == _untag(row["value"])


@pytest.mark.parametrize("row", VECTORS["reject"], ids=lambda row: f"{row['why']} {ascii(row['json'])[:20]}")
def test_every_rejected_vector_is_refused_with_one_line(row: dict[str, str]) -> None:
    """BAD_JSON and the offset; deep nesting never reaches Python's own limit."""
    with pytest.raises(Rejection, match=r"^BAD_JSON: .* at byte \d+$") as caught:
        loads(row["json"].encode())
    assert "\n" not in caught.value.line()


@pytest.mark.parametrize("row", VECTORS["to_micro"], ids=lambda row: row["json"])
def test_a_number_of_coins_is_exact_micro_units_or_no_amount(row: dict[str, Any]) -> None:
    """More than six places, a sign or a value beyond 64 bits is invalid, never rounded."""
    number = loads(row["json"].encode())
    assert isinstance(number, Decimal10)
    if row["micro"] is None:
        with pytest.raises(Rejection, match="^BAD_AMOUNT: "):
            number.to_micro()
    else:
        assert number.to_micro() == int(row["micro"])


def test_whole_numbers_become_integers_and_others_do_not() -> None:
    """1e3 and 1000.0 are whole; 0.5 is not."""
    for text, value in ((b"1e3", 1000), (b"1000.0", 1000), (b"-7", -7), (b"0e9", 0)):
        number = loads(text)
        assert isinstance(number, Decimal10)
        assert number.to_int() == value
    half = loads(b"0.5")
    assert isinstance(half, Decimal10)
    with pytest.raises(Rejection, match="^BAD_JSON: 5e-1 is not a whole number"):
        half.to_int()


@settings(derandomize=True, deadline=None)
@given(DOCUMENTS, st.booleans())
def test_what_the_standard_module_writes_in_ascii_is_read_alike(document: Any, spaced: bool) -> None:
    """Differential: every ordinary document means the same to both readers."""
    data = json.dumps(document, ensure_ascii=True, indent=1 if spaced else None).encode()
    if _depth(document) <= 16 and len(data) <= FOREIGN_JSON_BYTES_MAX:
        assert loads(data) == _numbers(document)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


@settings(derandomize=True, deadline=None)
@given(st.text(alphabet='{}[]:,"\\u0019.eE+-tfn \n', max_size=16))
def test_whatever_is_accepted_the_standard_module_accepts_too(text: str) -> None:
    """We are stricter than RFC 8259, never laxer; accepted numbers are equal."""
    try:
        value = loads(text.encode())
    except Rejection:
        return
    standard = json.loads(text, parse_int=Decimal, parse_float=Decimal)
    if isinstance(value, Decimal10):
        assert Decimal(value.mantissa).scaleb(value.exponent) == standard


def test_a_text_of_the_largest_size_is_read_and_one_more_byte_is_not() -> None:
    """The limit is exact and has its own code."""
    filler = FOREIGN_JSON_BYTES_MAX - 2
    assert loads(b'"' + b"a" * filler + b'"') == "a" * filler
    with pytest.raises(Rejection, match="^TOO_LARGE: "):
        loads(b'"' + b"a" * (filler + 1) + b'"')
