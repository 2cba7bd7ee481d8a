"""Whole nodes agree: production plugins on a virtual clock, joined in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from metanode.core.model import codec
from metanode.core.model.block import Block
from metanode.core.roles import Admission
from metanode.core.testing.links import LinkFaults
from metanode.core.wire.frames import Lane
from metanode.plugins.consensus._shared.sharing import FORGED_MAX, FORGED_S
from metanode.plugins.consensus.qbft.machine import TIMER_CAP_MS


async def test_four_validators_make_blocks(cluster: Any, autojump_clock: MockClock) -> None:
    """One block a block time, the same on every node, whoever leads."""
    async with cluster.running():
        await cluster.wait_for_height(3)
        start = trio.current_time()
        await cluster.wait_for_height(13)
        assert trio.current_time() - start < 11
        assert await cluster.check_agreement() >= 13


async def test_three_of_four_go_on(cluster: Any, autojump_clock: MockClock) -> None:
    """A validator that never comes costs rounds, not the chain."""
    async with cluster.running(0, 1, 2):
        await cluster.wait_for_height(10, within_s=200)
        assert await cluster.check_agreement() >= 10


async def test_two_of_four_wait_and_go_on_with_the_third(cluster: Any, autojump_clock: MockClock) -> None:
    """No quorum, no block; once there is one again, the next block comes within two capped timers."""
    async with cluster.running(0, 1) as nodes:
        await trio.sleep(300)
        assert {node.roles.consensus.head.height for node in nodes} == {0}
        assert all(node.roles.consensus.status()["round"] >= 10 for node in nodes)
        assert {node.roles.consensus.status()["cause"] for node in nodes} == {"too-few-peers"}
        async with cluster.node(2):
            await cluster.wait_for_height(1, within_s=25)


async def test_a_late_validator_catches_up_and_votes(cluster: Any, autojump_clock: MockClock) -> None:
    """It fetches what is final, then its vote can be the one that counts."""
    async with cluster.running(0, 1, 2):
        await cluster.wait_for_height(20, within_s=400)
        async with cluster.node(3) as late:
            await cluster.wait_for_height(20, within_s=10)
            async with trio.open_nursery() as nursery:
                nursery.cancel_scope.deadline = trio.current_time() + 10
                await late.roles.consensus.wait_for_height(22)
                nursery.cancel_scope.cancel()
            assert late.roles.consensus.head.height >= 22
            await cluster.check_agreement()


async def test_an_envelope_is_included_by_the_next_leader(
    cluster: Any, transfer: Any, autojump_clock: MockClock
) -> None:
    """Peers hear of it at once, so it does not wait for its own node's turn."""
    async with cluster.running() as nodes:
        await cluster.wait_for_height(3)
        height = nodes[0].roles.consensus.head.height
        for nonce in range(3):
            (answer,) = await nodes[0].roles.mempool.submit([transfer(cluster, 0, nonce).raw], source="local")
            assert answer.error is None, answer.error
        await cluster.wait_for_height(height + 3)
        found = [await nodes[3].roles.storage.find_envelope(transfer(cluster, 0, nonce).id) for nonce in range(3)]
        assert all(where is not None and where[0] <= height + 2 for where in found), found
        assert all(node.roles.mempool.stats()["entries"] == 0 for node in nodes)


async def test_a_network_split_in_halves_makes_no_block_and_heals(cluster: Any, autojump_clock: MockClock) -> None:
    """2|2: neither half has a quorum; after healing the chain goes on within two capped timers."""
    async with cluster.running():
        await cluster.wait_for_height(3)
        cluster.net.partition(["n0", "n1"], ["n2", "n3"])
        await trio.sleep(1)
        before = [node.roles.consensus.head.height for node in cluster.nodes.values()]
        await trio.sleep(120)
        assert [node.roles.consensus.head.height for node in cluster.nodes.values()] == before
        cluster.net.heal()
        await cluster.wait_for_height(max(before) + 2, within_s=30)
        await cluster.check_agreement()


async def test_from_round_ten_the_next_block_comes_within_one_capped_timer(
    cluster: Any, autojump_clock: MockClock
) -> None:
    """Whoever times out first after healing pulls the others along: no round is waited for twice."""
    async with cluster.running() as nodes:
        await cluster.wait_for_height(3)
        cluster.net.partition(["n0", "n1"], ["n2", "n3"])
        await trio.sleep(1)
        while min(node.roles.consensus.status()["round"] for node in nodes) < 10:  # noqa: ASYNC110 - no event tells of a round; the clock is virtual
            await trio.sleep(1)
        height = max(node.roles.consensus.head.height for node in nodes)
        cluster.net.heal()
        await cluster.wait_for_height(height + 1, within_s=TIMER_CAP_MS / 1000 + 1)
        await cluster.check_agreement()


