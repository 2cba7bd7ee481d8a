"""Reads the JSON files people write (genesis, networks): every mistake is named, none is guessed away.

Not for foreign signed JSON, which `decimal_json` reads.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection
from typing import Any, NoReturn

from metanode.core.model.errors import SettingsError
from metanode.core.model.limits import UINT_MAX

_HEX = re.compile(r"(?:[0-9a-f]{2})*")


def load_object(text: str, what: str) -> dict[str, Any]:
    """Parse `text` as one JSON object without duplicate keys, fractions or NaN.

    :raises SettingsError: BAD_JSON, with line and column where there is one.
    """

    def refuse_number(token: str) -> NoReturn:
        raise SettingsError("BAD_JSON", f"{what}: number {token}", "whole numbers only")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) != len(pairs):
            twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
            raise SettingsError("BAD_JSON", f"{what}: key {twice!r} stands twice", "each key once")
        return entries

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_float=refuse_number, parse_constant=refuse_number)
    except json.JSONDecodeError as error:
        raise SettingsError(
            "BAD_JSON", f"{what}: {error.msg} at line {error.lineno} column {error.colno}", "one JSON object"
        ) from None
    except (ValueError, RecursionError):  # an integer of thousands of digits, or nesting without end
        raise SettingsError("BAD_JSON", f"{what}: a number or nesting without measure", "one JSON object") from None
    return expect_object(value, what)


def expect_object(value: Any, what: str) -> dict[str, Any]:
    """Return `value` if it is an object."""
    if not isinstance(value, dict):
        raise SettingsError("BAD_SETTING", f"{what} is {_spell(value)}", "an object")
    return value


def expect_keys(entries: dict[str, Any], keys: Collection[str], what: str, *, optional: Collection[str] = ()) -> None:
    """Check that `entries` has exactly `keys`, plus any of `optional`; an unknown key is told its nearest known one."""
    for key in entries:
        if key not in keys and key not in optional:
            raise SettingsError("BAD_SETTING", f"{what}: unknown key {key!r}", nearest(key, [*keys, *optional]))
    for key in keys:
        if key not in entries:
            raise SettingsError("BAD_SETTING", f"{what}: key {key!r} is missing", f"the keys {', '.join(keys)}")


def nearest(word: str, known: Collection[str]) -> str:
    """Return "<nearest> (nearest of: ...)", or just the known words when none is near."""
    close = difflib.get_close_matches(word, list(known), n=1)
    listed = ", ".join(known)
    return f"{close[0]} (nearest of: {listed})" if close else f"one of: {listed}"


def expect_int(value: Any, what: str, *, minimum: int = 0, maximum: int = UINT_MAX) -> int:
    """Return `value` if it is a whole number within minimum..maximum (true and false are not numbers)."""
    if type(value) is not int or not minimum <= value <= maximum:
        raise SettingsError("BAD_SETTING", f"{what} is {_spell(value)}", f"a whole number from {minimum} to {maximum}")
    return value


def expect_string(value: Any, what: str) -> str:
    """Return `value` if it is a string."""
    if not isinstance(value, str):
        raise SettingsError("BAD_SETTING", f"{what} is {_spell(value)}", "a string")
    return value


def expect_hex(value: Any, what: str, *, size: int | None = None) -> bytes:
    """Return the bytes of a lower-case hex string, of exactly `size` bytes if given."""
    text = expect_string(value, what)
    if not _HEX.fullmatch(text) or (size is not None and len(text) != 2 * size):
        wanted = "lower-case hex" if size is None else f"{2 * size} lower-case hex digits"
        raise SettingsError("BAD_SETTING", f"{what} is {_spell(text)}", wanted)
    return bytes.fromhex(text)


def _spell(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
