"""A block is valid for one reason only: its parent's state and its own bytes give exactly its header."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from metanode.core.model import ecvrf, leader
from metanode.core.model.block import Block
from metanode.core.model.errors import InvalidBlock, MetanodeError
from metanode.core.model.genesis import network
from metanode.core.model.header import Header
from metanode.plugins.consensus._shared.chain import Chain, Proposal
from metanode.plugins.consensus._shared.headers import TRIM_ENTRIES, HeaderIndex, look_back_ms

NETWORKS = (Path(__file__).resolve().parents[3] / "core" / "model" / "data" / "networks.json").read_text()


async def fresh_proposal(world: Any) -> tuple[Chain, Proposal]:
    """A chain at height 2 and a block with one transfer for height 3, not yet promised."""
    async with world.node() as node:
        await node.roles.consensus.wait_for_height(2)
        chain: Chain = node.roles.consensus._chain
        proof = ecvrf.prove(world.identity.vrf.seed, leader.alpha(chain.head.beta, 3))
        fields = chain.fields(chain.head.time_ms + 1000, 0)
        return chain, chain.assemble(fields, [world.transfer(0)], proof)


async def test_an_assembled_block_passes_the_check(world: Any, autojump_clock: MockClock) -> None:
    """Proposer and validator agree to the byte."""
    chain, proposal = await fresh_proposal(world)
    checked = chain.check(proposal.block)
    assert checked.header_hash == proposal.header_hash
    assert list(checked.execution.changes) == list(proposal.execution.changes)


def _set(**changes: Any) -> Callable[[Header], Header]:
    return lambda header: replace(header, **changes)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_set(height=4), "BAD_HEADER"),
        (_set(prev_hash=b"\x01" * 32), "BAD_HEADER"),
        (_set(time_ms=1), "BAD_HEADER"),
        (_set(proposer_index=1), "BAD_HEADER"),
        (_set(vrf_proof=bytes(80)), "BAD_VRF"),
        (_set(chain_id=1), "BAD_ROOT"),
        (_set(validator_set_hash=bytes(32)), "BAD_ROOT"),
        (_set(next_validator_set_hash=bytes(32)), "BAD_ROOT"),
        (_set(params_hash=bytes(32)), "BAD_ROOT"),
        (lambda header: replace(header, roots=replace(header.roots, tx=bytes(32))), "BAD_ROOT"),
        (lambda header: replace(header, roots=replace(header.roots, receipts=bytes(32))), "BAD_ROOT"),
        (lambda header: replace(header, roots=replace(header.roots, state=bytes(32))), "BAD_ROOT"),
    ],
)
async def test_a_header_that_lies_is_refused_by_name(
    world: Any, autojump_clock: MockClock, change: Callable[[Header], Header], code: str
) -> None:
    """Every field of the header is checked, and the error says which rule it breaks."""
    chain, proposal = await fresh_proposal(world)
    forged = Block.build(change(proposal.header).encode(), proposal.block.envelope_bytes())
    with pytest.raises(InvalidBlock) as caught:
        chain.check(forged)
    assert caught.value.code == code


async def test_a_block_with_an_altered_envelope_is_refused(world: Any, autojump_clock: MockClock) -> None:
    """The signature covers the envelope, the root covers its id."""
    chain, proposal = await fresh_proposal(world)
    raw = bytearray(proposal.block.envelope_bytes()[0])
    raw[-1] ^= 1
    with pytest.raises(InvalidBlock) as caught:
        chain.check(Block.build(proposal.block.header, [bytes(raw)]))
    assert caught.value.code == "INVALID_SIGNATURE"


async def test_a_block_that_is_not_canonical_is_refused(world: Any, autojump_clock: MockClock) -> None:
    """Junk in place of an envelope is the proposer's fault, and an error with a code."""
    chain, proposal = await fresh_proposal(world)
    with pytest.raises(InvalidBlock) as caught:
        chain.check(Block.build(proposal.block.header, [b"\xff"]))
    assert caught.value.code == "NOT_CANONICAL"


async def test_state_that_does_not_give_its_root_stops_the_start(world: Any, autojump_clock: MockClock) -> None:
    """One flipped bit in one stored account is found before anything is signed."""
    async with world.node() as node:
        await node.roles.consensus.wait_for_height(2)
    state = world.kept.storage._state
    key = next(key for key in state if key[0] == 1)
    state[key] = state[key][:-1] + bytes([state[key][-1] ^ 1])
    with pytest.raises(MetanodeError) as caught:
        async with world.node():
            pass
    assert caught.value.code == "STORAGE_CORRUPT"


def test_the_header_window_is_a_rule_and_not_a_cache() -> None:
    """A node that trimmed late and one that trimmed early answer the same."""
    index = HeaderIndex(b"g" * 32, 0, window_ms=5_000)
    for height in range(1, 2 * TRIM_ENTRIES + 2):
        index.append(height.to_bytes(32, "big"), height * 1000)
        assert index.at(height) == (height.to_bytes(32, "big"), height * 1000)
        assert index.at(height + 1) is None
        if height > 5:  # genesis, at time 0, lies within the window of the first five
            assert index.at(height - 5) == ((height - 5).to_bytes(32, "big"), (height - 5) * 1000)
            assert height == 6 or index.at(height - 6) is None
    assert index.last_height == 2 * TRIM_ENTRIES + 1


@pytest.mark.parametrize(
    ("name", "window_ms"), [("devnet", 300_000), ("testnet", 17_280_000), ("mainnet", 172_800_000)]
)
def test_the_window_holds_two_epochs_and_every_fresh_challenge(name: str, window_ms: int) -> None:
    """Devnet's two epochs are 40 s, its challenges are fresh for 300 s."""
    params = network(NETWORKS, name)[2]
    assert look_back_ms(params) == window_ms >= params.challenge_fresh_ms


async def test_a_fresh_challenge_older_than_two_epochs_is_known(world: Any, autojump_clock: MockClock) -> None:
    """Before a restart and after it."""
    params = world.genesis.params
    two_epochs_ms = 2 * params.slot_ms * params.slots_per_epoch
    async with world.node() as node:
        head = await node.roles.consensus.wait_for_height(two_epochs_ms // params.block_ms + 2)
        assert two_epochs_ms < head.time_ms - head.ancestors.at(1)[1] < params.challenge_fresh_ms
        known = [head.ancestors.at(height) for height in range(head.height + 1)]
    async with world.node() as node:
        assert [node.roles.consensus.head.ancestors.at(height) for height in range(len(known))] == known
