"""Broken inputs from good ones: blind edits of bytes, edits of CBOR that know its structure, edits of text.

Structure-aware edits keep the rest of the object whole, so they reach the checks behind the codec; a part of them
is then written in a form that is not canonical, which only our own lenient writer can do.
"""

from __future__ import annotations

from random import Random
from typing import Any

from metanode.core.model import codec
from metanode.core.model.errors import MetanodeError

EDGES = (0, 1, 2, 23, 24, 31, 32, 33, 63, 64, 65, 255, 256, 65535, 65536, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1,
         2**63, 2**64 - 2, 2**64 - 1)  # fmt: skip
"""Numbers at which lengths, fields and types end."""
INTERESTING = (
    b"", b"\x00", b"\xff", b"\x80", b"\xa0", b"\x40", b"\x60", b"\x5f", b"\x9f", b"\xbf", b"\xf6", b"\x18\x17",
    b"\x1b" + b"\xff" * 8, b"\x5b" + b"\xff" * 8, b"\x9b" + b"\xff" * 8, b"\xbb" + b"\xff" * 8, b"\x81" * 16,
    b"\xed\xa0\x80", b"\xc0\x80", bytes(32), bytes(64),
)  # fmt: skip
"""Pieces that decoders trip over: odd lengths, nesting, bad UTF-8."""
TEXT_PIECES = (
    "{", "}", "[", "]", ",", ":", '"', "\\", "\\u0000", "\\ud800", "\\udc00", "\\ud83d\\ude00", "null", "true", "-0",
    "1e18", "1e19", "1e-18", "0.1", "01", "NaN", "Infinity", "9" * 40, "\x00", "\t", "\n", "\ufeff", "é", "\ud800", " ",
    '"a":1,"a":2', "[[[[[[[[[[[[[[[[[", "mn1", "RTC", "-", "+", "1.", ".5", "1E+3",
)  # fmt: skip
"""The same for readers of JSON."""
LONG_MAX = 400
"""Longest run that a single edit adds."""


def mutate_bytes(chance: Random, data: bytes) -> bytes:
    """Return `data` after one to six blind edits."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(out) + 1)
        match chance.randrange(8):
            case 0 if out:
                out[at % len(out)] ^= 1 << chance.randrange(8)
            case 1 if out:
                out[at % len(out)] = chance.randrange(256)
            case 2:
                del out[at:]
            case 3:
                del out[at : at + chance.randint(1, 9)]
            case 4:
                out[at:at] = chance.choice(INTERESTING)
            case 5:
                out[at:at] = chance.randbytes(chance.randint(1, 9))
            case 6:
                length = chance.randint(1, 40)
                out[at:at] = out[at : at + length] * chance.randint(1, LONG_MAX // length)
            case _:
                size = chance.choice((1, 2, 4, 8))
                out[at : at + size] = (chance.choice(EDGES) % 256**size).to_bytes(size, "big")
    return bytes(out)


def mutate_cbor(chance: Random, data: bytes) -> bytes:
    """Return canonical bytes with something changed inside; blindly edited bytes when `data` is no CBOR."""
    try:
        value = codec.decode(data, bytes_max=1 << 21)
    except MetanodeError:
        return mutate_bytes(chance, data)
    for _ in range(chance.randint(1, 3)):
        value = _edited(chance, value)
    out = bytearray()
    _write(out, value, chance if chance.randrange(4) == 0 else None)
    return bytes(out)


def mutate_text(chance: Random, text: str, other: str = "") -> str:
    """Return `text` after one to four edits, some of them pieces of `other`."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        end = at + chance.randint(0, 12)
        match chance.randrange(6):
            case 0:
                text = text[:at] + text[end:]
            case 1:
                text = text[:at] + chance.choice(TEXT_PIECES) + text[end:]
            case 2:
                text = text[:at] + chance.choice(TEXT_PIECES) + text[at:]
            case 3:
                text = text[:at] + text[at:end] * chance.randint(2, 20) + text[end:]
            case 4:
                text = text[:at] + str(chance.choice(EDGES)) + text[end:]
            case _:
                start = chance.randrange(len(other) + 1)
                text = text[:at] + other[start : start + 30] + text[end:]
    return text


