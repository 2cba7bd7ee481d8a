"""core.peers: who is dialled and let in, one connection a peer, and messages that never make their sender wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from metanode.core.identity import Identity, fresh_identity
from metanode.core.kernel import Node
from metanode.core.model.errors import SettingsError
from metanode.core.model.genesis import Genesis
from metanode.core.peer_queues import QUEUE_BOUNDS
from metanode.core.peers import RECONNECT_MAX_S, SETTLED_S, PeerChanged
from metanode.core.roles import SINGLE_ROLES
from metanode.core.settings import Settings
from metanode.core.testing.clock import SeededRandomness, VirtualClock
from metanode.core.testing.standins import stand_ins
from metanode.core.wire.frames import PAYLOAD_BYTES_MAX, FrameTooLarge, Lane
from metanode.plugins.transport.memory.network import LANE_FRAMES_MAX, End, MemoryNetwork
from metanode.plugins.transport.memory.transport import MemoryTransportPlugin


def identity_of(seed: int) -> Identity:
    return fresh_identity(SeededRandomness(seed))


def key_of(seed: int) -> bytes:
    return identity_of(seed).node.public_key


def address_of(name: str, seed: int) -> str:
    return f"memory:{name}#{key_of(seed).hex()}"


@asynccontextmanager
async def node(
    network: MemoryNetwork,
    name: str,
    seed: int,
    *,
    dial: Sequence[str] = (),
    allow: Sequence[bytes] = (),
    genesis: Genesis | None = None,
) -> AsyncIterator[Node]:
    """A node of stand-ins in a network."""
    peers = {"dial": list(dial), "allow": [key.hex() for key in allow]}
    settings = Settings.from_mapping({"roles": dict.fromkeys(SINGLE_ROLES, "standin"), "peers": peers})
    async with Node.open(
        settings,
        plugins=[*stand_ins(), MemoryTransportPlugin(network, name)],
        clock=VirtualClock(),
        randomness=SeededRandomness(100 + seed),
        identity=identity_of(seed),
        genesis=genesis,
    ) as opened:
        yield opened


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[Node, Node]]:
    """Node b dials node a; both are connected."""
    network = MemoryNetwork(SeededRandomness(9))
    async with (
        node(network, "a", 1) as a,
        node(network, "b", 2, dial=[address_of("a", 1)], genesis=a.genesis) as b,
    ):
        await wait_all_tasks_blocked()
        assert a.peers.connected() == (key_of(2),)
        assert b.peers.connected() == (key_of(1),)
        yield a, b


def metric(of: Node, name: str, **labels: str) -> float:
    """Read one metric."""
    shown = ",".join(f'{key}="{labels[key]}"' for key in sorted(labels))
    lines = of.metrics.exposition().splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name}{{{shown}}} " if labels else f"{name} ")]
    return float(line.rpartition(" ")[2])


async def test_what_is_sent_arrives_in_its_lane_with_its_sender(autojump_clock: MockClock) -> None:
    """To one, to all, in both directions."""
    async with pair() as (a, b):
        votes, blocks = a.peers.subscribe(Lane.VOTES), b.peers.subscribe(Lane.BLOCKS)
        b.peers.broadcast(Lane.VOTES, b"vote")
        assert a.peers.send(key_of(2), Lane.BLOCKS, b"block")
        assert await votes.receive() == (key_of(2), b"vote")
        assert await blocks.receive() == (key_of(1), b"block")
        assert not a.peers.send(bytes(32), Lane.BLOCKS, b"to nobody")
        assert metric(a, "peers_connected") == 1
        assert metric(b, "peer_bytes_total", lane="votes", way="out") == 4
        assert metric(a, "peer_bytes_total", lane="votes", way="in") == 4
        with pytest.raises(FrameTooLarge):
            a.peers.broadcast(Lane.BLOCKS, bytes(PAYLOAD_BYTES_MAX + 1))


async def test_what_nobody_subscribed_to_is_dropped_and_counted(autojump_clock: MockClock) -> None:
    """So is what arrives after a subscriber closed its channel."""
    async with pair() as (a, b):
        channel = a.peers.subscribe(Lane.SYNC)
        await channel.aclose()
        b.peers.broadcast(Lane.SYNC, b"for nobody")
        await wait_all_tasks_blocked()
        assert metric(a, "peer_drops_total", lane="sync", way="in") == 1
        with pytest.raises(trio.ClosedResourceError):
            await channel.receive()


async def test_a_slow_subscriber_loses_the_oldest_votes_and_the_newest_of_the_rest(autojump_clock: MockClock) -> None:
    """Its memory is bounded, and nobody waits for it."""
    async with pair() as (a, b):
        for lane in (Lane.VOTES, Lane.SYNC):
            bound, extra = QUEUE_BOUNDS[lane].messages_max, 7
            channel = a.peers.subscribe(lane)
            for number in range(bound + extra):
                b.peers.broadcast(lane, number.to_bytes(2, "big"))
                await wait_all_tasks_blocked()
            numbers = [int.from_bytes((await channel.receive())[1], "big") for _ in range(bound)]
            assert numbers == list(range(extra, bound + extra) if lane is Lane.VOTES else range(bound))
            assert metric(a, "peer_drops_total", lane=lane.name.lower(), way="in") == extra


async def test_sending_never_waits_and_what_a_connection_cannot_take_waits_in_order(autojump_clock: MockClock) -> None:
    """More than its lane holds, less than the peer's queue."""
    async with pair() as (a, b):
        total = LANE_FRAMES_MAX + QUEUE_BOUNDS[Lane.SYNC].messages_max
        channel = a.peers.subscribe(Lane.SYNC)
        sent = [b.peers.send(key_of(1), Lane.SYNC, number.to_bytes(2, "big")) for number in range(total + 3)]
        assert sent == [True] * total + [False] * 3
        assert metric(b, "peer_drops_total", lane="sync", way="out") == 3
        numbers = [int.from_bytes((await channel.receive())[1], "big") for _ in range(total)]
        assert numbers == list(range(total))
        assert b.peers.send(key_of(1), Lane.SYNC, b"more")


