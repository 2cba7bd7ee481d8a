"""The validator set changes at epoch boundaries: voted in, thrown out, and what a restart must know of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from metanode.core.home import Home
from metanode.core.model import codec, kinds
from metanode.core.model.bodies import ADMIT, APPROVE, PROPOSE, REMOVE, SEAT, Govern, proposal_id
from metanode.core.model.envelope import build_envelope
from metanode.core.model.stake_bodies import make_bond
from metanode.core.model.validators import decode_set
from metanode.core.testing.cluster import Cluster
from metanode.plugins.consensus.qbft.guard_log import raise_guard


@pytest.fixture
def growing(tmp_path: Path) -> Cluster:
    """Four validators and one guest, all with homes."""
    made = Cluster(4, tmp_path, storage="sqlite", guests=1)
    for index, identity in enumerate(made.identities):
        raise_guard(Home(tmp_path / f"n{index}"), identity.consensus.public_key, 0)
    return made


async def send(cluster: Cluster, index: int, kind: int, body: bytes) -> None:
    """Submit an envelope of a node's sponsor on that node."""
    node, sponsor = cluster.nodes[index], cluster.identities[index].sponsor
    head = node.roles.consensus.head
    nonce = node.roles.mempool.next_nonce(sponsor.account)
    envelope = build_envelope(
        chain_id=cluster.genesis.chain_id,
        kind=kind,
        sender=sponsor.account,
        nonce=nonce,
        fee=cluster.genesis.params.min_fee,
        valid_until=head.height + 100,
        body=body,
        public_key=b"" if nonce else sponsor.public_key,
        sign=sponsor.sign,
        genesis_hash=cluster.genesis.hash,
    )
    (answer,) = await node.roles.mempool.submit([envelope.raw], source="local")
    assert answer.error is None, answer.error


async def bond(cluster: Cluster, index: int) -> None:
    """Bond a node's own keys."""
    identity = cluster.identities[index]
    body = make_bond(
        cluster.genesis.params.bond_min,
        identity.sponsor.account,
        consensus_seed=identity.consensus.seed,
        vrf_seed=identity.vrf.seed,
        genesis_hash=cluster.genesis.hash,
    )
    await send(cluster, index, kinds.BOND, body.encode())


async def vote(cluster: Cluster, index: int, verdict: int, members: list[int]) -> None:
    """Let the first member propose a seat and the others approve, each in a block of its own time."""
    proposal = codec.encode([SEAT, [cluster.identities[index].sponsor.account, verdict]])
    await send(cluster, members[0], kinds.GOVERN, Govern(PROPOSE, proposal).encode())
    await cluster.wait_for_height(cluster.height + 3)
    ident = proposal_id(proposal, cluster.genesis.hash)
    for member in members[1:]:
        await send(cluster, member, kinds.GOVERN, Govern(APPROVE, ident).encode())
    await cluster.wait_for_height(cluster.height + 3)


async def set_of(cluster: Cluster, size: int) -> int:
    """Wait until the set has so many members, and return the first height that it certifies."""
    consensus = next(iter(cluster.nodes.values())).roles.consensus
    with trio.fail_after(120):
        while len(decode_set(consensus._chain.validator_set)) != size:
            await consensus.wait_for_height(consensus.head.height + 1)
    return consensus.head.height + 1


async def admit_guest(cluster: Cluster) -> int:
    """Bond the guest and vote it in."""
    await cluster.wait_for_height(2)
    await bond(cluster, 4)
    await cluster.wait_for_height(cluster.height + 3)
    await vote(cluster, 4, ADMIT, [0, 1, 2])
    return await set_of(cluster, 5)


async def test_a_fresh_node_voted_in_validates_from_the_next_epoch_on(growing: Any, autojump_clock: MockClock) -> None:
    """Its vote counts, so with one of the five gone and it there blocks come; it leads, too."""
    async with growing.running() as nodes:
        first = await admit_guest(growing)
        await growing.wait_for_height(first + 1)
        mine = growing.identities[4].consensus.public_key
        assert nodes[4].roles.consensus._voter.state.me is not None
        acting = decode_set(nodes[4].roles.consensus._chain.validator_set)
        index = [member.consensus_key for member in acting].index(mine)
    async with growing.running(0, 1, 2, 4) as nodes:
        await growing.wait_for_height(first + 12, within_s=200)
        await growing.check_agreement()
        leaders = set()
        for height in range(first, first + 12):
            record = await nodes[0].roles.storage.block(height)
            leaders.add(codec.decode(record.block.header)[4])
        assert index in leaders


async def test_all_restart_together_after_the_set_has_changed(growing: Any, autojump_clock: MockClock) -> None:
    """The set is part of the state, so nobody falls back to that of genesis."""
    async with growing.running():
        first = await admit_guest(growing)
        await growing.wait_for_height(first)
    async with growing.running() as nodes:
        assert {len(decode_set(node.roles.consensus._chain.validator_set)) for node in nodes} == {5}
        await growing.wait_for_height(first + 4)
        await growing.check_agreement()


async def test_a_node_that_comes_late_follows_the_set_through_its_changes(
    growing: Any, autojump_clock: MockClock
) -> None:
    """Blocks before and after the change are each held against the set of their height."""
    async with growing.running():
        first = await admit_guest(growing)
        await growing.wait_for_height(first + 2)
    shutil.rmtree(growing.homes / "n3" / "data" / "storage.sqlite")
    async with growing.running():
        await growing.wait_for_height(first + 6, within_s=60)
        await growing.check_agreement()


async def test_a_member_voted_out_goes_on_as_an_onlooker(growing: Any, autojump_clock: MockClock) -> None:
    """From the next epoch on it neither votes nor leads, and still follows."""
    async with growing.running() as nodes:
        await growing.wait_for_height(2)
        await vote(growing, 3, REMOVE, [0, 1, 2])
        first = await set_of(growing, 3)
        await growing.wait_for_height(first + 4)
        assert nodes[3].roles.consensus._voter.state.me is None
        assert nodes[3].roles.consensus.status()["cause"] != "guard-missing"
    async with growing.running(0, 1, 2):
        await growing.wait_for_height(first + 8, within_s=30)
