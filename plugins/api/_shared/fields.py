"""Values of a request as the routes want them; what does not fit is refused with what would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from metanode.core.http import Response, json_response
from metanode.core.model.errors import ERROR_CODES, Rejection
from metanode.core.model.limits import HASH_BYTES
from metanode.core.model.receipt import OK

_NAMES = {row.number: row.code for row in ERROR_CODES.values()}


def ok(status: int = 200, /, **values: Any) -> Response:
    """Return a successful reply: the values and `"ok": true`."""
    return json_response({"ok": True, **values}, status=status)


def code_name(number: int) -> str:
    """Return what a receipt's code means: `OK`, or the name of an error code."""
    return "OK" if number == OK else _NAMES.get(number, f"CODE_{number}")


def hash_of(text: str, what: str) -> bytes:
    """Return the 32 bytes of a hash in hex.

    :raises Rejection: BAD_HEX.
    """
    if len(text) == 2 * HASH_BYTES and text.isascii() and text.isalnum():
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass  # told below, like a wrong length
    raise Rejection("BAD_HEX", f"{what} {text[:80]!r}", f"{2 * HASH_BYTES} hex digits")


def whole_number(query: Mapping[str, str], name: str, default: int, maximum: int) -> int:
    """Return a number of the query string.

    :raises Rejection: BAD_REQUEST, it is no whole number from 0 to `maximum`.
    """
    text = query.get(name)
    if text is None:
        return default
    if len(text) > 20 or not (text.isascii() and text.isdigit()) or int(text) > maximum:
        raise Rejection("BAD_REQUEST", f"{name}={text[:40]!r}", f"a whole number from 0 to {maximum}")
    return int(text)


def flag(query: Mapping[str, str], name: str) -> bool:
    """Return whether `name=1` stands in the query string."""
    return whole_number(query, name, 0, 1) == 1


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a request body; numbers have no place in it.

    :raises Rejection: BAD_JSON.
    """
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except RecursionError:
        raise Rejection("BAD_JSON", "the body is nested too deep") from None
    except ValueError as error:
        raise Rejection("BAD_JSON", f"the body is not JSON: {str(error)[:80]}") from error
    if not isinstance(value, dict):
        raise Rejection("BAD_JSON", f"the body is a JSON {type(value).__name__}", "one JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise Rejection("BAD_JSON", "a key of the body stands twice")
    return entries


def _refuse_number(token: str) -> NoReturn:
    raise Rejection("BAD_JSON", f"number {token[:20]} in the body", "strings, and lists of strings")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_int=_refuse_number,
    parse_float=_refuse_number,
    parse_constant=_refuse_number,
)
