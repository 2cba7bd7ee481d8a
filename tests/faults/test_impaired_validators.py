"""Four real validators on machines of their own, over links that a city, an ocean or a broken cable would make."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import permutations

import pytest

from metanode.core.cli.dev_topology import Topology
from metanode.core.testing.impaired_devnet import ImpairedDevnet
from metanode.core.testing.impairment import Impairment
from metanode.core.testing.namespaces import missing

SEED = int(os.environ.get("METANODE_TEST_SEED", "20261120"))
PARAMS = {"block_ms": 500, "slot_ms": 2000}
"""A block every half second, with envelopes or without."""
CITY = Impairment(delay_ms=50, loss=0.01)
OCEAN = Impairment(delay_ms=100, jitter_ms=20, loss=0.05, late=0.02, late_ms=40)
BLOCKS = 4
STALL_S_MAX = 40.0
"""Four rounds of the longest timer: how long any of these networks may need for BLOCKS."""

pytestmark = [pytest.mark.faults, pytest.mark.skipif(bool(missing()), reason=missing() or "it can be made")]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImpairedDevnet]:
    """One for all tests."""
    print(f"METANODE_TEST_SEED={SEED}")
    directory = tmp_path_factory.mktemp("net")
    with ImpairedDevnet(directory, Topology("devnet", 4, 0, params=PARAMS), seed=SEED, impairment=CITY) as made:
        yield made


@pytest.fixture
def net(network: ImpairedDevnet) -> Iterator[ImpairedDevnet]:
    """The network at work; afterwards it heals, every node catches up, and no height has two blocks."""
    network.wait_for_height(network.height() + 1)
    yield network
    network.links.heal()
    network.links.impair(CITY)
    network.wait_for_height(network.height() + 1, within_s=STALL_S_MAX)
    assert network.check_agreement() > 0


def test_a_round_trip_of_100_ms_and_one_percent_loss(net: ImpairedDevnet) -> None:
    """Blocks go on on every node, and packets were lost on the way."""
    took = net.wait_for_height(net.height() + 2 * BLOCKS, within_s=STALL_S_MAX)
    print(f"{2 * BLOCKS} blocks in {took:.1f} s, {net.links.counts(0, 1)}")
    assert sum(net.links.counts(source, target).lost for source, target in permutations(range(4), 2)) > 0


def test_delays_of_100_ms_with_five_percent_loss_and_reordering(net: ImpairedDevnet) -> None:
    """200 ms there and back, jitter, packets that overtake each other: slower, and no height has two blocks."""
    net.links.impair(OCEAN)
    goal = net.height() + BLOCKS
    took = net.wait_for_height(goal, within_s=STALL_S_MAX)
    print(f"{BLOCKS} blocks in {took:.1f} s, {net.links.counts(0, 1)}")
    assert net.check_agreement() >= goal


def test_a_node_that_hears_and_is_not_heard(net: ImpairedDevnet) -> None:
    """One direction of its links is cut: the others go on, and it catches up when they are whole again."""
    others = [net.nodes[index] for index in range(3)]
    net.links.cut(source=3)
    took = net.wait_for_height(net.height(others) + BLOCKS, others, within_s=STALL_S_MAX)
    print(f"{BLOCKS} blocks in {took:.1f} s without the fourth")
    assert net.links.counts(3, 0).cut > 0


def test_a_node_that_is_heard_and_does_not_hear(net: ImpairedDevnet) -> None:
    """The other direction: its last word stands, and nobody waits for the next."""
    others = [net.nodes[index] for index in range(3)]
    net.links.cut(target=3)
    net.wait_for_height(net.height(others) + BLOCKS, others, within_s=STALL_S_MAX)
    assert net.links.counts(0, 3).cut > 0
