"""Lines of a report: one check as text, and long lines folded to the width of a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable

from metanode.fingerprint.checks import FAIL, PASS, Check

Style = Callable[..., str]
"""`style(text, *names)` colours text, or returns it as it is."""
BESIDE_NAME = " " * 34
"""Indents what belongs to a check: under its reason."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_COLUMN = re.compile(r"\S  +(?=\S)|^ *(?:- )?(?=\S)")


def check_lines(check: Check, style: Style, *, words: bool = True) -> list[str]:
    """Return verdict, name, reason in words, the numbers behind it, what it asks and what it is worth.

    :param words: False for a reason whose words were told just before: it goes in one line with the numbers.
    """
    colour = {PASS: "green", FAIL: "red"}.get(check.verdict, "yellow")
    head = f"  {style(f'{check.verdict:<11}', colour)}{check.name:<21}{check.reason}"
    numbers = ", ".join(f"{name} {value}" for name, value in check.numbers)
    if not words:
        return [f"{head}: {numbers}" if numbers else head, *meaning_lines(check, style)]
    lines = [f"{head}: {check.words}"]
    return [*lines, *([BESIDE_NAME + numbers] if numbers else []), *meaning_lines(check, style)]


def meaning_lines(check: Check, style: Style) -> list[str]:
    """Return what a check asks and what its answer is worth, in one line."""
    return [BESIDE_NAME + style(f"{check.meaning.question} Worth: {check.meaning.worth}", "dim")]


def fold(line: str, columns: int) -> list[str]:
    """Break a line that is too long at its spaces, and go on below its last column that begins in the left half.

    :param columns: 0 leaves every line as it is, for pipes and searches.
    """
    if not columns or _width(line) <= columns:
        return [line]
    plain = _COLOUR.sub("", line)
    below = max((found.end() for found in _COLUMN.finditer(plain) if found.end() <= columns // 2), default=0)
    lines, now = [], ""
    for number, word in enumerate(line.split(" ")):
        longer = f"{now} {word}" if number else word
        if _width(longer) > columns and _width(now) > below:
            lines.append(now.rstrip(" "))
            longer = " " * below + word
        now = longer
    return [*lines, now]


def _width(text: str) -> int:
    return len(_COLOUR.sub("", text))
