"""Chains of dependent arithmetic, timed inside one C loop of the interpreter.

`sum` and `math.prod` keep a C variable as long as all items are of one type, so each step
waits for the one before and costs little else.  An emulator that computes floating point in
software shows up as a much larger ratio of float to integer.
"""

from __future__ import annotations

import math
import time

ITEMS = 50_000
"""Steps per sample: about 0.15 ms on a PC, a few ms on a G4."""

_INTEGERS = [1] * ITEMS
# Exact in binary, and small enough that neither sum nor product leaves the normal range.
_FLOATS = [1.0] * ITEMS


def int_add_chain() -> int:
    """Return picoseconds per integer addition, loop included."""
    begin = time.perf_counter_ns()
    total = sum(_INTEGERS)
    taken = time.perf_counter_ns() - begin
    assert total == ITEMS
    return taken * 1000 // ITEMS


def float_add_chain() -> int:
    """Return picoseconds per floating-point addition, loop included."""
    begin = time.perf_counter_ns()
    total = sum(_FLOATS)
    taken = time.perf_counter_ns() - begin
    assert total == ITEMS
    return taken * 1000 // ITEMS


def float_mul_chain() -> int:
    """Return picoseconds per floating-point multiplication, loop included."""
    begin = time.perf_counter_ns()
    product = math.prod(_FLOATS)
    taken = time.perf_counter_ns() - begin
    assert product == 1.0
    return taken * 1000 // ITEMS
