"""The short way through the decoder accepts nothing that the full one refuses, and gives the same values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model import codec
from metanode.core.model.errors import CodecError

numbers = st.one_of(
    st.integers(0, 30), st.sampled_from([255, 256, 65535, 65536, 2**32 - 1, 2**32]), st.integers(0, 2**64 - 1)
)
scalars = st.one_of(numbers, st.binary(max_size=40), st.binary(min_size=250, max_size=260))
flat = st.one_of(st.lists(scalars, max_size=26), st.dictionaries(st.integers(0, 30), scalars, max_size=26))
damage = st.lists(
    st.tuples(
        st.sampled_from(["set", "drop", "add"]),
        st.integers(0, 400),
        st.one_of(st.integers(0, 255), st.sampled_from([0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x58, 0x60, 0x80, 0xA0, 0xFF])),
    ),
    max_size=3,
)


@settings(derandomize=True, max_examples=1500, deadline=None)
@given(flat, damage)
def test_what_the_short_way_reads_the_full_way_reads_alike(
    value: codec.Encodable, marks: list[tuple[str, int, int]]
) -> None:
    """Over short arrays and maps, whole and damaged."""
    data = bytearray(codec.encode(value))
    for what, place, byte in marks:
        if what == "add":
            data.insert(place % (len(data) + 1), byte)
        elif data and what == "set":
            data[place % len(data)] = byte
        elif data:
            del data[place % len(data)]
    raw = bytes(data)
    short = codec._read_flat(raw) if raw else None
    if short is None:
        return
    assert codec._read(raw, 0, 1, len(raw)) == (short, len(raw))
    assert codec.encode(short) == raw


@settings(derandomize=True, max_examples=300, deadline=None)
@given(flat)
def test_the_short_way_is_taken_for_what_it_is_meant_for(value: list[int | bytes] | dict[int, int | bytes]) -> None:
    """Up to 23 entries, keys below 24."""
    fits = len(value) < 24 and (isinstance(value, list) or all(key < 24 for key in value))
    assert (codec._read_flat(codec.encode(value)) is not None) == fits


@pytest.mark.parametrize(
    ("raw", "offset"),
    [(b"\x82\x01", 2), (b"\xa2\x01\x00\x01\x00", 3), (b"\x81\x18\x17", 1), (b"\x81\x00\x00", 2)],
)
def test_what_it_leaves_alone_keeps_its_error(raw: bytes, offset: int) -> None:
    """The full way names the first byte at fault."""
    with pytest.raises(CodecError) as refused:
        codec.decode(raw)
    assert refused.value.offset == offset
