"""Answers that go on: an `EventStream` written to its client until either side ends it.

Three tasks, one bounded way: the pump takes events, the listener reads what the client says, and
the caller alone writes.  A client that reads slowly stops the pump, so its events wait in the
source's own bounded queue; one that stops reading is cut by the writer's deadline.
"""

from __future__ import annotations

import logging
from typing import Protocol

import trio

from metanode.core.http import EventStream
from metanode.plugins.api._shared.messages import READ_BYTES
from metanode.plugins.api.http.answering import close_events

HEARTBEAT_S = 15
"""Silence after which a heartbeat is sent, so that proxies and clients keep the connection."""
CLOSE_TIMEOUT_S = 1
"""Longest an event source may take to free what it holds."""


class Framing(Protocol):
    """How events look on the wire."""

    def event(self, name: str, text: str) -> bytes:
        """Return one event's bytes."""

    def heartbeat(self) -> bytes:
        """Return bytes that mean nothing but that the stream lives."""

    def farewell(self) -> bytes:
        """Return what ends the stream properly; empty when closing the connection does."""

    def receive(self, data: bytes) -> tuple[bytes, bool]:
        """Take bytes of the client, empty at their end; return what to answer and whether the stream goes on."""


class ByteWriter(Protocol):
    """Writes all bytes within a deadline.  Raises `trio.BrokenResourceError` otherwise."""

    async def __call__(self, data: bytes) -> None: ...


class ServerSentEvents:
    """The text/event-stream format (WHATWG HTML, section 9.2)."""

    def event(self, name: str, text: str) -> bytes:
        """One event: its name and its data, a line each."""
        data = "".join(f"data: {line}\n" for line in text.splitlines())
        return f"event: {name}\n{data}\n".encode()

    def heartbeat(self) -> bytes:
        """A comment."""
        return b": heartbeat\n\n"

    def farewell(self) -> bytes:
        """Nothing: the stream ends with its connection."""
        return b""

    def receive(self, data: bytes) -> tuple[bytes, bool]:
        """Only the end of input says something here."""
        return b"", bool(data)


async def write_stream(
    content: EventStream, framing: Framing, stream: trio.abc.ReceiveStream, write: ByteWriter, log: logging.Logger
) -> None:
    """Write events until they end, the client goes, or this is cancelled."""
    sending, receiving = trio.open_memory_channel[bytes](0)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_pump, content, framing, sending, log)
            nursery.start_soon(_listen, stream, framing, sending)
            await _write(receiving, framing, write)
            nursery.cancel_scope.cancel()
    finally:
        with trio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
            await close_events(content)


async def _write(receiving: trio.MemoryReceiveChannel[bytes], framing: Framing, write: ByteWriter) -> None:
    """Write what the other two tasks say until one of them says nothing: empty bytes end the stream."""
    try:
        while True:
            data: bytes | None = None
            with trio.move_on_after(HEARTBEAT_S):
                data = await receiving.receive()
            if data is None:
                data = framing.heartbeat()
            if not data:
                break
            await write(data)
        if farewell := framing.farewell():
            await write(farewell)
    except trio.BrokenResourceError:
        pass  # the client went: there is nobody to tell


async def _pump(
    content: EventStream, framing: Framing, sending: trio.MemorySendChannel[bytes], log: logging.Logger
) -> None:
    try:
        async for name, text in content.events:
            await sending.send(framing.event(name, text))
    except (Exception, SystemExit) as error:  # the boundary to event sources of any plugin
        log.error("an event stream failed: %r", error, exc_info=error)
    await sending.send(b"")


async def _listen(stream: trio.abc.ReceiveStream, framing: Framing, sending: trio.MemorySendChannel[bytes]) -> None:
    goes_on = True
    while goes_on:
        try:
            data = bytes(await stream.receive_some(READ_BYTES))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""  # as good as an end of input
        reply, goes_on = framing.receive(data)
        if reply:
            await sending.send(reply)
    await sending.send(b"")
