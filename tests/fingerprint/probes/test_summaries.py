"""Five numbers of each probe: the same ratios for miner and validator, and nothing from a timing without its result."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from metanode.core.model.limits import RECORD_SAMPLES_BYTES_MAX, SAMPLES_BYTES_MAX
from metanode.fingerprint.probes.envelopes import memory_verdict, verdict
from metanode.fingerprint.probes.readings import Readings, from_json
from metanode.fingerprint.probes.summaries import KIND_BASE, fastest_ps, proven, ratios, read_mb_s
from metanode.fingerprint.probes.workload import FP_ADD, INT_ADD, STREAM, TIMER
from metanode.fingerprint.rotation import PER_EPOCH, READ_SPEED, ROTATING, probes_of
from metanode.fingerprint.samples import (
    KINDS,
    TIMER_BACKWARDS,
    Measurement,
    Summary,
    decode_samples,
    encode_fitting,
    encode_samples,
)

CORPUS = Path(__file__).parents[2] / "corpus" / "probes"
NAMES = sorted(path.stem for path in CORPUS.glob("*.json"))
INTERPRETED = tuple(Measurement(kind, (4_000_000,) * 15) for kind in KINDS)


def runs(name: str) -> tuple[dict[str, str], list[Readings]]:
    """One capture of the corpus."""
    data = json.loads((CORPUS / f"{name}.json").read_text("ascii"))
    return data, [from_json(run) for run in data["runs"]]


def carried(run: Readings, checks: tuple[str, ...]) -> tuple[Summary, ...]:
    """What an attestation for these checks carries of a run, read back."""
    kinds = {KIND_BASE + probe for probe in probes_of(checks)}
    measurements = [*INTERPRETED, *(item for item in run.measurements() if item.kind in kinds)]
    summaries = decode_samples(encode_samples(measurements, bytes_max=SAMPLES_BYTES_MAX))
    return proven(summaries, [(kind - KIND_BASE, 0) for kind in kinds])


@pytest.mark.parametrize("name", NAMES)
def test_a_validator_finds_the_ratios_that_the_miner_saw(name: str) -> None:
    """A record holds every probe, and the interpreter's beside them."""
    for run in runs(name)[1]:
        everything = (*INTERPRETED, *run.measurements())
        summaries = decode_samples(encode_samples(everything, bytes_max=RECORD_SAMPLES_BYTES_MAX))
        assert ratios(summaries) == run.ratios()
        assert read_mb_s(summaries) == run.read_mb_s()
        assert TIMER not in fastest_ps(summaries)


@pytest.mark.parametrize("checks", list(combinations(ROTATING, PER_EPOCH)))
@pytest.mark.parametrize("name", NAMES)
def test_every_selection_of_an_epoch_tells_an_emulator_as_all_checks_do(name: str, checks: tuple[str, ...]) -> None:
    """Ten runs of ten, PowerPC, ARM and x86 alike; a native one is never called emulated."""
    data, captured = runs(name)
    reasons = set()
    for run in captured:
        found = {ratio: value for ratio, value in ratios(carried(run, checks)).items() if ratio in checks}
        reasons.add(verdict(found, data["claimed"]).reason)
    assert reasons == {"EMULATOR_DETECTED" if data["label"] == "emulated" else "WITHIN_ENVELOPE"}


@pytest.mark.parametrize("claimed", ["powerpc-750", "powerpc-7400", "powerpc-7450"])
def test_reading_too_fast_is_seen_in_every_epoch_that_asks_for_it(claimed: str) -> None:
    """From five numbers as from all samples."""
    for run in runs(f"emulated-{claimed}")[1]:
        speed = read_mb_s(carried(run, (READ_SPEED, "fp_add", "fp_div_mul", "patch")))
        assert memory_verdict(speed, claimed).reason == "MEMORY_TOO_FAST"


def test_a_timing_without_its_result_counts_for_nothing() -> None:
    """Anyone can write a number down; the result shows that the work was done."""
    summaries = (Summary(3, 5, 1, 1, 1), *(Summary(KIND_BASE + probe, 9, 250, 250, 250) for probe in (INT_ADD, FP_ADD)))
    assert ratios(proven(summaries, ((INT_ADD, 7), (FP_ADD, 7)))) == {"fp_add": 1000}
    assert proven(summaries, ((INT_ADD, 7), (3, 7))) == summaries[1:2]
    assert proven(summaries, ()) == ()


def test_too_few_samples_or_a_time_of_zero_give_no_ratio() -> None:
    """Nor does a probe whose number means nothing."""
    good = Summary(KIND_BASE + FP_ADD, 5, 750, 800, 900)
    for bad in (Summary(KIND_BASE + INT_ADD, 4, 250, 250, 250), Summary(KIND_BASE + INT_ADD, 5, 0, 250, 250)):
        assert ratios((bad, good)) == {}
    assert ratios((Summary(KIND_BASE + INT_ADD, 5, 250, 250, 250), good)) == {"fp_add": 3000}
    assert read_mb_s((Summary(KIND_BASE + STREAM, 5, 4000, 4000, 4000),)) == 1000
    assert read_mb_s((Summary(KIND_BASE + STREAM, 4, 4000, 4000, 4000),)) == 0
    assert fastest_ps((Summary(31, 5, 1, 1, 1), Summary(99, 5, 1, 1, 1), Summary(2**64 - 1, 5, 1, 1, 1))) == {}


@pytest.mark.parametrize("slower", [1, 1_000, 1_000_000])
def test_what_does_not_fit_is_left_out_and_the_walks_go_first(slower: int) -> None:
    """A machine a million times slower than this one still makes a record that decodes."""
    run = runs("native-zen5")[1][0]
    slow = [Measurement(item.kind, tuple(ps * slower for ps in item.raw)) for item in run.measurements()]
    everything = [*INTERPRETED, *slow]
    raw = encode_fitting(everything, bytes_max=RECORD_SAMPLES_BYTES_MAX)
    kinds = [summary.kind for summary in decode_samples(raw)]
    assert len(raw) <= RECORD_SAMPLES_BYTES_MAX
    assert kinds == [item.kind for item in everything][: len(kinds)]
    assert KIND_BASE + STREAM in kinds
    assert slower > 1 or len(kinds) == len(everything)


@pytest.mark.parametrize("checks", list(combinations(ROTATING, PER_EPOCH)))
def test_an_attestation_of_a_very_slow_machine_holds_all_that_its_epoch_asks_for(checks: tuple[str, ...]) -> None:
    """Four milliseconds for every step, which no 386 takes: what was left out for room would cost it the epoch."""
    slow = (2**32 - 1,) * 45
    everything = [Measurement(kind, slow[:15]) for kind in KINDS if kind != TIMER_BACKWARDS]
    everything += [Measurement(TIMER_BACKWARDS, (0,) * 15)]
    everything += [Measurement(KIND_BASE + probe, slow) for probe in probes_of(checks)]
    carried = decode_samples(encode_fitting(everything, bytes_max=SAMPLES_BYTES_MAX))
    assert [summary.kind for summary in carried] == [item.kind for item in everything]


@pytest.mark.parametrize("encoder", [encode_samples, encode_fitting])
def test_nothing_measured_is_an_empty_list(encoder: Callable[..., bytes]) -> None:
    """One byte."""
    assert encoder([], bytes_max=SAMPLES_BYTES_MAX) == b"\x80"
