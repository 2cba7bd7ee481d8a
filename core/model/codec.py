"""Canonical CBOR: the one way values become bytes.

Deterministic CBOR of RFC 8949 section 4.2.1, cut down to unsigned integers below 2^64,
byte strings, UTF-8 text, arrays, and maps whose keys are unsigned integers in rising order.
There is no second spelling of anything, so a value has exactly one encoding and
`encode(decode(data)) == data` for every `data` that `decode` accepts.

Bytes are decoded once and never re-encoded: hashes and signatures are over received bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from metanode.core.model.errors import CodecError, Rejection
from metanode.core.model.limits import CBOR_DEPTH_MAX, ENVELOPE_BYTES_MAX, SMALL_ITEMS_MAX, UINT_MAX

Value: TypeAlias = "int | bytes | str | list[Value] | dict[int, Value]"
"""What `decode` returns."""
Encodable: TypeAlias = "int | bytes | str | Sequence[Encodable] | Mapping[int, Encodable]"
"""What `encode` takes; sequences must be lists or tuples, mappings must be dicts."""

_UINT, _BYTES, _TEXT, _ARRAY, _MAP = 0, 2, 3, 4, 5  # major types, RFC 8949 section 3.1
_SHORT = 24  # an argument below this stands in the head's own byte


def encode(value: Encodable, *, depth_max: int = CBOR_DEPTH_MAX) -> bytes:
    """Return the canonical bytes of `value`.

    Refuses what `decode` would refuse; map keys may stand in any order in the dict.

    :raises CodecError: an integer outside 0..2^64-1, text that is not UTF-8, nesting that is
        too deep; `offset` is where the offending item would have begun.
    :raises TypeError: a type that has no encoding (bool, float, None, bytearray, ...).
    """
    out = bytearray()
    _write(out, value, depth_max)
    return bytes(out)


def _write(out: bytearray, value: Encodable, depth_left: int) -> None:
    if type(value) is bytes:  # the most common one, beside small numbers
        _write_head(out, _BYTES, len(value))
        out += value
        return
    if isinstance(value, bool):
        raise TypeError("a bool has no encoding; use 0 or 1")
    if isinstance(value, int):
        _write_head(out, _UINT, value)
    elif isinstance(value, bytes):
        _write_head(out, _BYTES, len(value))
        out += value
    elif isinstance(value, str):
        try:
            raw = value.encode("utf-8")
        except UnicodeEncodeError:
            raise CodecError("text with a lone surrogate", len(out), "text that UTF-8 can carry") from None
        _write_head(out, _TEXT, len(raw))
        out += raw
    elif isinstance(value, (list, tuple)):
        _check_depth(depth_left, len(out))
        _write_head(out, _ARRAY, len(value))
        for item in value:
            if type(item) is int and 0 <= item < _SHORT:  # half of all that is written
                out.append(item)
            else:
                _write(out, item, depth_left - 1)
    elif isinstance(value, dict):
        _check_depth(depth_left, len(out))
        _write_head(out, _MAP, len(value))
        for key in value:
            if not isinstance(key, int) or isinstance(key, bool):
                raise TypeError(f"a map key must be an int, not {type(key).__name__}")
        for key in sorted(value):
            _write_head(out, _UINT, key)
            _write(out, value[key], depth_left - 1)
    else:
        raise TypeError(f"{type(value).__name__} has no encoding")


def _write_head(out: bytearray, major: int, argument: int) -> None:
    if 0 <= argument < _SHORT:
        out.append(major << 5 | argument)
    elif not 0 <= argument <= UINT_MAX:
        raise CodecError(f"integer {argument} out of range", len(out), "an integer from 0 to 2^64-1")
    elif argument < 1 << 8:
        out.append(major << 5 | 24)
        out.append(argument)
    elif argument < 1 << 16:
        out.append(major << 5 | 25)
        out += argument.to_bytes(2, "big")
    elif argument < 1 << 32:
        out.append(major << 5 | 26)
        out += argument.to_bytes(4, "big")
    else:
        out.append(major << 5 | 27)
        out += argument.to_bytes(8, "big")


def _check_depth(depth_left: int, offset: int) -> None:
    if depth_left < 1:
        raise CodecError("nested too deeply", offset, f"at most {CBOR_DEPTH_MAX} arrays and maps inside each other")


def decode(data: bytes, *, bytes_max: int = ENVELOPE_BYTES_MAX, depth_max: int = CBOR_DEPTH_MAX) -> Value:
    """Return the one value that `data` encodes, all of it.

    :param bytes_max: longer input is refused unread.
    :param depth_max: how many arrays and maps may stand inside each other.
    :raises CodecError: `data` is not canonical; `offset` is the first byte of the item at fault,
        or the length of the input where it ends too early.
    :raises Rejection: TOO_LARGE, longer than `bytes_max`.
    """
    if len(data) > bytes_max:
        raise Rejection("TOO_LARGE", f"{len(data)} bytes of CBOR", f"at most {bytes_max} bytes")
    try:
        return _read_all(data, depth_max, len(data))
    except _Outsized as found:
        expected = f"at most {CBOR_DEPTH_MAX} arrays and maps inside each other"
        raise CodecError("nested too deeply", found.offset, expected) from None


def decode_small(data: bytes, what: str, *, depth_max: int = 1) -> Value:
    """Return the one value that `data` encodes, when its shape is known to be a small one.

    What a stranger sends is decoded beside everything else a node does, so an array or map that cannot be
    part of the shape is refused where it begins: 64 KiB of brackets cost no more than the first few.

    :param depth_max: how many arrays and maps the shape has inside each other.
    :raises CodecError: as `decode`, for what was read.
    :raises Rejection: BAD_SHAPE, an array or map deeper or of more than SMALL_ITEMS_MAX entries; TOO_LARGE.
    """
    if len(data) > ENVELOPE_BYTES_MAX:
        raise Rejection("TOO_LARGE", f"{len(data)} bytes of CBOR", f"at most {ENVELOPE_BYTES_MAX} bytes")
    try:
        return _read_all(data, depth_max, SMALL_ITEMS_MAX)
    except _Outsized as found:
        why = f"{what} has an array or map too many or too long at byte {found.offset}"
        raise Rejection("BAD_SHAPE", why) from None


class _Outsized(Exception):
    """An array or map beyond the bounds of this reading."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def _read_all(data: bytes, depth_max: int, items_max: int) -> Value:
    if depth_max >= 1 and data and data[0] & 31 <= items_max:
        flat = _read_flat(data)
        if flat is not None:
            return flat
    value, end = _read(data, 0, depth_max, items_max)
    if end != len(data):
        raise CodecError(f"{len(data) - end} bytes after the value", end, "one value and nothing after it")
    return value


