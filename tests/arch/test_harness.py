"""`make test-arch`: its list of targets keeps the promise, and nothing that contradicts the list passes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "contrib" / "arch" / "run.py"
PAGE = ROOT / "docs" / "architectures.md"
PROMISED = {
    ("ppc", "604"): (), ("ppc", "750"): (), ("ppc", "7400"): ("altivec",), ("ppc", "7447a"): ("altivec",),
    ("ppc64", "970"): ("altivec",), ("ppc64le", "power8"): ("altivec",),
    ("armel", "arm926"): (), ("armv6", "arm1176"): (), ("armhf", "cortex-a7"): ("neon",),
    ("aarch64", "cortex-a53"): ("neon",), ("aarch64", "cortex-a72"): ("neon",),
    ("s390x", "z900"): (), ("mips", "24Kf"): (), ("riscv64", "rv64"): (), ("m68k", "m68020"): (),
    ("sparc64", "TI-UltraSparc-II"): (),
    ("x86_64", "core2duo"): (), ("x86_64", "Nehalem"): ("sse41",), ("x86_64", "Haswell"): ("sse41", "avx2"),
}  # fmt: skip
"""Which vector paths must run on which processor; those that are built and not named must be refused there."""


# --- the list of targets ----------------------------------------------------------------------


def test_the_promised_processors_are_run_with_exactly_their_paths(arch: Any) -> None:
    """From a PowerPC 604 to Haswell, and four systems that are linked for."""
    targets = arch["targets"].load()
    runs = {(build.name, run.cpu): run.paths for build in targets.builds for run in build.runs}
    assert {key: runs[key] for key in PROMISED} == PROMISED
    assert {link.target for link in targets.links} == {
        f"{processor}-{system}" for processor in ("x86_64", "aarch64") for system in ("macos", "freebsd")
    }
    assert ("here", "native") in runs


def test_one_program_runs_with_and_without_the_vector_unit(arch: Any) -> None:
    """Else a program that is wrong on an old processor would never meet one."""
    for name in ("ppc", "ppc64", "armel", "armv6", "i686", "x86_64"):
        (build,) = (build for build in arch["targets"].load().builds if build.name == name)
        sets = {frozenset(run.paths) for run in build.runs}
        assert frozenset() in sets, f"{name} never runs without its vector unit"
        assert set().union(*sets) >= set(build.built) - {"avx512"}, f"{name} has a path that never runs"  # see the page


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (('paths = ["altivec"]', 'paths = ["altivek"]'), "unknown path altivek"),
        (('paths = ["altivec"]', 'paths = ["neon"]'), "expects neon, which is not built"),
        (("ci = true", "cl = true"), "unknown key cl"),
        (('architecture = "ppc64"', 'architecture = "ppc"'), "two builds"),
    ],
)
def test_a_mistake_in_the_list_is_an_error(arch: Any, tmp_path: Path, change: tuple[str, str], error: str) -> None:
    """It names what is wrong instead of skipping what it does not understand."""
    text = arch["targets"].TARGETS.read_text(encoding="utf-8")
    assert change[0] in text
    (tmp_path / "targets.toml").write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(ValueError, match=error):
        arch["targets"].load(tmp_path / "targets.toml")


def test_the_page_lists_what_is_run(arch: Any) -> None:
    """Every processor and system of targets.toml has its row on docs/architectures.md, and nothing else has."""
    targets = arch["targets"].load()
    expected = []
    for build in targets.builds:
        if build.name == "here":
            continue
        for run in build.runs:
            refused = [path for path in build.built if path not in run.paths]
            cells = (build.name, run.cpu, run.machine, ", ".join(("portable", *run.paths)), ", ".join(refused) or "-")
            expected.append("| " + " | ".join(cells) + " |")
    expected += [f"| {link.target} | {', '.join(('portable', *link.built))} |" for link in targets.links]
    assert rows_of_page("Processors") == expected


def test_the_page_lists_where_python_runs(arch: Any) -> None:
    """Every processor of python_rows.py, and the one path that must be selected there."""
    expected = [
        f"| {target.architecture} | {target.cpu} | {target.order} | {target.bits} | "
        f"{', '.join(sorted(target.usable)) or 'portable'} |"
        for target in arch["python_rows"].TARGETS
    ]
    assert rows_of_page("Whole Python") == expected


def rows_of_page(section: str) -> list[str]:
    """Return the rows of the tables of one section, without their heads."""
    text = PAGE.read_text(encoding="utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.M)
    return [row for table in tables for row in table.splitlines()[2:]]


# --- what a run says --------------------------------------------------------------------------

GOOD = """words 32 BE
built portable altivec
supported portable altivec
path portable ok 7000 cases
path altivec ok 7000 cases
"""


def judge(arch: Any, output: str, cpu: str = "7447a") -> str:
    """Return the complaint about a driver's output on a processor of `ppc`."""
    build = next(build for build in arch["targets"].load().builds if build.name == "ppc")
    run = next(run for run in build.runs if run.cpu == cpu)
    complaint: str = arch["report"].complaint(arch["report"].read(output), build, run)
    return complaint


