"""Values of a request as the routes want them; what does not fit is refused with what would."""

from __future__ import annotations

from collections.abc import Mapping

from metanode.core.model import decimal_json
from metanode.core.model.errors import Rejection

LIMIT_DEFAULT = 50
LIMIT_MAX = 500
"""Entries of one answer."""
OFFSET_MAX = 1_000_000
"""Entries that may be skipped."""
NUMBER_DIGITS_MAX = 20
"""Longest number in a query, digits: enough for 2^64 - 1."""


def texts_of(body: bytes, keys: tuple[str, ...]) -> dict[str, str]:
    """Return the JSON object of a request body: some of `keys`, all with text.

    :raises Rejection: BAD_JSON, or BAD_SHAPE.
    """
    value = decimal_json.loads(body)
    if not isinstance(value, dict) or not value or not set(value) <= set(keys):
        raise Rejection("BAD_SHAPE", "the request body has other keys", f"a JSON object with {' or '.join(keys)}")
    texts: dict[str, str] = {}
    for key, text in value.items():
        if not isinstance(text, str):
            raise Rejection("BAD_SHAPE", f"{key} is not a JSON string", "hex digits")
        texts[key] = text
    return texts


def hex_bytes(text: str, what: str, size: int | None = None) -> bytes:
    """Return the bytes of a hex text.

    :raises Rejection: BAD_HEX, other characters or another length than `size` bytes.
    """
    expected = "hex digits, two per byte" if size is None else f"{2 * size} hex digits"
    if not text or not set(text) <= set("0123456789abcdefABCDEF") or len(text) % 2:
        raise Rejection("BAD_HEX", f"{what} {text[:40]!r}", expected)
    if size is not None and len(text) != 2 * size:
        raise Rejection("BAD_HEX", f"{what} of {len(text)} digits", expected)
    return bytes.fromhex(text)


def whole_number(text: str, what: str, maximum: int) -> int:
    """Return a number of a path or query string.

    :raises Rejection: BAD_REQUEST, it is no whole number from 0 to `maximum`.
    """
    if len(text) > NUMBER_DIGITS_MAX or not (text.isascii() and text.isdigit()) or int(text) > maximum:
        raise Rejection("BAD_REQUEST", f"{what}={text[:40]!r}", f"a whole number from 0 to {maximum}")
    return int(text)


def page_of(query: Mapping[str, str]) -> tuple[int, int]:
    """Return (limit, offset) of a query string; raises as `whole_number`."""
    limit = whole_number(query.get("limit", str(LIMIT_DEFAULT)), "limit", LIMIT_MAX)
    return limit, whole_number(query.get("offset", "0"), "offset", OFFSET_MAX)
