"""Money: unsigned 64-bit counts of micro-units, 1 coin = 1,000,000, and checked arithmetic.

No floats come near an amount.  Sums stay within 64 bits and products within 128, as they
would in C, so that every implementation refuses the same inputs.
"""

from __future__ import annotations

import re

from metanode.core.model.errors import Rejection
from metanode.core.model.limits import UINT_MAX

MICRO = 1_000_000
"""Micro-units in one coin."""
DECIMALS = 6
"""Decimal places of an amount in coins."""
AMOUNT_MAX = UINT_MAX
"""Largest amount, micro-units."""
PRODUCT_MAX = 2**128 - 1
"""Largest intermediate product."""

_COINS = re.compile(r"(0|[1-9][0-9]{0,13})(?:\.([0-9]{1,6}))?", re.ASCII)

assert MICRO == 10**DECIMALS


def parse_amount(text: str) -> int:
    """Return micro-units for coins in decimal, e.g. `1.5` -> 1500000.

    Digits, then at most one point and one to six places; no sign, exponent, blanks or leading zeros.

    :raises Rejection: BAD_AMOUNT.
    """
    match = _COINS.fullmatch(text)
    if match is None:
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise Rejection("BAD_AMOUNT", f"{shown!r} is not an amount of coins")
    whole, places = match.groups()
    amount = int(whole) * MICRO + int((places or "").ljust(DECIMALS, "0"))
    if amount > AMOUNT_MAX:
        raise Rejection("BAD_AMOUNT", f"{text} coins do not fit 64 bits of micro-units")
    return amount


def format_amount(amount: int) -> str:
    """Return micro-units as coins with all six places, e.g. 1500000 -> `1.500000`."""
    if not 0 <= amount <= AMOUNT_MAX:
        raise ValueError(f"{amount} is not an amount")
    return f"{amount // MICRO}.{amount % MICRO:06d}"


def amount_json(amount: int) -> dict[str, int | str]:
    """Return the form every JSON answer uses: the exact integer and a decimal text for people."""
    return {"micro": amount, "coins": format_amount(amount)}


def add(a: int, b: int) -> int:
    """Return a + b.

    :raises Rejection: OVERFLOW, the sum leaves 64 bits.
    """
    total = a + b
    if total > AMOUNT_MAX:
        raise Rejection("OVERFLOW", f"{a} + {b} leaves 64 bits")
    return total


def sub(a: int, b: int) -> int:
    """Return a - b.

    :raises Rejection: INSUFFICIENT_FUNDS, b is more than a.
    """
    if b > a:
        raise Rejection("INSUFFICIENT_FUNDS", f"{format_amount(a)} coins are there, {format_amount(b)} are needed")
    return a - b


def mul_div(a: int, b: int, c: int) -> int:
    """Return a * b // c, the product exact.

    :raises Rejection: OVERFLOW, the product leaves 128 bits.
    :raises ZeroDivisionError: c is 0; a mistake of the caller.
    """
    product = a * b
    if not 0 <= product <= PRODUCT_MAX:
        raise Rejection("OVERFLOW", f"{a} * {b} leaves 128 bits")
    return product // c
