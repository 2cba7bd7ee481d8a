"""The cases of the quic-interop-runner that a network in memory can play, at no, 5 and 10 % loss each way."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

pytest.importorskip("aioquic")

from metanode.plugins.transport._shared.certificate import self_signed
from metanode.plugins.transport._shared.connection import QuicConnection
from metanode.plugins.transport._shared.endpoint import RETRY_ABOVE, Endpoint
from metanode.plugins.transport._shared.engine import EngineSettings
from metanode.plugins.transport._shared.lossy_net import Conditions, LossyNet, MemoryLink
from metanode.plugins.transport._shared.stream import QuicStream

SETTINGS = EngineSettings(alpn=("test",))
CERTIFICATE = self_signed()
LOSSES = (0.0, 0.05, 0.1)
SEED = 20
BYTES = 200_000
PATIENCE_S = 120.0
"""Virtual seconds a case may take."""

at_every_loss = pytest.mark.parametrize("loss", LOSSES)


@asynccontextmanager
async def net_of(
    loss: float, *, corruption: float = 0.0, retry_above: int = RETRY_ABOVE
) -> AsyncIterator[tuple[LossyNet, MemoryLink, Endpoint, Endpoint]]:
    """A network, the dialler's link, the dialler and the listener."""
    net = LossyNet(SEED, Conditions(loss=loss, corruption=corruption))
    link = net.link("10.0.0.1")
    client = Endpoint(link, SETTINGS)
    server = Endpoint(net.link("10.0.0.2"), SETTINGS, certificate=CERTIFICATE, retry_above=retry_above)
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for endpoint in (client, server):
                await nursery.start(endpoint.run)
            yield net, link, client, server
            nursery.cancel_scope.cancel()


async def ends_of(client: Endpoint, server: Endpoint) -> tuple[QuicConnection, QuicConnection]:
    """Both ends of a new connection."""
    return await client.connect(server.place), await server.accept()


async def carry(ends: tuple[QuicConnection, QuicConnection], size: int = BYTES) -> None:
    """Send bytes one way on a new stream, and check every one of them."""
    data = random.Random(SEED).randbytes(size)
    here = ends[0].open_stream()

    async def send(stream: QuicStream) -> None:
        await stream.send_all(data)
        await stream.send_eof()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, here)
        there = await ends[1].accept_stream()
        assert b"".join([piece async for piece in there]) == data


@at_every_loss
async def test_twenty_handshakes_succeed(loss: float, autojump_clock: MockClock) -> None:
    """One after another; a lost flight is sent again."""
    async with net_of(loss) as (_, _, client, server):
        for _ in range(20):
            ends = await ends_of(client, server)
            await carry(ends, 100)


@at_every_loss
async def test_a_transfer_arrives_whole(loss: float, autojump_clock: MockClock) -> None:
    """Three streams, one after another."""
    async with net_of(loss) as (_, _, client, server):
        ends = await ends_of(client, server)
        for _ in range(3):
            await carry(ends)


@at_every_loss
async def test_an_address_is_asked_for_under_load(loss: float, autojump_clock: MockClock) -> None:
    """Retry: the token comes back, and the connection works."""
    async with net_of(loss, retry_above=0) as (_, _, client, server):
        ends = await ends_of(client, server)
        assert server.retries >= 1
        await carry(ends)


@at_every_loss
async def test_a_changed_address_is_followed(loss: float, autojump_clock: MockClock) -> None:
    """Rebinding: another port, then another host, in the middle of a connection."""
    async with net_of(loss) as (_, link, client, server):
        ends = await ends_of(client, server)
        await carry(ends)
        for host, port in (("10.0.0.1", 9999), ("10.0.0.77", 4433)):
            link.move(host, port)
            await carry(ends)
            await carry(ends[::-1], 20_000)


@at_every_loss
async def test_turned_over_bits_harm_nothing(loss: float, autojump_clock: MockClock) -> None:
    """Corruption of 5 % of the datagrams: they count as lost."""
    async with net_of(loss, corruption=0.05) as (_, _, client, server):
        await carry(await ends_of(client, server))


@at_every_loss
async def test_a_black_hole_of_three_seconds_is_survived(loss: float, autojump_clock: MockClock) -> None:
    """Nothing passes either way, then everything again."""
    async with net_of(loss) as (net, _, client, server):
        ends = await ends_of(client, server)
        ends_at = trio.current_time() + 3
        net.drops = lambda data, sender, target: trio.current_time() < ends_at
        await carry(ends)
        assert trio.current_time() > ends_at


@at_every_loss
async def test_a_stranger_that_never_shows_its_address_gets_three_times_its_bytes(
    loss: float, autojump_clock: MockClock
) -> None:
    """Amplification limit (RFC 9000 section 8.1), while the dialler hears nothing."""
    async with net_of(loss) as (net, link, client, server):
        net.drops = lambda data, sender, target: target == link.place
        net.log = []
        with trio.move_on_after(8):
            await client.connect(server.place)
        sent = sum(len(data) for sender, _, data in net.log if sender == link.place)
        answered = sum(len(data) for sender, _, data in net.log if sender == server.place)
        assert 0 < answered <= 3 * sent


@at_every_loss
async def test_keys_are_updated_by_either_end(loss: float, autojump_clock: MockClock) -> None:
    """Before, between and after, every byte arrives."""
    async with net_of(loss) as (_, _, client, server):
        ends = await ends_of(client, server)
        await carry(ends)
        for end in ends:
            end.engine.request_key_update()
            await carry(ends)
            await carry(ends[::-1], 20_000)
