"""Validators who sign two things for one place: others find out and tell, the ledger punishes, the chain goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from metanode.core.kernel import Node
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.validators import decode_set
from metanode.core.model.vote import NOT_PREPARED, Vote, VoteType, vote_digest
from metanode.core.testing.cluster import Cluster
from metanode.core.wire.frames import Lane
from metanode.plugins.consensus.qbft.messages import Ballot, decode_message


def make_liar(cluster: Cluster, index: int, *, kinds: Iterable[VoteType]) -> None:
    """From now on a running node says of these types also the opposite of what it says, to everyone."""
    node, key = cluster.nodes[index], cluster.identities[index].consensus
    wanted = frozenset(kinds)
    honest: Callable[[int, bytes], None] = node.peers.broadcast

    def lie(lane: int, payload: bytes) -> None:
        honest(lane, payload)
        if lane != Lane.VOTES:
            return
        said = decode_message(payload)
        vote = said.vote
        if vote.type not in wanted:
            return
        other = bytes([vote.hash[0] ^ 1]) + vote.hash[1:]
        digest = vote_digest(cluster.genesis.hash, vote.height, vote.round, vote.type, other, vote.prepared_round)
        twisted = Vote(vote.height, vote.round, vote.type, other, vote.prepared_round, key.sign(digest))
        if vote.prepared_round != NOT_PREPARED:
            honest(lane, Ballot(said.validator, twisted).encode())

    node.peers.broadcast = lie  # type: ignore[method-assign]


async def slashes(node: Node) -> list[dict[str, Any]]:
    """The punishments in a node's view."""
    return await node.roles.storage.rows("transfers", where={"kind": "slash"}, limit=50, offset=0)


@pytest.mark.parametrize("kind", [VoteType.PREPARE, VoteType.COMMIT])
async def test_an_equivocator_is_slashed_and_loses_its_seat(
    cluster: Any, autojump_clock: MockClock, kind: VoteType
) -> None:
    """One punishment however many pairs it leaves; from the next settlement on three members make the blocks."""
    async with cluster.running() as nodes:
        await cluster.wait_for_height(2)
        make_liar(cluster, 3, kinds=[kind])
        await cluster.wait_for_height(8, within_s=60)
        for node in nodes:
            (slash,) = await slashes(node)
            assert slash["sender"] == to_bech32m(cluster.identities[3].sponsor.account)
            assert slash["amount"] == 1_000_000 * cluster.genesis.params.slash_permille // 1000
        await cluster.wait_for_height(30, within_s=120)
        members = decode_set(nodes[0].roles.consensus._chain.validator_set)
        assert len(members) == 3
        assert cluster.identities[3].consensus.public_key not in {member.consensus_key for member in members}
        assert nodes[3].roles.consensus._voter.state.me is None
        assert len(await slashes(nodes[0])) == 1
        await cluster.check_agreement()


async def test_evidence_that_one_node_has_reaches_the_leader(cluster: Any, autojump_clock: MockClock) -> None:
    """Whoever sees both votes tells all others, so it does not wait for its own turn to lead."""
    async with cluster.running() as nodes:
        await cluster.wait_for_height(2)
        witness = nodes[0].roles.consensus
        height = nodes[0].roles.consensus.head.height
        key = cluster.identities[2].consensus

        def signed(hash32: bytes) -> Vote:
            digest = vote_digest(cluster.genesis.hash, height, 0, VoteType.COMMIT, hash32, 0)
            return Vote(height, 0, VoteType.COMMIT, hash32, 0, key.sign(digest))

        witness._accuser.note(key.public_key, signed(b"\x01" * 32), signed(b"\x02" * 32))
        await cluster.wait_for_height(height + 4)
        assert [len(await slashes(node)) for node in nodes] == [1, 1, 1, 1]
        assert all(node.roles.mempool.stats()["entries"] == 0 for node in nodes)


async def test_a_false_accusation_is_forgotten(cluster: Any, autojump_clock: MockClock) -> None:
    """Votes that the key did not sign are no evidence: nobody is punished and nothing stays in the pools."""
    async with cluster.running() as nodes:
        await cluster.wait_for_height(2)
        votes = [Vote(1, 0, VoteType.COMMIT, bytes([n]) * 32, 0, bytes(64)) for n in (1, 2)]
        nodes[0].roles.consensus._accuser.note(cluster.identities[1].consensus.public_key, *votes)
        await cluster.wait_for_height(8)
        assert await slashes(nodes[0]) == []
        assert not nodes[0].roles.consensus._accuser._open


@pytest.mark.parametrize("size", [4, 7, 9])
async def test_f_liars_of_n_split_nobody_and_stop_nobody(size: int, autojump_clock: MockClock) -> None:
    """They contradict every prepare and commit of theirs; all of them are punished and the chain goes on."""
    cluster = Cluster(size)
    liars = range(size - (size - 1) // 3, size)
    async with cluster.running() as nodes:
        await cluster.wait_for_height(2)
        for index in liars:
            make_liar(cluster, index, kinds=[VoteType.PREPARE, VoteType.COMMIT])
        await cluster.wait_for_height(14, within_s=120)
        await cluster.check_agreement()
        punished = {slash["sender"] for slash in await slashes(nodes[0])}
        assert punished == {to_bech32m(cluster.identities[index].sponsor.account) for index in liars}
        await trio.lowlevel.checkpoint()
