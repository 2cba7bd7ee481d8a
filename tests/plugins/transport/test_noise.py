"""transport.noise beyond the contract of its role: strangers, slow ones and dead ones, on real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from metanode.core.hooks import PluginContext
from metanode.core.model.errors import PeerError, PluginError, SettingsError
from metanode.core.roles import Connection
from metanode.core.testing.contexts import context_of
from metanode.core.testing.contracts import running
from metanode.core.wire.frames import Lane
from metanode.plugins.transport._shared.admission import (
    HANDSHAKES_MAX,
    HANDSHAKES_PER_ADDRESS_MAX,
    Admission,
    network_of,
)
from metanode.plugins.transport.noise.connection import KEEP_ALIVE_S, SILENCE_S, STALL_S
from metanode.plugins.transport.noise.plugin import register_transport
from metanode.plugins.transport.noise.transport import PHASE_TIMEOUT_S, NoiseTransport


@asynccontextmanager
async def node(
    seed: int, beside: PluginContext | None = None, **settings: object
) -> AsyncIterator[tuple[PluginContext, NoiseTransport]]:
    """A transport on the loopback interface."""
    given = {"listen": ("127.0.0.1:0",), "connections_max": 256, "connections_per_address_max": 64, **settings}
    genesis = None if beside is None else beside.genesis
    context = context_of("transport.noise", seed=seed, genesis=genesis, **given)
    transport = register_transport(context)
    assert isinstance(transport, NoiseTransport)
    async with running(transport):
        yield context, transport


def port_of(transport: NoiseTransport) -> int:
    return int(transport.addresses[0].partition("#")[0].rpartition(":")[2])


def outcomes(context: PluginContext) -> dict[str, float]:
    """Inbound handshakes by outcome."""
    lines = [line for line in context.metrics.exposition().splitlines() if line.startswith("noise_handshakes_total{")]
    return {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in lines}


async def test_a_silent_and_a_slow_stranger_are_cut_off(autojump_clock: MockClock) -> None:
    """One says nothing; one sends a byte a second, which is an honest handshake for ever."""
    async with node(1) as (context, transport):
        began = trio.current_time()
        silent = await trio.open_tcp_stream("127.0.0.1", port_of(transport))
        assert await silent.receive_some(1) == b""
        assert trio.current_time() - began == pytest.approx(PHASE_TIMEOUT_S, abs=0.1)
        slow = await trio.open_tcp_stream("127.0.0.1", port_of(transport))
        sent = await _send_slowly(slow, b"mn\x01\x00\x00\x20" + bytes(32))
        assert sent <= PHASE_TIMEOUT_S + 2
        for stranger in (silent, slow):
            await stranger.aclose()
        assert outcomes(context) == {"failed": 2}


async def _send_slowly(stream: trio.SocketStream, data: bytes) -> int:
    """Send a byte a second; return how many were taken before the other end closed."""
    for sent, byte in enumerate(data):
        try:
            await stream.send_all(bytes([byte]))
        except trio.BrokenResourceError:
            return sent
        await trio.sleep(1)
    return len(data)


async def test_a_dialler_gives_a_mute_listener_up(autojump_clock: MockClock) -> None:
    """It takes the connection and never answers."""
    async with node(1) as (_, transport), trio.open_nursery() as nursery:
        (mute,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        with pytest.raises(PeerError, match="no whole handshake within 5 s") as caught:
            await transport.connect(f"noise:127.0.0.1:{mute.socket.getsockname()[1]}")
        assert caught.value.code == "TIMEOUT"
        await mute.aclose()
        nursery.cancel_scope.cancel()


async def test_a_listener_that_closes_is_said_in_words() -> None:
    """The reasons a responder may have are in the cure."""
    async with node(1) as (_, transport), trio.open_nursery() as nursery:

        async def close(stream: trio.SocketStream) -> None:
            await stream.receive_some(4)
            await stream.aclose()

        (rude,) = await nursery.start(partial(trio.serve_tcp, close, 0, host="127.0.0.1"))
        with pytest.raises(PeerError) as caught:
            await transport.connect(f"noise:127.0.0.1:{rude.socket.getsockname()[1]}")
        assert caught.value.code == "HANDSHAKE_FAILED"
        assert "a node of this chain" in caught.value.expected
        nursery.cancel_scope.cancel()


async def test_an_idle_connection_stays(autojump_clock: MockClock) -> None:
    """Keep-alives go both ways; they are no messages."""
    async with node(1) as (a, at_a), node(2, a) as (_, at_b):
        dialled, accepted = await at_b.connect(at_a.addresses[0]), await at_a.accept()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accepted.receive)
            with trio.move_on_after(10 * SILENCE_S) as hour:
                await dialled.receive()
            assert hour.cancelled_caught
            await dialled.send(Lane.SYNC, b"still here")


@asynccontextmanager
async def through_a_relay(transport: NoiseTransport) -> AsyncIterator[tuple[str, trio.Event]]:
    """A place that passes every byte on to `transport` until the event is set; then it takes all and passes none."""
    hang = trio.Event()

    async def copy(source: trio.SocketStream, target: trio.SocketStream) -> None:
        async for data in source:
            if not hang.is_set():
                await target.send_all(data)

    async def relay(stream: trio.SocketStream) -> None:
        onward = await trio.open_tcp_stream("127.0.0.1", port_of(transport))
        async with onward, trio.open_nursery() as both:
            both.start_soon(copy, stream, onward)
            both.start_soon(copy, onward, stream)

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, relay, 0, host="127.0.0.1"))
        yield f"noise:127.0.0.1:{listener.socket.getsockname()[1]}", hang
        nursery.cancel_scope.cancel()


async def _told(end: Connection, into: list[str]) -> None:
    with pytest.raises(PeerError) as caught:
        await end.receive()
    assert caught.value.code == "CONNECTION_CLOSED"
    into.append(caught.value.message)


async def test_a_half_open_connection_is_noticed_by_both_ends(autojump_clock: MockClock) -> None:
    """The line swallows everything, as it does when a cable is cut: no end is told by the system."""
    async with node(1) as (a, at_a), node(2, a) as (_, at_b), through_a_relay(at_a) as (address, hang):
        ends = await at_b.connect(address), await at_a.accept()
        hang.set()
        began, told = trio.current_time(), list[str]()
        async with trio.open_nursery() as nursery:
            for end in ends:
                nursery.start_soon(_told, end, told)
        assert told == [f"nothing was heard for {SILENCE_S:g} s"] * 2
        assert trio.current_time() - began <= SILENCE_S + KEEP_ALIVE_S


async def test_an_end_that_takes_nothing_is_given_up(autojump_clock: MockClock) -> None:
    """It keeps the connection, reads nothing, and the lanes are full."""
    async with node(1) as (a, at_a), node(2, a) as (_, at_b):
        dialled = await at_b.connect(at_a.addresses[0])
        await at_a.accept()
        began = trio.current_time()

        async def send_for_ever() -> None:
            while True:
                await dialled.send(Lane.SYNC, bytes(100_000))

        with pytest.raises(PeerError, match="takes nothing for 30 s"):
            await send_for_ever()
        assert trio.current_time() - began <= STALL_S + KEEP_ALIVE_S


async def test_an_altered_byte_on_the_way_closes_the_connection() -> None:
    """The end that sees it says that the other broke the rules."""
    async with node(1) as (a, at_a), node(2, a) as (_, at_b), trio.open_nursery() as nursery:
        flip = False

        async def copy(source: trio.SocketStream, target: trio.SocketStream, flips: bool) -> None:
            async for data in source:
                await target.send_all(bytes(data[:-1]) + bytes([data[-1] ^ (flips and flip)]))

        async def relay(stream: trio.SocketStream) -> None:
            onward = await trio.open_tcp_stream("127.0.0.1", port_of(at_a))
            async with onward, trio.open_nursery() as both:
                both.start_soon(copy, stream, onward, True)
                both.start_soon(copy, onward, stream, False)

        (listener,) = await nursery.start(partial(trio.serve_tcp, relay, 0, host="127.0.0.1"))
        dialled = await at_b.connect(f"noise:127.0.0.1:{listener.socket.getsockname()[1]}")
        accepted = await at_a.accept()
        flip = True
        await dialled.send(Lane.SYNC, b"altered on the way")
        nursery.start_soon(_told, dialled, [])
        with pytest.raises(PeerError) as caught:
            await accepted.receive()
        assert caught.value.code == "BAD_RECORD"
        with pytest.raises(PeerError, match="does not verify"):
            await accepted.receive()
        nursery.cancel_scope.cancel()


async def test_too_many_connections_are_refused_and_room_comes_back() -> None:
    """Per address and in all, the dialled ones counted; a refused stranger costs no computing."""
    async with node(1, connections_max=3, connections_per_address_max=2) as (a, at_a), node(2, a) as (_, at_b):
        held = [await at_b.connect(at_a.addresses[0]) for _ in range(2)]
        with pytest.raises(PeerError) as caught:
            await at_b.connect(at_a.addresses[0])
        assert caught.value.code == "HANDSHAKE_FAILED"
        assert outcomes(a) == {"done": 2, "refused": 1}
        await at_a.connect(at_b.addresses[0])
        with pytest.raises(PeerError, match="holds as many connections"):
            await at_a.connect(at_b.addresses[0])
        accepted = await at_a.accept()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(held[0].aclose)
            nursery.start_soon(_told, accepted, [])
        await at_b.connect(at_a.addresses[0])


def test_handshakes_under_way_are_bounded() -> None:
    """In all and for one address, before anything is computed."""
    admission = Admission(1000, 500)
    under_way = [admission.handshake("1.2.3.4") for _ in range(HANDSHAKES_PER_ADDRESS_MAX)]
    for one in under_way:
        one.__enter__()
    assert "from 1.2.3.4 are under way" in admission.refusal("1.2.3.4")
    assert admission.refusal("5.6.7.8") == ""
    others = [admission.handshake(f"9.9.9.{number}") for number in range(HANDSHAKES_MAX - HANDSHAKES_PER_ADDRESS_MAX)]
    for one in others:
        one.__enter__()
    assert f"{HANDSHAKES_MAX} handshakes" in admission.refusal("5.6.7.8")
    for one in under_way + others:
        one.__exit__(None, None, None)
    assert admission.refusal("1.2.3.4") == ""
    assert not admission._under_way, "a count of nothing takes no memory"


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.5", "203.0.113.5"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.5", "203.0.113.5"), ("a socket", "a socket"),
    ],
)  # fmt: skip
def test_one_owner_is_one_ipv4_address_or_one_64(host: str, network: str) -> None:
    """Whoever holds a /64 has 2^64 addresses."""
    assert network_of(host) == network


async def test_it_listens_on_both_families_at_once_or_on_none() -> None:
    """An empty list reaches others and is reached by nobody."""
    async with node(1, listen=("127.0.0.1:0", "[::1]:0")) as (a, at_a), node(2, a, listen=()) as (b, at_b):
        assert at_b.addresses == ()
        assert [address.partition("#")[0].rpartition(":")[0] for address in at_a.addresses] == [
            "noise:127.0.0.1", "noise:[::1]"
        ]
        for address in at_a.addresses:
            await at_b.connect(address)
            assert (await at_a.accept()).peer == b.identity.node.public_key


async def test_a_place_that_cannot_be_is_said_at_start() -> None:
    """One that has another form, one that is taken."""
    with pytest.raises(SettingsError, match=r"\[plugins.transport.noise\] listen: 'here' is no place"):
        async with node(1, listen=("here",)):
            pytest.fail("the transport has not started")
    async with node(1) as (a, at_a):
        taken = f"127.0.0.1:{port_of(at_a)}"
        settings = {"listen": (taken,), "connections_max": 1, "connections_per_address_max": 1}
        transport = register_transport(context_of("transport.noise", seed=2, genesis=a.genesis, **settings))
        with pytest.raises(PluginError, match=f"cannot listen on {taken}: Address already in use"):
            await transport.run(task_status=trio.TASK_STATUS_IGNORED)


@pytest.mark.parametrize("bad", [f"noise:127.0.0.1#{'00' * 32}", f"noise:127.0.0.1:1#{'02' * 32}"])
async def test_an_address_that_leads_nowhere_is_refused_before_dialling(bad: str) -> None:
    """No port, or a key that is none."""
    async with node(1) as (_, transport):
        with pytest.raises(PeerError) as caught:
            await transport.connect(bad)
        assert caught.value.code in ("UNREACHABLE", "WRONG_PEER")


async def test_sixteen_handshakes_at_once_all_succeed() -> None:
    """And each is its own connection."""
    async with node(1) as (a, at_a), node(2, a) as (_, at_b):
        made: list[Connection] = []

        async def dial() -> None:
            made.append(await at_b.connect(at_a.addresses[0]))

        async with trio.open_nursery() as nursery:
            for _ in range(16):
                nursery.start_soon(dial)
        for number, connection in enumerate(made):
            await connection.send(Lane.SYNC, bytes([number]))
        received = {(await (await at_a.accept()).receive())[1] for _ in range(16)}
        assert received == {bytes([number]) for number in range(16)}
