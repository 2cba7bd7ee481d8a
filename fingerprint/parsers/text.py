"""What every parser needs: forgiving integers and clean, bounded text."""

from __future__ import annotations

import re

TEXT_CHARS_MAX = 64
"""Longest text taken from firmware or kernel strings, characters."""
DIGITS_MAX = 18
"""Longest run of decimal digits read as a number; keeps every value below 2^64."""

SOURCE_CHARS_MAX = 1 << 20
"""Longest source that a parser looks at, characters; what lies beyond is cut unread."""

LINES_MAX = 65_536
"""Most lines of a source that a parser looks at; /proc/cpuinfo of a 2048-thread server stays below it."""

_DECIMAL = re.compile(rf"[0-9]{{1,{DIGITS_MAX}}}")
_HEX = re.compile(r"(?:0[xX])?([0-9a-fA-F]{1,15})")


def clean(text: str, *, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Return printable ASCII with single spaces, cut to `chars_max`; anything else becomes '?'."""
    joined = " ".join(text[:SOURCE_CHARS_MAX].split())[: chars_max + 1]
    return "".join(char if " " <= char <= "~" else "?" for char in joined)[:chars_max].strip()


def decimal(text: str) -> int | None:
    """Return a whole decimal number, or None."""
    stripped = text.strip()
    return int(stripped) if _DECIMAL.fullmatch(stripped) else None


def hexadecimal(text: str) -> int | None:
    """Return a hexadecimal number with or without 0x, or None."""
    match = _HEX.fullmatch(text.strip())
    return int(match.group(1), 16) if match else None


def bounded_lines(text: str) -> list[str]:
    """Return the lines of a source, cut to what parsers look at."""
    return text[:SOURCE_CHARS_MAX].splitlines()[:LINES_MAX]


def pairs(text: str, separators: str = ":=") -> dict[str, str]:
    """Return the first value of each `key: value` or `key = value` line; the earliest separator counts."""
    found: dict[str, str] = {}
    for line in bounded_lines(text):
        at = min((place for place in map(line.find, separators) if place > 0), default=0)
        key = line[:at].strip()
        if key:
            found.setdefault(key, line[at + 1 :].strip())
    return found


def clock_khz(text: str) -> int:
    """Return the first clock that a text states (`2.60GHz`, `@ 1449MHz`) in kHz, exactly; or 0."""
    match = re.search(r"(?<![0-9.,])([0-9]{1,6})(?:\.([0-9]{1,6}))?[ -]?([GMgm])[Hh]z", text[:SOURCE_CHARS_MAX])
    if match is None:
        return 0
    millionths = int(match.group(1)) * 1_000_000 + int((match.group(2) or "").ljust(6, "0"))
    return millionths if match.group(3) in "Gg" else millionths // 1000


def size_kib(text: str) -> int | None:
    """Return kibibytes for `512`, `32K`, `512 KB`, `1.5 GB`, `8 MiB`; a bare number counts KiB."""
    match = re.fullmatch(r"\s*([0-9]{1,9})(?:\.([0-9]{1,3}))?\s*([KMGT]?)(?:i?[Bb])?\s*", text)
    if match is None:
        return None
    unit = {"": 1, "K": 1, "M": 1 << 10, "G": 1 << 20, "T": 1 << 30}[match.group(3)]
    return (int(match.group(1)) * 1000 + int((match.group(2) or "").ljust(3, "0"))) * unit // 1000


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
