"""What the timing probes found, as text and as JSON: those in C beside those of the interpreter, never mixed.

`execution_engine`, `memory_ceiling` and the answers to `samples.COMPILED_ONLY` are told and not counted: the weight
that a ledger computes does not read them yet.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from metanode.fingerprint.checks import FAIL, PASS, UNMEASURED, Check
from metanode.fingerprint.inventory import Inventory
from metanode.fingerprint.probes import Progress
from metanode.fingerprint.probes.compiled import measure_compiled
from metanode.fingerprint.probes.envelopes import (
    ENGINE,
    JUDGED,
    MARGIN,
    MEMORY,
    Envelope,
    envelopes,
    judge_readings,
    microarchitecture_of,
    outside,
)
from metanode.fingerprint.probes.readings import Readings
from metanode.fingerprint.report_lines import BESIDE_NAME, Style, check_lines
from metanode.fingerprint.samples import COMPILED_ONLY, KINDS, Measurement
from metanode.platforms.shims import probes as shim

NEEDED = "NEEDS_COMPILED_PROBE"
NOT_READ = "This changes no weight today, here or on chain: the ledger does not read the compiled probes yet."
UNCOUNTED = {
    ENGINE: f"emulated: the timings are those of a program that imitates this processor. {NOT_READ}",
    MEMORY: f"memory_ceiling: memory is too fast for the processor claimed. {NOT_READ}",
}
"""What a failure of either check means for pay."""
INTERPRETED = ("timer", "memory_speed", "memory_latency", "float_int_add_ratio", "float_mul_add_ratio")
"""Checks that rest on what the interpreter timed."""
_ANSWERED_BY = dict(zip(COMPILED_ONLY, ("simd_scalar", "fp_div_mul", "patch"), strict=False))
"""The ratio that answers each of COMPILED_ONLY; the last one, the knees, is no ratio."""
_KNEES = "cache_knees"


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
    def checks(self) -> tuple[Check, ...]:
        """Whether the timings fit the processor, and its memory: execution_engine, then memory_ceiling."""
        if self.readings is None:
            return tuple(Check(name, UNMEASURED, self.reason) for name in (ENGINE, MEMORY))
        return judge_readings(self.readings, self.claimed)

    @property
    def outside(self) -> tuple[str, ...]:
        """The judged ratios beyond MARGIN times their range."""
        return outside(self.readings.ratios(), self.envelope) if self.readings and self.envelope else ()

    def answers(self) -> dict[str, Check]:
        """Return what the run says to each of COMPILED_ONLY, by its name."""
        if self.readings is None:
            return {name: Check(name, UNMEASURED, self.reason) for name in COMPILED_ONLY}
        ratios, ranges = self.readings.ratios(), self.envelope.ranges if self.envelope else {}
        found = {}
        for name, ratio in _ANSWERED_BY.items():
            numbers = ((f"{ratio}_permille", ratios.get(ratio, 0)),)
            if ratio not in ratios:
                found[name] = Check(name, UNMEASURED, "NOT_RUN")
            elif ratio not in ranges:
                found[name] = Check(name, UNMEASURED, "NO_ENVELOPE", numbers)
            elif ratio in self.outside:
                found[name] = Check(name, UNMEASURED, "ONE_RATIO_OUTSIDE", numbers)
            else:
                found[name] = Check(name, PASS, "WITHIN_ENVELOPE", numbers)
        knees = tuple((f"knee_{number}_bytes", size) for number, size in enumerate(self.readings.knees(), 1))
        found[_KNEES] = Check(_KNEES, UNMEASURED, "NO_ENVELOPE" if self.readings.latency_curve() else "NOT_RUN", knees)
        return found


def run_compiled(inventory: Inventory, progress: Progress | None = None) -> Compiled:
    """Run the compiled probes for a challenge of the system's randomness."""
    claimed = microarchitecture_of(inventory)
    readings = measure_compiled(os.urandom(shim.CHALLENGE_BYTES), progress=progress)
    if readings is None:
        return Compiled(None, claimed, NEEDED, shim.problem())
    return Compiled(readings, claimed)


def all_checks(counted: Sequence[Check], compiled: Compiled) -> list[Check]:
    """Return the checks that a weight rests on, those that only compiled probes answer answered, and both of theirs."""
    answers = compiled.answers()
    return [*(answers.get(check.name, check) for check in counted), *compiled.checks]


def probes_json(compiled: Compiled, measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Return the object `probes`; times below a nanosecond make decimal text of what is in nanoseconds."""
    readings, envelope, engine = compiled.readings, compiled.envelope, compiled.checks[0]
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
    readings, (engine, memory) = compiled.readings, compiled.checks
    if readings is None:
        lines = check_lines(engine, style)
        lines += [BESIDE_NAME + compiled.problem] if compiled.problem else []
        return [*lines, f"{BESIDE_NAME}the same: {', '.join((MEMORY, *COMPILED_ONLY))}"]
    lines = check_lines(Check(ENGINE, engine.verdict, engine.reason), style)
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


def uncounted_lines(compiled: Compiled, style: Style) -> list[str]:
    """Return what failed here and lowers no weight yet."""
    mark = style("not counted", "red")
    return [f"  {mark}  {UNCOUNTED[check.name]}" for check in compiled.checks if check.verdict == FAIL]


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
