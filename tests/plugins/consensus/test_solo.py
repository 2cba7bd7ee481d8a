"""The lone validator as a whole, on a virtual clock, with the production plugin and log: cadence, crash, restart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from metanode.core.model.block import decode_block
from metanode.core.model.codec import decode, encode
from metanode.core.model.errors import MetanodeError, StorageError
from metanode.core.model.header import decode_header, header_hash
from metanode.core.model.validators import decode_set
from metanode.core.model.vote import decode_certificate, verify_certificate
from metanode.core.roles import BlockCommit
from metanode.core.testing.clock import START_MS, VirtualClock
from metanode.plugins.consensus._shared import wal as wal_module
from metanode.plugins.consensus._shared.wal import WriteAheadLog
from metanode.plugins.consensus.solo.plugin import RECORD_PROMISE


class Crash(Exception):
    """The process dies here."""


def promised_blocks(world: Any) -> list[tuple[bytes, bytes]]:
    """(header hash, block bytes) of every promise in the log."""
    log = WriteAheadLog(world.home / "data" / "consensus.solo" / "wal")
    records = [decode(raw, bytes_max=1 << 22) for raw in log.open()]
    log.close()
    assert all(record[0] == RECORD_PROMISE for record in records)  # type: ignore[index]
    return [(record[2], record[3]) for record in records]  # type: ignore[index,misc]


async def test_blocks_follow_the_genesis_cadence(world: Any, autojump_clock: MockClock) -> None:
    """Empty blocks keep challenges fresh: one every block time where slots are short."""
    async with world.node() as node:
        start = trio.current_time()
        first = await node.roles.consensus.wait_for_height(1)
        head = await node.roles.consensus.wait_for_height(11)
        assert trio.current_time() - start == pytest.approx(11, abs=1.5)
        assert head.time_ms - first.time_ms == 10 * world.genesis.params.block_ms


async def test_every_block_carries_a_certificate_and_a_vrf_proof_that_verify(
    world: Any, autojump_clock: MockClock
) -> None:
    """The contract of consensus at N = 1: what a light client would check holds for each block."""
    async with world.node() as node:
        await node.roles.consensus.wait_for_height(5)
        previous = world.genesis.hash
        for height in range(1, 6):
            record = await node.roles.storage.block(height)
            assert record is not None
            header = decode_header(record.block.header)
            assert header.prev_hash == previous
            previous = header_hash(record.block.header)
            certificate = decode_certificate(record.certificate)
            verify_certificate(certificate, previous, height, decode_set(world.genesis.validators), world.genesis.hash)


async def test_a_restart_continues_from_the_same_head(world: Any, autojump_clock: MockClock) -> None:
    """Nothing of the chain lives in memory alone."""
    async with world.node() as node:
        await node.roles.mempool.submit([world.transfer(0).raw], source="local")
        before = await node.roles.consensus.wait_for_height(4)
    async with world.node() as node:
        after = node.roles.consensus.head
        assert (after.height, after.header_hash, after.beta) == (before.height, before.header_hash, before.beta)
        assert after.state.root == before.state.root
        assert [after.ancestors.at(h) for h in range(5)] == [before.ancestors.at(h) for h in range(5)]


async def crash_at(world: Any, moment: Callable[[Any], Callable[..., Awaitable[None]]]) -> None:
    """Run a node whose storage dies inside `commit` of block 3, before or after it took effect."""
    storage = world.kept.storage
    commit = storage.commit
    storage.commit = moment(commit)

    async def run() -> None:
        async with world.node() as node:
            await node.roles.mempool.submit([world.transfer(0).raw], source="local")
            await node.roles.consensus.wait_for_height(3)
            await trio.sleep(60)

    with pytest.raises(MetanodeError, match="Crash"):
        await run()
    storage.commit = commit


@pytest.mark.parametrize("stored", [False, True], ids=["before the block is stored", "after the block is stored"])
async def test_a_promised_block_is_finished_byte_for_byte(world: Any, autojump_clock: MockClock, stored: bool) -> None:
    """Whatever was promised may be known elsewhere, so after a crash exactly it becomes final, once."""

    def dying(commit: Callable[[BlockCommit], Awaitable[None]]) -> Callable[[BlockCommit], Awaitable[None]]:
        async def dies(change: BlockCommit) -> None:
            if decode_header(change.record.block.header).height == 3:
                if stored:
                    await commit(change)
                raise Crash("power cut")
            await commit(change)

        return dies

    await crash_at(world, dying)
    promised = promised_blocks(world)
    assert [decode_header(decode_block(block).header).height for _, block in promised] == [1, 2, 3]
    async with world.node() as node:
        await node.roles.consensus.wait_for_height(4)
        record = await node.roles.storage.block(3)
        assert record is not None
        assert (record.header_hash, record.block.encode()) == promised[2]
    assert len({hash_ for hash_, _ in promised_blocks(world)}) == len(promised_blocks(world))


async def test_lost_blocks_stop_the_start(world: Any, autojump_clock: MockClock) -> None:
    """A log ahead of storage by two blocks means storage lost one: signing again there would be a double vote."""
    async with world.node() as node:
        await node.roles.consensus.wait_for_height(3)
    world.kept.storage = type(world.kept.storage)()
    with pytest.raises(StorageError, match="storage ends at 0: blocks are lost") as caught:
        async with world.node():
            pass
    assert caught.value.code == "STORAGE_CORRUPT"


async def test_another_nodes_log_stops_the_start(world: Any, autojump_clock: MockClock) -> None:
    """Promises belong to a key."""
    log = WriteAheadLog(world.home / "data" / "consensus.solo" / "wal")
    async with world.node() as node:
        await node.roles.consensus.wait_for_height(1)
    record = decode(log.open()[0], bytes_max=1 << 22)
    log.append(encode([RECORD_PROMISE, b"\x01" * 32, *record[2:]]))  # type: ignore[index]
    log.close()
    with pytest.raises(StorageError, match="belongs to another consensus key"):
        async with world.node():
            pass


async def test_a_lost_log_stops_the_start_until_the_operator_says_otherwise(
    world: Any, autojump_clock: MockClock
) -> None:
    """What the key signed is unknown then: signing again by itself could be a double vote."""
    async with world.node() as node:
        await node.roles.consensus.wait_for_height(3)
    (world.home / "data" / "consensus.solo" / "wal" / "wal.log").unlink()
    with pytest.raises(StorageError, match="holds no promise although the chain stands at") as caught:
        async with world.node():
            pass
    assert caught.value.code == "WAL_CORRUPT"
    assert "guard_above = " in caught.value.expected
    async with world.node(guard_above=1000) as node:
        await node.roles.consensus.wait_for_height(6)


async def test_a_restored_backup_is_not_signed_over_even_after_compaction(
    world: Any, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last promise outlives every compaction, so a chain set back by two blocks is noticed."""
    monkeypatch.setattr(wal_module, "FILE_BYTES_MAX", 1)
    async with world.node() as node:
        await node.roles.consensus.wait_for_height(4)
    assert 1 <= len(promised_blocks(world)) <= 2, "a stop may come just before the last compaction"
    world.kept.storage = type(world.kept.storage)()
    with pytest.raises(StorageError, match="blocks are lost"):
        async with world.node():
            pass


