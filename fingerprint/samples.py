"""The summary of probe timings that a record or an attestation carries, and what is judged of the interpreter's.

One measurement = a probe's number, how many samples, and their minimum, median and maximum
as integers.  Pure: the miner encodes, a validator decodes and judges alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from metanode.core.model.codec import decode, encode, expect_list, expect_uint
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import RECORD_SAMPLES_BYTES_MAX, SAMPLES_BYTES_MAX
from metanode.fingerprint.checks import FAIL, PASS, UNMEASURED, Check
from metanode.fingerprint.multipliers import Row

SAMPLES_MIN = 5
"""Fewest samples that a judgement may rest on."""
SPREAD_PERMILLE_MAX = 1_000
"""(median - minimum) / minimum above which samples are called noise."""
TIMER_STEP_NS_MAX = 100_000
"""Steps coarser than this cannot time the probes."""


class ProbeKind(NamedTuple):
    """One thing that the standard library can measure."""

    number: int
    name: str
    unit: str
    words: str


PROBE_KINDS = (
    ProbeKind(1, "int_add_chain", "ps", "adding integers, each sum needing the one before"),
    ProbeKind(2, "float_add_chain", "ps", "adding floating-point numbers, each sum needing the one before"),
    ProbeKind(3, "float_mul_chain", "ps", "multiplying floating-point numbers, each product needing the one before"),
    ProbeKind(4, "memory_copy", "ps_per_kb", "copying 4 MiB, per 1000 bytes; a large cache may hold it all"),
    ProbeKind(5, "memory_latency", "ps", "a step through 8 MiB in random order, beyond what one within 4 KiB costs"),
    ProbeKind(6, "timer_step", "ns", "smallest step of the timer that is not zero"),
    ProbeKind(7, "timer_backwards", "count", "readings that lay before the one preceding them"),
)
KINDS: dict[int, ProbeKind] = {kind.number: kind for kind in PROBE_KINDS}
INT_ADD, FLOAT_ADD, FLOAT_MUL, MEMORY_COPY, MEMORY_LATENCY, TIMER_STEP, TIMER_BACKWARDS = KINDS


@dataclass(frozen=True)
class Measurement:
    """All samples of one probe, in the order taken.  Integers in the unit of its kind."""

    kind: int
    raw: tuple[int, ...]

    @property
    def summary(self) -> Summary:
        """Return the three numbers that travel."""
        ordered = sorted(self.raw)
        return Summary(self.kind, len(ordered), ordered[0], ordered[len(ordered) // 2], ordered[-1])


@dataclass(frozen=True)
class Summary:
    """What remains of a measurement in an attestation."""

    kind: int
    count: int
    minimum: int
    median: int
    maximum: int

    @property
    def spread_permille(self) -> int:
        """How far the median lies above the minimum, in thousandths; 0 when the minimum is 0."""
        return (self.median - self.minimum) * 1000 // self.minimum if self.minimum else 0


def encode_samples(measurements: Sequence[Measurement], *, bytes_max: int = SAMPLES_BYTES_MAX) -> bytes:
    """Return the canonical summary: array of [kind, count, minimum, median, maximum] by rising kind.

    :param bytes_max: of an attestation; a record carries `RECORD_SAMPLES_BYTES_MAX`.
    :raises Rejection: TOO_LARGE.
    """
    rows = sorted(
        [s.kind, s.count, s.minimum, s.median, s.maximum] for s in (item.summary for item in measurements if item.raw)
    )
    raw = encode(rows)
    if len(raw) > bytes_max:
        raise Rejection("TOO_LARGE", f"the sample summary has {len(raw)} bytes", f"at most {bytes_max} bytes")
    return raw


def encode_fitting(measurements: Sequence[Measurement], *, bytes_max: int) -> bytes:
    """Return the same without the highest kinds that do not fit: the walks through memory, which no verdict reads."""
    kept = sorted((item for item in measurements if item.raw), key=lambda item: item.kind)
    while True:
        try:
            return encode_samples(kept, bytes_max=bytes_max)
        except Rejection:
            kept.pop()


def decode_samples(data: bytes) -> tuple[Summary, ...]:
    """Read a summary back; b"" means that nothing was measured.  Kinds that nobody knows are kept and not judged.

    :raises CodecError: not canonical.
    :raises Rejection: BAD_SHAPE or TOO_LARGE.
    """
    if not data:
        return ()
    summaries: list[Summary] = []
    for item in expect_list(decode(data, bytes_max=RECORD_SAMPLES_BYTES_MAX), "samples"):
        numbers = [expect_uint(number, "sample") for number in expect_list(item, "sample", size=5)]
        summary = Summary(*numbers)
        if not summary.minimum <= summary.median <= summary.maximum or summary.count < 1:
            message = f"samples of probe {summary.kind} are out of order"
            raise Rejection("BAD_SHAPE", message, "count >= 1, minimum <= median <= maximum")
        if summaries and summary.kind <= summaries[-1].kind:
            raise Rejection("BAD_SHAPE", "samples are not sorted", "rising probe numbers, each once")
        summaries.append(summary)
    return tuple(summaries)


def judge(summaries: Sequence[Summary], row: Row) -> tuple[Check, ...]:
    """Return the checks that follow from the interpreter's timings, given the row of the machine's class.

    Only what has a physical bound is judged: a memory copy faster than the class allows and a
    timer that cannot be one.  Ratios are reported without a verdict until calibrated.
    """
    by_kind = {summary.kind: summary for summary in summaries}
    return (
        _timer(by_kind.get(TIMER_STEP), by_kind.get(TIMER_BACKWARDS)),
        _memory(by_kind.get(MEMORY_COPY), row.copy_mb_s_max),
        _latency(by_kind.get(MEMORY_LATENCY)),
        _ratio("float_int_add_ratio", by_kind.get(FLOAT_ADD), by_kind.get(INT_ADD)),
        _ratio("float_mul_add_ratio", by_kind.get(FLOAT_MUL), by_kind.get(FLOAT_ADD)),
    )


def _timer(step: Summary | None, backwards: Summary | None) -> Check:
    if step is None or backwards is None:
        return Check("timer", UNMEASURED, "NOT_RUN")
    numbers = (("step_ns", step.minimum), ("backwards", backwards.maximum))
    if backwards.maximum:
        return Check("timer", FAIL, "TIMER_BACKWARDS", numbers)
    if step.minimum > TIMER_STEP_NS_MAX:
        return Check("timer", UNMEASURED, "TIMER_COARSE", numbers)
    return Check("timer", PASS, "TIMER_STEADY", numbers)


def _memory(copy: Summary | None, ceiling_mb_s: int) -> Check:
    if copy is None or copy.minimum == 0:
        return Check("memory_speed", UNMEASURED, "NOT_RUN")
    # x ps per 1000 bytes is 1e9/x MB/s; the fastest sample counts, because a bound is in question.
    best_mb_s = 1_000_000_000 // copy.minimum
    numbers = (
        ("copy_mb_s", best_mb_s),
        ("ceiling_mb_s", ceiling_mb_s),
        ("samples", copy.count),
        ("spread_permille", copy.spread_permille),
    )
    if ceiling_mb_s == 0:
        return Check("memory_speed", UNMEASURED, "NO_ENVELOPE", numbers)
    if copy.count < SAMPLES_MIN:
        return Check("memory_speed", UNMEASURED, "TOO_NOISY", numbers)
    if best_mb_s > ceiling_mb_s:
        return Check("memory_speed", FAIL, "MEMORY_TOO_FAST", numbers)
    return Check("memory_speed", PASS, "WITHIN_CEILING", numbers)


def _latency(latency: Summary | None) -> Check:
    if latency is None:
        return Check("memory_latency", UNMEASURED, "NOT_RUN")
    numbers = (("minimum_ps", latency.minimum), ("median_ps", latency.median), ("samples", latency.count))
    return Check("memory_latency", UNMEASURED, "NO_ENVELOPE", numbers)


def _ratio(name: str, above: Summary | None, below: Summary | None) -> Check:
    if above is None or below is None or below.minimum == 0:
        return Check(name, UNMEASURED, "NOT_RUN")
    numbers = (
        ("ratio_permille", above.minimum * 1000 // below.minimum),
        ("samples", min(above.count, below.count)),
        ("spread_permille", max(above.spread_permille, below.spread_permille)),
    )
    noisy = max(above.spread_permille, below.spread_permille) > SPREAD_PERMILLE_MAX
    return Check(name, UNMEASURED, "TOO_NOISY" if noisy else "NO_ENVELOPE", numbers)
