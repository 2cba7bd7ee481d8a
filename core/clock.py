"""Time and chance as a node sees them: given from outside, so that a run can be replayed.

Nothing in a node reads the system's clock or random source except through these two.
Sleeping is `trio.sleep`, which trio's own mock clock makes virtual.
"""

from __future__ import annotations

import builtins
import os
import time
from typing import Protocol


class Clock(Protocol):
    """Where a node reads the time.  May be read from any thread."""

    def now_ms(self) -> int:
        """Return wall time, milliseconds since 1970 (UTC).  May jump."""

    def monotonic(self) -> float:
        """Return seconds since some fixed moment.  Never goes back."""


class SystemClock:
    """The clock of the machine."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class Randomness(Protocol):
    """Where a node draws keys, salts and jitter."""

    def bytes(self, count: int, /) -> builtins.bytes:
        """Return `count` bytes that nobody can predict."""


class SystemRandomness:
    """The random source of the operating system."""

    def bytes(self, count: int, /) -> builtins.bytes:
        return os.urandom(count)


def fraction(randomness: Randomness) -> float:
    """Draw a number in [0, 1), for jitter only."""
    return int.from_bytes(randomness.bytes(6), "big") / (1 << 48)
