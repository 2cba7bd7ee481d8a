"""A TCP stream that asks the system for as little as one request needs.

`trio.SocketStream` reads before it knows that something has come and yields after every write; for
small requests on kept connections that is a third of their time.  This one waits until there is
something to read, and a write that fits into the system's buffer is one call.  A write alone is
therefore no checkpoint: whoever only writes must wait somewhere else, as every connection does.
"""

from __future__ import annotations

import socket

import trio


class PlainStream(trio.abc.HalfCloseableStream):
    """A connected socket as a stream.

    :param stream: loses its socket to this one.
    """

    def __init__(self, stream: trio.SocketStream) -> None:
        self._socket = socket.socket(fileno=stream.socket.detach())
        self._socket.setblocking(False)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what has come, nothing when the other side has ended its sending."""
        while True:
            await trio.lowlevel.wait_readable(self._opened())
            try:
                return self._socket.recv(max_bytes or 65536)
            except BlockingIOError:
                continue  # woken for nothing
            except OSError as error:
                raise trio.BrokenResourceError(f"socket connection broken: {error}") from error

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write everything; waits only for what the system does not take at once."""
        sent = self._send(data)
        if sent < len(data):
            with memoryview(data) as rest:
                while sent < len(rest):
                    await trio.lowlevel.wait_writable(self._opened())
                    sent += self._send(rest[sent:])

    async def wait_send_all_might_not_block(self) -> None:
        """Return when there is room to write."""
        await trio.lowlevel.wait_writable(self._opened())

    async def send_eof(self) -> None:
        """End the sending; reading goes on."""
        await trio.lowlevel.checkpoint()
        try:
            self._opened().shutdown(socket.SHUT_WR)
        except OSError as error:
            raise trio.BrokenResourceError(f"socket connection broken: {error}") from error

    async def aclose(self) -> None:
        """Close; tasks that wait for this stream learn it."""
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
        await trio.lowlevel.checkpoint()

    def _send(self, data: bytes | bytearray | memoryview) -> int:
        try:
            return self._opened().send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise trio.BrokenResourceError(f"socket connection broken: {error}") from error

    def _opened(self) -> socket.socket:
        if self._socket.fileno() < 0:
            raise trio.ClosedResourceError("this stream was closed")
        return self._socket