def test_a_run_with_all_its_paths_right_is_not_complained_of(arch: Any) -> None:
    """On a G4 both run; on a G3 the vector path is refused."""
    assert judge(arch, GOOD) == ""
    refused = GOOD.replace("supported portable altivec", "supported portable")
    assert judge(arch, refused.replace("altivec ok 7000 cases", "altivec refused"), "750") == ""


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("built portable altivec", "built portable", "must be portable altivec"),
        ("built portable altivec", "built portable altivec neon", "must be portable altivec"),
        ("supported portable altivec", "supported portable", "found are portable; must be portable altivec"),
        ("path altivec ok 7000 cases\n", "", "ran portable of portable altivec"),
        ("altivec ok 7000 cases", "altivec ok 0 cases", "altivec: ok 0 cases"),
        ("altivec ok 7000 cases", "altivec refused", "altivec: refused"),
        ("altivec ok 7000 cases", "altivec FAIL hash vector (64, 0) after 3 cases", "FAIL hash vector"),
        (GOOD, "", "built are none"),
    ],
)
def test_a_run_that_contradicts_the_list_is_complained_of(arch: Any, old: str, new: str, complaint: str) -> None:
    """A path missing, too many, not run, or wrong."""
    assert complaint in judge(arch, GOOD.replace(old, new))


def test_a_vector_path_on_a_processor_without_one_is_complained_of(arch: Any) -> None:
    """It would have died on the real one, or the emulator is not what it says."""
    assert judge(arch, GOOD, "750") == "found are portable altivec; must be portable"


@pytest.mark.parametrize(
    ("code", "errors", "words"),
    [
        (0, "", ""),
        (1, "", "code 1"),
        (2, "guarded memory: denied\n", "code 2: guarded memory: denied"),
        (-4, "", "illegal instruction"),
        (132, "qemu: uncaught target signal 4 (Illegal instruction) - core dumped\n", "illegal instruction"),
        (-11, "", "segmentation fault"),
        (-6, "qemu: uncaught target signal 11 (Segmentation fault)\n", "segmentation fault"),
        (-9, "", "signal 9"),
    ],
)
def test_a_program_that_died_says_of_what(arch: Any, code: int, errors: str, words: str) -> None:
    """An emulator passes its program's signal on in one of several ways."""
    assert arch["report"].ending(code, errors) == words


# --- table and exit code ----------------------------------------------------------------------


def test_the_table_fits_a_hundred_columns_whatever_a_row_says(arch: Any) -> None:
    """Long reasons are folded, none is cut."""
    row = arch["table"].Row
    reason = "a long reason with-an-unbreakable-word-" + "x" * 150 + " and an end"
    rows = [
        row("ppc", "7447a", "altivec", "vectors", "ok", "7000 cases", 1.25),
        row("aarch64-freebsd", "-", "-", "linked", "FAIL", reason, 123.4),
        row("sparc64", "TI-UltraSparc-II", "portable", "vectors", "skipped", "not installed: apt-get install x", 0),
    ]
    text = arch["table"].text(rows)
    assert max(map(len, text.splitlines())) <= 100
    assert text.count("x") >= 150
    assert "1 ok, 1 failed, 1 skipped" in text
    report = json.loads(arch["table"].to_json(rows, 12.34))
    assert report["seconds"] == 12.3
    assert report["rows"][1] == {
        "architecture": "aarch64-freebsd", "cpu": "-", "path": "-", "what": "linked", "result": "FAIL",
        "detail": reason, "seconds": 123.4,
    }  # fmt: skip


def run(*words: str, path: str) -> subprocess.CompletedProcess[str]:
    """Run the command with only these folders to find compilers and emulators in."""
    return subprocess.run(
        [sys.executable, str(RUN), "--json", *words],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PATH": path},
    )  # fmt: skip


def test_a_skipped_row_says_what_to_install_and_fails_unless_that_is_allowed(tmp_path: Path) -> None:
    """A full run that left something out must not look green."""
    words = ("--only", "mips", "--build", str(tmp_path / "build"))
    done = run(*words, path=str(tmp_path))
    assert done.returncode == 1, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert row["result"] == "skipped"
    assert row["detail"] == "qemu-mips-static is not installed: apt-get install qemu-user-static"
    assert run("--skips-allowed", *words, path=str(tmp_path)).returncode == 0


def test_an_absent_compiler_is_a_skipped_row(tmp_path: Path) -> None:
    """Its packages are named."""
    emulator = tmp_path / "qemu-ppc-static"
    emulator.write_text("#!/bin/sh\n", encoding="ascii")
    emulator.chmod(0o755)
    done = run("--only", "604", "--build", str(tmp_path / "build"), path=str(tmp_path))
    (row,) = json.loads(done.stdout)["rows"]
    assert (done.returncode, row["result"]) == (1, "skipped")
    assert row["detail"] == (
        "powerpc-linux-gnu-gcc is not installed: apt-get install gcc-powerpc-linux-gnu libc6-dev-powerpc-cross"
    )


def test_a_name_that_nothing_has_names_those_there_are(tmp_path: Path) -> None:
    """Exit code 2 and no table."""
    done = run("--only", "vax", "--build", str(tmp_path), path=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing is called 'vax'; there are ppc, " in done.stderr
