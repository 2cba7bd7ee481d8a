"""What a validator's disk must remember, and what the chain may lose."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from metanode.core.home import Home
from metanode.core.model.errors import MetanodeError, StorageError
from metanode.core.testing.cluster import Cluster
from metanode.plugins.consensus._shared.wal import WriteAheadLog
from metanode.plugins.consensus.qbft.guard_log import raise_guard


async def test_all_restarted_together_go_on(lasting: Any, autojump_clock: MockClock) -> None:
    """Nothing of the chain lives in memory alone."""
    async with lasting.running():
        await lasting.wait_for_height(5)
        height = lasting.height
    async with lasting.running():
        assert lasting.height >= height
        await lasting.wait_for_height(height + 3)
        await lasting.check_agreement()


async def test_a_wiped_validator_that_kept_its_guard_fetches_the_chain_and_votes(
    lasting: Any, autojump_clock: MockClock
) -> None:
    """Two of four lose their chain, not what they signed."""
    async with lasting.running():
        await lasting.wait_for_height(5)
    for index in (0, 1):
        shutil.rmtree(lasting.homes / f"n{index}" / "data" / "storage.sqlite")
    async with lasting.running():
        await lasting.wait_for_height(9, within_s=60)
        await lasting.check_agreement()


async def test_a_validator_without_its_guard_follows_and_does_not_vote(lasting: Any, autojump_clock: MockClock) -> None:
    """What it signed is unknown; the three others go on, and it says why it is silent."""
    async with lasting.running():
        await lasting.wait_for_height(3)
    shutil.rmtree(lasting.homes / "n0" / "data" / "consensus.qbft")
    async with lasting.running() as nodes:
        await lasting.wait_for_height(8, within_s=120)
        status = nodes[0].roles.consensus.status()
        assert status["cause"] == "guard-missing"
        assert "metanode guard init" in str(status["waiting"])
        # Without it there are three: with one more gone there is no quorum.
    async with lasting.running(0, 1, 2) as nodes:
        before = nodes[1].roles.consensus.head.height
        await trio.sleep(120)
        assert nodes[1].roles.consensus.head.height <= before + 1


async def test_one_validator_restarted_again_and_again_stops_nobody(lasting: Any, autojump_clock: MockClock) -> None:
    """Each life is a few seconds; the others never stop, and it always finds its way back."""
    async with lasting.running(1, 2, 3):
        for _ in range(5):
            async with lasting.node(0):
                await trio.sleep(3.3)
        height = lasting.height
        async with lasting.node(0):
            await lasting.wait_for_height(height + 3)
            await lasting.check_agreement()


async def test_a_lone_validator_restarts(tmp_path: Path, autojump_clock: MockClock) -> None:
    """N = 1: its own vote is the quorum, before and after."""
    cluster = Cluster(1, tmp_path, storage="sqlite")
    raise_guard(Home(tmp_path / "n0"), cluster.identities[0].consensus.public_key, 0)
    for height in (3, 6):
        async with cluster.running():
            await cluster.wait_for_height(height)


async def test_a_full_disk_stops_the_validator_before_it_speaks_and_it_resumes(
    lasting: Any, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written down is not said: the node ends with one clear error, the others go on."""
    async with lasting.running(1, 2, 3):

        async def until_full() -> None:
            async with lasting.node(0) as node:
                await node.roles.consensus.wait_for_height(2)
                monkeypatch.setattr(node.roles.consensus._log, "append", refuse)
                await trio.sleep(60)

        def refuse(record: bytes) -> None:
            raise StorageError("STORAGE_FULL", "no space left on device")

        with pytest.raises(MetanodeError, match="no space left on device"):
            await until_full()
        height = lasting.height
        async with lasting.node(0):
            await lasting.wait_for_height(height + 4)
            await lasting.check_agreement()


async def test_a_validator_whose_clock_jumps_an_hour_is_voted_around(lasting: Any, autojump_clock: MockClock) -> None:
    """Its own proposals are refused as out of time; it follows the others, and leads again once it is set right."""
    async with lasting.running():
        await lasting.wait_for_height(3)
        for skew_ms in (3_600_000, -3_600_000):
            lasting.clocks[0].skew_ms = skew_ms
            height = lasting.height
            await lasting.wait_for_height(height + 8, within_s=120)
        lasting.clocks[0].skew_ms = 0
        height = lasting.height
        await lasting.wait_for_height(height + 8, within_s=20)
        await lasting.check_agreement()


async def test_two_nodes_never_sign_with_one_guard(lasting: Any, autojump_clock: MockClock) -> None:
    """The second process of a home is refused before it can speak."""
    log = WriteAheadLog(lasting.homes / "n0" / "data" / "consensus.qbft" / "guard")
    log.open()
    with pytest.raises(MetanodeError) as caught:
        async with lasting.node(0):
            pass
    assert caught.value.code == "STORAGE_LOCKED"
    log.close()


async def test_a_validator_whose_guard_was_lost_votes_again_once_it_is_told(
    lasting: Any, autojump_clock: MockClock
) -> None:
    """`metanode guard init --above` a height nobody has reached; from the next one on its vote can be the third."""
    async with lasting.running():
        await lasting.wait_for_height(3)
        height = lasting.height
    shutil.rmtree(lasting.homes / "n0" / "data" / "consensus.qbft")
    raise_guard(Home(lasting.homes / "n0"), lasting.identities[0].consensus.public_key, height + 4)
    async with lasting.running():
        await lasting.wait_for_height(height + 6, within_s=60)
    async with lasting.running(0, 1, 2) as nodes:
        await lasting.wait_for_height(height + 10, within_s=120)
        assert nodes[0].roles.consensus.status()["cause"] != "guard-missing"
        await lasting.check_agreement()


@pytest.mark.parametrize("damage", ["cut", "flipped"])
async def test_a_validator_whose_log_is_damaged_does_not_start_and_the_others_go_on(
    lasting: Any, autojump_clock: MockClock, damage: str
) -> None:
    """What its last record promised is unknown, so it must not speak; the operator is told by name."""
    async with lasting.running():
        await lasting.wait_for_height(4)
    path = lasting.homes / "n0" / "data" / "consensus.qbft" / "guard" / "wal.log"
    data = path.read_bytes()
    path.write_bytes(data[:-7] if damage == "cut" else data[:-7] + bytes([data[-7] ^ 16]) + data[-6:])
    async with lasting.running(1, 2, 3):
        height = lasting.height
        with pytest.raises(MetanodeError, match="damaged at byte") as caught:
            async with lasting.node(0):
                pass
        assert caught.value.code == "WAL_CORRUPT"
        await lasting.wait_for_height(height + 3, within_s=60)
