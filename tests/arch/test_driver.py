"""The C shims on this machine and on foreign processors, as far as compilers and emulators are there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CI_BUILDS = ("ppc", "armel", "x86_64", "here")
"""Those that targets.toml marks `ci`: the smallest set with both byte orders, both word sizes and every path."""
RUN_S_MAX = 180

pytestmark = pytest.mark.endtoend


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Every row of the part that runs with the test suite; what was built before is used again."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "contrib/arch/run.py"), "--ci", "--json", "--skips-allowed"],
        capture_output=True, text=True, timeout=RUN_S_MAX, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return found


@pytest.mark.parametrize("name", CI_BUILDS)
def test_every_path_is_right_where_it_runs_and_refused_elsewhere(
    arch: Any, rows: list[dict[str, Any]], name: str
) -> None:
    """Vectors and a sweep against the portable path, on each processor of one build."""
    build = next(build for build in arch["targets"].load().builds if build.name == name)
    cpus = {run.cpu for run in build.runs}
    ours = [row for row in rows if row["architecture"] == build.architecture and row["cpu"] in cpus]
    assert {row["cpu"] for row in ours} == cpus
    skipped = sorted({row["detail"] for row in ours if row["result"] == "skipped"})
    if skipped:
        pytest.skip(skipped[0])
    wrong = [f"{row['cpu']} {row['path']}: {row['detail']}" for row in ours if row["result"] != "ok"]
    assert not wrong, "\n".join(wrong)


def test_the_part_for_ci_is_what_the_list_marks(arch: Any, rows: list[dict[str, Any]]) -> None:
    """No build is marked and never run."""
    assert {build.name for build in arch["targets"].load().builds if build.ci} == set(CI_BUILDS)
    assert "FAIL" not in {row["result"] for row in rows}


# --- the driver finds what it is there to find ------------------------------------------------


def broken(arch: Any, tmp_path: Path, name: str, old: str, new: str) -> str:
    """Return what is complained of when one place of the shims' sources is wrong, on this machine."""
    toolchain = arch["toolchain"]
    shim = tmp_path / "shim"
    shutil.copytree(toolchain.SHIM, shim, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    text = (shim / name).read_text(encoding="utf-8")
    assert old in text, f"{name} has no {old!r} to break"
    (shim / name).write_text(text.replace(old, new), encoding="utf-8")
    build = next(build for build in arch["targets"].load().builds if build.name == "here")
    program = toolchain.Toolchain((build.compiler,), tmp_path / "built", (), shim=shim)
    if reason := program.unusable():
        pytest.skip(reason)
    done = subprocess.run([program.driver()], capture_output=True, text=True, timeout=RUN_S_MAX, check=False)
    report = arch["report"]
    complaint = report.complaint(report.read(done.stdout), build, build.runs[0])
    found = report.ending(done.returncode, done.stderr), complaint
    return "; ".join(filter(None, found))


def test_a_wrong_constant_fails_the_vectors(arch: Any, tmp_path: Path) -> None:
    """The portable path is held to published digests, not to itself."""
    complaint = broken(arch, tmp_path, "internal.h", "0x6A09E667U", "0x6A09E666U")
    assert complaint.startswith("code 1; portable: FAIL hash vector (0, 0)")


def test_an_offset_that_wraps_is_found(arch: Any, tmp_path: Path) -> None:
    """Offsets beyond the data must be refused before anything is read."""
    complaint = broken(arch, tmp_path, "many.c", "offsets[count] <= len", "offsets[count] <= len + 1")
    assert "FAIL offsets beyond the end" in complaint
