"""One QUIC connection as a caller holds it: streams, datagrams, and how it ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio
from aioquic.quic.events import (
    ConnectionIdIssued,
    ConnectionIdRetired,
    ConnectionTerminated,
    DatagramFrameReceived,
    HandshakeCompleted,
    StopSendingReceived,
    StreamDataReceived,
    StreamReset,
)
from aioquic.quic.packet import QuicErrorCode

from metanode.core.model.errors import PeerError
from metanode.plugins.transport._shared.engine import STREAMS_MAX, Engine
from metanode.plugins.transport._shared.link import Place
from metanode.plugins.transport._shared.stream import QuicStream

if TYPE_CHECKING:
    from metanode.plugins.transport._shared.endpoint import Endpoint

DATAGRAMS_WAITING_MAX = 256
"""Datagrams that arrived and were not received yet; the oldest gives way."""
HANDSHAKE_S = 10.0
"""How long a QUIC handshake may take, seconds."""

_SERVER_STREAM, _ONE_WAY_STREAM = 1, 2  # bits of a stream's number, RFC 9000 section 2.1


class QuicConnection:
    """Made by `Endpoint.connect` and `Endpoint.accept`."""

    def __init__(self, endpoint: Endpoint, engine: Engine, place: Place, *, dialled: bool) -> None:
        self._endpoint = endpoint
        self.engine = engine
        self.place = place
        """Where the other end was when the connection began; it may move."""
        self.dialled = dialled
        self.on_end: Callable[[], None] | None = None
        """Called once, when the connection has ended, however it did."""
        self.connected = False
        self.over = False
        """Whether nothing more can be sent or will arrive."""
        self.ended: ConnectionTerminated | None = None
        """The code and reason it ended with; None while it has not, or when it was dropped without a word."""
        self.why = ""
        """How it ended, in words."""
        self.datagrams_dropped = 0
        """Datagrams of either direction that gave way to newer ones."""
        self.sent_at = trio.current_time()
        self.began_at = self.sent_at
        self.armed_at = float("inf")
        """When the endpoint's next timer for this connection goes off."""
        self._streams: dict[int, QuicStream] = {}
        self._accepted: deque[QuicStream] = deque()
        self._datagrams: deque[bytes] = deque()
        self._waiting = trio.lowlevel.ParkingLot()
        self._watched: dict[QuicStream, None] = {}

    # For callers.

    async def wait_connected(self) -> None:
        """Wait for the end of the handshake.

        :raises PeerError: UNREACHABLE, TIMEOUT or HANDSHAKE_FAILED.
        """
        await trio.lowlevel.checkpoint()
        while not self.connected and not self.over:
            await self._waiting.park()
        if self.over:
            raise self.failure()

    def failure(self) -> PeerError:
        """Return why there is no connection."""
        host, port = self.place
        if not self.engine.heard and self.ended is None:
            message = self.why or f"nobody answers within {HANDSHAKE_S:g} s"
            return PeerError("UNREACHABLE", f"{host} port {port}: {message}", "a running node there that UDP reaches")
        if not self.connected and self.ended is None:
            return PeerError("TIMEOUT", f"no whole handshake within {HANDSHAKE_S:g} s", "a peer that answers")
        return PeerError("HANDSHAKE_FAILED" if not self.connected else "CONNECTION_CLOSED", self.why)

    def open_stream(self) -> QuicStream:
        """Begin a stream.  The other end learns of it with the first bytes that are sent.

        :raises PeerError: CONNECTION_CLOSED.
        """
        if self.over:
            raise PeerError("CONNECTION_CLOSED", self.why)
        number = self.engine.get_next_available_stream_id()
        self.engine.send_stream_data(number, b"")
        stream = self._streams[number] = QuicStream(self, number)
        return stream

    async def accept_stream(self) -> QuicStream:
        """Return the next stream that the other end began.

        :raises PeerError: CONNECTION_CLOSED.
        """
        await trio.lowlevel.checkpoint()
        while not self._accepted:
            if self.over:
                raise PeerError("CONNECTION_CLOSED", self.why)
            await self._waiting.park()
        return self._accepted.popleft()

    @property
    def datagram_bytes_max(self) -> int:
        """Longest datagram that can be sent now; 0 when the other end takes none."""
        return self.engine.datagram_payload_max

    def send_datagram(self, data: bytes) -> None:
        """Send a datagram: at most once, in no order; the oldest that waits gives way to it.

        :raises PeerError: TOO_LARGE, longer than `datagram_bytes_max`; CONNECTION_CLOSED.
        """
        if self.over:
            raise PeerError("CONNECTION_CLOSED", self.why)
        limit = self.datagram_bytes_max
        if len(data) > limit:
            raise PeerError("TOO_LARGE", f"a datagram of {len(data)} bytes", f"at most {limit} bytes")
        self.datagrams_dropped += self.engine.queue_datagram(data)
        self.touch()

    async def receive_datagram(self) -> bytes:
        """Return the next datagram.

        :raises PeerError: CONNECTION_CLOSED.
        """
        await trio.lowlevel.checkpoint()
        while not self._datagrams:
            if self.over:
                raise PeerError("CONNECTION_CLOSED", self.why)
            await self._waiting.park()
        return self._datagrams.popleft()

    def close(self, code: int = 0, reason: str = "") -> None:
        """Close, and say so; what is not confirmed yet may be lost, so callers wait with `stream.wait_delivered`.

        :param code: the application's own, told to the other end.
        """
        if not self.over:
            self.engine.close(error_code=code, reason_phrase=reason)
            self._endpoint.flush(self)
            self.finish(reason or "this end closed the connection")

    async def aclose(self) -> None:
        """Close with code 0."""
        self.close()
        await trio.lowlevel.checkpoint()

    def widen(self) -> None:
        """Open the whole receive windows: the caller knows the other end now."""
        self.engine.widen()
        self.touch()

    # For streams and the endpoint.

    def touch(self) -> None:
        """Something is to be sent."""
        self._endpoint.touch(self)

    def watch(self, stream: QuicStream) -> None:
        """Wake a stream's writer when there is room."""
        self._watched[stream] = None

    def release(self, stream: QuicStream) -> None:
        """Forget a stream that neither end needs any more."""
        if stream.closed and stream.finished_receiving:
            self._streams.pop(stream.number, None)

    def digest(self) -> None:
        """Take note of all that aioquic has to tell."""
        engine = self.engine
        while (event := engine.next_event()) is not None:
            if isinstance(event, StreamDataReceived):
                stream = self._stream(event.stream_id)
                if stream is not None:
                    stream.feed(event.data, event.end_stream)
                    self.release(stream)
            elif isinstance(event, DatagramFrameReceived):
                self._take_datagram(event.data)
            elif isinstance(event, ConnectionIdIssued):
                self._endpoint.route(event.connection_id, self)
            elif isinstance(event, ConnectionIdRetired):
                self._endpoint.unroute(event.connection_id)
            elif isinstance(event, HandshakeCompleted):
                self.connected = True
                self._waiting.unpark_all()
                self._endpoint.shook_hands(self)
            elif isinstance(event, StreamReset):
                stream = self._stream(event.stream_id)
                if stream is not None:
                    stream.was_reset(event.error_code)
                    self.release(stream)
            elif isinstance(event, StopSendingReceived):
                stream = self._streams.get(event.stream_id)
                if stream is not None:
                    stream.was_stopped(event.error_code)
        for stream in [stream for stream in self._watched if stream.look_for_room()]:
            del self._watched[stream]
        ended = engine.ended
        if ended is not None and not self.over:
            self.ended = ended
            self.finish(_in_words(ended))

    def finish(self, why: str) -> None:
        """Nothing more passes: wake everybody.  What arrived can still be read."""
        if self.over:
            return
        self.over = True
        self.why = why
        for stream in self._streams.values():
            stream.break_off(why)
        self._watched.clear()
        self._waiting.unpark_all()
        if self.on_end is not None:
            self.on_end()

    def _stream(self, number: int) -> QuicStream | None:
        stream = self._streams.get(number)
        if stream is None and number & _ONE_WAY_STREAM:
            self.engine.stop_reading(number)  # nobody here asks for streams of one direction
        elif stream is None and bool(number & _SERVER_STREAM) == self.dialled:
            if len(self._accepted) >= STREAMS_MAX:
                self.engine.stop_reading(number)
                return None
            stream = self._streams[number] = QuicStream(self, number)
            self._accepted.append(stream)
            self._waiting.unpark_all()
        return stream

    def _take_datagram(self, data: bytes) -> None:
        if len(self._datagrams) >= DATAGRAMS_WAITING_MAX:
            self._datagrams.popleft()
            self.datagrams_dropped += 1
        self._datagrams.append(data)
        self._waiting.unpark_all()


def _in_words(ended: ConnectionTerminated) -> str:
    """Return how a connection ended; the other end's own text is not repeated: it may hold anything."""
    if ended.reason_phrase == "Idle timeout" and ended.error_code == QuicErrorCode.INTERNAL_ERROR:
        return "nothing was heard for too long"
    if ended.error_code == QuicErrorCode.CONNECTION_REFUSED:
        return "the other end takes no further connection"
    if ended.frame_type is None:
        return f"the other end closed the connection (code {ended.error_code})"
    return f"QUIC error {ended.error_code:#x}"
