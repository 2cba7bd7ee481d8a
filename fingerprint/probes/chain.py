"""Chains of dependent arithmetic, timed inside one C loop of the interpreter.

`sum` and `math.prod` keep a C variable as long as all items are of one type, so each step
waits for the one before and costs little else.  An emulator that computes floating point in
software shows up as a much larger ratio of float to integer.
"""

from __future__ import annotations

import math
import time
from itertools import repeat

ITEMS = 50_000
"""Steps per sample: about 0.15 ms on a PC, a few ms on a G4."""

# Repeated, not listed: a list would hold 0.4 MiB, and reading it would be measured too.  One is exact in binary, and
# neither sum nor product leaves the normal range.
_INTEGER, _FLOAT = 1, 1.0


def int_add_chain() -> int:
    """Return picoseconds per integer addition, loop included."""
    begin = time.perf_counter_ns()
    total = sum(repeat(_INTEGER, ITEMS))
    taken = time.perf_counter_ns() - begin
    assert total == ITEMS
    return taken * 1000 // ITEMS


def float_add_chain() -> int:
    """Return picoseconds per floating-point addition, loop included."""
    begin = time.perf_counter_ns()
    total = sum(repeat(_FLOAT, ITEMS))
    taken = time.perf_counter_ns() - begin
    assert total == ITEMS
    return taken * 1000 // ITEMS


def float_mul_chain() -> int:
    """Return picoseconds per floating-point multiplication, loop included."""
    begin = time.perf_counter_ns()
    product = math.prod(repeat(_FLOAT, ITEMS))
    taken = time.perf_counter_ns() - begin
    assert product == 1.0
    return taken * 1000 // ITEMS
