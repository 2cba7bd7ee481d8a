"""Timing probes with nothing but the standard library.

Each takes `SAMPLES` samples and keeps them all, in the order taken; the smallest is the
truest, because noise only ever adds.  Interpreted code hides whatever costs less than its own
steps, so these probes measure what runs in one C loop (`sum`, `math.prod`, a memory copy), are
measurements of an interpreter, and leave the rest (what costs little, and whether the
processor is emulated) to the compiled probes: `compiled.py` runs them, `summaries.py` computes
ratios, `envelopes.py` judges, `workload.py` recomputes.  Timings are what this machine says of
itself: evidence, never proof.
"""

from __future__ import annotations

from collections.abc import Callable

from metanode.fingerprint.probes.budget import Budget
from metanode.fingerprint.probes.chain import float_add_chain, float_mul_chain, int_add_chain
from metanode.fingerprint.probes.memory import MemoryProbe
from metanode.fingerprint.probes.timer import timer_backwards_and_step
from metanode.fingerprint.samples import (
    FLOAT_ADD,
    FLOAT_MUL,
    INT_ADD,
    MEMORY_COPY,
    MEMORY_LATENCY,
    TIMER_BACKWARDS,
    TIMER_STEP,
    Measurement,
)

SAMPLES = 15
"""Samples per probe; an odd number has a median."""

Progress = Callable[[int, int, str], None]
"""Told (steps done, steps in all, what runs now)."""


def measure(*, budget: Budget | None = None, progress: Progress | None = None) -> tuple[Measurement, ...]:
    """Run every probe and return the raw samples.

    Samples of the probes are taken in turns, so that a burst of other work on the machine
    spoils one round of all instead of all rounds of one.
    """
    budget = budget or Budget()
    memory = MemoryProbe()
    probes: tuple[tuple[int, str, Callable[[], int]], ...] = (
        (INT_ADD, "integer additions", int_add_chain),
        (FLOAT_ADD, "floating-point additions", float_add_chain),
        (FLOAT_MUL, "floating-point multiplications", float_mul_chain),
        (MEMORY_COPY, "memory copies", memory.copy_ps_per_kb),
        (MEMORY_LATENCY, "memory latency", memory.latency_ps),
    )
    raw: dict[int, list[int]] = {kind: [] for kind, _, _ in probes}
    raw |= {TIMER_STEP: [], TIMER_BACKWARDS: []}
    rounds_total = SAMPLES * (len(probes) + 1)
    done = 0
    for _ in range(SAMPLES):
        for kind, name, probe in probes:
            if budget.over(len(raw[kind])):
                continue
            if progress is not None:
                progress(done, rounds_total, name)
            raw[kind].append(probe())
            done += 1
        if not budget.over(len(raw[TIMER_STEP])):
            backwards, step = timer_backwards_and_step()
            raw[TIMER_BACKWARDS].append(backwards)
            raw[TIMER_STEP].append(step)
            done += 1
    if progress is not None:
        progress(rounds_total, rounds_total, "")
    return tuple(Measurement(kind, tuple(samples)) for kind, samples in sorted(raw.items()) if samples)
