"""Frames: what is sent comes out whole however it is cut, and what may not stand is refused unread."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model.errors import PeerError
from metanode.core.wire import frames
from metanode.core.wire.frames import (
    HEADER_BYTES,
    PAYLOAD_BYTES_MAX,
    FrameDecoder,
    FrameEncoder,
    FrameTooLarge,
    Lane,
)

MESSAGES = [
    (Lane.CONTROL, 0, b""),
    (Lane.BLOCKS, 7, b"block"),
    (Lane.TRANSACTIONS, 0xFFFF, bytes(300)),
    (Lane.SYNC, 0, b""),
]


def stream(messages: list[tuple[Lane, int, bytes]]) -> bytes:
    encoder = FrameEncoder()
    return b"".join(encoder.encode(lane, payload, channel=channel) for lane, channel, payload in messages)


def read(decoder: FrameDecoder) -> list[tuple[Lane, int, bytes]]:
    return [(frame.lane, frame.channel, frame.payload) for frame in decoder.frames()]


def test_the_layout_is_the_published_one() -> None:
    """17 bytes: version, flags, lane, channel, counter, length; then the payload."""
    encoder = FrameEncoder()
    first = bytes.fromhex("01 00 01 0102 0000000000000000 00000002") + b"hi"
    assert encoder.encode(Lane.VOTES, b"hi", channel=258) == first
    assert encoder.encode(Lane.CONTROL, b"") == bytes.fromhex("01 00 00 0000 0000000000000001 00000000")
    assert HEADER_BYTES == 17


def test_frames_come_out_whole_byte_by_byte_and_with_a_tail() -> None:
    """The three ways a stream can be cut."""
    data = stream(MESSAGES)
    whole = FrameDecoder()
    whole.receive_bytes(data)
    assert read(whole) == MESSAGES
    assert read(whole) == [], "each frame is yielded once"
    pieces = FrameDecoder()
    seen = []
    for i in range(len(data)):
        pieces.receive_bytes(data[i:i + 1])
        seen += read(pieces)
    assert seen == MESSAGES
    tail = FrameDecoder()
    tail.receive_bytes(data + b"\x01\x00")
    assert read(tail) == MESSAGES


@settings(derandomize=True, max_examples=200)
@given(
    messages=st.lists(st.tuples(st.sampled_from(Lane), st.integers(0, 0xFFFF), st.binary(max_size=60)), max_size=8),
    cuts=st.lists(st.integers(0, 600), max_size=12),
)
def test_any_cut_of_any_frames_gives_them_back(messages: list[tuple[Lane, int, bytes]], cuts: list[int]) -> None:
    """Counters rise by one, nothing is lost, nothing is joined."""
    data = stream(messages)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    decoder = FrameDecoder()
    for begin, end in zip(edges, edges[1:], strict=False):
        decoder.receive_bytes(data[begin:end])
    found = list(decoder.frames())
    assert [(frame.lane, frame.channel, frame.payload) for frame in found] == messages
    assert [frame.counter for frame in found] == list(range(len(messages)))


@settings(derandomize=True, max_examples=300)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Never another exception, never more kept than came."""
    decoder = FrameDecoder()
    with contextlib.suppress(PeerError):
        decoder.receive_bytes(data)
    assert len(decoder._buffer) <= len(data)


def header(version: int = 1, flags: int = 0, lane: int = 0, counter: int = 0, length: int = 0) -> bytes:
    return struct.pack(">BBBHQI", version, flags, lane, 0, counter, length)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (header(version=2), "frame version 2"),
        (header(flags=2), "frame flags 0x2"),
        (header(lane=5), "frame lane 5"),
        (header(counter=1), "frame counter 1"),
        (header() + header(counter=0), "frame counter 0"),
        (header() + header(counter=2), "frame counter 2"),
    ],
)
def test_a_frame_that_may_not_stand_is_refused(data: bytes, message: str) -> None:
    """Wrong version, flags or lane, and a frame lost, repeated or reordered; after that nothing is read."""
    decoder = FrameDecoder()
    with pytest.raises(PeerError, match=message) as caught:
        decoder.receive_bytes(data)
    assert caught.value.code == "BAD_FRAME"
    with pytest.raises(PeerError, match="after a frame that was refused"):
        decoder.receive_bytes(header(counter=1))


def test_a_frame_that_is_too_large_is_refused_before_it_is_kept() -> None:
    """The header is enough; the payload that came with it is not stored."""
    decoder = FrameDecoder()
    with pytest.raises(FrameTooLarge) as caught:
        decoder.receive_bytes(header(length=PAYLOAD_BYTES_MAX + 1) + bytes(100_000))
    assert caught.value.announced_bytes == PAYLOAD_BYTES_MAX + 1
    assert len(decoder._buffer) == HEADER_BYTES


def test_the_largest_frame_passes() -> None:
    """The limit itself is allowed."""
    decoder = FrameDecoder()
    decoder.receive_bytes(FrameEncoder().encode(Lane.BLOCKS, bytes(PAYLOAD_BYTES_MAX)))
    assert [len(frame.payload) for frame in decoder.frames()] == [PAYLOAD_BYTES_MAX]


def test_the_sender_keeps_the_rules_too() -> None:
    """Its own mistakes are found at home, and spend no counter."""
    encoder = FrameEncoder()
    with pytest.raises(FrameTooLarge):
        encoder.encode(Lane.BLOCKS, bytes(PAYLOAD_BYTES_MAX + 1))
    with pytest.raises(ValueError, match="5 is not a valid Lane"):
        encoder.encode(5, b"")
    with pytest.raises(ValueError, match="channel 65536"):
        encoder.encode(0, b"", channel=frames.CHANNEL_MAX + 1)
    decoder = FrameDecoder()
    decoder.receive_bytes(encoder.encode(Lane.CONTROL, b"first"))
    assert [frame.counter for frame in decoder.frames()] == [0]
