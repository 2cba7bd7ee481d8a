"""Reads the JSON files people write (genesis, networks): every mistake is named, none is guessed away.

Not for foreign signed JSON, which `decimal_json` reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any, NoReturn

from metanode.core.model.errors import SettingsError
from metanode.core.model.limits import FOREIGN_JSON_DEPTH_MAX, JSON_NUMBER_CHARS_MAX, UINT_MAX

_HEX = re.compile(r"(?:[0-9a-f]{2})*")


def load_object(text: str, what: str) -> dict[str, Any]:
    """Parse `text` as one JSON object without duplicate keys, fractions, NaN, long numbers or deep nesting.

    Numbers and nesting are bounded as in `decimal_json`, so that no reader's own bounds decide.

    :raises SettingsError: BAD_JSON, with line and column where there is one; BAD_SETTING, not an object.
    """

    def refuse_number(token: str) -> NoReturn:
        raise SettingsError("BAD_JSON", f"{what}: number {token}", "whole numbers only")

    def whole(token: str) -> int:
        if len(token) > JSON_NUMBER_CHARS_MAX:
            raise SettingsError(
                "BAD_JSON", f"{what}: a number of {len(token)} characters", f"at most {JSON_NUMBER_CHARS_MAX}"
            )
        return int(token)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) != len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise SettingsError("BAD_JSON", f"{what}: key {twice!r} stands twice", "each key once")
        return entries

    try:
        value = json.loads(
            text,
            object_pairs_hook=unique,
            parse_int=whole,
            parse_float=refuse_number,
            parse_constant=refuse_number,
        )
    except json.JSONDecodeError as error:
        raise SettingsError(
            "BAD_JSON", f"{what}: {error.msg} at line {error.lineno} column {error.colno}", "one JSON object"
        ) from None
    except RecursionError:
        raise _too_deep(what) from None
    if _depth(value) > FOREIGN_JSON_DEPTH_MAX:
        raise _too_deep(what)
    return expect_object(value, what)


def _too_deep(what: str) -> SettingsError:
    return SettingsError("BAD_JSON", f"{what} is nested too deeply", f"at most {FOREIGN_JSON_DEPTH_MAX} levels")


def _depth(value: Any) -> int:
    """Return how many arrays and objects stand inside each other."""
    depth, level = 0, [value]
    while level := [entry for entry in level if isinstance(entry, (dict, list))]:
        depth += 1
        level = [item for entry in level for item in (entry.values() if isinstance(entry, dict) else entry)]
    return depth


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
    import difflib  # only here: few processes ever need it, and a miner must stay small

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