def any_cbor(chance: Random, depth: int = 3) -> Any:
    """Return a value that canonical CBOR can hold, nested at most `depth` deep."""
    match chance.randrange(5 if depth else 3):
        case 0:
            return chance.choice(EDGES)
        case 1:
            return chance.randbytes(chance.choice((0, 1, 19, 20, 21, 31, 32, 33, 63, 64, 65, 80, 257)))
        case 2:
            return chance.choice(("", "a", "\x00", "é", "x" * 65, "metanode/1", "\U0001f600"))
        case 3:
            return [any_cbor(chance, depth - 1) for _ in range(chance.randint(0, 4))]
        case _:
            return {chance.choice(EDGES): any_cbor(chance, depth - 1) for _ in range(chance.randint(0, 4))}


def _edited(chance: Random, value: Any) -> Any:
    """Return `value` with one change somewhere in it."""
    if isinstance(value, dict) and value and chance.randrange(6):
        key = chance.choice(list(value))
        match chance.randrange(8):
            case 0:
                return {k: v for k, v in value.items() if k != key}
            case 1:
                return {**value, chance.choice(((key + 1) % 2**64, *EDGES)): any_cbor(chance, 1)}
            case _:
                return {**value, key: _edited(chance, value[key])}
    if isinstance(value, list) and value and chance.randrange(6):
        at = chance.randrange(len(value))
        match chance.randrange(8):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return [*value[:at], value[at], *value[at:]]
            case 2:
                return [*value[:at], any_cbor(chance, 1), *value[at:]]
            case 3:
                return value[::-1]
            case _:
                return [*value[:at], _edited(chance, value[at]), *value[at + 1 :]]
    if isinstance(value, bytes) and chance.randrange(5):
        # What looks like CBOR inside a byte string mostly is: bodies, records, headers.
        if len(value) > 40 and chance.randrange(2):
            return mutate_cbor(chance, value)
        return mutate_bytes(chance, value)
    if isinstance(value, int) and chance.randrange(5):
        return max(0, min(2**64 - 1, chance.choice((value - 1, value + 1, value * 2, *EDGES))))
    if isinstance(value, str) and chance.randrange(5):
        return mutate_text(chance, value).encode("utf-8", "replace").decode()
    return any_cbor(chance)


def _write(out: bytearray, value: Any, loose: Random | None) -> None:
    """Write CBOR as our encoder does; with `loose` now and then in a form that it never writes."""
    if isinstance(value, int):
        _head(out, 0, value, loose)
    elif isinstance(value, bytes):
        _head(out, 2, len(value), loose)
        out += value
    elif isinstance(value, str):
        raw = value.encode()
        _head(out, 3, len(raw), loose)
        out += raw
    elif isinstance(value, list):
        _head(out, 4, len(value), loose)
        for item in value:
            _write(out, item, loose)
    else:
        keys = sorted(value)
        if loose is not None and loose.randrange(8) == 0:
            loose.shuffle(keys)
        _head(out, 5, len(value), loose)
        for key in keys:
            _head(out, 0, key, loose)
            _write(out, value[key], loose)


def _head(out: bytearray, major: int, argument: int, loose: Random | None) -> None:
    sizes = [size for size in (0, 1, 2, 4, 8) if argument < (24 if size == 0 else 256**size)]
    size = sizes[0]
    if loose is not None and loose.randrange(12) == 0:
        size = loose.choice(sizes)
        major = loose.choice((major, major, major, 1, 6, 7))
        argument = min(256 ** (size or 1) - 1, argument + loose.choice((0, 0, 1)))
    if size == 0:
        out.append(major << 5 | argument & 31)
    else:
        out.append(major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[size])
        out += argument.to_bytes(size, "big")
