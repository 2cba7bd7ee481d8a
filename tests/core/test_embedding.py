"""Whole nodes inside other programs: ten lines of trio, two nodes in one process, and asyncio as host."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from metanode.core.bus import BlockFinalized
from metanode.core.kernel import Node
from metanode.core.model.errors import MetanodeError
from metanode.core.peer_settings import PeersSettings
from metanode.core.settings import Settings
from metanode.core.testing.clock import SeededRandomness, VirtualClock
from metanode.core.testing.standins import bare_settings, stand_in, stand_ins
from metanode.core.wire.address import Address
from metanode.core.wire.frames import Lane
from metanode.plugins.transport.memory.network import MemoryNetwork
from metanode.plugins.transport.memory.transport import MemoryTransportPlugin


async def test_a_whole_node_takes_ten_lines(autojump_clock: MockClock) -> None:
    """A devnet of one in memory makes blocks and tells of them; its supply is what genesis gave."""
    async with Node.open(Settings.devnet(), clock=VirtualClock(), randomness=SeededRandomness(1)) as node:
        async with node.bus.subscribe(BlockFinalized) as blocks:
            heights = [(await blocks.__anext__()).height for _ in range(3)]
        assert heights == [1, 2, 3]
        head = node.roles.consensus.head
        assert head.height >= 3
        assert node.roles.ledger.supply(head.state)["supply"] >= node.genesis.supply
        assert node.health.ok
    assert {row.state for row in node.plugins.values()} == {"stopped"}


async def test_two_whole_nodes_meet_in_one_process(autojump_clock: MockClock) -> None:
    """A validator and a node of the same chain find each other and talk while blocks are made."""
    network = MemoryNetwork(SeededRandomness(3))
    clock = VirtualClock()
    async with Node.open(
        Settings.devnet(), clock=clock, randomness=SeededRandomness(1), plugins=[MemoryTransportPlugin(network, "a")]
    ) as a, Node.open(
        replace(Settings.devnet(), peers=PeersSettings(dial=(Address.parse("memory:a"),))),
        clock=clock, randomness=SeededRandomness(2), genesis=a.genesis,
        plugins=[MemoryTransportPlugin(network, "b"), *stand_ins()],
    ) as b:
        questions = a.peers.subscribe(Lane.SYNC)
        await wait_all_tasks_blocked()
        assert a.peers.connected() == (b.identity.node.public_key,)
        assert b.peers.send(a.identity.node.public_key, Lane.SYNC, b"how high?")
        assert await questions.receive() == (b.identity.node.public_key, b"how high?")
        assert (await a.roles.consensus.wait_for_height(2)).height >= 2


def asyncio_hosts(trio_main: Callable[[], Awaitable[Any]]) -> Any:
    """Run `trio_main` inside an asyncio program by trio's guest mode; this is the embedding example.

    asyncio owns the thread and its selector; trio runs as a guest in between, and neither waits for the other.
    """

    async def host() -> Any:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Any] = loop.create_future()

        def done(outcome: Any) -> None:
            try:
                ended.set_result(outcome.unwrap())
            except BaseException as error:  # noqa: BLE001 - handed on to whoever awaits the future
                ended.set_exception(error)

        trio.lowlevel.start_guest_run(
            trio_main,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=done,
            host_uses_signal_set_wakeup_fd=True,
            clock=MockClock(autojump_threshold=0),  # a test's time; a program leaves this out
        )
        beats = 0
        while not ended.done():
            await asyncio.sleep(0)  # the host's own work goes on meanwhile
            beats += 1
        assert beats > 1
        return ended.result()

    return asyncio.run(host())


def test_a_node_runs_inside_an_asyncio_program() -> None:
    """A whole node, started, asked and closed while asyncio goes on."""

    async def embedded() -> int:
        async with Node.open(Settings.devnet(), clock=VirtualClock()) as node:
            return (await node.roles.consensus.wait_for_height(1)).height

    assert asyncio_hosts(embedded) >= 1


def test_a_failure_of_the_node_reaches_the_asyncio_program() -> None:
    """As the same one exception."""

    async def fail(task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        raise ValueError("gone wrong")

    async def embedded() -> None:
        async with Node.open(bare_settings(), plugins=stand_ins(stand_in("ledger", body=fail))):
            await trio.sleep_forever()

    with pytest.raises(MetanodeError, match="ledger.standin stopped: ValueError: gone wrong"):
        asyncio_hosts(embedded)
