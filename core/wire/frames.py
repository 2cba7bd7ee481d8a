"""Ordered frames on a stream: header, bounded payload, a counter that must not skip.

Layout, big-endian, 17 bytes and the payload: u8 version (1), u8 flags, u8 lane, u16 channel,
u64 counter, u32 payload length.  Flag 1 says that the message goes on in the next frame of the same
lane; a message in pieces lets more urgent lanes in between (`lanes`).  The counter starts at 0 for each
direction of a connection and rises by one, so a lost, repeated or reordered frame is found at once.
Encryption is the transport's own (protocol.md section 7): frames carry none.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from metanode.core.model.errors import PeerError
from metanode.core.model.limits import BLOCK_BYTES_MAX, BLOCK_WIRE_BYTES_MAX

VERSION = 1
PAYLOAD_BYTES_MAX = 2 * BLOCK_BYTES_MAX
"""Largest payload, bytes: a block, its votes and room to grow."""
CHANNEL_MAX = 0xFFFF
"""Highest channel number: 16 bits of the header."""
FLAG_MORE = 1
"""The message goes on in the next frame of this lane."""

_HEADER = struct.Struct(">BBBHQI")
HEADER_BYTES = _HEADER.size
assert BLOCK_WIRE_BYTES_MAX < PAYLOAD_BYTES_MAX, "else a full block could never be sent"


class Lane(IntEnum):
    """What a frame is for; each lane has a queue of its own, and `lanes` says which goes first."""

    CONTROL = 0
    VOTES = 1
    BLOCKS = 2
    SYNC = 3
    TRANSACTIONS = 4


@dataclass(frozen=True)
class Frame:
    """One frame as it was received."""

    lane: Lane
    channel: int
    counter: int
    payload: bytes
    more: bool = False
    """The message goes on in the next frame of this lane."""


class FrameTooLarge(PeerError):
    """A frame longer than PAYLOAD_BYTES_MAX was announced, or was to be sent."""

    def __init__(self, announced_bytes: int) -> None:
        message = f"a frame of {announced_bytes} bytes"
        super().__init__("TOO_LARGE", message, f"at most {PAYLOAD_BYTES_MAX} bytes")
        self.announced_bytes = announced_bytes


class FrameEncoder:
    """Counts and packs the frames of one direction."""

    def __init__(self) -> None:
        self._counter = 0

    def encode(self, lane: int, payload: bytes, *, channel: int = 0, more: bool = False) -> bytes:
        """Return the bytes of the next frame.

        :param more: the message goes on in the next frame of this lane.

        :raises FrameTooLarge: the payload is longer than PAYLOAD_BYTES_MAX.
        :raises ValueError: no such lane or channel: a mistake of ours, not of a peer.
        """
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise FrameTooLarge(len(payload))
        if not 0 <= channel <= CHANNEL_MAX:
            raise ValueError(f"channel {channel} is not in 0..{CHANNEL_MAX}")
        head = _HEADER.pack(VERSION, FLAG_MORE if more else 0, Lane(lane), channel, self._counter, len(payload))
        self._counter += 1
        return head + payload


class FrameDecoder:
    """Cuts one direction's bytes into frames.

    A frame that may not stand is refused as soon as its header is complete, before any of its
    payload is kept.  After an error the stream cannot be read on: drop the connection.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._frames: deque[Frame] = deque()
        self._next_counter = 0
        self._broken = False

    def receive_bytes(self, data: bytes) -> None:
        """Take what arrived, in pieces of any size.

        :raises FrameTooLarge: a frame announces more than PAYLOAD_BYTES_MAX.
        :raises PeerError: code BAD_FRAME: wrong version, flags, lane or counter.
        """
        if self._broken:
            raise PeerError("BAD_FRAME", "bytes after a frame that was refused", "a new connection")
        view = memoryview(data)
        while view:
            missing = HEADER_BYTES - len(self._buffer)
            if missing > 0:
                self._buffer += view[:missing]
                view = view[missing:]
                if len(self._buffer) < HEADER_BYTES:
                    return
                self._check_header()
            length = self._payload_length()
            missing = HEADER_BYTES + length - len(self._buffer)
            self._buffer += view[:missing]
            view = view[missing:]
            if len(self._buffer) == HEADER_BYTES + length:
                self._finish()

    def frames(self) -> Iterator[Frame]:
        """Yield each complete frame, once."""
        while self._frames:
            yield self._frames.popleft()

    def _payload_length(self) -> int:
        length: int = _HEADER.unpack_from(self._buffer)[5]
        return length

    def _check_header(self) -> None:
        version, flags, lane, _, counter, length = _HEADER.unpack_from(self._buffer)
        self._broken = True
        if version != VERSION:
            raise PeerError("BAD_FRAME", f"frame version {version}", f"version {VERSION}")
        if flags & ~FLAG_MORE:
            raise PeerError("BAD_FRAME", f"frame flags {flags:#x}", "no flag but 1 in version 1")
        if lane > max(Lane):
            raise PeerError("BAD_FRAME", f"frame lane {lane}", f"a lane from 0 to {int(max(Lane))}")
        if counter != self._next_counter:
            raise PeerError("BAD_FRAME", f"frame counter {counter}", f"counter {self._next_counter}")
        if length > PAYLOAD_BYTES_MAX:
            raise FrameTooLarge(length)
        self._broken = False

    def _finish(self) -> None:
        _, flags, lane, channel, counter, _ = _HEADER.unpack_from(self._buffer)
        payload = bytes(self._buffer[HEADER_BYTES:])
        self._frames.append(Frame(Lane(lane), channel, counter, payload, more=bool(flags & FLAG_MORE)))
        self._next_counter += 1
        self._buffer.clear()
