"""Speed and latency of memory, by copying and by walking a table too large for a small cache."""

from __future__ import annotations

import mmap
import time

COPY_BYTES = 4 << 20
"""Bytes per copy: source and target together exceed every cache of the classes that have a ceiling."""
LARGE_BYTES = 8 << 20
SMALL_BYTES = 4 << 10
"""Tables of the latency walk; the small one sits in every first-level cache since the 486."""
STEPS = 10_000
"""Steps of one walk."""

_MULTIPLIER, _INCREMENT = 1_664_525, 1_013_904_223  # Numerical Recipes: full period modulo a power of two


class MemoryProbe:
    """Holds the one buffer that all samples share (8 MiB), so that taking a sample allocates nothing."""

    def __init__(self) -> None:
        # Mapped, for an allocator may keep what is freed: the buffer goes back to the system with its last reference.
        self._buffer = mmap.mmap(-1, LARGE_BYTES, flags=mmap.MAP_PRIVATE)
        # Written whole: fresh zero pages would all be one page of the kernel's.
        ones = b"\1" * SMALL_BYTES
        for at in range(0, LARGE_BYTES, SMALL_BYTES):
            self._buffer[at : at + SMALL_BYTES] = ones
        self._small_ns = self._walk(SMALL_BYTES)

    def copy_ps_per_kb(self) -> int:
        """Copy one half of the buffer over the other; return picoseconds per 1000 bytes."""
        view = memoryview(self._buffer)
        begin = time.perf_counter_ns()
        view[:COPY_BYTES] = view[COPY_BYTES:]
        taken = time.perf_counter_ns() - begin
        return taken * 1_000_000 // COPY_BYTES

    def latency_ps(self) -> int:
        """Return picoseconds that a step in the large table takes beyond the fastest one seen in the small table."""
        self._small_ns = min(self._small_ns, self._walk(SMALL_BYTES))
        return max(0, self._walk(LARGE_BYTES) - self._small_ns) * 1000 // STEPS

    def _walk(self, size: int) -> int:
        """Follow a pseudo-random path whose every step needs the byte just read; return nanoseconds."""
        buffer, mask, at = self._buffer, size - 1, 0
        begin = time.perf_counter_ns()
        for _ in range(STEPS):
            at = (at * _MULTIPLIER + _INCREMENT * buffer[at]) & mask
        return time.perf_counter_ns() - begin


assert 2 * COPY_BYTES == LARGE_BYTES, "source and target fill the buffer"
