"""The command: reports for people and programs, second opinions, unsupported platforms."""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metanode.core.model.errors import MetanodeError
from metanode.fingerprint import command, report_probes
from metanode.fingerprint.collect import Report, unsupported_reason
from metanode.fingerprint.command import VERB, main, preview
from metanode.fingerprint.crosscheck import compare_detect_virt, compare_py_cpuinfo
from metanode.fingerprint.multipliers import SCALE
from metanode.fingerprint.probes.readings import Reading, Readings
from metanode.fingerprint.probes.workload import FP_ADD, FP_DIV, FP_MUL, INT_ADD, SCALAR, SIMD, draw, recompute
from metanode.fingerprint.progress import ProgressLine
from metanode.fingerprint.report import Findings, Preview, to_json, to_text, weight_text
from metanode.fingerprint.report_probes import Compiled
from metanode.fingerprint.samples import KINDS, TIMER_BACKWARDS, Measurement
from metanode.fingerprint.scoring import CAPS, Policy, score
from metanode.fingerprint.virtual import SIGNS

Replay = Callable[[str], Report]
SALT = bytes(32)
MEASURED = tuple(Measurement(kind, (0,) * 5 if kind == TIMER_BACKWARDS else (3, 1, 2, 4, 5)) for kind in KINDS)


def plain(text: str, *names: str) -> str:
    """No colour."""
    return text


def findings(report: Report) -> Findings:
    """What a run on the machine of a dump would have found."""
    return Findings(report, MEASURED, (), preview(report, MEASURED, Compiled(), ("devnet", "mainnet")), SALT)


def test_the_text_names_a_virtual_machine_its_signs_and_both_weights(replay: Replay) -> None:
    """Someone on a rented machine learns what it counts for on each network, and why."""
    text = "\n".join(to_text(findings(replay("epyc-kvm-guest")), style=plain))
    assert "AMD EPYC (AuthenticAMD family 26 model 2 stepping 1)" in text
    assert "CPU_HYPERVISOR_FLAG" in text
    assert "VM_DETECTED" in text
    assert "devnet   0.8 of base 0.8" in text
    assert "mainnet  0.0 of base 0.8" in text
    assert "this network pays virtual machines and emulators in full" in text
    assert "run on bare hardware to lift it" in text
    assert "board           unmeasured: firmware shows no names" in text


def test_the_text_of_a_real_machine_says_that_no_sign_proves_nothing(replay: Replay) -> None:
    """Absence of signs is not called proof."""
    text = "\n".join(to_text(findings(replay("thinkpad-ivy-bridge")), style=plain))
    assert "none found; that proves nothing by itself" in text
    assert "LENOVO 2344CTO" in text
    assert "mainnet  1.0 of base 1.0" in text
    assert f"legacy cap: {CAPS['legacy']}" in text, "nothing was timed by the compiled probes"


