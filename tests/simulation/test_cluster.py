"""Whole nodes in trouble: production driver, stores, logs on a virtual clock; links, clocks and power fail by seed."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest
import trio
from trio.testing import MockClock

from metanode.core.home import Home
from metanode.core.testing.cluster import Cluster
from metanode.core.testing.links import LinkFaults
from metanode.plugins.consensus.qbft.guard_log import raise_guard

pytestmark = pytest.mark.simulation
FIRST = int(os.environ.get("METANODE_TEST_SEED", "0"))
SEEDS = 8
TROUBLE_S = 60
HEAL_S = 40
"""Within this after healing the slowest node is three blocks further: a few capped timers."""


async def live(cluster: Cluster, index: int, chance: Random, until: float) -> None:
    """Run one node, stopping and starting it at random until trouble ends; then keep it running."""
    while True:
        async with cluster.node(index):
            now = trio.current_time()
            if now >= until:
                await trio.sleep_forever()
            await trio.sleep(chance.uniform(5, 40))
            if trio.current_time() >= until:
                await trio.sleep_forever()
        await trio.sleep(chance.uniform(0, 5))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
async def test_no_seed_splits_or_stops_a_cluster(seed: int, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Restarts, partitions, loss, delay and wrong clocks; then one chain that goes on."""
    print(f"seed {seed}")
    chance = Random(seed)
    size = chance.choice((4, 4, 5, 7))
    cluster = Cluster(size, tmp_path, seed=seed, storage="sqlite")
    for index, identity in enumerate(cluster.identities):
        raise_guard(Home(tmp_path / f"n{index}"), identity.consensus.public_key, 0)
        cluster.clocks[index].skew_ms = chance.choice((0, 0, 700, -700))
    cluster.net.faults = LinkFaults(
        loss=chance.choice((0.0, 0.1, 0.3)), duplicated=0.05, delay_ms=(1, chance.choice((20, 400))), slow=0.05
    )
    end = trio.current_time() + TROUBLE_S
    async with trio.open_nursery() as nursery:
        for index in range(size):
            nursery.start_soon(live, cluster, index, Random(chance.random()), end)
        for _ in range(3):
            await trio.sleep(TROUBLE_S / 6)
            names = chance.sample([f"n{index}" for index in range(size)], size)
            cut = chance.randint(1, size - 1)
            cluster.net.partition(names[:cut], names[cut:])
            await trio.sleep(TROUBLE_S / 6)
            cluster.net.partition()
        await trio.sleep(1)
        cluster.net.heal()
        await trio.sleep(6)  # the last restart is over
        assert len(cluster.nodes) == size
        highest = max(node.roles.consensus.head.height for node in cluster.nodes.values())
        await cluster.wait_for_height(highest + 3, within_s=HEAL_S)
        assert await cluster.check_agreement() > highest
        nursery.cancel_scope.cancel()


async def test_a_cluster_repeats_its_seed(autojump_clock: MockClock) -> None:
    """The same blocks at the same virtual time, or a failing seed could not be looked at."""
    runs = []
    for _ in range(2):
        cluster = Cluster(4, seed=5)
        start = trio.current_time()
        async with cluster.running():
            cluster.net.faults = LinkFaults(loss=0.2, duplicated=0.1, delay_ms=(1, 300))
            await cluster.wait_for_height(8, within_s=300)
            heads = [node.roles.consensus.head for node in cluster.nodes.values()]
            record = await cluster.nodes[0].roles.storage.block(8)
            assert record is not None
            runs.append((round(trio.current_time() - start, 6), [head.height for head in heads], record.header_hash))
    assert runs[0] == runs[1]
