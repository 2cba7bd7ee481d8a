"""Validators that die between two actions: what was signed is sent again byte for byte, or never; the others go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from metanode.core.kernel import Node
from metanode.core.model.errors import MetanodeError
from metanode.core.model.vote import VoteType
from metanode.core.testing.cluster import Cluster
from metanode.core.wire.frames import Lane
from metanode.plugins.consensus.qbft.messages import Message, decode_message

Place = tuple[int, int, VoteType]


def place_of(message: Message) -> Place:
    """Where one validator may say one thing."""
    return message.vote.height, message.vote.round, message.vote.type


def overheard(node: Node, hear: Callable[[Message, bytes], None]) -> None:
    """Tell of every consensus message a node is about to send; what raises keeps it from being sent."""
    send: Callable[[int, bytes], None] = node.peers.broadcast

    def told(lane: int, payload: bytes) -> None:
        if lane in (Lane.VOTES, Lane.BLOCKS):
            hear(decode_message(payload), payload)
        send(lane, payload)

    node.peers.broadcast = told  # type: ignore[method-assign]


class Killed(Exception):
    """The process is gone."""


async def ended(cluster: Cluster, index: int, hook: Callable[[Message, bytes], None]) -> str:
    """Run a node under a hook until it ends with an error; return the error's line."""
    try:
        async with cluster.node(index) as node:
            overheard(node, hook)
            await trio.sleep(600)
    except MetanodeError as error:
        return error.line()
    return ""


async def live_until_killed(cluster: Cluster, index: int, kind: VoteType, reached: int) -> bytes:
    """Run a node until it has written down, and is about to send, its vote of a kind from a height on."""
    unsent: list[bytes] = []

    def die(message: Message, payload: bytes) -> None:
        if message.vote.type is kind and message.vote.height >= reached:
            unsent.append(payload)
            raise Killed

    assert await ended(cluster, index, die), "the kernel names the role that ended"
    assert unsent
    return unsent[0]


@pytest.mark.parametrize("kind", VoteType)
async def test_a_validator_killed_between_sign_and_send_says_the_identical_bytes_again_or_nothing(
    lasting: Any, autojump_clock: MockClock, kind: VoteType
) -> None:
    """Its log has them before the wire does; a proposer killed mid-proposal costs the others one round."""
    async with lasting.running(1, 2):
        if kind is VoteType.ROUND_CHANGE:  # two of four: rounds pass
            unsent = await live_until_killed(lasting, 0, kind, 1)
        else:
            async with lasting.node(3):
                await lasting.wait_for_height(2)
                unsent = await live_until_killed(lasting, 0, kind, 3)
        place = place_of(decode_message(unsent))
        said: dict[Place, set[bytes]] = {place: {unsent}}

        def hear(message: Message, payload: bytes) -> None:
            said.setdefault(place_of(message), set()).add(payload)

        async with lasting.node(0) as again, lasting.node(3):
            overheard(again, hear)
            for message in again.roles.consensus._voter.said():
                hear(decode_message(message.data), message.data)
            await lasting.wait_for_height(lasting.height + 4, within_s=120)
            await lasting.check_agreement()
        assert all(len(messages) == 1 for messages in said.values()), "two messages in one place"


async def test_a_proposer_killed_while_half_of_its_peers_have_the_proposal(
    lasting: Any, autojump_clock: MockClock
) -> None:
    """One peer got it, two did not: they agree in a later round, on that block or another, and it follows."""
    async with lasting.running(1, 2, 3) as others:
        await lasting.wait_for_height(2, within_s=120)

        async def until_proposing() -> int:
            height = 0

            def half(message: Message, payload: bytes) -> None:
                nonlocal height
                if message.vote.type is VoteType.PROPOSE:
                    height = message.vote.height
                    first = others[0].identity.node.public_key
                    lasting.nodes[0].peers.send(first, Lane.BLOCKS, payload)
                    raise Killed

            assert await ended(lasting, 0, half)
            return height

        height = await until_proposing()
        assert height
        start = trio.current_time()
        for node in others:
            with trio.fail_after(60):
                await node.roles.consensus.wait_for_height(height)
        assert trio.current_time() - start < 30
        async with lasting.node(0):
            await lasting.wait_for_height(height + 3, within_s=60)
            await lasting.check_agreement()
