"""Timings against a claim: three verdicts, two ratios to fail, a margin of two, and no opinion without an envelope."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from metanode.fingerprint.classes import processor_key
from metanode.fingerprint.collect import Report
from metanode.fingerprint.probes.envelopes import (
    JUDGED,
    MARGIN,
    envelopes,
    judge_readings,
    memory_verdict,
    microarchitecture_of,
    verdict,
)
from metanode.fingerprint.probes.summaries import RATIOS

DATA = Path(__file__).parents[3] / "fingerprint" / "data" / "envelopes.json"
G4 = {"fp_add": 5000, "fp_div_mul": 7000, "simd_scalar": 500, "patch": 200_000}
EMULATED = {"fp_add": 35_000, "fp_div_mul": 1_300, "simd_scalar": 10_600, "patch": 29_000_000}


def test_the_file_is_whole() -> None:
    """Every envelope has a source, ranges in order, and only ratios that are judged; every claim has an envelope."""
    data = json.loads(DATA.read_text("utf-8"))
    for name, entry in data["envelopes"].items():
        assert entry["source"], name
        assert set(entry["ratios"]) <= set(JUDGED) <= set(RATIOS)
        assert all(0 < low <= high for low, high in entry["ratios"].values())
        assert entry["calibrated"] is False, "no real machine has been measured"
    assert set(data["claims"].values()) == set(data["envelopes"])


def test_a_real_processor_passes_and_an_emulated_one_fails_with_numbers() -> None:
    """A 7447A by its vendor's latencies, and as an emulator runs it."""
    passed, failed = verdict(G4, "powerpc-7450"), verdict(EMULATED, "powerpc-7450")
    assert (passed.verdict, passed.reason) == ("pass", "WITHIN_ENVELOPE")
    assert (failed.verdict, failed.reason) == ("fail", "EMULATOR_DETECTED")
    told = dict(failed.numbers)
    assert (told["outside"], told["measured"], told["calibrated"]) == (4, 4, 0)
    assert told["fp_add_permille"] == 35_000
    assert told["fp_add_high"] == 5_500


@pytest.mark.parametrize("name", JUDGED)
def test_one_ratio_outside_decides_nothing(name: str) -> None:
    """It may be a stepping that nobody has described."""
    check = verdict({**G4, name: EMULATED[name]}, "powerpc-7450")
    assert (check.verdict, check.reason) == ("unmeasured", "ONE_RATIO_OUTSIDE")


@pytest.mark.parametrize("claimed", envelopes())
def test_the_margin_is_a_factor_of_two_on_either_side(claimed: str) -> None:
    """The bounds themselves are inside."""
    ranges = envelopes()[claimed].ranges
    lowest = {name: -(-low // MARGIN) for name, (low, _) in ranges.items()}
    highest = {name: high * MARGIN for name, (_, high) in ranges.items()}
    assert verdict(lowest, claimed).verdict == verdict(highest, claimed).verdict == "pass"
    assert verdict({name: value - 1 for name, value in lowest.items()}, claimed).verdict == "fail"
    assert verdict({name: value + 1 for name, value in highest.items()}, claimed).verdict == "fail"


def test_without_envelope_or_ratios_there_is_no_verdict() -> None:
    """Unmeasured is no failure."""
    assert verdict(EMULATED, "").reason == verdict(EMULATED, "z80").reason == "NO_ENVELOPE"
    assert verdict({}, "zen5").reason == "TOO_FEW_RATIOS"
    assert verdict({"patch": 29_000_000}, "zen5").reason == "TOO_FEW_RATIOS"
    assert {check.reason for check in judge_readings(None, "zen5")} == {"NEEDS_COMPILED_PROBE"}


def test_memory_that_is_too_fast_fails_an_old_part() -> None:
    """No bus of 167 MHz carries more than 1,333 MB/s."""
    assert memory_verdict(900, "powerpc-7450").reason == "WITHIN_CEILING"
    assert memory_verdict(2 * 1333, "powerpc-7450").verdict == "pass"
    assert memory_verdict(2 * 1333 + 1, "powerpc-7450").reason == "MEMORY_TOO_FAST"
    assert memory_verdict(30_000, "zen5").reason == "NO_ENVELOPE"
    assert memory_verdict(0, "powerpc-7450").reason == "NOT_RUN"


def claim(report: Report, machine: str, **cpu: object) -> str:
    """What an inventory claims whose processor is another."""
    inventory = report.inventory
    changed = dataclasses.replace(inventory.cpu, **cpu)  # type: ignore[arg-type]
    return microarchitecture_of(processor_key(dataclasses.replace(inventory, machine=machine, cpu=changed)))


def test_the_claim_is_read_from_numbers_not_names(replay, machines) -> None:  # type: ignore[no-untyped-def]
    """Family and model, implementer and part, version register."""
    report: Report = replay(machines[0])
    assert claim(report, "ppc", pvr=0x80030101) == "powerpc-7450"
    assert claim(report, "ppc", pvr=0x00083311) == "powerpc-750"
    assert claim(report, "ppc", pvr=0) == ""
    assert claim(report, "aarch64", vendor="0x41", model=0xD08) == "cortex-a72"
    assert claim(report, "armv7l", vendor="0x41", model=0xC07) == "cortex-a7"
    assert claim(report, "x86_64", vendor="AuthenticAMD", family=26, model=2) == "zen5"
    assert claim(report, "x86_64", vendor="GenuineIntel", family=6, model=60) == "haswell"
    assert claim(report, "i686", vendor="GenuineIntel", family=6, model=60) == "", "another unit computes there"
    assert claim(report, "sparc64", vendor="AuthenticAMD", family=26) == ""
