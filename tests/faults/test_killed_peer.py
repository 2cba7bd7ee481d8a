"""Two real node processes over TCP: one is killed and started again, and they find each other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from metanode.core.identity import fresh_identity
from metanode.core.kernel import Node
from metanode.core.model.genesis import Genesis
from metanode.core.peers import PeerChanged
from metanode.core.roles import SINGLE_ROLES
from metanode.core.settings import Settings
from metanode.core.testing.clock import SeededRandomness
from metanode.core.testing.standins import stand_ins
from metanode.core.wire.frames import Lane

pytestmark = pytest.mark.faults

PATIENCE_S = 30.0
BLOCK = bytes(range(256)) * 2000


def settings(dial: list[str]) -> Settings:
    """A node of stand-ins that listens on a free port of the loopback interface."""
    return Settings.from_mapping({
        "roles": {**dict.fromkeys(SINGLE_ROLES, "standin"), "transport": ["noise"]},
        "peers": {"dial": dial},
        "plugins": {"transport": {"noise": {"listen": ["127.0.0.1:0"]}}},
    })


async def echo(address: str, genesis: Genesis, seed: int) -> None:
    """What the other process does: dial, and send every block back as it is."""
    identity = fresh_identity(SeededRandomness(seed))
    async with Node.open(settings([address]), plugins=stand_ins(), genesis=genesis, identity=identity) as node:
        async for peer, block in node.peers.subscribe(Lane.BLOCKS):
            node.peers.send(peer, Lane.SYNC, block)


CHILD = """
import runpy, sys, trio
from metanode.core.model.genesis import genesis_from_json
made = runpy.run_path(sys.argv[1])
trio.run(made["echo"], sys.argv[2], genesis_from_json(sys.argv[3]), int(sys.argv[4]))
"""


@contextmanager
def process(node: Node, seed: int) -> Iterator[subprocess.Popen[bytes]]:
    """The other node, in a process of its own; killed at the end."""
    (address,) = node.roles.many("transport")["noise"].addresses
    arguments = [sys.executable, "-c", CHILD, __file__, address, node.genesis.to_json(), str(seed)]
    child = subprocess.Popen(arguments)
    try:
        yield child
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()


async def expect(changes: Any, change: PeerChanged) -> None:
    with trio.fail_after(PATIENCE_S):
        assert await changes.__anext__() == change


async def test_a_killed_peer_is_noticed_at_once_and_joins_again() -> None:
    """Three times: messages of every size cross, the process is killed with SIGKILL, and a new one takes its place."""
    key = fresh_identity(SeededRandomness(2)).node.public_key
    identity = fresh_identity(SeededRandomness(1))
    async with (
        Node.open(settings([]), plugins=stand_ins(), identity=identity) as node,
        node.bus.subscribe(PeerChanged) as changes,
    ):
        answers = node.peers.subscribe(Lane.SYNC)
        for _ in range(3):
            with process(node, 2):
                await expect(changes, PeerChanged(key, True))
                for block in (b"", b"x", BLOCK):
                    assert node.peers.send(key, Lane.BLOCKS, block)
                    with trio.fail_after(PATIENCE_S):
                        assert await answers.receive() == (key, block)
            began = trio.current_time()
            await expect(changes, PeerChanged(key, False))
            assert trio.current_time() - began < 1
            assert node.peers.connected() == ()
