"""Networks of real processes: killed, wiped, stopped and filled up, and never two blocks at one height."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from metanode.core.cli.dev_topology import Topology
from metanode.core.model.errors import MetanodeError
from metanode.core.testing.devnet import PATIENCE_S, Devnet, verb

pytestmark = pytest.mark.endtoend

BLOCK_MS = 500
"""Half of a devnet's block time: the tests wait for blocks and timers, and both are shorter so."""
SEED = int(os.environ.get("METANODE_TEST_SEED", "1"))
KILLS = 5
DISK_KIB = 2048
FULL_KIB = 8


def four(**params: int) -> Topology:
    """Four validators."""
    return Topology("devnet", 4, 0, params={"block_ms": BLOCK_MS, **params})


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """One for several tests."""
    with Devnet(tmp_path_factory.mktemp("net"), four()) as made:
        yield made


@pytest.fixture
def net(network: Devnet) -> Iterator[Devnet]:
    """The network with every node at work; afterwards no two nodes may have two blocks at one height."""
    network.nodes.start()
    network.wait_for_height(network.height() + 2)
    yield network
    network.nodes.start()
    network.wait_for_height(network.height() + 2)
    assert network.check_agreement() > 0


def test_a_transfer_sent_to_one_node_is_final_on_all(net: Devnet) -> None:
    """Sent to the third, included by whoever leads: block, index and receipt are the same everywhere."""
    api = net.api(2)
    sponsor = net.places[2].identity.sponsor
    envelope = api.transfer(sponsor, api.genesis(), b"\x07" * 20, 5_000_000, fee=None, memo=b"devnet")
    api.submit([envelope])
    views = [net.api(index).wait_final(envelope.id.hex(), PATIENCE_S) for index in range(4)]
    assert views[0]["receipt"]["code"] == "OK"
    assert all(view == views[0] for view in views), views
    balances = {net.api(index).account(b"\x07" * 20)["balance"]["micro"] for index in range(4)}
    assert balances == {5_000_000}


def test_a_killed_proposer_costs_a_round_not_the_chain(net: Devnet) -> None:
    """SIGKILL for whose turn it is: the other three go on within the first timers, and it comes back."""
    before = net.height()
    leader = net.nodes[net.next_leader()]
    leader.kill()
    rest = [node for node in net.nodes if node is not leader]
    net.wait_for_height(before + 4, rest)
    leader.start()
    net.wait_for_height(net.height() + 1)
    assert net.check_agreement() > before + 4


def test_two_of_four_that_lost_their_chain_fetch_it_again(net: Devnet) -> None:
    """Chain data deleted, sign-guard kept: both sync and vote again; without them there was no quorum."""
    wiped = [net.nodes[1], net.nodes[2]]
    for node in wiped:
        node.kill()
        net.wipe(node)
    before = net.height()
    for node in wiped:
        node.start()
    net.wait_for_height(before + 3)
    assert net.check_agreement() >= before


def test_all_killed_at_once_go_on_where_they_were(net: Devnet) -> None:
    """A power cut for everybody."""
    before = net.height()
    for node in net.nodes:
        node.kill()
    net.nodes.start()
    net.wait_for_height(before + 3)
    assert net.check_agreement() >= before + 3


def test_random_kills_make_no_fork(net: Devnet) -> None:
    """Killed and started again, one after the other, without a wait for anybody."""
    print(f"METANODE_TEST_SEED={SEED}")
    chance = random.Random(SEED)
    for _ in range(KILLS):
        node = net.nodes[chance.randrange(4)]
        node.kill()
        node.start()
        height = net.height()
        net.wait_until("a block", lambda: net.height() > height)  # noqa: B023 - called before the next turn
        net.check_agreement()


def test_a_lone_validator_goes_on_after_a_kill(tmp_path: Path) -> None:
    """N = 1: quorum 1, and its own votes are the only ones there are."""
    with Devnet(tmp_path, Topology("devnet", 1, 0, params={"block_ms": BLOCK_MS})) as net:
        net.wait_for_height(3)
        net.nodes[0].kill()
        net.nodes[0].start()
        net.wait_for_height(6)
        assert net.check_agreement() >= 6


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_stops_one_node_and_not_the_chain(tmp_path: Path) -> None:
    """The node ends with one clear line, `metanode why` names the disk, and with room again it catches up."""
    net = Devnet(tmp_path, four())
    node = net.nodes[3]
    home = node.place.home.path
    kept = tmp_path / "kept"
    home.rename(kept)
    home.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_KIB}k", "tmpfs", str(home)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        subprocess.run(["cp", "-a", f"{kept}/.", str(home)], check=True)
        with net:
            net.wait_for_height(3)
            fill(home / "ballast")
            net.wait_until("the node stopped", lambda: not node.running)
            assert node.returncode == 1
            assert "STORAGE_FULL" in node.last_words(), node.last_words()
            answer = net.why_of(node)
            assert answer["cause"] == "disk-full", answer
            rest = list(net.nodes)[:3]
            net.wait_for_height(net.height() + 4, rest)
            (home / "ballast").unlink()
            node.start()
            net.wait_for_height(net.height() + 2)
            assert net.check_agreement() > 3
    finally:
        subprocess.run(["umount", str(home)], check=True)


def fill(ballast: Path) -> None:
    """Leave no room on a file system but a few blocks."""
    with ballast.open("wb", buffering=0) as stream, suppress(OSError):  # which is what being full looks like
        while True:
            stream.write(bytes(FULL_KIB * 1024))


def test_the_verb_runs_a_network_and_ends_it(tmp_path: Path) -> None:
    """`metanode dev --seconds`: exit code 0, heights rise, homes are kept where asked, no process is left."""
    kept = tmp_path / "net"
    answer = verb("dev", "--seconds", "6", "--keep", str(kept))
    assert answer["exit"] == 0, answer
    assert answer["height"] >= 2
    assert answer["forks"] == []
    assert sorted(path.name for path in kept.iterdir() if path.is_dir()) == ["v0", "v1", "v2", "v3"]
    left = [entry for entry in Path("/proc").glob("[0-9]*/cmdline") if str(kept).encode() in _read(entry)]
    assert not left


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_wrong_topology_is_refused() -> None:
    """Exit code 1 and what is possible; nothing is started."""
    assert verb("dev", "--topology", "nosuch")["code"] == "BAD_SETTING"
    with pytest.raises(MetanodeError, match="block_mss"):
        Devnet(Path("/nonexistent"), Topology("devnet", 1, 0, params={"block_mss": 1}))
