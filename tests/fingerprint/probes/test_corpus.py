"""Captures of real runs: every emulated one is called emulated, no native one ever is, from the probes alone.

tests/corpus/probes was written by contrib/arch/capture_probes.py: raw samples of the processor of the machine that
these tests were written on, idle and beside four busy processes, and of processors as QEMU runs them there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from metanode.fingerprint.keyed import check_active
from metanode.fingerprint.probes.envelopes import JUDGED, MARGIN, envelopes, memory_verdict, verdict
from metanode.fingerprint.probes.readings import SAMPLES_MIN, Readings, from_json

CORPUS = Path(__file__).parents[2] / "corpus" / "probes"
NAMES = sorted(path.stem for path in CORPUS.glob("*.json"))
RUNS_MIN = 10
PAGE = (Path(__file__).parents[3] / "docs" / "fingerprint.md").read_text("utf-8")


def capture(name: str) -> tuple[dict[str, Any], list[Readings]]:
    """Read one file."""
    data = json.loads((CORPUS / f"{name}.json").read_text("ascii"))
    return data, [from_json(run) for run in data["runs"]]


def test_the_corpus_holds_what_was_promised() -> None:
    """Both sides, every instruction set with an emulator."""
    claimed = {(data["label"], data["claimed"]) for data, _ in map(capture, NAMES)}
    emulated = {"powerpc-750", "powerpc-7450", "cortex-a7", "cortex-a72", "haswell"}
    assert claimed >= {("native", "zen5"), *(("emulated", name) for name in emulated)}


@pytest.mark.parametrize("name", NAMES)
def test_each_capture_is_called_what_it_is(name: str) -> None:
    """Ten runs of ten."""
    data, runs = capture(name)
    assert len(runs) >= RUNS_MIN
    expected = {"emulated": "EMULATOR_DETECTED", "native": "WITHIN_ENVELOPE"}[data["label"]]
    assert [verdict(run.ratios(), data["claimed"]).reason for run in runs] == [expected] * len(runs)


@pytest.mark.parametrize("name", NAMES)
def test_ratios_that_decide_lie_twice_as_far_out_as_any_real_processor(name: str) -> None:
    """At least two of an emulated one lie beyond the margin; all of a native one lie within the range itself."""
    data, runs = capture(name)
    ranges = envelopes()[data["claimed"]].ranges
    for run in runs:
        ratios = run.ratios()
        far = [
            ratio
            for ratio in JUDGED
            if ratio in ratios and ratio in ranges
            and (ratios[ratio] * MARGIN < ranges[ratio][0] or ratios[ratio] > ranges[ratio][1] * MARGIN)
        ]  # fmt: skip
        assert len(far) >= 2 if data["label"] == "emulated" else not far


@pytest.mark.parametrize("name", NAMES)
def test_the_results_of_each_run_are_those_of_its_challenge(name: str) -> None:
    """An emulator computes right; results tell that the work was done, not on what."""
    _, runs = capture(name)
    for run in runs[:2]:
        assert check_active(run.challenge, run.results()).verdict == "pass"
        assert check_active(bytes(32), run.results()).verdict == "fail"


@pytest.mark.parametrize("name", NAMES)
def test_captures_keep_raw_samples(name: str) -> None:
    """Enough for minimum, median and spread."""
    _, runs = capture(name)
    for run in runs:
        for reading in run.by_probe.values():
            assert reading.status in ("ok", "unsupported")
            assert reading.status != "ok" or len(reading.ns) >= SAMPLES_MIN


@pytest.mark.parametrize("claimed", ["powerpc-750", "powerpc-7400", "powerpc-7450"])
def test_memory_alone_betrays_an_old_macintosh_on_a_fast_host(claimed: str) -> None:
    """Its bus could not carry a quarter of it."""
    _, runs = capture(f"emulated-{claimed}")
    assert {memory_verdict(run.read_mb_s(), claimed).reason for run in runs} == {"MEMORY_TOO_FAST"}


def test_no_claim_of_another_processor_makes_this_one_pass_as_it() -> None:
    """A fast machine that claims to be an old one, timings told truly: never a pass for a G4 with AltiVec."""
    _, runs = capture("native-zen5")
    for run in runs:
        assert verdict(run.ratios(), "powerpc-7450").verdict != "pass"
        assert memory_verdict(run.read_mb_s(), "powerpc-7450").verdict == "fail"


def row(name: str) -> str:
    """What the documentation prints of one file: least and largest of each ratio, and how many are outside."""
    data, runs = capture(name)
    cells = []
    for ratio, digits in (("fp_add", 1), ("fp_div_mul", 1), ("simd_scalar", 1), ("patch", 0)):
        values = [run.ratios()[ratio] / 1000 for run in runs if ratio in run.ratios()]
        ends = [f"{end:,.{digits}f}" for end in (min(values), max(values))] if values else ["none"]
        cells.append("-".join(dict.fromkeys(ends)))
    told = [dict(verdict(run.ratios(), data["claimed"]).numbers) for run in runs]
    outside = sorted({str(numbers["outside"]) for numbers in told})
    return f"| `{name}` | {' | '.join(cells)} | {' or '.join(outside)} of {told[0]['measured']} |"


@pytest.mark.parametrize("name", NAMES)
def test_the_documentation_prints_what_the_captures_hold(name: str) -> None:
    """Tables are compared, not trusted."""
    assert row(name) in PAGE
