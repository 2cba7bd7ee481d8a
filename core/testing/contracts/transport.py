"""What every transport must do: see `metanode.core.roles.Transport`.

A factory is called with a plugin's context and a name, and gives a transport that does not run yet and a function
that tells its address, without a node key, once it runs.  All transports of one factory can reach each other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio
from trio.testing import wait_all_tasks_blocked

from metanode.core.hooks import PluginContext
from metanode.core.model.errors import MetanodeError, PeerError
from metanode.core.model.genesis import Genesis
from metanode.core.roles import Connection, Transport
from metanode.core.testing.contexts import context_of
from metanode.core.testing.contracts import refused, running
from metanode.core.wire.frames import PAYLOAD_BYTES_MAX, Lane
from metanode.core.wire.secure import REASONS, CloseReason

Factory = Callable[[PluginContext, str], tuple[Transport, Callable[[], str]]]

MESSAGES_MAX = 5_000
"""No lane of any transport holds so many messages of LOAD_BYTES."""
LOAD_BYTES = 64 * 1024
PATIENCE_S = 30.0
"""How long a check waits for what must happen, seconds."""


@dataclass
class Place:
    """A transport that runs, and whose it is."""

    transport: Transport
    context: PluginContext
    address: str
    """Without the node key."""

    @property
    def key(self) -> bytes:
        """Its node key."""
        return self.context.identity.node.public_key


@asynccontextmanager
async def place(factory: Factory, name: str, seed: int, genesis: Genesis | None = None) -> AsyncIterator[Place]:
    """Run a transport around the block."""
    context = context_of("transport.checked", seed=seed, genesis=genesis)
    transport, address = factory(context, name)
    async with running(transport):
        yield Place(transport, context, address())


@asynccontextmanager
async def pair(factory: Factory) -> AsyncIterator[tuple[Connection, Connection]]:
    """Two connected ends: the one that dialled, the one that accepted."""
    with trio.fail_after(2 * PATIENCE_S):
        async with place(factory, "a", 1) as a, place(factory, "b", 2, a.context.genesis) as b:
            dialled = await b.transport.connect(f"{a.address}#{a.key.hex()}")
            accepted = await a.transport.accept()
            assert (dialled.peer, accepted.peer) == (a.key, b.key)
            yield dialled, accepted
            async with trio.open_nursery() as nursery:  # together: neither has to wait for an end that does not read
                nursery.start_soon(dialled.aclose)
                nursery.start_soon(accepted.aclose)


async def both_ends_know_each_other_and_messages_arrive_in_order(factory: Factory) -> None:
    """In both directions, with and without a node key in the address."""
    async with place(factory, "a", 1) as a, place(factory, "b", 2, a.context.genesis) as b:
        for address in (a.address, f"{a.address}#{a.key.hex()}"):
            dialled, accepted = await b.transport.connect(address), await a.transport.accept()
            assert (dialled.peer, accepted.peer) == (a.key, b.key)
            for number in range(50):
                await dialled.send(Lane.SYNC, bytes([number]))
                await accepted.send(Lane.VOTES, bytes([number]))
            assert [await accepted.receive() for _ in range(50)] == [(3, bytes([n])) for n in range(50)]
            assert [await dialled.receive() for _ in range(50)] == [(1, bytes([n])) for n in range(50)]


async def fill(connection: Connection, lane: Lane) -> int:
    """Send numbered messages until a sender has to wait; return how many were taken."""
    count = 0
    while True:
        with trio.move_on_after(0.1) as waiting:
            await connection.send(lane, count.to_bytes(4, "big") + bytes(LOAD_BYTES))
        if waiting.cancelled_caught:
            return count
        count += 1
        assert count < MESSAGES_MAX, "no lane is without bounds"


async def a_full_lane_makes_its_sender_wait_and_no_other_lane(factory: Factory) -> None:
    """Memory is bounded per lane; what was queued arrives, in order, once the other end reads."""
    async with pair(factory) as (dialled, accepted):
        count = await fill(dialled, Lane.TRANSACTIONS)
        assert dialled.send_nowait(Lane.VOTES, b"vote")
        lanes: list[int] = []
        numbers: list[int] = []
        while len(lanes) <= count:
            lane, payload = await accepted.receive()
            lanes.append(lane)
            if lane == Lane.TRANSACTIONS:
                numbers.append(int.from_bytes(payload[:4], "big"))
        assert numbers == list(range(count))
        assert Lane.VOTES in lanes[:-1], "a vote must not wait behind transactions"


async def a_sender_that_waited_goes_on_when_there_is_room(factory: Factory) -> None:
    """Nothing is lost and nothing comes twice."""
    async with pair(factory) as (dialled, accepted):
        total = await fill(dialled, Lane.SYNC) + 20

        async def send_the_rest() -> None:
            for number in range(total - 20, total):
                await dialled.send(Lane.SYNC, number.to_bytes(4, "big") + bytes(LOAD_BYTES))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_the_rest)
            received = [int.from_bytes((await accepted.receive())[1][:4], "big") for _ in range(total)]
        assert received == list(range(total))


async def the_largest_message_arrives_and_one_byte_more_is_refused(factory: Factory) -> None:
    """Whole, also while other lanes talk; what is refused never leaves."""
    async with pair(factory) as (dialled, accepted):
        largest = bytes(range(256)) * (PAYLOAD_BYTES_MAX // 256)
        await dialled.send(Lane.BLOCKS, largest)
        await dialled.send(Lane.VOTES, b"vote")
        received = dict([await accepted.receive(), await accepted.receive()])
        assert received == {Lane.BLOCKS: largest, Lane.VOTES: b"vote"}
        with refused("TOO_LARGE"):
            await dialled.send(Lane.BLOCKS, largest + b"x")
        await dialled.send(Lane.BLOCKS, b"")
        assert await accepted.receive() == (Lane.BLOCKS, b"")


async def what_was_sent_before_a_close_is_still_read(factory: Factory) -> None:
    """Whichever side closes; then both are told that the connection is closed."""
    for dialler_closes in (True, False):
        async with pair(factory) as ends:
            closing, reading = ends if dialler_closes else ends[::-1]
            for number in range(20):
                await closing.send(Lane.SYNC, bytes([number]) * 10_000)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(closing.aclose)
                for number in range(20):
                    assert await reading.receive() == (Lane.SYNC, bytes([number]) * 10_000)
                with refused("CONNECTION_CLOSED"):
                    await reading.receive()
            for end in ends:
                with refused("CONNECTION_CLOSED"):
                    await end.receive()
                with refused("CONNECTION_CLOSED"):
                    await end.send(Lane.SYNC, b"more")
                assert not end.send_nowait(Lane.SYNC, b"more")
                await end.aclose()


async def the_reason_of_a_close_is_told(factory: Factory) -> None:
    """In words, to the end that did not close."""
    async with pair(factory) as (dialled, accepted):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accepted.aclose, CloseReason.NOT_ALLOWED.name)
            told = await _told_when_closed(dialled)
        assert REASONS[CloseReason.NOT_ALLOWED] in told, told


async def _told_when_closed(connection: Connection) -> str:
    try:
        await connection.receive()
    except PeerError as error:
        return error.message
    return "nothing"


async def a_close_wakes_who_waits(factory: Factory) -> None:
    """A receiver and a sender on a full lane, at both ends."""
    async with pair(factory) as (dialled, accepted):
        woken: list[str] = []

        async def expect_close(what: str, wait: Callable[[], Awaitable[object]]) -> None:
            with refused("CONNECTION_CLOSED"):
                for _ in range(MESSAGES_MAX):
                    await wait()
            woken.append(what)

        await fill(dialled, Lane.SYNC)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect_close, "send", lambda: dialled.send(Lane.SYNC, bytes(LOAD_BYTES)))
            nursery.start_soon(expect_close, "receive", dialled.receive)
            await wait_all_tasks_blocked(0.05)
            nursery.start_soon(dialled.aclose)
        assert sorted(woken) == ["receive", "send"]


async def a_cancelled_receive_loses_nothing(factory: Factory) -> None:
    """A caller may give up waiting and ask again."""
    async with pair(factory) as (dialled, accepted):
        for number in range(30):
            with trio.move_on_after(0.002):
                await accepted.receive()
                raise AssertionError("nothing was sent yet")
            await dialled.send(Lane.SYNC, bytes([number]))
            assert await accepted.receive() == (Lane.SYNC, bytes([number]))


async def a_node_with_another_key_is_refused(factory: Factory) -> None:
    """The address names the key; the listener goes on."""
    async with place(factory, "a", 1) as a, place(factory, "b", 2, a.context.genesis) as b:
        with trio.fail_after(PATIENCE_S), refused("WRONG_PEER", "HANDSHAKE_FAILED"):
            await b.transport.connect(f"{a.address}#{b.key.hex()}")
        await b.transport.connect(a.address)
        assert (await a.transport.accept()).peer == b.key


async def a_node_of_another_chain_is_refused(factory: Factory) -> None:
    """On both sides, with and without a key in the address; the listener goes on."""
    async with place(factory, "a", 1) as a, place(factory, "c", 3) as stranger:
        for address in (a.address, f"{a.address}#{a.key.hex()}"):
            with trio.fail_after(PATIENCE_S), refused("HANDSHAKE_FAILED", "INVALID_SIGNATURE", "WRONG_CHAIN"):
                await stranger.transport.connect(address)
        async with place(factory, "b", 2, a.context.genesis) as b:
            await b.transport.connect(a.address)
            assert (await a.transport.accept()).peer == b.key


async def an_address_where_nobody_listens_is_refused(factory: Factory) -> None:
    """So is one of another transport, and one that is none."""
    async with place(factory, "a", 1) as a:
        async with place(factory, "b", 2, a.context.genesis) as b:
            gone = b.address
        for address in (gone, "elsewhere:place", a.address.partition(":")[2], ""):
            with trio.fail_after(PATIENCE_S), refused("UNREACHABLE"):
                await a.transport.connect(address)


async def a_cancelled_connect_leaves_nothing_behind(factory: Factory) -> None:
    """Wherever it is cancelled, the listener goes on and the next try succeeds."""
    async with place(factory, "a", 1) as a, place(factory, "b", 2, a.context.genesis) as b:
        made: list[Connection] = []

        async def dial() -> None:
            made.append(await b.transport.connect(a.address))

        for checkpoints in range(8):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(dial)
                    for _ in range(checkpoints):
                        await trio.lowlevel.checkpoint()
                    scope.cancel()
        for connection in made:  # it came about before it was cancelled
            await connection.aclose()
        dialled = await b.transport.connect(a.address)
        await dialled.send(Lane.SYNC, b"still here")
        with trio.fail_after(PATIENCE_S):
            while True:  # those that were cancelled late were accepted, and closed
                accepted = await a.transport.accept()
                try:
                    assert await accepted.receive() == (Lane.SYNC, b"still here")
                    break
                except MetanodeError:
                    continue


async def a_transport_that_stops_closes_its_connections(factory: Factory) -> None:
    """Its peers learn of it at once, and who waits for a connection does too."""
    with trio.fail_after(PATIENCE_S):
        async with place(factory, "a", 1) as a:
            async with place(factory, "b", 2, a.context.genesis) as b:
                await b.transport.connect(a.address)
                accepted = await a.transport.accept()
            with refused("CONNECTION_CLOSED"):
                await accepted.receive()
            with refused("CONNECTION_CLOSED"):
                await b.transport.accept()
            with refused("CONNECTION_CLOSED", "UNREACHABLE"):
                await b.transport.connect(b.address)


CHECKS = (
    both_ends_know_each_other_and_messages_arrive_in_order,
    a_full_lane_makes_its_sender_wait_and_no_other_lane,
    a_sender_that_waited_goes_on_when_there_is_room,
    the_largest_message_arrives_and_one_byte_more_is_refused,
    what_was_sent_before_a_close_is_still_read,
    the_reason_of_a_close_is_told,
    a_close_wakes_who_waits,
    a_cancelled_receive_loses_nothing,
    a_node_with_another_key_is_refused,
    a_node_of_another_chain_is_refused,
    an_address_where_nobody_listens_is_refused,
    a_cancelled_connect_leaves_nothing_behind,
    a_transport_that_stops_closes_its_connections,
)
