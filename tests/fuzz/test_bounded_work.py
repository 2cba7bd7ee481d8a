"""Inputs near the size limit cost work in proportion to their length, whatever they hold.

Work is counted in calls, not in seconds, so the answer is the same on every machine.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest

from metanode.core.crypto import install
from metanode.core.model import codec, decimal_json
from metanode.core.model.block import decode_block
from metanode.core.model.bodies import KINDS, decode_machine_reveal
from metanode.core.model.bundle import decode_bundle
from metanode.core.model.envelope import decode_envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import genesis_from_json
from metanode.core.model.limits import (
    BLOCK_WIRE_BYTES_MAX,
    BUNDLE_BYTES_MAX,
    ENVELOPE_BYTES_MAX,
    FOREIGN_JSON_BYTES_MAX,
    VALIDATOR_SET_BYTES_MAX,
)
from metanode.core.model.validators import decode_set
from metanode.core.wire.frames import FrameDecoder, FrameEncoder, Lane

SIZES = (4_096, 8_192, 16_384)
CALLS_PER_BYTE_MAX = 12
GROWTH_MAX = 2.3
"""Twice the input may take this much more, a little beyond twice for what only starts late."""
SMALL_CALLS_MAX = 200
"""An envelope or body of garbage may take so many calls, however long it is."""
BYTES_PER_BYTE_MAX = 100
"""Memory that one byte of input may take while it is read: an empty list for each 0x80, and its place."""


@pytest.fixture(scope="module", autouse=True)
def _crypto() -> None:
    install()


def calls(work: Callable[[], Any]) -> int:
    """Return how many Python and C functions `work` calls; a refusal ends it as a result does."""
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        work()
    except MetanodeError:
        pass
    finally:
        sys.setprofile(None)
    return count


def nested(size: int) -> bytes:
    """Arrays of arrays, as deep and as wide as may be."""
    unit = b"\x81" * 6 + b"\x82\x00\x00"
    return array(unit, size // len(unit))


def array(item: bytes, count: int) -> bytes:
    """An array of the same item."""
    return head(4, count) + item * count


def head(major: int, argument: int) -> bytes:
    """The shortest head of a long array, map or string."""
    size, info = (2, 25) if argument < 1 << 16 else (4, 26)
    return bytes([major << 5 | info]) + argument.to_bytes(size, "big")


def wide_map(size: int) -> bytes:
    """A map of as many keys as fit."""
    count = size // 6
    return head(5, count) + b"".join(b"\x1a" + (2**31 + n).to_bytes(4, "big") + b"\x00" for n in range(count))


CBOR: dict[str, Callable[[int], bytes]] = {
    "empty arrays": lambda size: array(b"\x80", size),
    "empty maps": lambda size: array(b"\xa0", size),
    "empty strings": lambda size: array(b"\x60", size),
    "one-byte texts": lambda size: array(b"\x61a", size // 2),
    "nesting": nested,
    "one wide map": wide_map,
    "one long string": lambda size: head(2, size - 5) + bytes(size - 5),
    "announced but absent": lambda size: array(b"\x00", size)[:-1],
    "too deep at every place": lambda size: b"\x81" * size,
}
JSON: dict[str, Callable[[int], bytes]] = {
    "empty arrays": lambda size: b"[" + b",".join([b"[]"] * (size // 3)) + b"]",
    "blanks": lambda size: b"[" + b" " * (size - 2) + b"]",
    "one-letter keys": lambda size: b"{" + b",".join(b'"%x":0' % n for n in range(size // 8)) + b"}",
    "escapes": lambda size: b'"' + b"\\u0041" * (size // 6) + b'"',
    "surrogate pairs": lambda size: b'"' + b"\\ud83d\\ude00" * (size // 12) + b'"',
    "long numbers": lambda size: b"[" + b",".join([b"9" * 31] * (size // 32)) + b"]",
    "one endless number": lambda size: b"1" * size,
    "one endless string": lambda size: b'"' + b"a" * (size - 1),
    "minus signs": lambda size: b"-" * size,
    "deep": lambda size: b"[" * size,
}


def test_what_is_tried_is_read_to_its_end() -> None:
    """An input that its first byte refutes would show nothing."""
    for shape in CBOR.keys() - {"announced but absent", "too deep at every place"}:
        for size in (*SIZES, ENVELOPE_BYTES_MAX):
            assert len(codec.encode(codec.decode(CBOR[shape](size), bytes_max=size + 16))) > size - 16


def linear(read: Callable[[bytes], Any], make: Callable[[int], bytes]) -> None:
    """Hold a reader to work in proportion to its input."""
    counted = [calls(partial(read, make(size))) for size in SIZES]
    for size, count in zip(SIZES, counted, strict=True):
        assert count <= CALLS_PER_BYTE_MAX * size + 200, counted
    for before, after in zip(counted, counted[1:], strict=False):
        assert after <= GROWTH_MAX * before + 200, counted


@pytest.mark.parametrize("shape", CBOR)
def test_the_codec_works_in_proportion_to_its_input(shape: str) -> None:
    """No shape makes it look at a byte again and again."""
    linear(codec.decode, CBOR[shape])


@pytest.mark.parametrize("shape", CBOR)
@pytest.mark.parametrize("place", ["envelope", "signed part", "body", "record"])
def test_an_envelope_of_garbage_is_refused_at_its_first_bytes(place: str, shape: str) -> None:
    """64 KiB of brackets are read between other things a node does: they must not take its loop for long."""
    data = CBOR[shape](ENVELOPE_BYTES_MAX - 200)
    if place == "envelope":
        count = calls(lambda: decode_envelope(data))
    elif place == "signed part":
        count = calls(lambda: decode_envelope(codec.encode([data, bytes(64)])))
    elif place == "body":
        count = max(calls(lambda kind=kind: kind.decode_body(data)) for kind in KINDS)  # type: ignore[misc]
    else:
        count = calls(lambda: decode_machine_reveal(codec.encode({0: bytes(32), 1: data, 2: bytes(64)})))
    assert count < SMALL_CALLS_MAX


@pytest.mark.parametrize("shape", JSON)
def test_the_strict_json_reader_works_in_proportion_to_its_input(shape: str) -> None:
    """The same for foreign texts."""
    linear(decimal_json.loads, JSON[shape])


@pytest.mark.parametrize("shape", JSON)
def test_a_genesis_file_is_read_in_proportion_to_its_length(shape: str) -> None:
    """The same for JSON that an operator was given."""
    linear(lambda data: genesis_from_json(data.decode()), JSON[shape])


@pytest.mark.parametrize("shape", CBOR)
@pytest.mark.parametrize(
    ("read", "size"),
    [
        (decode_envelope, ENVELOPE_BYTES_MAX),
        (decode_set, VALIDATOR_SET_BYTES_MAX),
        (decode_block, BLOCK_WIRE_BYTES_MAX // 32),
        (decode_bundle, BUNDLE_BYTES_MAX // 32),
    ],
    ids=["envelope", "validator_set", "block", "bundle"],
)
def test_memory_stays_in_proportion_to_the_input(read: Callable[[bytes], Any], size: int, shape: str) -> None:
    """What a stranger sends may grow while it is decoded, but only by a bounded factor.

    Large objects are tried at a part of their limit: tracing memory is slow.
    """
    data = CBOR[shape](size - 16)
    tracemalloc.start()
    try:
        read(data)
    except MetanodeError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak <= BYTES_PER_BYTE_MAX * len(data) + 65_536


def test_the_longest_foreign_text_is_the_limit() -> None:
    """The sizes tried above reach it."""
    assert SIZES[-1] == FOREIGN_JSON_BYTES_MAX


def test_a_frame_sent_byte_by_byte_is_taken_in_proportion_to_its_length() -> None:
    """A slow sender pays for its pieces itself."""

    def read(data: bytes) -> None:
        decoder = FrameDecoder()
        for place in range(len(data)):
            decoder.receive_bytes(data[place : place + 1])
        assert len(list(decoder.frames())) == 1

    linear(read, lambda size: FrameEncoder().encode(Lane.SYNC, bytes(size)))
