"""The probes' program on foreign processors: right results in both byte orders and word sizes, and no instruction that
a processor lacks; it would end the program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from metanode.fingerprint.probes.readings import from_program
from metanode.fingerprint.probes.workload import CALL, FP_ADD, FP_DIV, FP_MUL, PATCH, SIMD, recompute

ROOT = Path(__file__).parents[3]
ARCH = ROOT / "contrib" / "arch"
MODULES = ("capture_probes", "booted_probes", "cpio", "header", "targets", "toolchain")
CHALLENGE = bytes(range(7, 39))
RUN_S_MAX = 120
FP, CODE = {FP_ADD, FP_MUL, FP_DIV}, {CALL, PATCH}
LACKING = {
    ("ppc", "604"): {SIMD}, ("ppc", "750"): {SIMD}, ("ppc", "7400"): set(), ("ppc", "7447a"): set(),
    ("armel", "arm926"): {SIMD, *FP}, ("armel", "cortex-a7"): FP,
    ("i686", "pentium2"): {SIMD}, ("i686", "coreduo"): set(),
    ("x86_64", "core2duo"): set(), ("aarch64", "cortex-a53"): set(), ("ppc64", "970"): set(),
    ("s390x", "z900"): {SIMD, *CODE}, ("sparc64", "TI-UltraSparc-II"): {SIMD, *CODE},
}  # fmt: skip
"""Build and processor of targets.toml to the probes it must refuse; armel is compiled without a floating-point unit."""

pytestmark = pytest.mark.endtoend


@pytest.fixture
def capturing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The modules of contrib/arch, which is no package."""
    monkeypatch.syspath_prepend(str(ARCH))
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield __import__("capture_probes")
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(("name", "cpu"), LACKING)
def test_all_results_are_right_and_what_is_missing_is_refused(capturing: Any, name: str, cpu: str) -> None:
    """The same program for every processor of a build."""
    targets = capturing.targets
    build = next(build for build in targets.load().builds if build.name == name)
    try:
        program = capturing.built(ROOT / "build" / "arch", build)
    except capturing.BuildError as error:
        if "not installed" in str(error):
            pytest.skip(str(error))
        raise
    command = [build.emulator, "-cpu", cpu, str(program), CHALLENGE.hex(), "5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S_MAX, check=False)
    assert done.returncode == 0, done.stderr
    readings = from_program(CHALLENGE, done.stdout)
    states = {probe: reading.status for probe, reading in readings.by_probe.items()}
    assert {probe for probe, status in states.items() if status == "unsupported"} == LACKING[name, cpu]
    assert set(states.values()) <= {"ok", "unsupported"}
    for probe, result in readings.results():
        assert result == recompute(CHALLENGE, probe)