async def test_a_waiting_transaction_ends_the_wait_for_an_empty_block(
    transfer: Any, autojump_clock: MockClock
) -> None:
    """Empty blocks are far apart; an envelope gets one within a block time, wherever it was given in."""
    from metanode.core.testing.cluster import Cluster

    cluster = Cluster(4, params={"slot_ms": 40_000})
    async with cluster.running() as nodes:
        await cluster.wait_for_height(2)
        start = trio.current_time()
        await cluster.wait_for_height(3)
        assert 9 < trio.current_time() - start < 11
        await trio.sleep(3)
        start = trio.current_time()
        (answer,) = await nodes[2].roles.mempool.submit([transfer(cluster, 0, 0).raw], source="local")
        assert answer.error is None
        await cluster.wait_for_height(4)
        assert trio.current_time() - start < 2
        place = await nodes[0].roles.storage.find_envelope(answer.id)
        assert place == (4, 0)


async def test_bad_links_slow_the_chain_and_do_not_split_it(cluster: Any, autojump_clock: MockClock) -> None:
    """A fifth lost, some doubled, some seconds late: fewer blocks, one chain."""
    async with cluster.running():
        cluster.net.faults = LinkFaults(loss=0.2, duplicated=0.1, delay_ms=(1, 300), slow=0.05)
        await trio.sleep(300)
        cluster.net.heal()
        height = max(node.roles.consensus.head.height for node in cluster.nodes.values())
        assert height >= 10
        await cluster.wait_for_height(height + 3, within_s=40)
        await cluster.check_agreement()


async def test_seven_validators_stand_two_that_are_gone(autojump_clock: MockClock) -> None:
    """f of N = 7."""
    from metanode.core.testing.cluster import Cluster

    cluster = Cluster(7)
    async with cluster.running(0, 2, 3, 5, 6):
        await cluster.wait_for_height(6, within_s=200)
        await cluster.check_agreement()


async def test_what_peers_pass_on_is_not_limited_as_strangers_are(
    cluster: Any, transfer: Any, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool hears one source a hundred times a minute; a node that is given more passes all of it on, at once."""
    async with cluster.running() as nodes:
        await cluster.wait_for_height(2)
        heard: list[Admission] = []
        pool = nodes[2].roles.mempool
        submit = pool.submit

        async def noted(raw: Any, *, source: str) -> list[Admission]:
            answers: list[Admission] = await submit(raw, source=source)
            heard.extend(answers)
            return answers

        monkeypatch.setattr(pool, "submit", noted)
        for nonce in range(120):
            await nodes[0].roles.mempool.submit([transfer(cluster, 0, nonce).raw], source="local")
            await trio.sleep(0.05)
        await cluster.wait_for_height(cluster.height + 2)
        assert len(heard) > 100, "all but those that a block took before they were told"
        assert "RATE_LIMITED" not in {answer.error.code for answer in heard if answer.error}


async def test_a_peer_that_passes_on_forged_envelopes_is_not_heard_for_a_while(
    cluster: Any, transfer: Any, autojump_clock: MockClock
) -> None:
    """Each costs a check of its signature; who sends a handful of them is skipped, and heard again a minute later."""
    async with cluster.running() as nodes:
        await cluster.wait_for_height(2)
        await trio.sleep(0.1)

        async def reaches(nonce: int) -> bool:
            raw = transfer(cluster, 1, nonce).raw
            nodes[1].peers.broadcast(Lane.TRANSACTIONS, codec.encode([raw]))
            await trio.sleep(0.2)
            return nodes[2].roles.mempool.pending(transfer(cluster, 1, nonce).id) is not None

        signed = [transfer(cluster, 1, nonce).raw for nonce in range(FORGED_MAX + 1)]
        forged = [raw[:-1] + bytes([raw[-1] ^ 1]) for raw in signed]
        nodes[1].peers.broadcast(Lane.TRANSACTIONS, codec.encode(forged))
        await trio.sleep(0.1)
        assert not await reaches(0)
        await trio.sleep(FORGED_S)
        assert await reaches(0)


@pytest.mark.parametrize("lie", ["certificate", "body", "silence", "another height"])
async def test_peers_that_lie_about_the_past_delay_a_late_node_and_do_not_fool_it(
    cluster: Any, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    """Each block proves itself; a liar is not asked again for a while, so one honest peer is enough."""
    async with cluster.running(0, 1, 2) as nodes:
        await cluster.wait_for_height(12, within_s=200)

        def lying(storage: Any) -> Any:
            true = storage.block

            async def block(height: int) -> Any:
                record = await true(height)
                if lie == "silence" or record is None:
                    return None
                if lie == "another height":
                    return await true(1 + height % 5)
                if lie == "certificate":
                    other = await true(1 + height % 5)
                    return replace(record, certificate=other.certificate)
                return replace(record, block=Block.build(record.block.header, [transferred]))

            return block

        transferred = b"\x01" * 100
        for node in nodes[:2]:
            monkeypatch.setattr(node.roles.storage, "block", lying(node.roles.storage))
        async with cluster.node(3) as late:
            with trio.fail_after(30):
                head = await late.roles.consensus.wait_for_height(12)
            monkeypatch.undo()
            record = await nodes[2].roles.storage.block(head.height)
            assert record.header_hash == head.header_hash
