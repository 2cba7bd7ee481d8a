"""Running the compiled probes: budget, progress, memory, and what is said when something is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from metanode.fingerprint.probes import budget, compiled
from metanode.fingerprint.probes.budget import Budget
from metanode.fingerprint.probes.compiled import TICKS_MIN, measure_compiled
from metanode.fingerprint.probes.summaries import KIND_BASE, RATIOS
from metanode.fingerprint.probes.workload import ACTIVE_PROBES, FP_DIV, INT_ADD, PATCH, SIMD, STREAM, TIMER, recompute
from metanode.fingerprint.samples import SAMPLES_MIN
from metanode.platforms.shims import probes
from metanode.platforms.shims.probes import ProbeShim, Taken

CHALLENGE = bytes(range(32))


class Machine(ProbeShim):
    """A made-up machine: a clock of some step, work of some duration, and faults on demand."""

    def __init__(self, *, tick: int = 1, ns: int = 1000) -> None:
        self.tick, self.ns = tick, ns
        self.states: dict[int, str] = {}
        self.wrong: set[int] = set()
        self.asked: list[int] = []

    def run(self, probe: int, challenge: bytes, *, repeat: int = 1, count: int = 1) -> Taken:
        """Whole steps of the clock."""
        self.asked.append(probe)
        if probe in self.states:
            return Taken(self.states[probe], (), 0)
        each = self.ns * repeat // self.tick * self.tick or self.tick * (probe == 27)
        return Taken("ok", (each,) * count, self.recompute(probe, challenge) ^ (probe in self.wrong))

    def recompute(self, probe: int, challenge: bytes) -> int:
        """Any number will do."""
        return probe


def test_every_probe_takes_its_turn() -> None:
    """Samples of one are spread over the whole time."""
    machine = Machine()
    readings = measure_compiled(CHALLENGE, shim=machine)
    assert readings is not None
    assert set(readings.by_probe) == set(ACTIVE_PROBES)
    places = [at for at, probe in enumerate(machine.asked) if probe == INT_ADD]
    assert places[-1] - places[0] > len(machine.asked) * 2 // 3
    assert all(reading.status == "ok" for reading in readings.by_probe.values())


def test_a_coarse_clock_makes_longer_samples() -> None:
    """A sample that lasts one step of the clock measures the clock."""
    readings = measure_compiled(CHALLENGE, shim=Machine(tick=1000, ns=700))
    assert readings is not None
    reading = readings.by_probe[INT_ADD]
    assert min(reading.ns) >= TICKS_MIN * 1000 // 2
    assert reading.repeat > TICKS_MIN // 2


def test_what_the_machine_lacks_or_refuses_is_unmeasured_with_the_reason() -> None:
    """A hardened kernel, no vector unit, arithmetic that is not IEEE 754: all others are measured."""
    machine = Machine()
    machine.states = {PATCH: "refused", SIMD: "unsupported"}
    machine.wrong = {FP_DIV}
    readings = measure_compiled(CHALLENGE, shim=machine)
    assert readings is not None
    assert readings.missing() == {"fp_div_mul": "wrong", "simd_scalar": "unsupported", "patch": "refused"}
    assert machine.asked.count(PATCH) == 1, "not asked again"
    assert PATCH not in dict(readings.results())


def test_the_budget_ends_it_and_nothing_is_judged_from_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a machine that is slow beyond reason answers in time, with less."""
    clock = ticking(10_000_000)
    monkeypatch.setattr(budget.time, "monotonic_ns", lambda: next(clock))
    machine = Machine()
    readings = measure_compiled(CHALLENGE, budget=Budget(100, 300), shim=machine)
    assert readings is not None
    assert len(machine.asked) <= 31
    assert readings.ratios() == {}
    assert readings.by_probe[42].status == "not_run"


def test_a_slow_machine_gets_the_samples_that_a_verdict_needs_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the time of a PC each probe goes on until it has five; that is what a 400 MHz G4 is given 60 s for."""
    clock = ticking(100_000_000)  # a tenth of a second a sample
    monkeypatch.setattr(budget.time, "monotonic_ns", lambda: next(clock))
    readings = measure_compiled(CHALLENGE, budget=Budget(5_000, 60_000), shim=Machine())
    assert readings is not None
    taken = [len(reading.ns) for probe, reading in readings.by_probe.items() if probe < STREAM]
    assert set(taken) <= {SAMPLES_MIN, SAMPLES_MIN + 1}
    assert len(readings.ratios()) == len(RATIOS)


def test_only_the_probes_asked_for_are_run() -> None:
    """An attestation answers four checks of its epoch; the clock is always looked at, for it measures the others."""
    machine = Machine()
    readings = measure_compiled(CHALLENGE, probes=(INT_ADD, PATCH), shim=machine)
    assert readings is not None
    assert set(machine.asked) == {INT_ADD, PATCH, TIMER}
    assert [item.kind - KIND_BASE for item in readings.measurements()] == [INT_ADD, PATCH]
    assert set(readings.ratios()) == {"patch"}


def ticking(step: int) -> Iterator[int]:
    """A clock that moves each time it is read."""
    now = 0
    while True:
        yield now
        now += step


def test_a_small_machine_measures_within_less_memory() -> None:
    """Larger rings are left out, and named as not run."""
    machine = Machine()
    readings = measure_compiled(CHALLENGE, memory_bytes_max=1 << 20, shim=machine)
    assert readings is not None
    left_out = {probe for probe, reading in readings.by_probe.items() if reading.status == "not_run"}
    assert left_out == {26, 40, 41, 42}
    assert not left_out & set(machine.asked)


def test_progress_rises_to_its_end() -> None:
    """Whoever waits sees what runs."""
    seen: list[tuple[int, int, str]] = []
    measure_compiled(CHALLENGE, shim=Machine(), progress=lambda *told: seen.append(told))
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert seen[-1][0] == seen[-1][1]
    assert {"int add", "patch", "chase 10"} <= {name for _, _, name in seen}


def test_without_the_extension_there_are_no_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interpreted code cannot stand in."""
    monkeypatch.setattr(compiled, "load", lambda: None)
    assert measure_compiled(CHALLENGE) is None


MEASURE = """
import os
from metanode.fingerprint.probes.compiled import measure_compiled
from metanode.platforms.process import rss_bytes
measure_compiled(bytes(32))
before = rss_bytes()
for _ in range(3):
    measure_compiled(os.urandom(32))
(peak,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(rss_bytes() - before, peak)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc: only the peak could be read")
def test_memory_goes_back_to_the_system_and_stays_small() -> None:
    """A miner holds less than 20 MiB."""
    if probes.load() is None:
        pytest.skip(probes.problem())
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    kept, peak_kib = map(int, done.stdout.split())
    assert kept < 1 << 20
    assert peak_kib < 25 << 10


def test_the_real_probes_fit_their_budget() -> None:
    """Far below 2 s of processor time; results are right."""
    begin = time.process_time()
    readings = measure_compiled(CHALLENGE)
    if readings is None:
        pytest.skip(probes.problem())
    assert time.process_time() - begin < 2
    assert all(result == recompute(CHALLENGE, probe) for probe, result in readings.results())
