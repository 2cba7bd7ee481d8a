"""Amounts: exact text, checked arithmetic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model import amounts
from metanode.core.model.errors import Rejection

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "amounts.json").read_text())


@pytest.mark.parametrize("row", VECTORS["accept"], ids=lambda row: row["text"])
def test_coins_read_and_print_exactly(row: dict[str, str]) -> None:
    """Text to micro-units and back, far beyond what a float could hold."""
    amount = amounts.parse_amount(row["text"])
    assert amount == int(row["micro"])
    assert amounts.format_amount(amount) == row["coins"]
    assert amounts.amount_json(amount) == {"micro": int(row["micro"]), "coins": row["coins"]}


@pytest.mark.parametrize("text", VECTORS["reject"])
def test_anything_else_is_not_an_amount(text: str) -> None:
    """No sign, exponent, blank, seventh place, or value beyond 64 bits."""
    with pytest.raises(Rejection, match="^BAD_AMOUNT: ") as caught:
        amounts.parse_amount(text)
    assert "\n" not in caught.value.line()


@settings(derandomize=True)
@given(st.integers(0, amounts.AMOUNT_MAX))
def test_every_amount_survives_its_text(amount: int) -> None:
    """format and parse are inverse."""
    assert amounts.parse_amount(amounts.format_amount(amount)) == amount


@pytest.mark.parametrize("amount", [-1, amounts.AMOUNT_MAX + 1])
def test_what_is_no_amount_is_not_printed(amount: int) -> None:
    """A ValueError, because amounts are checked where they arise."""
    with pytest.raises(ValueError, match="is not an amount"):
        amounts.format_amount(amount)


def test_sums_stay_within_64_bits() -> None:
    """The last value that fits, fits; the next is OVERFLOW."""
    assert amounts.add(amounts.AMOUNT_MAX - 1, 1) == amounts.AMOUNT_MAX
    with pytest.raises(Rejection, match="^OVERFLOW: "):
        amounts.add(amounts.AMOUNT_MAX, 1)


def test_differences_never_go_below_zero() -> None:
    """What is not there cannot be spent."""
    assert amounts.sub(5, 5) == 0
    with pytest.raises(Rejection, match="^INSUFFICIENT_FUNDS: 0.000004 coins are there, 0.000005 are needed"):
        amounts.sub(4, 5)


@pytest.mark.parametrize("row", VECTORS["mul_div"], ids=lambda row: f"{row['a']}*{row['b']}/{row['c']}")
def test_shares_are_floored_and_products_stay_within_128_bits(row: dict[str, Any]) -> None:
    """Exact product, then floor; beyond 128 bits OVERFLOW, as C would have to say."""
    a, b, c = int(row["a"]), int(row["b"]), int(row["c"])
    if row["result"] is None:
        with pytest.raises(Rejection, match="^OVERFLOW: "):
            amounts.mul_div(a, b, c)
    else:
        assert amounts.mul_div(a, b, c) == int(row["result"])


@settings(derandomize=True)
@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 2**40), min_size=1, max_size=20))
def test_shares_of_a_pot_never_exceed_it(pot: int, weights: list[int]) -> None:
    """Flooring each share leaves a rest smaller than the number of shares."""
    total = sum(weights)
    if total:
        rest = pot - sum(amounts.mul_div(pot, weight, total) for weight in weights)
        assert 0 <= rest < len(weights)
