"""Lanes: what goes first, in pieces, bounded, and whole again at the other end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model.errors import PeerError
from metanode.core.wire.frames import PAYLOAD_BYTES_MAX, Frame, FrameDecoder, FrameTooLarge, Lane
from metanode.core.wire.lanes import LANE_BYTES_MAX, LANE_MESSAGES_MAX, PIECE_BYTES_MAX, Inbox, Outbox


def frames_of(data: bytes) -> list[Frame]:
    """Cut a stream into frames."""
    decoder = FrameDecoder()
    decoder.receive_bytes(data)
    return list(decoder.frames())


def everything(outbox: Outbox) -> list[Frame]:
    """Take all that waits."""
    return frames_of(outbox.take(1 << 30))


def test_a_vote_waits_for_one_piece_of_a_block_and_not_for_the_block() -> None:
    """The piece under way is the only thing in front of it."""
    outbox = Outbox()
    outbox.put(Lane.BLOCKS, bytes(PAYLOAD_BYTES_MAX))
    decoder = FrameDecoder()
    decoder.receive_bytes(outbox.take(1))
    outbox.put(Lane.VOTES, b"vote")
    outbox.put(Lane.CONTROL, b"control")
    decoder.receive_bytes(outbox.take(1 << 30))
    frames = list(decoder.frames())
    assert [frame.lane for frame in frames[:4]] == [Lane.BLOCKS, Lane.CONTROL, Lane.VOTES, Lane.BLOCKS]
    assert {len(frame.payload) for frame in frames if frame.lane is Lane.BLOCKS} == {PIECE_BYTES_MAX}
    assert [frame.more for frame in frames if frame.lane is Lane.BLOCKS] == [True] * (
        PAYLOAD_BYTES_MAX // PIECE_BYTES_MAX - 1
    ) + [False]


def test_bulk_lanes_share_four_to_two_to_one() -> None:
    """A flood in one of them starves no other."""
    outbox = Outbox()
    for _ in range(60):
        for lane in (Lane.TRANSACTIONS, Lane.SYNC, Lane.BLOCKS):
            outbox.put(lane, b"x")
    first = [frame.lane for frame in everything(outbox)][:70]
    assert [first.count(lane) for lane in (Lane.BLOCKS, Lane.SYNC, Lane.TRANSACTIONS)] == [40, 20, 10]


def test_a_lane_is_bounded_by_messages_and_by_bytes() -> None:
    """An empty lane takes any message; each lane counts for itself, and room comes back."""
    outbox = Outbox()
    for _ in range(LANE_MESSAGES_MAX):
        assert outbox.has_room(Lane.SYNC, 1)
        outbox.put(Lane.SYNC, b"x")
    assert not outbox.has_room(Lane.SYNC, 0)
    assert outbox.has_room(Lane.VOTES, PAYLOAD_BYTES_MAX)
    outbox.put(Lane.BLOCKS, bytes(LANE_BYTES_MAX - 10))
    assert outbox.has_room(Lane.BLOCKS, 10)
    assert not outbox.has_room(Lane.BLOCKS, 11)
    outbox.take(1 << 30)
    assert outbox.has_room(Lane.SYNC, 1)
    assert outbox.has_room(Lane.BLOCKS, PAYLOAD_BYTES_MAX)
    assert not outbox
    assert not outbox.urgent
    with pytest.raises(FrameTooLarge):
        outbox.put(Lane.BLOCKS, bytes(PAYLOAD_BYTES_MAX + 1))


@settings(deadline=None, max_examples=60)
@given(
    messages=st.lists(
        st.tuples(st.sampled_from(list(Lane)), st.integers(0, 2), st.integers(0, 3 * PIECE_BYTES_MAX)), max_size=25
    ),
    steps=st.lists(st.integers(1, 5 * PIECE_BYTES_MAX), min_size=1, max_size=10),
)
def test_every_message_arrives_whole_and_in_the_order_of_its_lane(
    messages: list[tuple[Lane, int, int]], steps: list[int]
) -> None:
    """Whatever is sent and however it is taken."""
    outbox, inbox, decoder = Outbox(), Inbox(), FrameDecoder()
    sent: dict[Lane, list[tuple[int, bytes]]] = {lane: [] for lane in Lane}
    received: dict[Lane, list[tuple[int, bytes]]] = {lane: [] for lane in Lane}
    for number, (lane, channel, size) in enumerate(messages):
        payload = (bytes([number]) * size)[:size]
        sent[lane].append((channel, payload))
        outbox.put(lane, payload, channel=channel)
        decoder.receive_bytes(outbox.take(steps[number % len(steps)]))
    decoder.receive_bytes(outbox.take(1 << 30))
    for frame in decoder.frames():
        if (whole := inbox.add(frame)) is not None:
            received[whole[0]].append(whole[1:])
    assert received == sent


def test_pieces_that_make_no_message_are_refused() -> None:
    """Another channel in between, nothing in it, or more than a message may hold."""
    def piece(payload: bytes, channel: int = 0) -> Frame:
        return Frame(Lane.SYNC, channel, 0, payload, more=True)

    inbox = Inbox()
    assert inbox.add(piece(b"a")) is None
    with pytest.raises(PeerError, match="of channel 1 within"):
        inbox.add(piece(b"b", channel=1))
    with pytest.raises(PeerError, match="empty piece"):
        Inbox().add(piece(b""))
    inbox = Inbox()
    inbox.add(piece(bytes(PAYLOAD_BYTES_MAX)))
    with pytest.raises(FrameTooLarge):
        inbox.add(piece(b"x"))
