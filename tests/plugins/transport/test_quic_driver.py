"""The QUIC driver on the network in memory, under a virtual clock; and once on real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, check_half_closeable_stream, wait_all_tasks_blocked

pytest.importorskip("aioquic")

from metanode.core.model.errors import PeerError
from metanode.plugins.transport._shared.certificate import self_signed
from metanode.plugins.transport._shared.connection import DATAGRAMS_WAITING_MAX, HANDSHAKE_S, QuicConnection
from metanode.plugins.transport._shared.endpoint import KEEP_ALIVE_S, Endpoint, open_endpoint
from metanode.plugins.transport._shared.engine import EngineSettings
from metanode.plugins.transport._shared.link import Link, UdpLink
from metanode.plugins.transport._shared.lossy_net import Conditions, LossyNet
from metanode.plugins.transport._shared.stream import QuicStream

SETTINGS = EngineSettings(alpn=("test",))
CERTIFICATE = self_signed()
MIB = 1024 * 1024


@asynccontextmanager
async def two(
    net: LossyNet | None = None, here: Link | None = None, there: Link | None = None
) -> AsyncIterator[tuple[Endpoint, Endpoint]]:
    """A dialling endpoint and a listening one."""
    net = net or LossyNet(1)
    async with (
        open_endpoint(there or net.link("10.0.0.2"), SETTINGS, certificate=CERTIFICATE) as server,
        open_endpoint(here or net.link("10.0.0.1"), SETTINGS) as client,
    ):
        yield client, server


@asynccontextmanager
async def connected(net: LossyNet | None = None) -> AsyncIterator[tuple[QuicConnection, QuicConnection]]:
    """Both ends of one connection."""
    async with two(net) as (client, server):
        dialled = await client.connect(server.place)
        yield dialled, await server.accept()


async def streams_of(dialled: QuicConnection, accepted: QuicConnection) -> tuple[QuicStream, QuicStream]:
    """A stream, seen from both ends."""
    here = dialled.open_stream()
    await here.send_all(b"!")
    there = await accepted.accept_stream()
    assert await there.receive_some() == b"!"
    return here, there


async def test_a_stream_is_what_trio_calls_a_stream(autojump_clock: MockClock) -> None:
    """trio's own conformance checks, with a clogged stream too."""
    net = LossyNet(7, Conditions(delay_s=0.001))
    async with two(net) as (client, server):
        dialled, accepted = await client.connect(server.place), await server.accept()

        async def make() -> tuple[QuicStream, QuicStream]:
            return await streams_of(dialled, accepted)

        async def clogged() -> tuple[QuicStream, QuicStream]:
            # A connection of its own: what nobody reads here must not use up what the other streams share.
            here, there = await streams_of(await client.connect(server.place), await server.accept())
            for end in (here, there):
                with trio.move_on_after(5):
                    while True:
                        await end.send_all(bytes(64 * 1024))
            return here, there

        await check_half_closeable_stream(make, clogged)


async def test_a_reader_that_never_reads_holds_less_than_two_mebibytes(autojump_clock: MockClock) -> None:
    """However long the sender goes on: what both ends hold of the stream, together."""
    async with connected() as ends:
        here, _ = await streams_of(*ends)
        sent = 0
        with trio.move_on_after(60):
            while True:
                await here.send_all(bytes(16 * 1024))
                sent += 16 * 1024
        assert MIB <= sent < 2 * MIB


async def test_another_stream_passes_one_that_nobody_reads(autojump_clock: MockClock) -> None:
    """The window of all streams is wider than that of one."""
    async with connected() as ends:
        stuck, _ = await streams_of(*ends)
        with trio.move_on_after(20):
            await stuck.send_all(bytes(4 * MIB))
        here, there = await streams_of(*ends)
        await here.send_all(b"passes")
        assert await there.receive_some() == b"passes"


async def test_datagrams_arrive_and_their_queue_is_bounded(autojump_clock: MockClock) -> None:
    """The oldest give way; what does not fit is refused at home."""
    async with connected() as (dialled, accepted):
        largest = dialled.datagram_bytes_max
        with pytest.raises(PeerError, match="TOO_LARGE") as caught:
            dialled.send_datagram(bytes(largest + 1))
        assert caught.value.expected == f"at most {largest} bytes"
        for number in range(DATAGRAMS_WAITING_MAX + 40):
            dialled.send_datagram(number.to_bytes(2, "big"))
            await trio.sleep(0.01)
        await trio.sleep(1)
        assert accepted.datagrams_dropped == 40
        assert await accepted.receive_datagram() == (40).to_bytes(2, "big")


async def test_an_idle_connection_stays_by_keep_alives(autojump_clock: MockClock) -> None:
    """Both ends hear the other's PING or its answer."""
    async with connected() as ends:
        await trio.sleep(40 * KEEP_ALIVE_S)
        here, there = await streams_of(*ends)
        await there.send_all(b"still here")
        assert await here.receive_some() == b"still here"


async def test_an_end_that_vanishes_is_given_up(autojump_clock: MockClock) -> None:
    """By both ends, after the idle timeout."""
    net = LossyNet(3)
    async with connected(net) as ends:
        here, there = await streams_of(*ends)
        net.drops = lambda data, sender, target: True
        began = trio.current_time()
        for end in (here, there):
            with pytest.raises(trio.BrokenResourceError, match="nothing was heard"):
                await end.receive_some()
        assert trio.current_time() - began < SETTINGS.idle_s + 1