async def test_a_vote_for_a_peer_that_is_not_there_yet_waits_for_it(autojump_clock: MockClock) -> None:
    """Nodes that start one after the other need no second round; other lanes are asked for again."""
    network = MemoryNetwork(SeededRandomness(9))
    async with node(network, "b", 2, dial=[address_of("a", 1)]) as b:
        b.peers.broadcast(Lane.VOTES, b"early vote")
        assert not b.peers.send(key_of(1), Lane.BLOCKS, b"early block")
        async with node(network, "a", 1, genesis=b.genesis) as a:
            votes = a.peers.subscribe(Lane.VOTES)
            assert await votes.receive() == (key_of(2), b"early vote")


async def test_a_peer_that_goes_and_comes_back_is_reached_again(autojump_clock: MockClock) -> None:
    """Told on the bus and on the health page each time."""
    network = MemoryNetwork(SeededRandomness(9))
    async with node(network, "b", 2, dial=[address_of("a", 1)]) as b, b.bus.subscribe(PeerChanged) as changes:
        for _ in range(3):
            async with node(network, "a", 1, genesis=b.genesis) as a:
                with trio.fail_after(2 * RECONNECT_MAX_S):
                    assert await changes.__anext__() == PeerChanged(key_of(1), True)
                await wait_all_tasks_blocked()
                assert b.health.snapshot()["peers"] == (True, "1 connected")
                assert a.peers.connected() == (key_of(2),)
            assert await changes.__anext__() == PeerChanged(key_of(1), False)
            await trio.sleep(60)
            row = b.health.snapshot()["peers"]
            assert not row.ok
            assert row.detail.startswith(f"0 connected; not reached: {address_of('a', 1)} (error UNREACHABLE: nobody")
            assert a.peers.connected() == ()


class SlowNetwork(MemoryNetwork):
    """Takes a second to dial, so that two who start together dial at once."""

    async def dial(self, address: str) -> End:
        await trio.sleep(1)
        return await super().dial(address)


