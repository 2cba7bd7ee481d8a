"""What stands on chain of the compiled probes: five numbers of each, and the ratios that follow from them.

A summary's kind is KIND_BASE + the probe's number and its times are picoseconds per step.  The miner's own report
computes from the same summaries, so nobody ever sees another ratio than a validator.  Integers throughout.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from metanode.fingerprint.probes.workload import (
    ACTIVE_PROBES,
    CALL,
    FP_ADD,
    FP_DIV,
    FP_MUL,
    INT_ADD,
    INT_DIV,
    INT_MUL,
    PATCH,
    SCALAR,
    SIMD,
    STREAM,
)
from metanode.fingerprint.samples import SAMPLES_MIN, Summary

KIND_BASE = 32
"""Added to a probe's number; smaller kinds are the interpreter's."""
STREAM_WORD_BYTES = 4
"""What one step of the stream reads."""
RATIOS: dict[str, tuple[int, int]] = {
    "int_mul": (INT_MUL, INT_ADD),
    "int_div": (INT_DIV, INT_ADD),
    "fp_add": (FP_ADD, INT_ADD),
    "fp_mul": (FP_MUL, INT_ADD),
    "fp_div_mul": (FP_DIV, FP_MUL),
    "simd_scalar": (SIMD, SCALAR),
    "call": (CALL, INT_ADD),
    "patch": (PATCH, INT_ADD),
}
"""Name to the probe above and the probe below; each is time per step."""


def proven(summaries: Sequence[Summary], results: Iterable[tuple[int, int]]) -> tuple[Summary, ...]:
    """Return the summaries of compiled probes whose right result stands beside them: a timing alone shows no work."""
    answered = {KIND_BASE + probe for probe, _ in results if probe in ACTIVE_PROBES}
    return tuple(summary for summary in summaries if summary.kind in answered)


def fastest_ps(summaries: Iterable[Summary]) -> dict[int, int]:
    """Return each compiled probe's fastest sample, picoseconds per step, where there are enough samples."""
    return {
        summary.kind - KIND_BASE: summary.minimum
        for summary in summaries
        if summary.kind - KIND_BASE in ACTIVE_PROBES and summary.count >= SAMPLES_MIN and summary.minimum
    }


def ratios(summaries: Iterable[Summary]) -> dict[str, int]:
    """Return in thousandths each of RATIOS that was measured, between fastest samples: noise only ever adds."""
    least = fastest_ps(summaries)
    return {
        name: 1000 * least[above] // least[below]
        for name, (above, below) in RATIOS.items()
        if above in least and below in least
    }


def read_mb_s(summaries: Iterable[Summary]) -> int:
    """Return how fast memory was read in order, in MB/s of 10^6 bytes; 0 when not measured."""
    least = fastest_ps(summaries).get(STREAM, 0)
    return STREAM_WORD_BYTES * 1_000_000 // least if least else 0
