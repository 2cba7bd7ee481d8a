"""A connection between nodes over a channel that is encrypted already, sans-IO: hello, lanes, goodbye.

The same frames as on Noise (`core.wire.secure`), without a second encryption.  A channel has one or more streams of
bytes; the first carries control and votes, the last everything else, so that on QUIC a lost packet of a block delays no
vote.  Each stream is a stream of frames with a counter of its own.  Frames of lane 0 and channel LINK_CHANNEL are the
connection's own: on the first stream the hello, then keep-alives and the reason for a close; on another, one keep-alive
that opens it.
"""

from __future__ import annotations

from collections import deque

from metanode.core.model.errors import PeerError
from metanode.core.wire.frames import HEADER_BYTES, FrameDecoder, Lane
from metanode.core.wire.hello import HELLO_BYTES_MAX, Handshake, Introduction, Peer, Side
from metanode.core.wire.lanes import Inbox, Outbox
from metanode.core.wire.secure import LINK_CHANNEL, CloseReason

URGENT = 0
"""The stream of control and votes."""
FILL_BYTES = 32 * 1024
"""No further frame is composed once there are so many bytes."""
HELLO_STREAM_BYTES_MAX = 2 * (HELLO_BYTES_MAX + HEADER_BYTES)
"""Most bytes that an end may send before both ends are known; the caller reads no more at once."""

_KEEP_ALIVE = b"\x00"
_CLOSE = 1


class Session:
    """One end.  The caller moves bytes: `take` and `receive`, for each stream.

    :param binding: 32 bytes that only the two ends of this channel know to be its own.
    :param nonce: 32 fresh random bytes.
    :param expected_peer: the node key that must be at the other end, where it is known.
    :param streams: how many streams of bytes the channel has.
    """

    def __init__(
        self,
        side: Side,
        me: Introduction,
        *,
        binding: bytes,
        nonce: bytes,
        expected_peer: bytes | None = None,
        streams: int = 1,
    ) -> None:
        self._hello = Handshake(side, me, binding=binding, nonce=nonce, expected_peer=expected_peer)
        self._decoders = [FrameDecoder() for _ in range(streams)]
        self._inboxes = [Inbox() for _ in range(streams)]
        self._received_bytes = 0
        self.outboxes = [Outbox() for _ in range(streams)]
        """What we send, by stream; the caller's once `peer` is known."""
        self.messages: deque[tuple[Lane, bytes]] = deque()
        """What was received, each message whole."""
        self.closed_by_peer: CloseReason | None = None
        """The reason the other end gave; nothing follows on the first stream."""
        self.peer: Peer | None = None
        """Who is at the other end, once it has proved it."""
        if side is Side.INITIATOR:
            self.outboxes[URGENT].put(Lane.CONTROL, self._hello.first(), channel=LINK_CHANNEL)

    def stream_of(self, lane: Lane) -> int:
        """Return the stream that carries a lane."""
        return URGENT if lane in (Lane.CONTROL, Lane.VOTES) else len(self.outboxes) - 1

    def outbox_of(self, lane: Lane) -> Outbox:
        """Return where a message of a lane waits."""
        return self.outboxes[self.stream_of(lane)]

    def take(self, stream: int) -> bytes:
        """Return the next bytes to send on a stream; b"" when nothing waits."""
        return self.outboxes[stream].take(FILL_BYTES)

    def keep_alive(self, stream: int = URGENT) -> None:
        """Queue a frame that says only that this end, or this stream, is there."""
        self.outboxes[stream].put(Lane.CONTROL, _KEEP_ALIVE, channel=LINK_CHANNEL)

    def say_goodbye(self, reason: CloseReason) -> None:
        """Queue the reason for a close.  The caller lets the lanes run empty first: control overtakes them."""
        self.outboxes[URGENT].put(Lane.CONTROL, bytes([_CLOSE, reason]), channel=LINK_CHANNEL)

    def receive(self, stream: int, data: bytes) -> None:
        """Take what arrived on a stream, in pieces of any size.

        :raises PeerError: the other end is not who it must be, or breaks the rules: close the connection.
        """
        if self.peer is None:
            self._received_bytes += len(data)
        self._decoders[stream].receive_bytes(data)
        for frame in self._decoders[stream].frames():
            whole = self._inboxes[stream].add(frame)
            if whole is None:
                continue
            lane, channel, message = whole
            if self.peer is None:
                self._read_hello(stream, lane, channel, message)
            elif lane is Lane.CONTROL and channel == LINK_CHANNEL:
                self._read_own(message)
            elif self.stream_of(lane) != stream:
                raise PeerError("BAD_FRAME", f"a frame of lane {int(lane)} on stream {stream}", "the lane's own stream")
            else:
                self.messages.append((lane, message))
        if self.peer is None and self._received_bytes > HELLO_STREAM_BYTES_MAX:
            text = f"{self._received_bytes} bytes before the hello"
            raise PeerError("BAD_HELLO", text, f"at most {HELLO_STREAM_BYTES_MAX}")

    def _read_hello(self, stream: int, lane: Lane, channel: int, message: bytes) -> None:
        if stream != URGENT or lane is not Lane.CONTROL or channel != LINK_CHANNEL:
            raise PeerError("BAD_HELLO", f"a frame of lane {int(lane)} and channel {channel} before the hello")
        answer = self._hello.receive(message)
        if answer is not None:
            self.outboxes[URGENT].put(Lane.CONTROL, answer, channel=LINK_CHANNEL)
        self.peer = self._hello.peer

    def _read_own(self, message: bytes) -> None:
        if message == _KEEP_ALIVE:
            return
        if len(message) != 2 or message[0] != _CLOSE or message[1] > max(CloseReason):
            raise PeerError("BAD_FRAME", f"a message of {len(message)} bytes that no connection sends of its own")
        self.closed_by_peer = CloseReason(message[1])
