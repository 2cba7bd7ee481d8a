"""transport.memory beyond the contract of its role (`test_contract`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from metanode.core.hooks import PluginContext
from metanode.core.kernel import Node
from metanode.core.model.errors import PeerError, SettingsError
from metanode.core.roles import SINGLE_ROLES
from metanode.core.settings import Settings
from metanode.core.testing.clock import SeededRandomness
from metanode.core.testing.contexts import context_of
from metanode.core.testing.contracts import running
from metanode.core.testing.standins import stand_ins
from metanode.core.wire.frames import PAYLOAD_BYTES_MAX, FrameTooLarge, Lane
from metanode.plugins.transport.memory.network import BACKLOG_MAX, LANE_FRAMES_MAX, MemoryNetwork
from metanode.plugins.transport.memory.transport import MemoryConnection, MemoryTransport


@asynccontextmanager
async def node_at(
    network: MemoryNetwork, address: str, seed: int, beside: PluginContext | None = None
) -> AsyncIterator[tuple[PluginContext, MemoryTransport]]:
    """A transport with a place in the network, on the chain of `beside` where one is given."""
    context = context_of("transport.memory", seed=seed, genesis=None if beside is None else beside.genesis)
    transport = MemoryTransport(context, network, address)
    async with running(transport):
        yield context, transport


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[MemoryConnection, MemoryConnection]]:
    """Two connected ends."""
    network = MemoryNetwork(SeededRandomness(9))
    async with node_at(network, "a", 1) as (a, at_a), node_at(network, "b", 2, a) as (_, at_b):
        dialled, accepted = await at_b.connect("memory:a"), await at_a.accept()
        assert isinstance(dialled, MemoryConnection)
        assert isinstance(accepted, MemoryConnection)
        yield dialled, accepted


async def test_a_lower_lane_overtakes() -> None:
    """A vote does not wait behind a load of transactions."""
    async with pair() as (dialled, accepted):
        await dialled.send(Lane.TRANSACTIONS, b"t")
        await dialled.send(Lane.BLOCKS, b"b")
        await dialled.send(Lane.CONTROL, b"c")
        assert [lane for lane, _ in [await accepted.receive() for _ in range(3)]] == [0, 2, 4]


async def test_a_full_lane_makes_its_sender_wait_and_no_other(autojump_clock: MockClock) -> None:
    """Memory is bounded per lane."""
    async with pair() as (dialled, accepted):
        for _ in range(LANE_FRAMES_MAX):
            await dialled.send(Lane.TRANSACTIONS, b"t")
        with trio.move_on_after(5) as waiting:
            await dialled.send(Lane.TRANSACTIONS, b"one too many")
        assert waiting.cancelled_caught
        await dialled.send(Lane.VOTES, b"v")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dialled.send, Lane.TRANSACTIONS, b"last")
            await wait_all_tasks_blocked()
            assert (await accepted.receive())[0] == Lane.VOTES
            received = [(await accepted.receive())[1] for _ in range(LANE_FRAMES_MAX + 1)]
        assert received == [b"t"] * LANE_FRAMES_MAX + [b"last"]


async def test_a_frame_that_is_too_large_is_refused_at_home() -> None:
    """It never enters the lane."""
    async with pair() as (dialled, _):
        with pytest.raises(FrameTooLarge):
            await dialled.send(Lane.BLOCKS, bytes(PAYLOAD_BYTES_MAX + 1))
        with pytest.raises(ValueError, match="not a valid Lane"):
            await dialled.send(9, b"")


async def test_an_address_may_name_the_key_it_expects() -> None:
    """`memory:name#nodekey`: another node behind the name is refused."""
    network = MemoryNetwork(SeededRandomness(9))
    async with node_at(network, "a", 1) as (a, _), node_at(network, "b", 2, a) as (_, at_b):
        connection = await at_b.connect(f"memory:a#{a.identity.node.public_key.hex()}")
        assert connection.peer == a.identity.node.public_key
        with pytest.raises(PeerError) as caught:
            await at_b.connect(f"memory:a#{bytes(32).hex()}")
        assert caught.value.code == "WRONG_PEER"
        for address in ("memory:a#xyz", "memory:a#00", "a", "noise:a"):
            with pytest.raises(PeerError, match="is no address|not for transport") as caught:
                await at_b.connect(address)
            assert caught.value.code == "UNREACHABLE"


async def test_nothing_but_hello_comes_before_the_hello() -> None:
    """A frame of another lane, or noise, ends the connection."""
    network = MemoryNetwork(SeededRandomness(9))
    async with node_at(network, "a", 1):
        for lane, payload in ((Lane.SYNC, bytes(32)), (Lane.CONTROL, b"noise")):
            end = await network.dial("a")
            await end.send(lane, payload)
            with pytest.raises(PeerError, match="CONNECTION_CLOSED"):
                await end.receive()


async def test_a_silent_peer_is_given_up(autojump_clock: MockClock) -> None:
    """On the listening side and on the dialling side."""
    network = MemoryNetwork(SeededRandomness(9))
    async with node_at(network, "a", 1) as (_, at_a):
        end = await network.dial("a")
        with pytest.raises(PeerError, match="CONNECTION_CLOSED"):
            await end.receive()
        network.listen("mute")
        with pytest.raises(PeerError, match="no hello within 10 s") as caught:
            await at_a.connect("memory:mute")
        assert caught.value.code == "TIMEOUT"


async def test_nobody_at_an_address_is_said_at_once() -> None:
    """Unknown, closed, or with too many already waiting."""
    network = MemoryNetwork()
    with pytest.raises(PeerError, match="nobody listens"):
        await network.dial("x")
    links = network.listen("x")
    with pytest.raises(PeerError, match="is taken"):
        network.listen("x")
    for _ in range(BACKLOG_MAX):
        await network.dial("x")
    with pytest.raises(PeerError, match="connections wait"):
        await network.dial("x")
    links.close()
    with pytest.raises(PeerError, match="is closing"):
        await network.dial("x")


async def test_a_stopped_node_closes_its_connections_and_frees_its_address() -> None:
    """Its peers learn of it, and it can come back."""
    network = MemoryNetwork(SeededRandomness(9))
    async with node_at(network, "a", 1) as (a, at_a):
        async with node_at(network, "b", 2, a) as (_, at_b):
            await at_b.connect("memory:a")
            accepted = await at_a.accept()
        with pytest.raises(PeerError, match="CONNECTION_CLOSED"):
            await accepted.receive()
        with pytest.raises(PeerError, match="the transport has stopped"):
            await at_b.accept()
        async with node_at(network, "b", 2, a):
            pass


async def test_selected_by_settings_alone_it_says_what_it_needs() -> None:
    """A network lives in a program; text cannot name it."""
    roles = {**dict.fromkeys(SINGLE_ROLES, "standin"), "transport": ["memory"]}
    with pytest.raises(SettingsError, match="no network was passed"):
        async with Node.open(Settings.from_mapping({"roles": roles}), plugins=stand_ins()):
            pytest.fail("the node has not started")
