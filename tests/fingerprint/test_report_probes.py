"""Compiled probes in the report: verdicts with ranges and worth, nothing mixed with the interpreter's."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from metanode.fingerprint.checks import REASONS
from metanode.fingerprint.collect import Report
from metanode.fingerprint.command import preview
from metanode.fingerprint.evidence import ACTIVE
from metanode.fingerprint.multipliers import SCALE, load_table
from metanode.fingerprint.probes.envelopes import JUDGED, verdict
from metanode.fingerprint.probes.readings import from_json
from metanode.fingerprint.report import Findings, to_json, to_text
from metanode.fingerprint.report_probes import (
    INTERPRETED,
    NEEDED,
    Compiled,
    compiled_lines,
    curve_text,
    probes_json,
    ratio_text,
)
from metanode.fingerprint.samples import KINDS, TIMER_BACKWARDS, Measurement, judge
from metanode.fingerprint.scoring import CAPS

Replay = Callable[[str], Report]
CORPUS = Path(__file__).parents[1] / "corpus" / "probes"
CAPTURES = sorted(path.stem for path in CORPUS.glob("*.json"))
EMULATED, NATIVE = "emulated-cortex-a72", "native-zen5"
MEASURED = tuple(Measurement(kind, (0,) * 5 if kind == TIMER_BACKWARDS else (3, 1, 2, 4, 5)) for kind in KINDS)


def plain(text: str, *names: str) -> str:
    """No colour."""
    return text


def run(name: str, number: int = 0) -> Compiled:
    """One run of a capture in the corpus."""
    data = json.loads((CORPUS / f"{name}.json").read_text("ascii"))
    return Compiled(from_json(data["runs"][number]), data["claimed"])


def found(report: Report, compiled: Compiled) -> Findings:
    """A report that these probes are part of."""
    previews = preview(report, MEASURED, compiled, ("devnet", "mainnet"))
    return Findings(report, MEASURED, (), previews, bytes(32), compiled)


@pytest.mark.parametrize("name", CAPTURES)
def test_what_is_called_outside_is_what_the_verdict_counts(name: str) -> None:
    """One rule, told twice."""
    for number in range(10):
        compiled = run(name, number)
        assert compiled.readings is not None
        told = dict(verdict(compiled.readings.ratios(), compiled.claimed).numbers)
        assert (len(compiled.outside), told["measured"]) == (
            told["outside"], len(set(JUDGED) & set(compiled.readings.ratios())),
        )  # fmt: skip


def test_an_emulated_processor_is_called_emulated_with_what_it_means_for_pay(replay: Replay) -> None:
    """Plainly, with the ratio and the range it should be in; mainnet pays nothing for it."""
    report = replay("raspberry-pi-4")
    findings = found(report, run(EMULATED))
    text = "\n".join(to_text(findings, style=plain))
    assert "fail       execution_engine     EMULATOR_DETECTED: " in text
    assert "fp_add        12.7  outside 1.50 to 8.40" in text
    weights = to_json(findings)["weights"]
    assert {(entry["class"], entry["weight"]) for entry in weights.values()} == {("emulated", SCALE), ("emulated", 0)}
    assert CAPS["emulator"] in text
    assert to_json(found(report, Compiled()))["weights"]["mainnet"]["class"] == "board"


def test_a_real_processor_shows_each_ratio_and_that_it_fits(replay: Replay) -> None:
    """Twice the range of its microarchitecture."""
    text = "\n".join(to_text(found(replay("epyc-kvm-guest"), run(NATIVE)), style=plain))
    assert "pass       execution_engine     WITHIN_ENVELOPE: " in text
    assert "0 of 4 ratios outside; allowed is twice the range of zen5" in text
    assert "fp_div_mul    4.33  fits 2.10 to 9.20" in text
    assert "ns a step in 4 KiB" in text or "ns a step in 5 KiB" in text
    assert NEEDED not in text


def test_a_processor_without_an_envelope_is_told_and_not_judged() -> None:
    """Its ratios are still worth reading."""
    text = "\n".join(compiled_lines(replace(run(NATIVE), claimed=""), plain))
    assert "NO_ENVELOPE" in text
    assert "fp_div_mul    4.33  not judged" in text
    assert "outside" not in text


def test_without_the_extension_the_report_says_what_is_missing_and_why() -> None:
    """And what that leaves open."""
    compiled = Compiled(None, "zen5", NEEDED, "it was not built")
    lines = compiled_lines(compiled, plain)
    assert REASONS[NEEDED] in lines[0]
    assert "it was not built" in lines[2]
    assert all(name in lines[3] for name in ACTIVE[1:])
    told = probes_json(compiled, ())["compiled"]
    assert (told["ran"], told["reason"], told["problem"]) == (False, NEEDED, "it was not built")


@pytest.mark.parametrize("compiled", [run(EMULATED), run(NATIVE), Compiled(), Compiled(None, "", NEEDED, "no")])
def test_the_json_object_has_the_same_keys_always(compiled: Compiled) -> None:
    """Documented in docs/fingerprint.md, without floats."""
    probes = json.loads(json.dumps(probes_json(compiled, MEASURED)), parse_float=lambda text: pytest.fail(text))
    page = (Path(__file__).parents[2] / "docs" / "fingerprint.md").read_text("utf-8")
    assert list(probes) == ["compiled", "interpreter"]
    assert list(probes["compiled"]) == [
        "ran", "reason", "words", "problem", "microarchitecture", "calibrated", "margin", "ratios", "missing", "ranges",
        "outside", "latency_ns", "knees_bytes", "read_mb_s", "timer_ns",
    ]  # fmt: skip
    assert all(f"| `{name}` |" in page for name in probes["compiled"])
    assert set(probes["compiled"]["timer_ns"]) == {"smallest_step", "common_divisor"}
    assert [row["number"] for row in probes["interpreter"]] == list(KINDS)
    assert {"minimum": 1, "median": 3, "maximum": 5, "samples": 5}.items() <= probes["interpreter"][0].items()
    if compiled.readings is not None:
        sizes = [size for size, _ in probes["compiled"]["latency_ns"]]
        assert sizes == sorted(sizes)
        assert all(text.split(".")[1].isdecimal() for _, text in probes["compiled"]["latency_ns"])


def test_the_interpreters_rows_stand_apart(replay: Replay) -> None:
    """Under a heading of their own, each kind of probe in a row; nothing judged of them is lost."""
    lines = to_text(found(replay("epyc-kvm-guest"), run(NATIVE)), style=plain)
    begin = next(number for number, line in enumerate(lines) if line.startswith("The interpreter, timed by itself"))
    section = lines[begin : lines.index("", begin)]
    for kind in KINDS.values():
        assert any(line.startswith(f"  told       {kind.name} ") for line in section)
    assert [line.split()[1] for line in section if line[2:6] in ("pass", "fail", "unme")] == list(INTERPRETED)
    judged = judge((), load_table().row("x86", "modern"))
    assert [check.name for check in judged] == list(INTERPRETED)


def test_the_latency_curve_is_one_short_line() -> None:
    """Where it begins, what follows each rise, where it ends."""
    curve = ((4096, 938), (32768, 1000), (65536, 3178), (131072, 3200))
    assert curve_text(curve, (32768,)) == "0.9 ns a step in 4 KiB, 3.1 past 32 KiB, 3.2 in 128 KiB"
    assert curve_text(curve[:3], (32768,)) == "0.9 ns a step in 4 KiB, 3.1 past 32 KiB"
    assert curve_text(curve[:1], ()) == "0.9 ns a step in 4 KiB"


@pytest.mark.parametrize(
    ("permille", "text"),
    [(0, "0.00"), (657, "0.65"), (9_999, "9.99"), (10_000, "10.0"), (99_999, "99.9"), (150_295, "150")],
)
def test_ratios_have_as_many_digits_as_people_read(permille: int, text: str) -> None:
    """Cut, never rounded over a bound."""
    assert ratio_text(permille) == text