async def test_a_close_is_told_at_once_with_its_code_and_again_when_it_was_lost(autojump_clock: MockClock) -> None:
    """What the other end sends next is answered by the same goodbye."""
    net = LossyNet(4)
    for is_lost in (False, True):
        async with connected(net) as (dialled, accepted):
            here, _ = await streams_of(dialled, accepted)
            net.drops = (lambda data, sender, target: sender[0] == "10.0.0.2") if is_lost else None
            began = trio.current_time()
            accepted.close(42, "enough")
            net.drops = None
            if is_lost:
                await here.send_all(b"are you there?")
            with pytest.raises(trio.BrokenResourceError):
                await here.receive_some()
            assert dialled.ended is not None
            assert dialled.ended.error_code == 42
            assert "enough" not in dialled.why, "the other end's words are its own"
            assert trio.current_time() - began < 0.1
            for nothing in (dialled.open_stream, lambda: dialled.send_datagram(b"")):
                with pytest.raises(PeerError, match="CONNECTION_CLOSED"):
                    nothing()


async def test_what_was_delivered_is_readable_after_a_close(autojump_clock: MockClock) -> None:
    """To the last byte."""
    async with connected() as (dialled, accepted):
        here, there = await streams_of(dialled, accepted)
        await here.send_all(bytes(300_000))
        await here.send_eof()
        await here.wait_delivered()
        dialled.close()
        await trio.sleep(1)
        assert accepted.over
        assert sum([len(data) async for data in there]) == 300_000


async def test_nobody_at_a_place_is_said(autojump_clock: MockClock) -> None:
    """Where the network says nothing, when the time for a handshake is over."""
    async with two() as (client, _):
        began = trio.current_time()
        with pytest.raises(PeerError, match="nobody answers") as caught:
            await client.connect(("10.9.9.9", 9))
        assert caught.value.code == "UNREACHABLE"
        assert trio.current_time() - began == pytest.approx(HANDSHAKE_S, abs=0.1)
        assert not client.connections, "nothing is left behind"


async def test_a_failing_step_costs_one_connection(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a stranger's bytes provoke in aioquic."""
    async with two() as (client, server):
        first, second = await client.connect(server.place), await client.connect(server.place)
        broken, sound = await server.accept(), await server.accept()

        def fail(*_: object) -> None:
            raise RuntimeError("provoked")

        monkeypatch.setattr(broken.engine, "receive_datagram", fail)
        first.open_stream()
        here = first.open_stream()
        await here.send_all(b"poison")
        await trio.sleep(0.2)
        assert broken.over
        assert broken not in server.connections
        here, there = await streams_of(second, sound)
        await there.send_all(b"sound")
        assert await here.receive_some() == b"sound"


async def test_a_stopped_endpoint_tells_its_peers(autojump_clock: MockClock) -> None:
    """At once; who waits for a connection is told too."""
    net = LossyNet(5)
    async with open_endpoint(net.link("10.0.0.2"), SETTINGS, certificate=CERTIFICATE) as server:
        async with open_endpoint(net.link("10.0.0.1"), SETTINGS) as client:
            await client.connect(server.place)
            accepted = await server.accept()
        with pytest.raises(PeerError, match="CONNECTION_CLOSED"):
            await accepted.accept_stream()
        with pytest.raises(PeerError, match="stopped"):
            await client.accept()
        with pytest.raises(PeerError, match="stopped"):
            await client.connect(server.place)


async def test_time_does_not_stand_still(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """No timer comes back at the very instant it went off: aioquic's loss timer may, through rounding."""
    rounds: dict[float, int] = {}
    original = Endpoint._time_is_up

    def counted(self: Endpoint, connection: QuicConnection, now: float) -> None:
        rounds[now] = rounds.get(now, 0) + 1
        original(self, connection, now)

    monkeypatch.setattr(Endpoint, "_time_is_up", counted)
    async with connected(LossyNet(6, Conditions(loss=0.1))) as ends:
        here, there = await streams_of(*ends)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.send_all, bytes(300_000))
            received = 0
            while received < 300_000:
                received += len(await there.receive_some())
    assert max(rounds.values()) < 5


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_real_sockets_carry_a_stream_and_say_that_nobody_listens(host: str) -> None:
    """With the kernel's segmentation and without it."""
    gone = UdpLink(host)
    gone.close()
    for segments in (True, False):
        here, there = UdpLink(host), UdpLink(host)
        here._segments = here._segments and segments
        there._segments = there._segments and segments
        async with two(here=here, there=there) as (client, server):
            ends = await client.connect(server.place), await server.accept()
            one, other = await streams_of(*ends)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(one.send_all, bytes(400_000))
                received = 0
                while received < 400_000:
                    received += len(await other.receive_some())
            with trio.fail_after(HANDSHAKE_S / 2), pytest.raises(PeerError, match="nobody listens there"):
                await client.connect(gone.place)


async def test_a_closed_link_wakes_who_waits() -> None:
    """A socket and one in memory."""
    for link in (UdpLink("127.0.0.1"), LossyNet(1).link()):
        async with trio.open_nursery() as nursery:

            async def wait(link: Link = link) -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await link.wait()

            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            link.close()
