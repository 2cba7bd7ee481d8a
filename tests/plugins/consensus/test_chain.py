"""A block is valid for one reason only: its parent's state and its own bytes give exactly its header."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from metanode.core.model import ecvrf, leader
from metanode.core.model.block import Block
from metanode.core.model.errors import InvalidBlock, MetanodeError, SettingsError, StorageError
from metanode.core.model.genesis import network
from metanode.core.model.header import Header
from metanode.plugins.consensus._shared.chain import Chain, Proposal
from metanode.plugins.consensus._shared.headers import TRIM_ENTRIES, HeaderIndex

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


@pytest.mark.parametrize("error", [SettingsError("BAD_SETTING", "x"), StorageError("STORAGE_FULL", "x")])
async def test_a_fault_of_this_node_is_not_the_blocks(
    world: Any, autojump_clock: MockClock, error: MetanodeError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would call a valid block invalid, and go on without the others."""
    chain, proposal = await fresh_proposal(world)

    def broken(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(chain._ledger, "execute", broken)
    with pytest.raises(type(error)) as caught:
        chain.check(proposal.block)
    assert caught.value is error


def test_the_header_index_keeps_at_least_its_window() -> None:
    """What is older may be there or not: how old a challenge may be is the ledger's rule."""
    index = HeaderIndex(b"g" * 32, 0, window_ms=5_000)
    for height in range(1, 4 * TRIM_ENTRIES):
        index.append(height.to_bytes(32, "big"), height * 1000)
        for kept in (height, max(1, height - 5), max(1, height - TRIM_ENTRIES)):
            assert index.at(kept) == (kept.to_bytes(32, "big"), kept * 1000)
        assert index.at(height + 1) is None
        assert index.at(-1) is None
        assert index.at(0) == (b"g" * 32, 0)
    assert index.last_height == 4 * TRIM_ENTRIES - 1
    assert index.at(1) is None, "it does not grow without end"


def test_a_reader_never_finds_another_height_while_the_index_is_trimmed() -> None:
    """Admission reads in a worker thread while a block is appended: it must see all of the old window or of the new."""
    index = HeaderIndex(b"g" * 32, 0, window_ms=1)
    appended = threading.Event()
    wrong: list[tuple[int, tuple[bytes, int]]] = []

    def read() -> None:
        while not appended.is_set():
            height = max(1, index.last_height - 2 * TRIM_ENTRIES)
            for each in range(height, height + 2 * TRIM_ENTRIES, 97):
                found = index.at(each)
                if found not in (None, (each.to_bytes(32, "big"), each)):
                    wrong.append((each, found))

    reader = threading.Thread(target=read)
    reader.start()
    for height in range(1, 40 * TRIM_ENTRIES):
        before = index._held
        index.append(height.to_bytes(32, "big"), height)
        after = index._held
        # A trim leaves what a reader may be holding as it was, and gives the next one another pair.
        assert (after[0] == before[0]) == (after[1] is before[1])
    appended.set()
    reader.join()
    assert not wrong


@pytest.mark.parametrize(
    ("name", "window_ms"), [("devnet", 300_000), ("testnet", 17_280_000), ("mainnet", 172_800_000)]
)
def test_the_window_holds_two_epochs_and_every_fresh_challenge(name: str, window_ms: int) -> None:
    """Devnet's two epochs are 40 s, its challenges are fresh for 300 s."""
    params = network(NETWORKS, name)[2]
    assert params.look_back_ms == window_ms >= params.challenge_fresh_ms


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
