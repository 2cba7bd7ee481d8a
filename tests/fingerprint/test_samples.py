"""Samples of timing probes: what travels, and what is judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model.codec import encode
from metanode.core.model.errors import CodecError, MetanodeError, Rejection
from metanode.core.model.limits import RECORD_SAMPLES_BYTES_MAX, SAMPLES_BYTES_MAX
from metanode.fingerprint import probes
from metanode.fingerprint.checks import Check
from metanode.fingerprint.multipliers import load_table
from metanode.fingerprint.probes.budget import Budget
from metanode.fingerprint.samples import (
    FLOAT_ADD,
    INT_ADD,
    KINDS,
    MEMORY_COPY,
    TIMER_BACKWARDS,
    TIMER_STEP,
    Measurement,
    Summary,
    decode_samples,
    encode_samples,
    judge,
)

PENTIUM_III = load_table().row("x86", "Pentium III")
MODERN = load_table().row("x86", "modern")
NUMBERS = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=30)


@settings(derandomize=True)
@given(raw=st.dictionaries(st.sampled_from(sorted(KINDS)), NUMBERS))
def test_a_summary_survives_the_wire_and_fits(raw: dict[int, list[int]]) -> None:
    """Every probe with the largest numbers stays within 256 bytes."""
    measurements = [Measurement(kind, tuple(samples)) for kind, samples in raw.items()]
    data = encode_samples(measurements)
    assert len(data) <= SAMPLES_BYTES_MAX
    decoded = decode_samples(data)
    assert decoded == tuple(sorted((item.summary for item in measurements), key=lambda summary: summary.kind))


def test_a_summary_keeps_minimum_median_maximum_and_count() -> None:
    """The median of an even count is the upper one of the middle."""
    assert Measurement(1, (5, 1, 9)).summary == Summary(1, 3, 1, 5, 9)
    assert Measurement(1, (4, 1, 2, 3)).summary == Summary(1, 4, 1, 3, 4)
    assert Measurement(1, (100, 150)).summary.spread_permille == 500
    assert Measurement(1, (0, 5)).summary.spread_permille == 0


@pytest.mark.parametrize(
    "value",
    [
        5,
        [[1, 2, 3]],
        [[1, 5, 3, 2, 4]],
        [[1, 0, 1, 1, 1]],
        [[2, 1, 1, 1, 1], [1, 1, 1, 1, 1]],
        [[1, 1, 1, 1, 1]] * 2,
        [["a", 1, 1, 1, 1]],
    ],
)
def test_a_malformed_summary_is_refused(value: object) -> None:
    """Shape, order and range are checked before anything is judged."""
    with pytest.raises(Rejection) as caught:
        decode_samples(encode(value))  # type: ignore[arg-type]
    assert caught.value.code == "BAD_SHAPE"


def test_nothing_measured_is_empty_and_too_much_is_refused() -> None:
    """b"" is a valid summary; 513 bytes are not."""
    assert decode_samples(b"") == ()
    with pytest.raises(MetanodeError):
        decode_samples(bytes(RECORD_SAMPLES_BYTES_MAX + 1))
    with pytest.raises(CodecError):
        decode_samples(b"\xff")


def _check(checks: Sequence[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


@pytest.mark.parametrize(
    ("ps_per_kb", "count", "verdict", "reason"),
    [
        (2_500_000, 9, "pass", "WITHIN_CEILING"),  # 400 MB/s
        (937_208, 9, "pass", "WITHIN_CEILING"),  # 1067 MB/s, the ceiling itself
        (936_000, 9, "fail", "MEMORY_TOO_FAST"),  # 1068 MB/s
        (100_000, 9, "fail", "MEMORY_TOO_FAST"),
        (100_000, 4, "unmeasured", "TOO_NOISY"),
        (0, 9, "unmeasured", "NOT_RUN"),
    ],
)
def test_memory_faster_than_the_class_allows_fails(ps_per_kb: int, count: int, verdict: str, reason: str) -> None:
    """The bus of a Pentium III moves at most 1067 MB/s."""
    check = _check(judge([Summary(MEMORY_COPY, count, ps_per_kb, ps_per_kb, ps_per_kb)], PENTIUM_III), "memory_speed")
    assert (check.verdict, check.reason) == (verdict, reason)


def test_a_class_without_a_ceiling_is_not_judged() -> None:
    """The number is shown; no verdict is made up."""
    check = _check(judge([Summary(MEMORY_COPY, 9, 20_000, 20_000, 20_000)], MODERN), "memory_speed")
    assert (check.verdict, check.reason) == ("unmeasured", "NO_ENVELOPE")
    assert ("copy_mb_s", 50_000) in check.numbers


@pytest.mark.parametrize(
    ("step", "backwards", "verdict", "reason"),
    [(40, 0, "pass", "TIMER_STEADY"), (40, 1, "fail", "TIMER_BACKWARDS"), (1_000_000, 0, "unmeasured", "TIMER_COARSE")],
)
def test_the_timer_is_judged(step: int, backwards: int, verdict: str, reason: str) -> None:
    """Backwards is impossible for an honest one; coarse cannot time anything."""
    summaries = [Summary(TIMER_STEP, 9, step, step, step), Summary(TIMER_BACKWARDS, 9, 0, 0, backwards)]
    check = _check(judge(summaries, MODERN), "timer")
    assert (check.verdict, check.reason) == (verdict, reason)


def test_ratios_are_shown_without_a_verdict() -> None:
    """No calibrated range exists; noise is named as noise."""
    quiet = judge([Summary(INT_ADD, 9, 2_000, 2_000, 2_000), Summary(FLOAT_ADD, 9, 3_000, 3_100, 9_000)], MODERN)
    check = _check(quiet, "float_int_add_ratio")
    assert (check.verdict, check.reason) == ("unmeasured", "NO_ENVELOPE")
    assert ("ratio_permille", 1_500) in check.numbers
    noisy = judge([Summary(INT_ADD, 9, 2_000, 5_000, 9_000), Summary(FLOAT_ADD, 9, 3_000, 3_100, 9_000)], MODERN)
    assert _check(noisy, "float_int_add_ratio").reason == "TOO_NOISY"


def test_what_was_not_run_says_so() -> None:
    """Unmeasured with its reason, never left out."""
    assert {(check.verdict, check.reason) for check in judge([], MODERN)} == {("unmeasured", "NOT_RUN")}


def test_probes_keep_every_raw_sample_as_integers() -> None:
    """Each probe is measured at least five times, and what is kept adds up to a summary that decodes."""
    seen: list[str] = []
    measurements = probes.measure(progress=lambda done, total, name: seen.append(name))
    assert {item.kind for item in measurements} == set(KINDS)
    for item in measurements:
        assert 5 <= len(item.raw) <= probes.SAMPLES
        assert all(type(sample) is int and sample >= 0 for sample in item.raw)
    assert decode_samples(encode_samples(measurements))
    assert seen[-1] == ""
    assert "memory copies" in seen


def test_without_time_nothing_is_measured() -> None:
    """The budget binds: what did not fit is unmeasured, not guessed."""
    measurements = probes.measure(budget=Budget(-1, -1))
    assert measurements == ()
    assert all(check.verdict == "unmeasured" for check in judge([], MODERN))


def test_a_clock_that_stands_still_or_runs_back_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer probe reports what it read."""
    from metanode.fingerprint.probes import timer

    def readings(values: Callable[[int], int]) -> Callable[[], int]:
        counter = iter(range(timer.READINGS))
        return lambda: values(next(counter))

    monkeypatch.setattr(time, "perf_counter_ns", readings(lambda i: 7))
    assert timer.timer_backwards_and_step() == (0, 1_000_000_000)
    monkeypatch.setattr(time, "perf_counter_ns", readings(lambda i: 100 * i - (500 if i == 10 else 0)))
    assert timer.timer_backwards_and_step() == (1, 100)
