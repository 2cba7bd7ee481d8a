"""Time and chance that a test controls: a clock that follows trio's, bytes that follow a seed."""

from __future__ import annotations

import builtins
import hashlib

import trio

START_MS = 1_700_000_000_000
"""Wall time at which a virtual clock starts, milliseconds since 1970."""


class VirtualClock:
    """A clock that moves only when trio's does, so `autojump_clock` moves it too.

    Make it inside the trio run.  Another thread reads the newest time that trio's thread
    has read, since only trio's own thread may ask trio.
    """

    def __init__(self, start_ms: int = START_MS) -> None:
        self._start_ms = start_ms
        self._origin = trio.current_time()
        self._elapsed = 0.0

    def monotonic(self) -> float:
        if trio.lowlevel.in_trio_run():
            self._elapsed = trio.current_time() - self._origin
        return self._elapsed

    def now_ms(self) -> int:
        # Rounded, not cut: 0.3 s of virtual time is 300 ms, although 0.3 has no exact float.
        return self._start_ms + round(self.monotonic() * 1000)


class SeededRandomness:
    """Bytes that depend on a seed alone: SHAKE-256 over (seed, number of the draw)."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._draws = 0

    def bytes(self, count: int, /) -> builtins.bytes:
        self._draws += 1
        return hashlib.shake_256(f"{self.seed}/{self._draws}".encode()).digest(count)
