"""What every parser needs: forgiving integers and clean, bounded text."""

from __future__ import annotations

import re

TEXT_CHARS_MAX = 64
"""Longest text taken from firmware or kernel strings, characters."""
DIGITS_MAX = 18
"""Longest run of decimal digits read as a number; keeps every value below 2^64."""

_DECIMAL = re.compile(rf"[0-9]{{1,{DIGITS_MAX}}}")
_HEX = re.compile(r"(?:0[xX])?([0-9a-fA-F]{1,15})")


def clean(text: str, *, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Return printable ASCII with single spaces, cut to `chars_max`; anything else becomes '?'."""
    joined = " ".join(text.split())
    return "".join(char if " " <= char <= "~" else "?" for char in joined)[:chars_max].strip()


def decimal(text: str) -> int | None:
    """Return a whole decimal number, or None."""
    stripped = text.strip()
    return int(stripped) if _DECIMAL.fullmatch(stripped) else None


def hexadecimal(text: str) -> int | None:
    """Return a hexadecimal number with or without 0x, or None."""
    match = _HEX.fullmatch(text.strip())
    return int(match.group(1), 16) if match else None


def megahertz_to_khz(text: str) -> int | None:
    """Return kilohertz for text like `2596.120` or `900.000000MHz`, exactly; None if it is not one."""
    match = re.fullmatch(r"\s*([0-9]{1,9})(?:\.([0-9]{1,12}))?\s*(?:MHz)?\s*", text)
    if match is None:
        return None
    fraction = (match.group(2) or "").ljust(3, "0")[:3]
    return int(match.group(1)) * 1000 + int(fraction)


def count_cpu_list(text: str) -> int | None:
    """Return how many CPUs a kernel list such as `0-3,8` names, or None."""
    total = 0
    for part in text.strip().split(","):
        match = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", part)
        if match is None:
            return None
        first, last = int(match.group(1)), int(match.group(2) or match.group(1))
        if last < first:
            return None
        total += last - first + 1
    return total