async def test_two_processes_never_sign_with_one_log(world: Any, autojump_clock: MockClock) -> None:
    """The second node of a home is refused before it can sign."""
    log = WriteAheadLog(world.home / "data" / "consensus.solo" / "wal")
    log.open()
    with pytest.raises(StorageError) as caught:
        async with world.node():
            pass
    assert caught.value.code == "STORAGE_LOCKED"
    log.close()


async def test_a_validator_that_is_not_the_set_refuses_to_start(world: Any, autojump_clock: MockClock) -> None:
    """One line says whose chain it is instead of producing blocks nobody accepts."""
    from metanode.core.home import solo_genesis
    from metanode.core.identity import fresh_identity
    from metanode.core.testing.clock import SeededRandomness

    world.genesis = solo_genesis(fresh_identity(SeededRandomness(99)), genesis_ms=START_MS)
    with pytest.raises(MetanodeError, match="validator set of this node's key alone"):
        async with world.node():
            pass


class Jumping(VirtualClock):
    """A wall clock that someone sets."""

    jump_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.jump_ms


async def test_a_clock_set_back_an_hour_does_not_stop_the_chain(world: Any, autojump_clock: MockClock) -> None:
    """Block time creeps on by a millisecond a block until the clock has caught up."""
    clock = Jumping()
    async with world.node(clock) as node:
        before = await node.roles.consensus.wait_for_height(3)
        clock.jump_ms = -3_600_000
        with trio.fail_after(30):
            after = await node.roles.consensus.wait_for_height(6)
        assert after.time_ms == before.time_ms + 3
        row = node.health.snapshot()["consensus.clock"]
        assert not row.ok
        assert "ahead of this machine's clock" in row.detail


async def test_a_clock_set_forward_an_hour_skips_epochs_and_goes_on(world: Any, autojump_clock: MockClock) -> None:
    """Block time follows the clock; skipped epochs mint nothing, and setting it right again stops nothing."""
    clock = Jumping()
    async with world.node(clock) as node:
        before = await node.roles.consensus.wait_for_height(3)
        clock.jump_ms = 3_600_000
        with trio.fail_after(30):
            after = await node.roles.consensus.wait_for_height(6)
        assert after.time_ms > before.time_ms + 3_600_000
        supply = node.roles.ledger.supply(after.state)["supply"]
        assert supply == world.genesis.supply + world.genesis.params.pot_per_epoch, "one epoch held blocks"
        clock.jump_ms = 0
        with trio.fail_after(30):
            await node.roles.consensus.wait_for_height(9)


async def test_an_envelope_does_not_wait_for_the_empty_block(world: Any, autojump_clock: MockClock) -> None:
    """With slots of ten minutes empty blocks come once a minute, a waiting transfer within a block time."""
    from dataclasses import replace

    world.genesis = replace(world.genesis, params=replace(world.genesis.params, slot_ms=600_000))
    async with world.node() as node:
        await trio.sleep(5)
        height = node.roles.consensus.head.height
        start = trio.current_time()
        await node.roles.mempool.submit([world.transfer(0).raw], source="local")
        await node.roles.consensus.wait_for_height(height + 1)
        assert trio.current_time() - start <= world.genesis.params.block_ms / 1000
        assert node.roles.consensus.head.height <= 2