def test_a_vintage_machine_learns_what_waits_and_how_to_lift_it(replay: Replay) -> None:
    """What is paid at once, the whole, and the caps with their cure; in the JSON the same."""
    times = {INT_ADD: 1000, FP_ADD: 3000, FP_MUL: 5000, FP_DIV: 38_000, SCALAR: 1000, SIMD: 900}
    readings = Readings(bytes(32), {
        probe: Reading(probe, "ok", 1, recompute(bytes(32), probe), (draw(bytes(32), probe).steps * ps // 1000,) * 5)
        for probe, ps in times.items()
    })  # fmt: skip
    report = replay("pentium-iii")
    for uncalibrated, at_once in ((1_500_000_000, "1.5"), (500_000_000, "0.5")):
        policy = Policy("edge", 0, uncalibrated, SCALE)
        (one,) = preview(report, (), Compiled(readings), ("mainnet",))
        checks = one.score.checks
        assert next(check for check in checks if check.name == "keyed_active").verdict == "pass"
        shown = Preview("mainnet", policy, score(report.inventory, checks, policy))
        found = Findings(report, MEASURED, (), (shown,), SALT, Compiled(readings))
        text = "\n".join(to_text(found, style=plain))
        assert f"mainnet  2.0, {at_once} of it at once and the rest in escrow, of base 2.0, class vintage" in text
        assert f"uncalibrated cap: {CAPS['uncalibrated']}" in text
        weights = to_json(found)["weights"]["mainnet"]
        assert (weights["weight"], weights["payable"], weights["payable_text"]) == (2 * SCALE, uncalibrated, at_once)
        assert weights["caps"] == [{"name": "uncalibrated", "words": CAPS["uncalibrated"]}]


def test_the_json_carries_inventory_signs_checks_and_weights(replay: Replay, machines: tuple[str, ...]) -> None:
    """Whatever the text says stands in the JSON too, without floats."""
    for name in machines:
        document = json.loads(json.dumps(to_json(findings(replay(name)))), parse_float=lambda text: pytest.fail(text))
        assert document["ok"] is True
        assert set(document["weights"]) == {"devnet", "mainnet"}
        assert {check["verdict"] for check in document["checks"]} <= {"pass", "fail", "unmeasured"}
        assert all(check["words"] for check in document["checks"])
        assert document["inventory_bytes"] <= 4096
        assert all(len(sample["raw"]) == 5 for sample in document["samples"])
        for weight in document["weights"].values():
            assert weight["reasons"]


def test_the_json_report_has_the_documented_keys_always(replay: Replay, machines: tuple[str, ...]) -> None:
    """Whoever reads it by program may rely on them."""
    page = (Path(__file__).parents[2] / "docs" / "fingerprint.md").read_text("utf-8")
    section = page.split("### The JSON report")[1].split("## Classes and weights")[0]
    for name in machines:
        document = to_json(findings(replay(name)))
        assert list(document) == [
            "ok", "scoring_version", "table_version", "inventory", "inventory_bytes", "inventory_digest", "details",
            "recognised", "model", "disagreements", "contradictions", "signs", "checks", "crosschecks", "probes",
            "samples", "identifiers", "binding", "weights", "unread", "problems", "notice",
        ]  # fmt: skip
        assert all(f"`{key}`" in section for key in document)
        listed = [*document["checks"], *document["signs"], *document["samples"]]
        assert all(re.search(rf"\b{key}\b", section) for row in listed for key in row)
        for weight in document["weights"].values():
            assert f"{{{', '.join(weight)}}}" in section
            assert set(weight["evidence_level"].split()) <= {"none", "software"}


def test_no_identifier_is_printed(replay: Replay, machines: tuple[str, ...]) -> None:
    """Reports get pasted into public places."""
    for name in machines:
        report = replay(name)
        found = findings(report)
        printed = "\n".join(to_text(found, style=plain)) + json.dumps(to_json(found))
        for identifier in report.identifiers:
            assert identifier.value not in printed
            assert identifier.value.replace(":", "") not in printed


@pytest.mark.parametrize(
    ("weight", "text"),
    [(0, "0.0"), (SCALE, "1.0"), (800_000_000, "0.8"), (500_000, "0.0005"), (1, "0.000000001"), (4 * SCALE, "4.0")],
)
def test_weights_are_printed_exactly(weight: int, text: str) -> None:
    """No rounding, no needless zeros."""
    assert weight_text(weight) == text


def test_a_platform_without_a_collector_answers_unsupported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line with the reason, exit code 1; JSON for programs."""
    monkeypatch.setattr(sys, "platform", "haiku1")
    assert main(["--no-probes"]) == 1
    assert capsys.readouterr().err == (
        "unsupported: there is no collector for haiku1 yet; Linux, macOS, FreeBSD, OpenBSD and NetBSD have one\n"
    )
    assert main(["--json"]) == 1
    reply = json.loads(capsys.readouterr().out)
    assert (reply["ok"], reply["code"]) == (False, "UNSUPPORTED_PLATFORM")


def test_every_collected_platform_is_supported_whatever_its_version() -> None:
    """The number that some systems append to their name is none of the platform's."""
    assert [unsupported_reason(name) for name in ("linux", "darwin", "freebsd14", "openbsd7", "netbsd10")] == [""] * 5
    assert all("no collector" in unsupported_reason(name) for name in ("win32", "sunos5", "aix7", ""))


def test_the_command_measures_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    """End to end, in JSON, for one network."""
    if unsupported_reason(sys.platform):
        pytest.skip("no collector for this platform")
    assert main(["--json", "--no-crosscheck", "--policy", "mainnet"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document["weights"]) == {"mainnet"}
    assert document["inventory"]["platform"] == "linux"
    assert document["samples"]


def test_a_wrong_command_line_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and what would be right."""
    with pytest.raises(SystemExit) as caught:
        main(["--policy", "moonnet"])
    assert caught.value.code == 2
    assert "devnet" in capsys.readouterr().err


def test_help_shows_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """Everything to know stands in --help."""
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert "exit codes:" in text


def test_an_interrupt_ends_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C is an answer, not a traceback."""

    def interrupted(**_: Any) -> Findings:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "find", interrupted)
    assert main([]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_another_refusal_is_left_to_the_frame(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a verb it raises; as a command of its own it prints the one line."""

    def refused(**_: Any) -> Findings:
        raise MetanodeError("BAD_SETTING", "no")

    monkeypatch.setattr(command, "find", refused)
    parser = argparse.ArgumentParser()
    VERB.configure(parser)
    with pytest.raises(MetanodeError):
        VERB.run(argparse.Namespace(**vars(parser.parse_args([])), json=False))
    assert main([]) == 1
    assert capsys.readouterr().err.startswith("error BAD_SETTING: no")


def test_progress_is_shown_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs and pipes stay clean; on a terminal the line takes itself away."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        progress = ProgressLine()
        progress(1, 4, "memory copies")
        progress.clear()
        assert ("measuring memory copies 25 %" in stream.getvalue()) is shown
        assert stream.getvalue().endswith("\r\x1b[K") is shown


def _py_cpuinfo(report: Report, **changes: object) -> str:
    cpu = report.inventory.cpu
    facts = {
        "vendor_id_raw": cpu.vendor,
        "brand_raw": cpu.name,
        "family": cpu.family,
        "model": cpu.model,
        "stepping": cpu.stepping,
        "count": cpu.threads,
        "flags": sorted(report.flags),
    }
    return json.dumps({**facts, **changes})


def test_py_cpuinfo_that_says_the_same_agrees(replay: Replay) -> None:
    """Seven fields compared, none different."""
    report = replay("epyc-kvm-guest")
    row = compare_py_cpuinfo(report, _py_cpuinfo(report))
    assert (row.check.verdict, row.check.reason) == ("pass", "AGREES")
    assert dict(row.check.numbers) == {"compared": 7, "different": 0}


def test_a_disagreement_is_shown_with_both_answers(replay: Replay) -> None:
    """Neither side is assumed right."""
    report = replay("epyc-kvm-guest")
    row = compare_py_cpuinfo(report, _py_cpuinfo(report, model=99, flags=["fpu"]))
    assert (row.check.verdict, row.check.reason) == ("fail", "DISAGREES")
    assert "model: ours 2, theirs 99" in row.differences


def test_only_the_count_is_compared_where_py_cpuinfo_has_words_of_its_own(replay: Replay) -> None:
    """On ARM its vendor, name and numbers are others for the same processor."""
    theirs = json.dumps({"vendor_id_raw": "ARM", "brand_raw": "Cortex-A72", "count": 4, "flags": ["x"]})
    row = compare_py_cpuinfo(replay("raspberry-pi-4"), theirs)
    assert (row.check.verdict, dict(row.check.numbers)) == ("pass", {"compared": 1, "different": 0})


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '"x"'])
def test_an_answer_that_says_nothing_is_unmeasured(replay: Replay, text: str) -> None:
    """A broken tool must not count against a machine."""
    assert compare_py_cpuinfo(replay("thinkpad-ivy-bridge"), text).check.reason == "NO_ANSWER"


@pytest.mark.parametrize(
    ("name", "word", "reason"),
    [
        ("epyc-kvm-guest", "kvm\n", "AGREES"),
        ("epyc-kvm-guest", "none\n", "DISAGREES"),
        ("epyc-bare-metal", "none\n", "AGREES"),
        ("epyc-bare-metal", "vmware\n", "DISAGREES"),
    ],
)
def test_systemd_is_a_second_opinion(replay: Replay, name: str, word: str, reason: str) -> None:
    """It never changes our verdict."""
    assert compare_detect_virt(replay(name), word).check.reason == reason


def test_the_fingerprint_loads_neither_trio_nor_py_cpuinfo() -> None:
    """A miner on an old machine imports all of this."""
    code = "import sys, metanode.fingerprint.command; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert not {"trio", "pluggy", "cpuinfo", "ssl"} & loaded
    assert not {"subprocess", "metanode.fingerprint.report"} & loaded, "these come after the buffers of the probes"


def test_the_clock_prefers_what_cannot_change(replay: Replay) -> None:
    """The name's own figure first, then the highest frequency, then what is read now."""
    assert replay("thinkpad-ivy-bridge").inventory.cpu.clock_mhz == 2600
    assert replay("epyc-bare-metal").inventory.cpu.clock_mhz == 3000
    assert replay("epyc-kvm-guest").inventory.cpu.clock_mhz == 2600


def test_every_sign_can_be_printed(replay: Replay) -> None:
    """Each number has a name, words, and a line in the report."""
    from metanode.fingerprint.inventory import Sign

    report = replay("thinkpad-ivy-bridge")
    for code in SIGNS:
        inventory = replace(report.inventory, signs=(Sign(code, "seen"),))
        text = "\n".join(to_text(findings(replace(report, inventory=inventory)), style=plain))
        assert SIGNS[code].name in text


def test_another_machine_is_reported_from_its_capture(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is timed, and what its sources contradict is told."""
    corpus = Path(__file__).parents[1] / "corpus"
    assert main(["--from", str(corpus / "composed" / "linux_powerbook_g4.txt")]) == 0
    text = capsys.readouterr().out
    assert "recognised as   PowerPC G4" in text
    assert "version 80030101" in text
    assert "timebase        18432000" in text
    assert main(["--json", "--from", str(corpus / "py_cpuinfo" / "linux_beagle_bone_arm.txt")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["disagreements"] == ["armv7l on ARM1176 (ARMv6)"]
    assert document["recognised"] == ["ARM", "ARM11"]
    assert document["samples"] == document["crosschecks"] == []


@pytest.mark.parametrize("how", ["--no-probes", "--from"])
def test_nothing_is_timed_unless_it_is_this_machine_and_wanted(
    how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the compiled probes nor the interpreter's run, and the report says why."""
    if how == "--no-probes" and unsupported_reason(sys.platform):
        pytest.skip("no collector for this platform")

    def timed(*_: Any, **__: Any) -> None:
        pytest.fail("a probe ran")

    monkeypatch.setattr(command, "measure", timed)
    monkeypatch.setattr(report_probes, "measure_compiled", timed)
    file = Path(__file__).parents[1] / "corpus" / "composed" / "linux_powerbook_g4.txt"
    line = ["--no-crosscheck", *([how, str(file)] if how == "--from" else [how])]
    assert main(line) == 0
    text = capsys.readouterr().out
    assert text.count("  not timed") == 2
    assert "NEEDS_COMPILED_PROBE" not in text
    assert main(["--json", *line]) == 0
    probes = json.loads(capsys.readouterr().out)["probes"]
    assert probes["interpreter"] == []
    assert (probes["compiled"]["ran"], probes["compiled"]["reason"]) == (False, "NOT_RUN")


def test_each_report_times_for_a_challenge_of_its_own(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn from the system's randomness, and as long as a probe wants it."""
    seen: list[bytes] = []
    monkeypatch.setattr(report_probes, "measure_compiled", lambda challenge, progress: seen.append(challenge))
    inventory = replay("epyc-kvm-guest").inventory
    compiled = [report_probes.run_compiled(inventory) for _ in range(2)]
    assert [len(challenge) for challenge in seen] == [32, 32]
    assert seen[0] != seen[1]
    assert {one.reason for one in compiled} == {"NEEDS_COMPILED_PROBE"}


def test_a_terminal_gets_lines_that_fit_it_and_a_pipe_gets_them_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eighty columns fold; what is searched is never broken."""
    line = ["--no-color", "--from", str(Path(__file__).parent / "data" / "epyc-kvm-guest.txt")]
    assert main(line) == 0
    whole = capsys.readouterr().out
    monkeypatch.setattr(command, "terminal_columns", lambda: 80)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert main(line) == 0
    folded = capsys.readouterr().out
    assert max(map(len, folded.splitlines())) <= 80 < max(map(len, whole.splitlines()))
    stable = [text.split("Identifiers")[0].split() for text in (folded, whole)]
    assert stable[0] == stable[1]


def test_a_capture_is_written_once_and_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From this machine, or from outputs that someone sent; never over a file that is there."""
    if unsupported_reason(sys.platform):
        pytest.skip("no collector for this platform")
    path = tmp_path / "machine.json"
    assert main(["--capture", str(path)]) == 0
    assert "identifiers replaced" in capsys.readouterr().out
    assert main(["--json", "--from", str(path)]) == 0
    there = json.loads(capsys.readouterr().out)
    assert main(["--json", "--no-probes", "--no-crosscheck"]) == 0
    assert there["inventory"] == json.loads(capsys.readouterr().out)["inventory"]
    assert main(["--capture", str(path)]) == 1
    assert "FILE_EXISTS" in capsys.readouterr().err
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "sysctl.txt").write_text("hw.cputype: 18\nhw.cpusubtype: 11\nhw.serialno: X123\n", "utf-8")
    assert main(["--json", "--from", str(tmp_path / "sent"), "--capture", str(tmp_path / "sent.json")]) == 0
    assert json.loads(capsys.readouterr().out)["sources"] == 1
    assert "X123" not in (tmp_path / "sent.json").read_text("utf-8")
    assert main(["--capture", str(tmp_path / "none" / "x")]) == 1
    assert main(["--from", str(tmp_path / "none")]) == 1
    assert "FILE_MISSING" in capsys.readouterr().err
