"""How fine the timer is, and whether it ever runs backwards."""

from __future__ import annotations

import time

READINGS = 4_000
"""Readings per sample."""


def timer_backwards_and_step() -> tuple[int, int]:
    """Return (readings before the one preceding them, smallest step above zero in nanoseconds).

    The step is the timer's quantum or the cost of one reading, whichever is larger; one
    second for a timer that never moved during the sample.
    """
    readings = [0] * READINGS
    read = time.perf_counter_ns
    for i in range(READINGS):
        readings[i] = read()
    steps = [after - before for before, after in zip(readings, readings[1:], strict=False)]
    backwards = sum(step < 0 for step in steps)
    positive = [step for step in steps if step > 0]
    return backwards, min(positive, default=1_000_000_000)
