"""What the timing probes found, as text and as JSON: those in C beside those of the interpreter, never mixed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from metanode.fingerprint.checks import UNMEASURED, Check
from metanode.fingerprint.classes import processor_key
from metanode.fingerprint.evidence import ACTIVE, judge_active
from metanode.fingerprint.inventory import Inventory
from metanode.fingerprint.keyed import PROBE_CHAIN, run_keyed
from metanode.fingerprint.probes import Progress
from metanode.fingerprint.probes.compiled import measure_compiled
from metanode.fingerprint.probes.envelopes import (
    ENGINE,
    JUDGED,
    MARGIN,
    Envelope,
    envelopes,
    microarchitecture_of,
    outside,
)
from metanode.fingerprint.probes.readings import Readings
from metanode.fingerprint.report_lines import BESIDE_NAME, Style, check_lines
from metanode.fingerprint.samples import KINDS, Measurement
from metanode.platforms.shims import probes as shim

NEEDED = "NEEDS_COMPILED_PROBE"
INTERPRETED = ("timer", "memory_speed", "memory_latency", "float_int_add_ratio", "float_mul_add_ratio")
"""Checks that rest on what the interpreter timed."""


@dataclass(frozen=True)
class Compiled:
    """One run of the compiled probes, or why there was none."""

    readings: Readings | None = None
    claimed: str = ""
    """The microarchitecture of the inventory; empty without an envelope for it."""
    reason: str = "NOT_RUN"
    """Why nothing was run, a key of REASONS; without meaning beside readings."""
    problem: str = ""
    """Why there is no extension."""

    @property
    def envelope(self) -> Envelope | None:
        """What the claimed processor can do."""
        return envelopes().get(self.claimed)

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """What a record would carry of it."""
        return self.readings.measurements() if self.readings else ()

    @property
    def results(self) -> tuple[tuple[int, int], ...]:
        """The keyed results beside the timings, the interpreter's among them: right, or there would be no timing."""
        if self.readings is None:
            return ()
        return (PROBE_CHAIN, run_keyed(self.readings.challenge, PROBE_CHAIN)), *self.readings.results()

    @property
    def checks(self) -> tuple[Check, ...]:
        """What a validator would say of it: `evidence.ACTIVE`, with the reason where nothing was run."""
        if self.readings is None:
            return tuple(Check(name, UNMEASURED, self.reason) for name in ACTIVE)
        return judge_active(self.results, [item.summary for item in self.measurements], self.claimed)

    @property
    def outside(self) -> tuple[str, ...]:
        """The judged ratios beyond MARGIN times their range."""
        return outside(self.readings.ratios(), self.envelope) if self.readings and self.envelope else ()


def run_compiled(inventory: Inventory, progress: Progress | None = None) -> Compiled:
    """Run the compiled probes for a challenge of the system's randomness."""
    claimed = microarchitecture_of(processor_key(inventory))
    readings = measure_compiled(os.urandom(shim.CHALLENGE_BYTES), progress=progress)
    if readings is None:
        return Compiled(None, claimed, NEEDED, shim.problem())
    return Compiled(readings, claimed)