def peek_uint(data: bytes, at: int) -> int:
    """Return the unsigned integer that begins at `at`, inside bytes already known to be canonical."""
    return _read_head(data, at)[1]


def _read_flat(data: bytes) -> list[Value] | dict[int, Value] | None:
    """Return a short array or map of numbers and byte strings, None when `data` is anything else.

    Nearly all that a node decodes is of this form, and one loop reads it in half the time of `_read`.
    It accepts only what `_read` accepts and refuses nothing: `_read` says what is wrong.
    """
    kind, count = data[0] >> 5, data[0] & 31
    if kind not in (_ARRAY, _MAP) or count >= _SHORT:
        return None
    size, at, last = len(data), 1, -1
    keys: list[int] = []
    values: list[Value] = []
    try:
        for _ in range(count):
            if kind == _MAP:
                if not last < data[at] < _SHORT:
                    return None
                last = data[at]
                keys.append(last)
                at += 1
            major, argument = data[at] >> 5, data[at] & 31
            at += 1
            if argument >= _SHORT:
                if argument > 27:
                    return None
                width = 1 << argument - 24
                end = at + width
                argument = data[at] if width == 1 else int.from_bytes(data[at:end], "big")
                if end > size or argument < (_SHORT if width == 1 else 1 << 4 * width):
                    return None
                at = end
            if major == _UINT:
                values.append(argument)
            elif major == _BYTES and at + argument <= size:
                values.append(data[at : at + argument])
                at += argument
            else:
                return None
    except IndexError:
        return None
    if at != size:
        return None
    return dict(zip(keys, values, strict=True)) if kind == _MAP else values


def _read(data: bytes, at: int, depth_left: int, items_max: int) -> tuple[Value, int]:
    major, argument, begin = _read_head(data, at)
    if major == _UINT:
        return argument, begin
    if major in (_BYTES, _TEXT):
        end = begin + argument
        if end > len(data):
            raise CodecError(f"a string of {argument} bytes is cut short", len(data), "the whole string")
        raw = data[begin:end]
        if major == _BYTES:
            return raw, end
        try:
            return raw.decode("utf-8"), end
        except UnicodeDecodeError as error:
            raise CodecError("text is not UTF-8", begin + error.start, "valid UTF-8") from None
    if depth_left < 1:
        raise _Outsized(at)
    # Each item takes at least one byte: refuse a huge count before looping over it.
    if argument * (1 if major == _ARRAY else 2) > len(data) - begin:
        raise CodecError(f"{argument} items announced, fewer bytes left", len(data), "all announced items")
    if argument > items_max:
        raise _Outsized(at)
    at = begin
    if major == _ARRAY:
        items: list[Value] = []
        for _ in range(argument):
            item, at = _read(data, at, depth_left - 1, items_max)
            items.append(item)
        return items, at
    entries: dict[int, Value] = {}
    last = -1
    for _ in range(argument):
        key_major, key, begin = _read_head(data, at)
        if key_major != _UINT:
            raise CodecError("a map key is not an unsigned integer", at, "unsigned integer keys")
        if key <= last:
            raise CodecError(f"map key {key} after {last}", at, "rising keys, each once")
        last = key
        entries[key], at = _read(data, begin, depth_left - 1, items_max)
    return entries, at


