"""The C interface itself: published output; wrong pointers, lengths and offsets refused before a byte is written."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from metanode.platforms.shims import blake3 as shim

TOO_MANY = sys.maxsize // 16 + 1
"""Digests whose bytes are one more than a size_t can count, on 32 bits as on 64."""

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "blake3.json").read_text())
CONTEXT = VECTORS["context"]
OK, NULL, RANGE, OVERLAP = 0, 1, 2, 3
HASH, KEYED, DERIVE = 0, 1, 2


@pytest.fixture
def lib(provider: shim.ShimProvider) -> Any:
    """The functions of the header."""
    return provider._module.lib


@pytest.fixture
def ffi(provider: shim.ShimProvider) -> Any:
    """What makes C values."""
    return provider._module.ffi


def _input(length: int) -> bytes:
    return bytes(place % 251 for place in range(length))


@pytest.mark.parametrize("row", VECTORS["cases"], ids=lambda row: str(row["input_len"]))
def test_all_three_modes_give_the_published_output(path: str, lib: Any, ffi: Any, row: dict[str, Any]) -> None:
    """C and Python share one file of vectors."""
    data = _input(row["input_len"])
    out, key = ffi.new("uint8_t[131]"), ffi.new("uint8_t[32]")
    assert lib.mn_blake3_hash(data, len(data), out, 131) == OK
    assert ffi.buffer(out)[:].hex() == row["hash"]
    assert lib.mn_blake3_keyed(VECTORS["key"].encode(), 32, data, len(data), out, 131) == OK
    assert ffi.buffer(out)[:].hex() == row["keyed_hash"]
    assert lib.mn_blake3_context_key(CONTEXT.encode(), len(CONTEXT), key, 32) == OK
    assert lib.mn_blake3_derive(key, 32, data, len(data), out, 131) == OK
    assert ffi.buffer(out)[:].hex() == row["derive_key"]


@pytest.mark.parametrize(
    ("offsets", "length", "count", "out_len", "status"),
    [
        ([0, 3, 8], 8, 2, 64, OK),
        ([2, 2, 2], 8, 2, 64, OK),
        ([0], 8, 0, 0, OK),
        ([0, 3, 9], 8, 2, 64, RANGE),
        ([0, 5, 4], 8, 2, 64, RANGE),
        ([9, 3, 8], 8, 2, 64, RANGE),
        ([0, 2**64 - 1, 8], 8, 2, 64, RANGE),
        ([0, 3, 2**64 - 1], 8, 2, 64, RANGE),
        ([0, 3, 2**32 + 8], 8, 2, 64, RANGE),
        ([0, 3, 8], 8, 2, 63, RANGE),
        ([0, 3, 8], 8, 2, 96, RANGE),
        ([0, 3, 8], 8, TOO_MANY, 0, RANGE),
        ([0, 3, 8], 8, TOO_MANY + 2, 64, RANGE),
    ],
)
@pytest.mark.parametrize("mode", [HASH, KEYED, DERIVE])
def test_batch_bounds_are_checked_before_anything_is_written(
    path: str, lib: Any, ffi: Any, mode: int, offsets: list[int], length: int, count: int, out_len: int, status: int
) -> None:
    """Offsets that fall or leave the buffer, and a wrong output size, touch no byte."""
    out = ffi.new("uint8_t[96]", b"\xaa" * 96)
    listed = ffi.new("uint64_t[]", offsets)
    assert lib.mn_blake3_many(mode, bytes(32), 32, _input(length), length, listed, count, out, out_len) == status
    written = 0 if status else 32 * count
    assert ffi.buffer(out)[written:] == b"\xaa" * (96 - written)


def test_null_pointers_and_wrong_key_lengths_are_refused(lib: Any, ffi: Any) -> None:
    """A pointer may be null only where its length is 0."""
    null, out = ffi.NULL, ffi.new("uint8_t[32]")
    listed = ffi.new("uint64_t[]", [0, 1])
    assert lib.mn_blake3_hash(null, 0, out, 32) == OK
    assert lib.mn_blake3_hash(null, 0, null, 0) == OK
    assert lib.mn_blake3_hash(null, 1, out, 32) == NULL
    assert lib.mn_blake3_hash(b"", 0, null, 1) == NULL
    assert lib.mn_blake3_keyed(null, 32, b"", 0, out, 32) == NULL
    assert lib.mn_blake3_keyed(bytes(31), 31, b"", 0, out, 32) == RANGE
    assert lib.mn_blake3_derive(null, 32, b"", 0, out, 32) == NULL
    assert lib.mn_blake3_derive(bytes(33), 33, b"", 0, out, 32) == RANGE
    assert lib.mn_blake3_context_key(b"c", 1, out, 31) == RANGE
    assert lib.mn_blake3_context_key(null, 1, out, 32) == NULL
    assert lib.mn_blake3_many(HASH, null, 0, b"a", 1, listed, 1, out, 32) == OK
    assert lib.mn_blake3_many(DERIVE, null, 32, b"a", 1, listed, 1, out, 32) == NULL
    assert lib.mn_blake3_many(DERIVE, bytes(32), 32, null, 1, listed, 1, out, 32) == NULL
    assert lib.mn_blake3_many(DERIVE, bytes(32), 32, b"a", 1, null, 1, out, 32) == NULL
    assert lib.mn_blake3_many(DERIVE, bytes(32), 32, b"a", 1, listed, 1, null, 32) == NULL
    assert lib.mn_blake3_many(DERIVE, bytes(16), 16, b"a", 1, listed, 1, out, 32) == RANGE
    assert lib.mn_blake3_many(3, bytes(32), 32, b"a", 1, listed, 1, out, 32) == RANGE


def test_an_output_that_overlaps_an_input_of_a_batch_is_refused(lib: Any, ffi: Any) -> None:
    """Lanes are written while others are still read; a single input may lie under its own output."""
    area = ffi.new("uint8_t[200]")
    listed = ffi.new("uint64_t[]", [0, 50, 100])
    key = bytes(32)
    assert lib.mn_blake3_many(HASH, key, 32, area, 100, listed, 2, area + 99, 64) == OVERLAP
    assert lib.mn_blake3_many(HASH, key, 32, area, 100, listed, 2, area + 100, 64) == OK
    assert lib.mn_blake3_many(HASH, key, 32, area, 100, listed, 2, ffi.cast("uint8_t *", listed) - 63, 64) == OVERLAP
    ffi.buffer(area)[0:100] = _input(100)
    assert lib.mn_blake3_hash(area, 100, area + 10, 32) == OK
    out = ffi.new("uint8_t[32]")
    assert lib.mn_blake3_hash(_input(100), 100, out, 32) == OK
    assert ffi.buffer(area)[10:42] == ffi.buffer(out)[:]


def test_only_what_is_built_and_supported_can_be_selected(lib: Any) -> None:
    """A number without a path is refused and changes nothing."""
    before = lib.mn_blake3_selected()
    can = lib.mn_blake3_paths_built() & lib.mn_blake3_paths_supported()
    assert can & 1, "the portable path is always there"
    for number in (*range(lib.MN_PATHS + 2), 31, 32, 33, 2**32 - 1):
        expected = OK if number < lib.MN_PATHS and can >> number & 1 else RANGE
        assert lib.mn_blake3_select(number) == expected
        if expected == OK:
            assert lib.mn_blake3_selected() == number
    assert lib.mn_blake3_select(before) == OK