@pytest.mark.parametrize("network_class", [MemoryNetwork, SlowNetwork])
async def test_two_that_dial_each_other_keep_one_connection_and_lose_nothing(
    network_class: type[MemoryNetwork], autojump_clock: MockClock
) -> None:
    """Whoever starts first, and whatever they send meanwhile."""
    for first, second in ((1, 2), (2, 1)):
        network = network_class(SeededRandomness(9))
        names, seen = {1: "a", 2: "b"}, 0
        async with node(network, names[first], first, dial=[address_of(names[second], second)]) as one:
            addresses = [address_of(names[number], number) for number in (1, 2)]  # its own is skipped
            async with node(network, names[second], second, dial=addresses, genesis=one.genesis) as two:
                channels = one.peers.subscribe(Lane.VOTES), two.peers.subscribe(Lane.VOTES)
                for number in range(100):
                    one.peers.broadcast(Lane.VOTES, bytes([number]))
                    two.peers.broadcast(Lane.VOTES, bytes([number]))
                    await trio.sleep(0.05)
                    seen = max(seen, len(one.roles.many("transport")["memory"]._connections))
                assert seen == (2 if network_class is SlowNetwork else 1)
                for channel, sender in zip(channels, (second, first), strict=True):
                    received = [await channel.receive() for _ in range(100)]
                    assert sorted(received) == [(key_of(sender), bytes([number])) for number in range(100)]
                await trio.sleep(2 * SETTLED_S)
                for at in (one, two):
                    transport = at.roles.many("transport")["memory"]
                    assert len(transport._connections) == 1, "the second was closed by who dialled it"
                    assert metric(at, "peers_connected") == 1


async def test_only_who_is_allowed_may_connect(autojump_clock: MockClock) -> None:
    """Those that are dialled are; a stranger is told why in words, and tries ever less often."""
    network = MemoryNetwork(SeededRandomness(9))
    async with (
        node(network, "a", 1, allow=[key_of(2)]) as a,
        node(network, "b", 2, dial=["memory:a"], genesis=a.genesis) as b,
        node(network, "c", 3, dial=["memory:a"], genesis=a.genesis) as c,
    ):
        await trio.sleep(30)
        assert a.peers.connected() == (key_of(2),)
        assert b.peers.connected() == (key_of(1),)
        assert c.peers.connected() == ()
        assert not c.health.snapshot()["peers"].ok


async def test_a_wrong_table_is_refused_at_start() -> None:
    """An address or key of another form, and a transport that the node does not run."""
    for table, words in (
        ({"dial": ["nowhere"]}, "'nowhere' is no address"),
        ({"allow": ["abc"]}, "'abc' is no node key"),
        ({"dail": []}, "no key"),
    ):
        with pytest.raises(SettingsError, match=words):
            Settings.from_mapping({"roles": dict.fromkeys(SINGLE_ROLES, "standin"), "peers": table})
    network = MemoryNetwork(SeededRandomness(9))
    with pytest.raises(SettingsError, match="needs transport 'noise', which this node does not run"):
        async with node(network, "a", 1, dial=[f"noise:127.0.0.1:1#{key_of(2).hex()}"]):
            pytest.fail("the node has not started")


async def test_one_noisy_peer_costs_another_nothing(autojump_clock: MockClock) -> None:
    """Each peer has its own share of a subscriber's queue, and they take turns."""
    network = MemoryNetwork(SeededRandomness(9))
    async with (
        node(network, "a", 1) as a,
        node(network, "b", 2, dial=["memory:a"], genesis=a.genesis) as b,
        node(network, "c", 3, dial=["memory:a"], genesis=a.genesis) as c,
    ):
        await wait_all_tasks_blocked()
        channel = a.peers.subscribe(Lane.TRANSACTIONS)
        for _ in range(600):
            b.peers.broadcast(Lane.TRANSACTIONS, b"noise")
            await trio.lowlevel.checkpoint()
        c.peers.broadcast(Lane.TRANSACTIONS, b"rare")
        await wait_all_tasks_blocked()
        assert (key_of(3), b"rare") in [await channel.receive() for _ in range(2)]