def probes_json(compiled: Compiled, measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Return the object `probes`; times below a nanosecond make decimal text of what is in nanoseconds."""
    readings, envelope, engine = compiled.readings, compiled.envelope, compiled.checks[1]
    step, divisor = readings.timer_ns() if readings else (0, 0)
    ranges = envelope.ranges if envelope else {}
    return {
        "compiled": {
            "ran": readings is not None,
            "reason": engine.reason,
            "words": engine.words,
            "problem": compiled.problem,
            "microarchitecture": compiled.claimed,
            "calibrated": bool(envelope and envelope.calibrated),
            "margin": MARGIN,
            "ratios": readings.ratios() if readings else {},
            "missing": readings.missing() if readings else {},
            "ranges": {name: list(ranges[name]) for name in JUDGED if name in ranges},
            "outside": list(compiled.outside),
            "latency_ns": [[size, _exact(ps)] for size, ps in readings.latency_curve()] if readings else [],
            "knees_bytes": list(readings.knees()) if readings else [],
            "read_mb_s": readings.read_mb_s() if readings else 0,
            "timer_ns": {"smallest_step": step, "common_divisor": divisor},
        },
        "interpreter": [
            {
                "number": item.kind, "name": KINDS[item.kind].name, "unit": KINDS[item.kind].unit,
                "samples": item.summary.count, "minimum": item.summary.minimum, "median": item.summary.median,
                "maximum": item.summary.maximum,
            }
            for item in measurements
        ],
    }  # fmt: skip


def compiled_lines(compiled: Compiled, style: Style) -> list[str]:
    """Return the lines about the processor itself."""
    readings, (keyed, engine, memory) = compiled.readings, compiled.checks
    if readings is None:
        problem = [BESIDE_NAME + compiled.problem] if compiled.problem else []
        return [*check_lines(keyed, style), *problem, f"{BESIDE_NAME}the same: {', '.join(ACTIVE[1:])}"]
    lines = check_lines(keyed, style) + check_lines(Check(ENGINE, engine.verdict, engine.reason), style)
    if envelope := compiled.envelope:
        source = "measured on a real one" if envelope.calibrated else "not yet measured on a real one"
        known = sum(name in envelope.ranges for name in readings.ratios())
        told = f"{len(compiled.outside)} of {known} ratios outside; allowed is twice the range of {envelope.name}"
        lines.append(f"{BESIDE_NAME}{told} ({source})")
    lines += _ratio_lines(compiled, readings, style)
    lines += check_lines(memory, style)
    if curve := readings.latency_curve():
        lines.append(f"  {'told':<11}{'memory latency':<21}{curve_text(curve, readings.knees())}")
    step, divisor = readings.timer_ns()
    lines.append(f"  {'told':<11}{'clock':<21}steps of {step} ns or more, multiples of {divisor} ns")
    return lines


def interpreter_lines(checks: Sequence[Check], measurements: Sequence[Measurement], style: Style) -> list[str]:
    """Return the lines about Python at work on this processor: what is judged of it, then what was timed."""
    lines, told = [], set()
    for check in checks:
        if check.name in INTERPRETED:
            lines += check_lines(check, style, words=check.reason not in told)
            told.add(check.reason)
    for item in measurements:
        kind, summary = KINDS[item.kind], item.summary
        unit = kind.unit.replace("_", " ").replace("count", "times")
        head = f"  {'told':<11}{kind.name:<21}"
        lines.append(f"{head}{summary.minimum} {unit} at least, {summary.median} median of {summary.count}")
    return lines


def curve_text(curve: Sequence[tuple[int, int]], knees: Sequence[int]) -> str:
    """Return the curve of (bytes, picoseconds) in one line: where it begins, what follows each steep rise, its end."""
    after = {size: following for (size, _), (_, following) in zip(curve, curve[1:], strict=False)}
    begin, (last, slowest) = curve[0], curve[-1]
    steps = [f"{_ns(after[size])} past {_kib(size)}" for size in knees if size in after]
    told = len(curve) == 1 or (steps and after[knees[-1]] == slowest)
    end = [] if told else [f"{_ns(slowest)} in {_kib(last)}"]
    return ", ".join([f"{_ns(begin[1])} ns a step in {_kib(begin[0])}", *steps, *end])


def _ratio_lines(compiled: Compiled, readings: Readings, style: Style) -> list[str]:
    ratios, ranges = readings.ratios(), compiled.envelope.ranges if compiled.envelope else {}
    lines = []
    for name in (name for name in JUDGED if name in ratios):
        seen = f"{BESIDE_NAME}{name:<12}{ratio_text(ratios[name]):>6}"
        if name not in ranges:
            lines.append(f"{seen}  not judged")
            continue
        low, high = ranges[name]
        fits = style("outside", "red") if name in compiled.outside else "fits"
        bounds = f"{ratio_text(-(-low // MARGIN))} to {ratio_text(high * MARGIN)}"
        lines.append(f"{seen}  {fits} {bounds}")
    others = [f"{name} {ratio_text(value)}" for name, value in ratios.items() if name not in JUDGED]
    if others:
        lines.append(f"{BESIDE_NAME}not judged: {', '.join(others)}")
    if missing := readings.missing():
        lines.append(f"{BESIDE_NAME}not measured: {', '.join(f'{name} ({why})' for name, why in missing.items())}")
    return lines


def ratio_text(permille: int) -> str:
    """Return thousandths with as many digits as people read: 0.66, 12.1, 150."""
    if permille < 10_000:
        return f"{permille // 1000}.{permille % 1000 // 10:02}"
    if permille < 100_000:
        return f"{permille // 1000}.{permille % 1000 // 100}"
    return str(permille // 1000)


def _ns(picoseconds: int) -> str:
    return f"{picoseconds // 1000}.{picoseconds % 1000 // 100}"


def _exact(picoseconds: int) -> str:
    return f"{picoseconds // 1000}.{picoseconds % 1000:03}"


def _kib(size: int) -> str:
    return f"{size >> 10} KiB"
