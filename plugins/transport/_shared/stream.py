"""One QUIC stream as trio knows streams: `trio.abc.HalfCloseableStream`, back-pressure in both directions.

What arrived waits here until it is read, and only what was read is granted to the sender again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import index
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from metanode.plugins.transport._shared.connection import QuicConnection

UNACKNOWLEDGED_BYTES_MAX = 512 * 1024
"""What one stream may hold that the other end has not confirmed; then `send_all` waits."""
READ_BYTES_MAX = 64 * 1024
"""Most bytes returned by one `receive_some` that names no number."""


class QuicStream(trio.abc.HalfCloseableStream):
    """A bidirectional stream.  Made by `QuicConnection.open_stream` and `accept_stream`."""

    def __init__(self, connection: QuicConnection, number: int) -> None:
        self.connection = connection
        self.number = number
        self.on_readable: Callable[[], None] | None = None
        """Called when `receive_nowait` has something new to say."""
        self._chunks: deque[bytes] = deque()
        self._taken = 0
        self._eof_received = self._eof_sent = False
        self._broken_in = self._broken_out = ""
        self._closed = False
        self._readers = trio.lowlevel.ParkingLot()
        self._writers = trio.lowlevel.ParkingLot()
        self._sending = self._receiving = self._full = False

    # Sending.

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`; waits while the other end lags behind by UNACKNOWLEDGED_BYTES_MAX.

        :raises trio.BrokenResourceError: the connection, or the other end's interest in the stream, has ended.
        """
        with self._sole_sender():
            self._check_can_send()
            await trio.lowlevel.checkpoint()
            self._check_can_send()
            view = memoryview(data)
            while view:
                await self._wait_for_room()
                engine = self.connection.engine
                room = UNACKNOWLEDGED_BYTES_MAX - engine.unacknowledged(self.number)
                engine.send_stream_data(self.number, bytes(view[:room]))
                view = view[room:]
                self.connection.touch()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room."""
        with self._sole_sender():
            self._check_can_send()
            await trio.lowlevel.checkpoint()
            self._check_can_send()
            await self._wait_for_room()

    async def send_eof(self) -> None:
        """Say that nothing more comes; reading goes on."""
        with self._sole_sender():
            await trio.lowlevel.checkpoint()
            if self._closed:
                raise trio.ClosedResourceError
            self._finish_sending()

    async def wait_delivered(self) -> None:
        """Wait until all that was sent is confirmed, `send_eof` included.

        :raises trio.BrokenResourceError: it will not be.
        """
        while not self.connection.engine.delivered(self.number):
            if self._broken_out:
                raise trio.BrokenResourceError(self._broken_out)
            self.connection.watch(self)
            await self._writers.park()

    async def _wait_for_room(self) -> None:
        """Wait, once all room was taken, until half of it is free: also for who comes after a cancelled sender."""
        self._full = self._full or self.connection.engine.unacknowledged(self.number) >= UNACKNOWLEDGED_BYTES_MAX
        while self._full:
            if self.connection.engine.unacknowledged(self.number) <= UNACKNOWLEDGED_BYTES_MAX // 2:
                self._full = False
                return
            self.connection.watch(self)
            await self._writers.park()
            self._check_can_send()

    def _finish_sending(self) -> None:
        if not self._eof_sent and not self._broken_out:
            self._eof_sent = True
            self.connection.engine.send_stream_data(self.number, b"", end_stream=True)
            self.connection.touch()

    def _check_can_send(self) -> None:
        if self._closed or self._eof_sent:
            raise trio.ClosedResourceError("this end has said that it sends no more")
        if self._broken_out:
            raise trio.BrokenResourceError(self._broken_out)

    @contextmanager
    def _sole_sender(self) -> Iterator[None]:
        if self._sending:
            raise trio.BusyResourceError("another task is sending on this stream")
        self._sending = True
        try:
            yield
        finally:
            self._sending = False

    # Receiving.

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what is here, at least one byte; b"" at the end of the stream.

        :raises trio.BrokenResourceError: the stream ended without its end having been said.
        """
        if max_bytes is not None and index(max_bytes) < 1:  # TypeError for a float
            raise ValueError("max_bytes must be at least 1")
        if self._receiving:
            raise trio.BusyResourceError("another task is receiving from this stream")
        self._receiving = True
        try:
            await trio.lowlevel.checkpoint()
            while True:
                try:
                    return self.receive_nowait(READ_BYTES_MAX if max_bytes is None else max_bytes)
                except trio.WouldBlock:
                    await self._readers.park()
        finally:
            self._receiving = False

    def receive_nowait(self, max_bytes: int = READ_BYTES_MAX) -> bytes:
        """Return what is here, as `receive_some`.

        :raises trio.WouldBlock: nothing is.
        """
        if self._closed:
            raise trio.ClosedResourceError
        chunks = self._chunks
        if not chunks:
            if self._eof_received:
                return b""
            if self._broken_in:
                raise trio.BrokenResourceError(self._broken_in)
            raise trio.WouldBlock
        parts, size = [], 0
        while chunks and size < max_bytes:
            chunk = chunks.popleft()
            if size + len(chunk) > max_bytes:
                chunks.appendleft(chunk[max_bytes - size :])
                chunk = chunk[: max_bytes - size]
            parts.append(chunk)
            size += len(chunk)
        self._consume(size)
        return b"".join(parts)

    def _consume(self, size: int) -> None:
        self._taken += size
        if self.connection.engine.consumed(self.number, size, self._taken):
            self.connection.touch()

    async def aclose(self) -> None:
        """Send no more and read no more; what was sent still arrives."""
        if not self._closed:
            self._finish_sending()
            self._closed = True
            self._discard()
            if not self.finished_receiving and not self.connection.over:
                self.connection.engine.stop_reading(self.number)
                self.connection.touch()
            self.wake()
            self.connection.release(self)
        await trio.lowlevel.checkpoint()

    def _discard(self) -> None:
        size = sum(map(len, self._chunks))
        self._chunks.clear()
        if size:
            self._consume(size)

    # What the connection tells.

    @property
    def finished_receiving(self) -> bool:
        """Whether nothing more can arrive."""
        return self._eof_received or bool(self._broken_in)

    @property
    def closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._closed

    def feed(self, data: bytes, end: bool) -> None:
        """Take what arrived."""
        if data:
            if self._closed:
                self._consume(len(data))
            else:
                self._chunks.append(data)
        self._eof_received = self._eof_received or end
        if self._readers:
            self._readers.unpark_all()
        if self.on_readable is not None:
            self.on_readable()

    def was_reset(self, code: int) -> None:
        """The other end gave the stream up; what it sent before may be lost."""
        delivered = self._taken + sum(map(len, self._chunks))
        lost = self.connection.engine.undelivered(self.number, delivered)
        if lost:
            self._consume(lost)
        self.break_off(f"the other end gave the stream up (code {code})", sending=False)

    def was_stopped(self, code: int) -> None:
        """The other end reads no more."""
        self._broken_out = self._broken_out or f"the other end reads no more (code {code})"
        self.wake()

    def break_off(self, why: str, *, sending: bool = True) -> None:
        """Nothing more can pass: wake who waits."""
        self._broken_in = self._broken_in or why
        if sending:
            self._broken_out = self._broken_out or why
        self.wake()
        if self.on_readable is not None:
            self.on_readable()

    def look_for_room(self) -> bool:
        """Wake the writer when half of its room is free, or all is delivered; False while it must wait on."""
        engine = self.connection.engine
        if self._eof_sent:
            ready = engine.delivered(self.number)
        else:
            ready = engine.unacknowledged(self.number) <= UNACKNOWLEDGED_BYTES_MAX // 2
        if ready:
            self._writers.unpark_all()
        return ready

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._readers.unpark_all()
        self._writers.unpark_all()
