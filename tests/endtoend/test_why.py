"""`metanode why` in a network of real processes: each cause is provoked, and named as what it is."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from metanode.core.cli.dev_homes import write_settings
from metanode.core.cli.dev_nodes import DevNode
from metanode.core.cli.dev_topology import Topology
from metanode.core.cli.verbs import EXIT_CONSENSUS, EXIT_OK
from metanode.core.testing.devnet import Devnet, verb

pytestmark = pytest.mark.endtoend

BLOCK_MS = 250
"""Short blocks make short timers: a round is given up after a second."""
SHIFTED = """
import time
from metanode.core.clock import SystemClock
SystemClock.now_ms = lambda self: time.time_ns() // 1_000_000 + {shift_ms}
from metanode.core.cli import main
raise SystemExit(main())
"""
"""A node whose clock is wrong."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """Four validators and one watcher; every test leaves them as it found them."""
    topology = Topology("devnet", 4, 1, params={"block_ms": BLOCK_MS})
    with Devnet(tmp_path_factory.mktemp("why"), topology) as made:
        yield made


@pytest.fixture
def net(network: Devnet) -> Iterator[Devnet]:
    """The network, once it makes blocks; afterwards whole again."""
    revive(network)
    yield network
    for node in network.nodes:
        node.signal(signal.SIGCONT)
        node.program = ("-m", "metanode.core.cli")
    revive(network)


def revive(network: Devnet) -> None:
    """Start what does not run and wait for two blocks everywhere."""
    network.nodes.start()
    network.wait_for_height(network.height() + 2)


def names(net: Devnet, node: DevNode, cause: str) -> dict[str, Any]:
    """Ask one node's home until it names the cause; return that answer."""
    last: dict[str, Any] = {}

    def named() -> bool:
        last.update(net.why_of(node))
        return last["cause"] == cause

    try:
        net.wait_until(f"cause {cause}", named)
    except AssertionError as error:
        raise AssertionError(f"{node.name} says {last}") from error
    assert last["exit"] == EXIT_CONSENSUS
    assert not last["ok"]
    return last


def notes(net: Devnet) -> str:
    """What the first validator says of others besides its cause."""
    return "; ".join(net.why_of(net.nodes[0])["nodes"][0]["notes"])


def test_a_network_that_works_is_said_to_work(net: Devnet) -> None:
    """Exit code 0; every validator is asked when the network's directory is given."""
    answer = net.why_of(net.nodes[0])
    assert answer["cause"] in ("in-progress", "not-due"), answer
    assert answer["exit"] == EXIT_OK
    everyone = net.why()["nodes"]
    assert [row["node"] for row in everyone] == ["v0", "v1", "v2", "v3", "w0"]


def test_a_node_without_a_vote_says_so(net: Devnet) -> None:
    """A watcher follows the chain: no trouble of the network's, but its answer."""
    assert "not among the 4 validators" in names(net, net.nodes[4], "not-a-validator")["words"]


def test_a_stopped_proposer_is_named(net: Devnet) -> None:
    """SIGSTOP: rounds change when it is its turn; asked itself, its process is found stopped."""
    silent = net.nodes[3]
    silent.signal(signal.SIGSTOP)
    net.wait_until("silence noticed", lambda: "v3 is connected and has said nothing" in notes(net))
    assert "v3" in names(net, net.nodes[0], "proposer-silent")["words"]
    assert "stopped by a signal" in names(net, silent, "node-stopped")["words"]


def test_two_stopped_of_four_are_named(net: Devnet) -> None:
    """Connected, and silent: the rest is no quorum."""
    for node in net.nodes[2], net.nodes[3]:
        node.signal(signal.SIGSTOP)
    words = names(net, net.nodes[0], "peers-silent")["words"]
    assert "v2 is connected and has said nothing" in words
    assert "v3 is connected and has said nothing" in words


