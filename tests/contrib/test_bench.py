"""The benchmark keeps its format; no test asks how fast anything is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "contrib/bench/run.py"
KEYS = {"id", "value", "unit", "peer", "peer_value", "ratio", "cpu_us", "conditions"}


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmark as `make bench` does."""
    return subprocess.run(
        [sys.executable, str(BENCH), *words], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.endtoend
def test_a_part_writes_the_report_and_prints_a_table(tmp_path: Path) -> None:
    """build/bench.json has the commit, the host and one row per id, each with all eight fields."""
    done = bench("--only", "bundle", "--output", str(tmp_path / "bench.json"))
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert set(report) == {"commit", "host", "results"}
    assert {"cpu", "cores", "python", "load_average"} <= set(report["host"])
    (row,) = report["results"]
    assert set(row) == KEYS
    assert row["id"] == "bundle.bytes"
    assert row["conditions"]
    assert "bundle.bytes" in done.stdout


@pytest.mark.endtoend
def test_a_part_that_cannot_run_says_why_instead_of_a_number(tmp_path: Path) -> None:
    """Without the peer there is nothing to compare with; the other fields stay empty and the run goes on."""
    hidden = tmp_path / "blake3.py"
    hidden.write_text("raise ImportError('hidden by a test')\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(BENCH), "--only", "merkle", "--output", str(tmp_path / "bench.json")],
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (row,) = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))["results"]
    assert row["value"] is None
    assert "hidden by a test" in row["conditions"]


@pytest.mark.endtoend
def test_an_unknown_part_names_the_known_ones(tmp_path: Path) -> None:
    """Exit code 2, and nothing is written."""
    done = bench("--only", "speed", "--output", str(tmp_path / "bench.json"))
    assert done.returncode == 2
    assert "blake3.batch" in done.stderr
    assert not (tmp_path / "bench.json").exists()
