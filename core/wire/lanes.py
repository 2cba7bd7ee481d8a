"""Which message goes first: a bounded queue per lane, cut into pieces, and put together again at the other end.

Control and votes go before everything else.  Block parts, sync and transactions share what is left 4 : 2 : 1, so that
a long block does not starve them.  No piece is longer than PIECE_BYTES_MAX, so a vote waits for one piece of a block
and not for the block.
"""

from __future__ import annotations

from collections import deque

from metanode.core.model.errors import PeerError
from metanode.core.wire.frames import PAYLOAD_BYTES_MAX, Frame, FrameEncoder, FrameTooLarge, Lane

PIECE_BYTES_MAX = 16 * 1024
"""Longest payload of one frame that a lane sends, bytes."""
LANE_MESSAGES_MAX = 64
"""Messages that wait in one lane of one direction before the sender must wait."""
LANE_BYTES_MAX = PAYLOAD_BYTES_MAX
"""Bytes that wait in one lane of one direction before the sender must wait; an empty lane takes any message."""

_URGENT = (Lane.CONTROL, Lane.VOTES)
_SHARES = {Lane.BLOCKS: 4, Lane.SYNC: 2, Lane.TRANSACTIONS: 1}


class _Queue:
    """The messages of one lane; the first may be partly sent."""

    def __init__(self) -> None:
        self.messages: deque[tuple[int, bytes]] = deque()
        self.bytes = 0
        self.sent = 0
        """Bytes of the first message that are sent."""


class Outbox:
    """What waits to be sent on one connection."""

    def __init__(self) -> None:
        self._queues = {lane: _Queue() for lane in Lane}
        self._encoder = FrameEncoder()
        self._turns = dict(_SHARES)

    def __bool__(self) -> bool:
        return any(queue.messages for queue in self._queues.values())

    @property
    def urgent(self) -> bool:
        """Whether control or votes wait."""
        return any(self._queues[lane].messages for lane in _URGENT)

    def has_room(self, lane: Lane, size: int) -> bool:
        """Whether a message of so many bytes may be queued."""
        queue = self._queues[lane]
        waiting = len(queue.messages)
        return waiting == 0 or (waiting < LANE_MESSAGES_MAX and queue.bytes + size <= LANE_BYTES_MAX)

    def put(self, lane: Lane, payload: bytes, *, channel: int = 0) -> None:
        """Queue a message.  The caller asks `has_room` first, but for the few of the connection itself.

        :raises FrameTooLarge: longer than PAYLOAD_BYTES_MAX.
        """
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise FrameTooLarge(len(payload))
        queue = self._queues[lane]
        queue.messages.append((channel, payload))
        queue.bytes += len(payload)

    def take(self, bytes_max: int) -> bytes:
        """Return the next frames, most urgent first; b"" when nothing waits.

        :param bytes_max: no further frame once there are so many bytes; the last may go over by one piece.
        """
        frames: list[bytes] = []
        size = 0
        while size < bytes_max and (lane := self._next_lane()) is not None:
            frame = self._piece(lane)
            frames.append(frame)
            size += len(frame)
        return b"".join(frames)

    def _next_lane(self) -> Lane | None:
        for lane in _URGENT:
            if self._queues[lane].messages:
                return lane
        waiting = [lane for lane in _SHARES if self._queues[lane].messages]
        if not waiting:
            return None
        if not any(self._turns[lane] for lane in waiting):
            self._turns = dict(_SHARES)
        lane = next(lane for lane in waiting if self._turns[lane])
        self._turns[lane] -= 1
        return lane

    def _piece(self, lane: Lane) -> bytes:
        queue = self._queues[lane]
        channel, payload = queue.messages[0]
        piece = payload[queue.sent : queue.sent + PIECE_BYTES_MAX]
        queue.sent += len(piece)
        more = queue.sent < len(payload)
        if not more:
            queue.messages.popleft()
            queue.bytes -= len(payload)
            queue.sent = 0
        return self._encoder.encode(lane, piece, channel=channel, more=more)


class Inbox:
    """Puts the pieces of each lane together.  Holds at most one unfinished message a lane."""

    def __init__(self) -> None:
        self._begun: dict[Lane, tuple[int, bytearray]] = {}

    def add(self, frame: Frame) -> tuple[Lane, int, bytes] | None:
        """Take the next frame; return (lane, channel, message) when it completes one.

        :raises FrameTooLarge: the message grows beyond PAYLOAD_BYTES_MAX.
        :raises PeerError: BAD_FRAME, another channel in the middle of a message, or an empty piece.
        """
        begun = self._begun.get(frame.lane)
        if begun is None and not frame.more:
            return frame.lane, frame.channel, frame.payload
        channel, message = begun or (frame.channel, bytearray())
        if frame.channel != channel:
            raise PeerError("BAD_FRAME", f"a frame of channel {frame.channel} within a message of channel {channel}")
        if not frame.payload:
            raise PeerError("BAD_FRAME", "an empty piece of a message", "pieces that bring something")
        if len(message) + len(frame.payload) > PAYLOAD_BYTES_MAX:
            raise FrameTooLarge(len(message) + len(frame.payload))
        message += frame.payload
        if frame.more:
            self._begun[frame.lane] = channel, message
            return None
        del self._begun[frame.lane]
        return frame.lane, channel, bytes(message)
