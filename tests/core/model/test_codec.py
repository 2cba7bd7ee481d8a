"""Canonical CBOR: one encoding per value, everything else refused with its offset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metanode.core.model import codec
from metanode.core.model.errors import CodecError, Rejection
from metanode.core.model.limits import CBOR_DEPTH_MAX, ENVELOPE_BYTES_MAX, SMALL_ITEMS_MAX

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "cbor.json").read_text())

UINTS = st.integers(0, 2**64 - 1) | st.sampled_from([23, 24, 255, 256, 2**16, 2**32 - 1, 2**32, 2**64 - 1])
VALUES = st.recursive(
    UINTS | st.binary(max_size=40) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(UINTS, inner, max_size=5),
    max_leaves=20,
).filter(lambda value: _depth(value) <= CBOR_DEPTH_MAX)
QUIET = settings(derandomize=True, deadline=None)


def _depth(value: Any) -> int:
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 0


def _untag(tagged: dict[str, Any]) -> Any:
    (kind, value), = tagged.items()  # fmt: skip
    match kind:
        case "uint":
            return int(value)
        case "bytes":
            return bytes.fromhex(value)
        case "array":
            return [_untag(item) for item in value]
        case "map":
            return {int(key): _untag(item) for key, item in value}
        case _:
            return value


@pytest.mark.parametrize("row", VECTORS["accept"], ids=lambda row: row["hex"][:24])
def test_every_accepted_vector_reads_and_writes_alike(row: dict[str, Any]) -> None:
    """Bytes and value of a vector are two sides of one thing."""
    value = _untag(row["value"])
    assert codec.decode(bytes.fromhex(row["hex"])) == value
    assert codec.encode(value).hex() == row["hex"]


@pytest.mark.parametrize("row", VECTORS["reject"], ids=lambda row: row["hex"][:24] or "empty")
def test_every_rejected_vector_is_refused_at_its_offset(row: dict[str, Any]) -> None:
    """The error names the byte at fault, so that a client can find its bug."""
    with pytest.raises(CodecError) as caught:
        codec.decode(bytes.fromhex(row["hex"]))
    assert caught.value.offset == row["offset"], row["why"]
    assert caught.value.code == "NOT_CANONICAL"
    assert "\n" not in caught.value.line()


@QUIET
@given(VALUES)
def test_what_is_encoded_decodes_to_itself(value: Any) -> None:
    """encode and decode are inverse."""
    assert codec.decode(codec.encode(value), bytes_max=1 << 20) == value


@QUIET
@given(VALUES)
def test_cbor2_in_canonical_mode_writes_the_same_bytes(value: Any) -> None:
    """An independent implementation of RFC 8949 4.2.1 agrees."""
    cbor2 = pytest.importorskip("cbor2")
    assert codec.encode(value) == cbor2.dumps(value, canonical=True)


@QUIET
@given(st.binary(max_size=24))
@example(bytes.fromhex("a200000100"))
def test_whatever_decodes_is_in_its_only_form(data: bytes) -> None:
    """Two byte strings never mean the same value: hashes over received bytes are safe."""
    try:
        value = codec.decode(data)
    except CodecError as error:
        offset, again = error.offset, data
    else:
        offset, again = 0, codec.encode(value)
    assert 0 <= offset <= len(data)
    assert again == data


@pytest.mark.parametrize("row", VECTORS["accept"][24:], ids=lambda row: row["hex"][:24])
def test_every_one_byte_change_is_refused_or_is_another_canonical_value(row: dict[str, Any]) -> None:
    """No mutation is read as the original value, and none is read in a second form."""
    original = bytes.fromhex(row["hex"])[:64]
    for place in range(len(original)):
        for byte in range(256):
            mutated = original[:place] + bytes([byte]) + original[place + 1 :]
            try:
                value = codec.decode(mutated)
            except CodecError:
                continue
            assert codec.encode(value) == mutated


@pytest.mark.parametrize("row", VECTORS["accept"], ids=lambda row: row["hex"][:24])
def test_no_cut_and_no_tail_is_accepted(row: dict[str, Any]) -> None:
    """A value ends exactly where its bytes end."""
    whole = bytes.fromhex(row["hex"])
    for size in range(len(whole)):
        with pytest.raises(CodecError):
            codec.decode(whole[:size])
    with pytest.raises(CodecError):
        codec.decode(whole + b"\0")


@pytest.mark.parametrize("value", [-1, 2**64, {-1: 0}, {2**64: 0}, "\ud800", [[[[{0: [[[[]]]]}]]]]])
def test_the_encoder_refuses_what_the_decoder_would(value: Any) -> None:
    """Nothing leaves this node that another would refuse to read."""
    with pytest.raises(CodecError):
        codec.encode(value)


@pytest.mark.parametrize("value", [True, None, 1.0, bytearray(b"a"), {"a": 1}, {True: 1}, {1}, [None]])
def test_a_type_without_encoding_is_a_mistake_of_the_caller(value: Any) -> None:
    """TypeError, because no input can cause it."""
    with pytest.raises(TypeError):
        codec.encode(value)


def test_the_encoder_names_the_place_where_it_stopped() -> None:
    """The offset is where the item would have begun."""
    with pytest.raises(CodecError) as caught:
        codec.encode([1, 2, 2**64])
    assert caught.value.offset == 3


def test_input_beyond_the_byte_limit_is_refused_unread() -> None:
    """The limit is exact, has its own code and can be raised by the caller."""
    inside = codec.encode(bytes(ENVELOPE_BYTES_MAX - 3))
    assert len(inside) == ENVELOPE_BYTES_MAX
    codec.decode(inside)
    outside = codec.encode(bytes(ENVELOPE_BYTES_MAX - 2))
    with pytest.raises(Rejection, match="TOO_LARGE"):
        codec.decode(outside)
    codec.decode(outside, bytes_max=ENVELOPE_BYTES_MAX + 1)


def test_tuples_are_written_as_arrays() -> None:
    """Frozen values need not be copied into lists."""
    assert codec.encode((1, (2,))) == codec.encode([1, [2]])


def test_a_map_with_other_keys_is_named_with_what_is_missing_or_unknown() -> None:
    """BAD_SHAPE says which key, so that a client can find its bug."""
    data = codec.encode({0: 1, 2: 3})
    assert codec.read_map(data, (0, 2), "thing") == {0: 1, 2: 3}
    assert codec.read_map(data, (0,), "thing", optional=(2,)) == {0: 1, 2: 3}
    assert codec.read_map(codec.encode({0: 1}), range(1), "thing", optional=(2,)) == {0: 1}
    with pytest.raises(Rejection, match="BAD_SHAPE: thing lacks key 1"):
        codec.read_map(data, range(3), "thing")
    with pytest.raises(Rejection, match="BAD_SHAPE: thing has unknown key 2"):
        codec.read_map(data, (0,), "thing")
    with pytest.raises(Rejection, match="BAD_SHAPE: thing is 0 items"):
        codec.read_map(codec.encode([]), (), "thing")


def test_shape_checks_hand_the_value_through() -> None:
    """Each helper returns what it was given once it fits."""
    assert codec.expect_uint(7, "n", minimum=7, maximum=7) == 7
    assert codec.expect_bytes(b"ab", "b", size=2, maximum=2) == b"ab"
    assert codec.expect_text("ab", "t", maximum=2) == "ab"
    assert codec.expect_list([1], "l", size=1, maximum=1) == [1]


@pytest.mark.parametrize(
    "check",
    [
        lambda: codec.expect_uint(b"", "x"),
        lambda: codec.expect_uint(8, "x", maximum=7),
        lambda: codec.expect_uint(6, "x", minimum=7),
        lambda: codec.expect_bytes("ab", "x"),
        lambda: codec.expect_bytes(b"ab", "x", size=3),
        lambda: codec.expect_bytes(b"ab", "x", maximum=1),
        lambda: codec.expect_text(b"ab", "x"),
        lambda: codec.expect_text("\u00fc", "x", maximum=1),
        lambda: codec.expect_list({}, "x"),
        lambda: codec.expect_list([1], "x", size=2),
        lambda: codec.expect_list([1], "x", maximum=0),
        lambda: codec.expect_map([], (), "x"),
    ],
)
def test_a_value_of_another_shape_is_a_rejection_and_never_a_crash(check: Any) -> None:
    """Every field of every object is read through these helpers."""
    with pytest.raises(Rejection, match="^BAD_SHAPE: x "):
        check()


@pytest.mark.parametrize("depth_max", [1, 2, 3])
def test_a_small_shape_takes_what_fits_and_nothing_beside(depth_max: int) -> None:
    """At the bounds a value is read as `decode` reads it; one entry or one level more is BAD_SHAPE, at its head."""
    value: codec.Value = [7] * SMALL_ITEMS_MAX
    for _ in range(depth_max - 1):
        value = {0: value}
    assert codec.decode_small(codec.encode(value), "it", depth_max=depth_max) == value
    for beyond in ([value], {0: value}, [7] * (SMALL_ITEMS_MAX + 1), dict.fromkeys(range(SMALL_ITEMS_MAX + 1), 0)):
        with pytest.raises(Rejection, match=r"BAD_SHAPE: it has an array or map .* at byte \d") as caught:
            codec.decode_small(codec.encode(beyond), "it", depth_max=depth_max)
        assert caught.value.code == "BAD_SHAPE"


@pytest.mark.parametrize("data", [b"", b"\x18\x01", b"\x82\x00", b"\x00\x00", b"\x9b" + b"\xff" * 8, b"\x61\xff"])
def test_what_is_not_canonical_is_so_in_a_small_shape_too(data: bytes) -> None:
    """The bounds come on top of the encoding's rules."""
    with pytest.raises(CodecError):
        codec.decode_small(data, "it")
    with pytest.raises(Rejection, match="TOO_LARGE"):
        codec.decode_small(bytes(ENVELOPE_BYTES_MAX + 1), "it")
