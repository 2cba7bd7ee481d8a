"""What mempool.fifo promises beyond the contract: time to live, a bounded table of sources, no lost save."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from metanode.core.testing.contracts.pool_bench import Bench, attest, head_at, settled, transfer
from metanode.plugins.mempool.fifo import sources
from metanode.plugins.mempool.fifo.mempool import SWEEP_S
from metanode.plugins.mempool.fifo.sources import SourceLimiter
from metanode.plugins.storage.memory.store import MemoryStorage


async def test_what_no_block_took_is_forgotten_after_its_time(bench: Bench) -> None:
    """The time to live is a setting; the next head or the next sweep enforces it, on disk too."""
    async with bench.pool() as pool:
        await pool.submit([transfer(1, 0).raw], source="local")
        bench.clock.seconds += bench.settings["ttl_s"] - 1
        pool.advance(head_at(1), [], [])
        assert pool.stats()["entries"] == 1
        bench.clock.seconds += 1
        pool.advance(head_at(2), [], [])
        assert pool.stats()["entries"] == 0
        await settled()
        assert await bench.storage.load_pending() == []


async def test_the_sweep_needs_no_block(bench: Bench, autojump_clock: object) -> None:
    """A halted chain does not keep what is too old."""
    async with bench.pool() as pool:
        await pool.submit([transfer(1, 0).raw], source="local")
        bench.clock.seconds += bench.settings["ttl_s"]
        await trio.sleep(SWEEP_S + 1)
        assert pool.stats()["entries"] == 0


async def test_an_evicted_envelope_may_come_back_and_stays_saved(bench: Bench, settings: dict[str, Any]) -> None:
    """Taking an envelope out of storage never overtakes its second acceptance."""
    bench.settings = {**settings, "entries_max": 100}  # 70 places for what pays
    cheap = transfer(0, 0, fee=100)
    async with bench.pool() as pool:
        batch = [cheap, *(transfer(who, 0, fee=200 + who) for who in range(1, 71))]
        answers = await pool.submit([envelope.raw for envelope in batch], source="local")
        assert answers[0].error is not None
        assert answers[0].error.code == "POOL_FULL"
        assert all(answer.error is None for answer in answers[1:])
        # Before the sweeper has run: the best one is included, so there is room again.
        pool.advance(head_at(1), [batch[-1].id], [])
        (again,) = await pool.submit([cheap.raw], source="local")
        assert again.error is None
        await settled()
        assert cheap.id in dict(await bench.storage.load_pending())


async def test_an_unreadable_pending_envelope_does_not_stop_a_restart(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Damage to one entry is told and forgotten; the others come back."""
    good, other = transfer(1, 0), attest(2, 0)
    await bench.storage.open(bytes(range(32)))
    await bench.storage.save_pending([(bytes(32), b"noise"), (good.id, good.raw), (b"x" * 32, other.raw)])
    assert isinstance(bench.storage, MemoryStorage)
    bench.storage._open = False
    async with bench.pool() as pool:
        assert pool.select(count_max=9, bytes_max=10**6) == [good]
        await settled()
        assert await bench.storage.load_pending() == [(good.id, good.raw)]
    assert "NOT_CANONICAL" in caplog.text
    assert "has the id" in caplog.text


def test_a_request_window_slides() -> None:
    """Each request is free again exactly a window after it was made, and a refused one costs nothing."""
    limiter = SourceLimiter(3)
    assert [limiter.refusal("a", now) is None for now in (0.0, 1.0, 2.0, 3.0, 59.9)] == [True, True, True, False, False]
    assert limiter.refusal("a", 60.0) is None
    refusal = limiter.refusal("a", 60.5)
    assert refusal is not None
    assert refusal.code == "RATE_LIMITED"
    assert refusal.expected == "a retry in 1 s"
    assert limiter.refusal("a", 61.0) is None


def test_a_large_request_counts_as_several() -> None:
    """A caller cannot get around the limit by asking for everything at once."""
    limiter = SourceLimiter(5)
    assert limiter.refusal("a", 0.0, requests=6) is not None
    assert limiter.refusal("a", 0.0, requests=5) is None
    assert limiter.refusal("a", 59.0) is not None


def test_the_table_of_sources_is_bounded() -> None:
    """The source that was quiet longest is forgotten first."""
    limiter = SourceLimiter(1)
    for number in range(sources.SOURCES_MAX + 10):
        assert limiter.refusal(f"10.0.{number}", float(number) / 1000) is None
    assert len(limiter._times) == sources.SOURCES_MAX
    assert limiter.refusal(f"10.0.{sources.SOURCES_MAX + 9}", 2.0) is not None
    assert limiter.refusal("10.0.0", 2.0) is None


def test_one_ipv6_network_is_one_source() -> None:
    """A customer line has 2^64 addresses; an address of another line counts for itself."""
    limiter = SourceLimiter(2)
    assert limiter.refusal("2001:db8::1", 0.0) is None
    assert limiter.refusal("2001:db8::ffff:2", 0.0) is None
    refused = limiter.refusal("2001:db8::3", 0.0)
    assert refused is not None
    assert refused.code == "RATE_LIMITED"
    assert limiter.refusal("2001:db8:0:1::1", 0.0) is None
