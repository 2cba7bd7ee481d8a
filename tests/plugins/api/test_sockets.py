"""The listener's own stream keeps the promises of a trio stream that its connection relies on."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from metanode.plugins.api.http.sockets import PlainStream

MIB = 1 << 20


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[PlainStream, socket.socket]]:
    """A stream and the plain socket at its other end, over loopback."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    async with listener:
        other = socket.create_connection(listener.socket.getsockname())
        other.setblocking(False)
        stream = PlainStream(await listener.accept())
    try:
        yield stream, other
    finally:
        await stream.aclose()
        other.close()


async def test_what_is_sent_arrives_and_an_end_is_an_empty_read() -> None:
    """In both directions; reading goes on after the own end."""
    async with connected() as (stream, other):
        other.send(b"ping")
        assert await stream.receive_some(2) == b"pi"
        assert await stream.receive_some() == b"ng"
        await stream.send_all(b"pong")
        await stream.send_eof()
        await trio.lowlevel.wait_readable(other)
        assert other.recv(10) == b"pong"
        other.send(b"more")
        other.shutdown(socket.SHUT_WR)
        assert await stream.receive_some(10) == b"more"
        assert await stream.receive_some(10) == b""


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_a_large_write_waits_for_its_reader_and_loses_nothing(kind: type) -> None:
    """More than any system buffer holds."""
    data = bytes(range(256)) * (16 * MIB // 256)
    async with connected() as (stream, other):
        received = bytearray()

        async def read() -> None:
            while len(received) < len(data):
                await trio.lowlevel.wait_readable(other)
                received.extend(other.recv(MIB))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await stream.send_all(kind(data))
        assert received == data


async def test_waiting_can_be_cancelled() -> None:
    """For bytes, and for room."""
    async with connected() as (stream, _):
        with trio.move_on_after(0.01) as reading:
            await stream.receive_some(1)
        assert reading.cancelled_caught
        with trio.move_on_after(0.05) as writing:
            await stream.send_all(bytes(16 * MIB))
        assert writing.cancelled_caught


async def test_a_reset_and_a_close_are_trios_errors() -> None:
    """Whoever waits is woken; later calls are refused."""
    async with connected() as (stream, other):
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        other.close()
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some(1)
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"x")
    async with connected() as (stream, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_expect_closed, stream)
            await trio.testing.wait_all_tasks_blocked()
            await stream.aclose()
        await stream.aclose()
        await _expect_closed(stream)
        with pytest.raises(trio.ClosedResourceError):
            await stream.send_all(b"x")


async def _expect_closed(stream: PlainStream) -> None:
    with pytest.raises(trio.ClosedResourceError):
        await stream.receive_some(1)
