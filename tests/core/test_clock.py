"""Time and chance come from outside, and a test controls both."""

import time

import trio
from trio.testing import MockClock

from metanode.core.clock import SystemClock, SystemRandomness, fraction
from metanode.core.testing.clock import START_MS, SeededRandomness, VirtualClock


def test_the_system_clock_tells_the_machines_time() -> None:
    """Wall time is within a second of the machine's; monotonic time does not go back."""
    clock = SystemClock()
    assert abs(clock.now_ms() - time.time() * 1000) < 1000
    assert clock.monotonic() <= clock.monotonic()


def test_system_randomness_gives_as_many_bytes_as_asked() -> None:
    """Two draws differ, or keys would repeat."""
    randomness = SystemRandomness()
    assert len(randomness.bytes(32)) == 32
    assert randomness.bytes(32) != randomness.bytes(32)


async def test_a_virtual_clock_moves_with_trio_alone(autojump_clock: MockClock) -> None:
    """An hour of sleep is an hour of wall time, to the millisecond."""
    clock = VirtualClock()
    assert clock.now_ms() == START_MS
    await trio.sleep(3600.3)
    assert clock.now_ms() == START_MS + 3_600_300
    assert clock.monotonic() == 3600.3


async def test_a_worker_thread_reads_the_newest_virtual_time(autojump_clock: MockClock) -> None:
    """Only trio's thread may ask trio, so a thread gets what that thread read last."""
    clock = VirtualClock()
    await trio.sleep(5)
    now = clock.now_ms()
    assert await trio.to_thread.run_sync(clock.now_ms) == now


def test_one_seed_gives_one_sequence() -> None:
    """A run can be replayed from its seed; another seed gives another run."""
    first, again, other = SeededRandomness(7), SeededRandomness(7), SeededRandomness(8)
    drawn = [first.bytes(16) for _ in range(3)]
    assert drawn == [again.bytes(16) for _ in range(3)]
    assert len(set(drawn)) == 3
    assert other.bytes(16) not in drawn


def test_a_fraction_is_below_one() -> None:
    """Jitter multiplies a wait; it must not exceed it."""
    randomness = SeededRandomness(1)
    drawn = [fraction(randomness) for _ in range(200)]
    assert all(0 <= value < 1 for value in drawn)
    assert max(drawn) - min(drawn) > 0.9
