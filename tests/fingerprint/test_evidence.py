"""From what stands on chain to checks: what compiled probes show, and what is said without them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metanode.fingerprint.checks import MEANINGS, Check
from metanode.fingerprint.classes import classify, processor_key
from metanode.fingerprint.collect import Report
from metanode.fingerprint.evidence import ACTIVE, judge_active, judge_evidence
from metanode.fingerprint.inventory import Board, Cpu
from metanode.fingerprint.multipliers import SCALE, load_table
from metanode.fingerprint.probes.readings import Readings, from_json
from metanode.fingerprint.samples import Summary
from metanode.fingerprint.scoring import CAP_MAX, Policy, score

CORPUS = Path(__file__).parents[1] / "corpus" / "probes"
MODERN = load_table().row("x86", "modern")
ZEN5 = "x86_64 AuthenticAMD 26 2"


def run(name: str) -> Readings:
    """The first run of a capture."""
    return from_json(json.loads((CORPUS / f"{name}.json").read_text("ascii"))["runs"][0])


def summaries(readings: Readings) -> list[Summary]:
    """What a record carries of it."""
    return [item.summary for item in readings.measurements()]


def judged(readings: Readings, model: str) -> dict[str, Check]:
    """The checks of a record with this run, by name."""
    results = ((1, 7), *readings.results())
    return {check.name: check for check in judge_evidence(results, summaries(readings), model, MODERN)}


def test_every_check_of_a_record_has_a_meaning_and_stands_once() -> None:
    """Whatever was measured."""
    for results, found in (((), []), (((1, 7),), []), (run("native-zen5").results(), summaries(run("native-zen5")))):
        names = [check.name for check in judge_evidence(results, found, ZEN5, MODERN)]
        assert len(names) == len(set(names))
        assert set(names) < set(MEANINGS)
        assert {*ACTIVE, "keyed", "timer"} < set(names)


def test_a_real_processor_passes_and_an_emulated_one_fails() -> None:
    """By the processor that the inventory claims."""
    native = judged(run("native-zen5"), ZEN5)
    assert [native[name].verdict for name in ("keyed", "keyed_active", "execution_engine")] == ["pass"] * 3
    assert native["memory_ceiling"].reason == "NO_ENVELOPE"
    emulated = judged(run("emulated-powerpc-7450"), "ppc pvr 8003")
    assert emulated["execution_engine"].reason == "EMULATOR_DETECTED"
    assert emulated["memory_ceiling"].reason == "MEMORY_TOO_FAST"
    assert emulated["keyed_active"].verdict == "pass", "the work was done, only not by that processor"


def test_a_processor_nobody_described_is_proven_to_work_and_not_judged() -> None:
    """A SPARC answers its challenge like everyone."""
    checks = judged(run("native-zen5"), "sparc64")
    assert (checks["keyed_active"].verdict, checks["execution_engine"].reason) == ("pass", "NO_ENVELOPE")


SILENT: dict[str, tuple[str, dict[str, Any]]] = {
    "powerpc-750": ("ppc", {"pvr": 0x00083311}),
    "powerpc-7400": ("ppc", {"pvr": 0x000C0209}),
    "powerpc-7450": ("ppc", {"pvr": 0x80030101}),
    "powerpc-970": ("ppc64", {"pvr": 0x00440101}),
    "power8": ("ppc64le", {"pvr": 0x004B0201}),
    "cortex-a7": ("armv7l", {"vendor": "0x41", "model": 0xC07}),
    "cortex-a53": ("aarch64", {"vendor": "0x41", "model": 0xD03}),
    "cortex-a72": ("aarch64", {"vendor": "0x41", "model": 0xD08}),
    "haswell": ("x86_64", {"vendor": "GenuineIntel", "family": 6, "model": 60}),
    "zen5": ("x86_64", {"vendor": "AuthenticAMD", "family": 26, "model": 2}),
}
"""Machines that say nothing but their processor's numbers: every name and sign that could tell is patched out."""


@pytest.mark.parametrize("name", sorted(path.stem for path in CORPUS.glob("*.json")))
def test_from_probes_alone_each_capture_is_scored_as_what_it_is(replay: Callable[[str], Report], name: str) -> None:
    """Ten runs of ten: emulated PowerPC, ARM and x86 get nothing where emulators get nothing; native is never one."""
    data = json.loads((CORPUS / f"{name}.json").read_text("ascii"))
    machine, numbers = SILENT[data["claimed"]]
    base = replay("thinkpad-ivy-bridge").inventory
    nobody = Cpu("", "", 0, 0, 0, 0, 0, 0, 0, 0)
    inventory = replace(
        base, machine=machine, cpu=replace(nobody, **numbers), features=(), caches=(), memory_mib=0,
        board=Board("", "", "", "", "", "", 0), byte_order="big" if machine in ("ppc", "ppc64") else "little",
        word_bits=32 if machine in ("ppc", "armv7l") else 64,
    )  # fmt: skip
    row = load_table().row(*classify(inventory))
    for run_of in data["runs"]:
        readings = from_json(run_of)
        checks = judge_evidence(readings.results(), summaries(readings), processor_key(inventory), row)
        found = score(inventory, checks, Policy("edge", 0, CAP_MAX, SCALE))
        if data["label"] == "emulated":
            assert (found.klass, found.weight) == ("emulated", 0)
        else:
            assert (found.klass, found.weight) == (row.klass, row.multipliers["edge"])


@pytest.mark.parametrize("drop", ["results", "timings"])
def test_half_of_the_evidence_is_none(drop: str) -> None:
    """Right results cost a millisecond, and timings are easily written down."""
    readings = run("native-zen5")
    results = () if drop == "results" else readings.results()
    found = [] if drop == "timings" else summaries(readings)
    assert {check.reason for check in judge_active(results, found, "zen5")} == {"NEEDS_COMPILED_PROBE"}