def test_missing_validators_are_named(net: Devnet) -> None:
    """Two of four killed: who is missing is told by name, and their homes say that nothing runs there."""
    for node in net.nodes[1], net.nodes[3]:
        node.kill()
    words = names(net, net.nodes[0], "no-quorum")["words"]
    assert words.startswith("2 of 4 validators"), words
    assert "v1 is not connected" in words
    assert "v3 is not connected" in words
    assert names(net, net.nodes[1], "node-down")["words"].startswith("no node of")


def test_a_lost_guard_is_named(net: Devnet) -> None:
    """A validator without its sign-guard does not vote, and both it and its peers say so."""
    node = net.nodes[2]
    node.stop()
    guard = node.place.home.path / "data" / "consensus.qbft" / "guard"
    kept = guard.with_name("kept")
    guard.rename(kept)
    node.start()
    try:
        assert "sign-guard" in names(net, node, "guard-missing")["words"]
        net.wait_until("peers told", lambda: "v2 says: this node does not vote" in notes(net))
    finally:
        node.stop()
        shutil.rmtree(guard, ignore_errors=True)
        kept.rename(guard)


def test_a_node_that_catches_up_says_how_far_it_is(net: Devnet) -> None:
    """A wiped node fetches the chain: syncing, n of m."""
    net.wait_for_height(60)
    node = net.nodes[1]
    node.kill()
    net.wipe(node)
    node.start()
    words = names(net, node, "catching-up")["words"]
    assert words.startswith("syncing: has "), words


def test_a_wrong_clock_is_named(net: Devnet) -> None:
    """A node a minute behind says that it is, and by how much."""
    node = net.nodes[0]
    node.stop()
    node.program = ("-c", SHIFTED.format(shift_ms=-60_000))
    node.start()
    assert "this clock is 60 s behind" in names(net, node, "clock-off")["words"]
    node.stop()


def test_a_partition_is_told_from_dead_nodes(net: Devnet) -> None:
    """2|2: asked together, the nodes are seen to run and not to reach each other."""
    halves = [net.places[:2], net.places[2:4]]
    for half in halves:
        for place in half:
            net.nodes[net.places.index(place)].stop()
            write_settings(place, half, {})
    net.nodes.start()
    try:
        def split() -> bool:
            answer = net.why()
            return answer["cause"] == "partition" and "sees 2 of 4" in answer["words"]

        net.wait_until("partition named", split)
    finally:
        for place in net.places[:4]:
            net.nodes[net.places.index(place)].stop()
            write_settings(place, net.places, {})


def test_another_genesis_is_named(net: Devnet) -> None:
    """A node with another genesis is refused by all, and knows why."""
    node = net.nodes[3]
    node.stop()
    home = node.place.home
    genesis, data, kept = home.genesis_file.read_text(), home.path / "data", home.path / "kept"
    data.rename(kept)
    home.genesis_file.write_text(genesis.replace('"genesis_ms": ', '"genesis_ms": 1'))
    assert verb("guard", "init", "--above", "0", "--home", str(home.path))["exit"] == EXIT_OK
    node.start()
    try:
        names(net, node, "other-genesis")
        net.wait_until("refusal noticed", lambda: "v3 is refused" in notes(net))
    finally:
        node.stop()
        shutil.rmtree(data)
        kept.rename(data)
        home.genesis_file.write_text(genesis)


def test_an_empty_block_that_is_not_due_is_no_trouble(tmp_path: Path) -> None:
    """A chain of long slots makes empty blocks seldom: exit code 0, and when the next is due."""
    with Devnet(tmp_path, Topology("devnet", 1, 0, params={"slot_ms": 60_000})) as net:
        net.wait_until("not due", lambda: net.why_of(net.nodes[0])["cause"] == "not-due")
        answer = net.why_of(net.nodes[0])
        assert answer["exit"] == EXIT_OK
        assert "an empty block is due in" in answer["words"]
