"""How long measuring may take: a PC is a guest's host, and a slow machine still gets its samples."""

from __future__ import annotations

import time

from metanode.fingerprint.samples import SAMPLES_MIN

BUDGET_MS = 5_000
"""Time for all probes together, where they are done in it: a PC takes less than one second."""
BUDGET_SLOW_MS = 60_000
"""Time for a machine that could not take SAMPLES_MIN of each within the first limit, such as a 400 MHz G4."""


class Budget:
    """Counts from its making on, so that several runs can share one."""

    def __init__(self, ms: int = BUDGET_MS, slow_ms: int = BUDGET_SLOW_MS) -> None:
        now = time.monotonic_ns()
        self._enough = now + ms * 1_000_000
        self._end = now + max(ms, slow_ms) * 1_000_000

    def over(self, samples: int) -> bool:
        """Tell whether a probe with so many samples takes no more: past the first limit only until it has enough."""
        now = time.monotonic_ns()
        return now > self._end or (now > self._enough and samples >= SAMPLES_MIN)
