"""Live: this machine is never called emulated, and one emulated processor is, by the same program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from metanode.fingerprint.classes import processor_key
from metanode.fingerprint.collect import collect
from metanode.fingerprint.probes.envelopes import envelopes, microarchitecture_of, verdict
from metanode.fingerprint.probes.readings import from_json
from metanode.platforms.shims import probes

ROOT = Path(__file__).parents[3]
CAPTURE = ROOT / "contrib" / "arch" / "capture_probes.py"
RUN_S_MAX = 240

pytestmark = pytest.mark.endtoend


def captured(tmp_path: Path, name: str, runs: int) -> list[str]:
    """Capture afresh and return the reasons; a skip when it cannot be run here."""
    done = subprocess.run(
        [sys.executable, str(CAPTURE), "--only", name, "--runs", str(runs), "--write", str(tmp_path)],
        capture_output=True, text=True, timeout=RUN_S_MAX, check=False,
    )  # fmt: skip
    written = list(tmp_path.glob("*.json"))
    if not written:
        pytest.skip(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "nothing was captured")
    data = json.loads(written[0].read_text("ascii"))
    return [verdict(from_json(run).ratios(), data["claimed"]).reason for run in data["runs"]]


def test_this_machine_is_not_called_emulated(tmp_path: Path) -> None:
    """Ten runs beside whatever else runs here."""
    if probes.load() is None:
        pytest.skip(probes.problem())
    claimed = microarchitecture_of(processor_key(collect().inventory))
    if claimed not in envelopes():
        pytest.skip("there is no envelope for this processor yet")
    assert "EMULATOR_DETECTED" not in captured(tmp_path, "native", 10)


@pytest.mark.parametrize("claimed", ["powerpc-750", "powerpc-7450", "cortex-a7", "cortex-a72", "haswell"])
def test_an_emulated_processor_is_called_emulated(tmp_path: Path, claimed: str) -> None:
    """From timings alone: nothing of the emulator's names or files is looked at."""
    assert captured(tmp_path, claimed, 3) == ["EMULATOR_DETECTED"] * 3
