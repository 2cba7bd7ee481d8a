"""From samples to ratios: integers, the fastest sample, and nothing from too few."""

from __future__ import annotations

import pytest

from metanode.fingerprint.probes.readings import SAMPLES_MIN, Reading, Readings, from_json, from_program, to_json
from metanode.fingerprint.probes.workload import CHASES, FP_ADD, INT_ADD, PATCH, STREAM, TIMER, draw, recompute

CHALLENGE = bytes(range(32))


def readings(**samples: tuple[int, ...]) -> Readings:
    """A run with some probes; by their numbers as `p16`."""
    by_probe = {
        int(name[1:]): Reading(int(name[1:]), "ok", 1, recompute(CHALLENGE, int(name[1:])), ns)
        for name, ns in samples.items()
    }
    return Readings(CHALLENGE, by_probe)


def test_a_ratio_is_between_the_fastest_samples_per_step() -> None:
    """Noise only adds."""
    int_steps, fp_steps = draw(CHALLENGE, INT_ADD).steps, draw(CHALLENGE, FP_ADD).steps
    run = readings(p16=(2 * int_steps, 9 * int_steps) * 3, p19=(10 * fp_steps, 99 * fp_steps) * 3)
    assert run.ratios() == {"fp_add": 5000}


def test_repetitions_are_divided_out() -> None:
    """A clock of a microsecond makes samples of many repetitions."""
    run = readings(p16=(4_000_000,) * 5, p19=(4_000_000,) * 5)
    once = run.ratios()["fp_add"]
    four = Readings(CHALLENGE, {**run.by_probe, FP_ADD: run.by_probe[FP_ADD]._replace(repeat=4)})
    assert abs(four.ratios()["fp_add"] * 4 - once) <= 4


def test_too_few_samples_give_no_ratio_and_a_reason() -> None:
    """A budget that ran out is no verdict."""
    run = readings(p16=(1000,) * SAMPLES_MIN, p19=(1000,) * (SAMPLES_MIN - 1))
    assert run.ratios() == {}
    assert run.missing()["fp_add"] == "not_run"
    refused = Readings(CHALLENGE, {**run.by_probe, PATCH: Reading(PATCH, "refused", 1, 0, ())})
    assert refused.missing()["patch"] == "refused"
    assert refused.results() == run.results(), "what did not run has no result"


def test_memory_and_clock_are_read_off() -> None:
    """Bandwidth and the curve from the fastest pass, the clock's step and what divides all steps."""
    size = draw(CHALLENGE, STREAM).size(STREAM)[1]
    walk, clock = (4096, 9999, 4096, 4096, 4096), (0, 54, 108, 162, -54)
    run = readings(p26=(size, 2 * size, size, size, size), p32=walk, p27=clock)
    assert run.read_mb_s() == 1000
    assert run.latency_curve() == ((draw(CHALLENGE, CHASES[0]).size(CHASES[0])[1], 2000),)
    assert run.timer_ns() == (54, 54)
    assert readings(p27=(0, 0)).timer_ns() == (0, 0)
    assert readings(p16=(1,)).timer_ns() == (0, 0)
    assert TIMER not in readings(p16=(1,)).by_probe


def test_a_knee_is_the_last_ring_before_a_steep_rise() -> None:
    """Two caches and memory; slow growth is none."""
    steps = (1, 1, 1, 1, 4, 4, 5, 6, 40, 44, 45)
    by_probe = {
        probe: Reading(probe, "ok", 1, 0, (2048 * ns,) * 5) for probe, ns in zip(CHASES, steps, strict=True)
    }
    sizes = [draw(CHALLENGE, probe).size(probe)[1] for probe in CHASES]
    assert Readings(CHALLENGE, by_probe).knees() == (sizes[3], sizes[7])
    assert readings(p32=(2048,) * 5).knees() == ()


def test_a_capture_comes_back_as_it_was() -> None:
    """Raw samples and all."""
    run = readings(p16=(5, 6, 7), p42=(1, 2, 3))
    assert from_json(to_json(run)) == run
    with pytest.raises(ValueError, match="unknown probes"):
        from_json({"challenge": "00", "probes": {"guess": {}}})


def test_the_program_is_read_and_another_work_is_not() -> None:
    """A line says how much was done; it must be what the challenge asks for."""
    steps = draw(CHALLENGE, INT_ADD).steps
    line = f"16 0 {steps} 0 1 {recompute(CHALLENGE, INT_ADD):016X} right 5 6 7\n"
    run = from_program(CHALLENGE, line + "23 3 608 0 1 0000000000000000 -\n")
    assert run.by_probe[INT_ADD].ns == (5, 6, 7)
    assert run.by_probe[23].status == "unsupported"
    wrong = from_program(CHALLENGE, line.replace("right", "wrong")).by_probe[INT_ADD]
    assert (wrong.status, wrong.ns) == ("wrong", ())
    with pytest.raises(ValueError, match="another work"):
        from_program(CHALLENGE, line.replace(str(steps), str(steps - 16)))