def _read_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Return (major type, argument, offset after the head)."""
    if at >= len(data):
        raise CodecError("input ends where an item should begin", at, "a whole value")
    major, info = data[at] >> 5, data[at] & 31
    if major not in (_UINT, _BYTES, _TEXT, _ARRAY, _MAP):
        names = {1: "a negative integer", 6: "a tag", 7: "a float or simple value"}
        raise CodecError(names[major], at, "unsigned integers, strings, arrays and maps only")
    if info < 24:
        return major, info, at + 1
    if info > 27:
        raise CodecError("an indefinite or reserved length", at, "a definite length")
    size = 1 << (info - 24)
    end = at + 1 + size
    if end > len(data):
        raise CodecError("an integer is cut short", len(data), "the whole integer")
    argument = int.from_bytes(data[at + 1 : end], "big")
    if argument < (24 if size == 1 else 1 << (4 * size)):
        raise CodecError(f"{argument} is not in its shortest form", at, "the shortest form of an integer")
    return major, argument, end


# -- shape checks: a canonical value of the wrong shape is BAD_SHAPE, never a crash --


def read_map(
    data: bytes, keys: Sequence[int], what: str, *, optional: Sequence[int] = (), bytes_max: int = ENVELOPE_BYTES_MAX
) -> dict[int, Value]:
    """Decode `data` and return it as a map that has exactly `keys`, plus any of `optional`.

    :param what: the name of the object, for the message.
    :raises CodecError: not canonical.
    :raises Rejection: BAD_SHAPE, not a map or other keys.
    """
    return expect_map(decode(data, bytes_max=bytes_max), keys, what, optional=optional)


def read_small_map(
    data: bytes, keys: Sequence[int], what: str, *, optional: Sequence[int] = (), depth_max: int = 1
) -> dict[int, Value]:
    """As `read_map`, for a small map that a stranger sent; see `decode_small`.

    :param depth_max: 1 when the map's values are numbers and strings alone.
    """
    return expect_map(decode_small(data, what, depth_max=depth_max), keys, what, optional=optional)


def expect_map(value: Value, keys: Sequence[int], what: str, *, optional: Sequence[int] = ()) -> dict[int, Value]:
    """Return a decoded value as a map with exactly `keys`, plus any of `optional`."""
    if not isinstance(value, dict):
        raise _bad(what, value, "a map")
    if [*value] == [*keys]:
        return value
    for key in keys:
        if key not in value:
            raise Rejection("BAD_SHAPE", f"{what} lacks key {key}", f"keys {_spell(keys)}")
    if len(value) > len(keys):
        for key in value:
            if key not in keys and key not in optional:
                raise Rejection("BAD_SHAPE", f"{what} has unknown key {key}", f"keys {_spell(keys)}")
    return value


def expect_uint(value: Value, what: str, *, minimum: int = 0, maximum: int = UINT_MAX) -> int:
    """Return a decoded value as an integer within minimum..maximum."""
    if not isinstance(value, int) or not minimum <= value <= maximum:
        raise _bad(what, value, f"an integer from {minimum} to {maximum}")
    return value


def expect_bytes(value: Value, what: str, *, size: int | None = None, maximum: int | None = None) -> bytes:
    """Return a decoded value as a byte string of exactly `size`, or at most `maximum`, bytes."""
    if not isinstance(value, bytes) or (size is not None and len(value) != size):
        raise _bad(what, value, "bytes" if size is None else f"{size} bytes")
    if maximum is not None and len(value) > maximum:
        raise _bad(what, value, f"at most {maximum} bytes")
    return value


def expect_text(value: Value, what: str, *, maximum: int | None = None) -> str:
    """Return a decoded value as text of at most `maximum` bytes in UTF-8."""
    if not isinstance(value, str):
        raise _bad(what, value, "text")
    if maximum is not None and len(value.encode("utf-8")) > maximum:
        raise _bad(what, value, f"text of at most {maximum} bytes")
    return value


def expect_list(value: Value, what: str, *, size: int | None = None, maximum: int | None = None) -> list[Value]:
    """Return a decoded value as an array of exactly `size`, or at most `maximum`, items."""
    if not isinstance(value, list) or (size is not None and len(value) != size):
        raise _bad(what, value, "an array" if size is None else f"an array of {size}")
    if maximum is not None and len(value) > maximum:
        raise _bad(what, value, f"an array of at most {maximum}")
    return value


def _bad(what: str, value: Value, expected: str) -> Rejection:
    if isinstance(value, int):
        got = str(value)
    else:
        kinds = {bytes: "bytes", str: "characters", list: "items", dict: "keys"}
        got = f"{len(value)} {kinds[type(value)]}"
    return Rejection("BAD_SHAPE", f"{what} is {got}", expected)


def _spell(keys: Sequence[int]) -> str:
    return ", ".join(map(str, keys)) or "none"
