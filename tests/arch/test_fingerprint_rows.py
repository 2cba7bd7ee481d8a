"""The fingerprint in emulators that hide: what a row accepts.

`make test-arch ONLY=fingerprint` runs each ten times; here it is once, where that has prepared the interpreters.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSIDE = ROOT / "contrib" / "arch" / "fingerprint_inside.py"
BUILD = ROOT / "build" / "arch"
CAUGHT = {
    "class": "emulated", "outside": "4/4", "virtual_machine": "pass", "emulator": "pass", "execution_engine": "fail",
}  # fmt: skip


@pytest.fixture
def rows(arch: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module under test, fresh, beside those it imports."""
    monkeypatch.delitem(sys.modules, "fingerprint_rows", raising=False)
    yield __import__("fingerprint_rows")
    sys.modules.pop("fingerprint_rows", None)


def test_a_row_is_right_when_every_run_is_called_emulated(rows: Any) -> None:
    """And its detail names the ratios that told."""
    assert rows.judged([CAUGHT] * 10) == ("ok", "10 of 10 runs called emulated; ratios outside: 4/4")


@pytest.mark.parametrize("missed", [{"class": "vintage"}, {"execution_engine": "unmeasured"}])
def test_one_run_that_passes_for_real_fails_the_row(rows: Any, missed: dict[str, str]) -> None:
    """Nine of ten are not enough."""
    result, detail = rows.judged([CAUGHT] * 9 + [CAUGHT | missed])
    assert result == "FAIL"
    assert detail.startswith("9 of 10 ")


@pytest.mark.parametrize("sign", ["emulator", "virtual_machine"])
def test_a_declared_sign_proves_nothing_of_the_probes(rows: Any, sign: str) -> None:
    """A dump that says what it is would be caught without them."""
    result, detail = rows.judged([CAUGHT] * 9 + [CAUGHT | {sign: "fail"}])
    assert result == "FAIL"
    assert "a declared sign was found in 1" in detail


def test_every_target_poses_as_a_machine_of_the_corpus(rows: Any) -> None:
    """A dump that is gone would be found only in the next long run."""
    for target in rows.TARGETS:
        assert (rows.DUMPS / target.dump).is_file(), target.dump


def test_the_command_tells_the_dump_and_times_this_processor(rows: Any) -> None:
    """Without an emulator: the texts are the PowerBook's, and the probes ran here."""
    dump = ROOT / "tests" / "corpus" / rows.TARGETS[0].dump
    command = [sys.executable, str(INSIDE), str(dump)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    report = json.loads(done.stdout)
    assert report["inventory"]["board"]["model"] == "PowerBook5,6"
    told = rows.verdicts(report)
    assert (told["emulator"], told["virtual_machine"]) == ("pass", "pass")
    assert int(told["outside"].split("/")[1]) >= 3, "the probes ran"


@pytest.mark.endtoend
@pytest.mark.parametrize("architecture", ["ppc", "armhf", "x86_64"])
def test_an_emulator_that_hides_is_found_by_its_timings_alone(
    arch: dict[str, Any], rows: Any, monkeypatch: pytest.MonkeyPatch, architecture: str
) -> None:
    """The whole command, run inside it."""
    if architecture != "x86_64" and not (BUILD / f"{architecture}-python").is_dir():
        pytest.skip(f"no Python for {architecture} is built: make test-arch ONLY=fingerprint")
    monkeypatch.setattr(rows, "RUNS", 1)
    (target,) = (one for one in rows.TARGETS if one.architecture == architecture)
    (row,) = rows.rows(arch["table"].Options(BUILD, only=(target.cpu,)))
    if row.result == "skipped":
        pytest.skip(row.detail)
    assert row.result == "ok", row.detail
    assert row.detail.startswith("1 of 1 runs called emulated")
