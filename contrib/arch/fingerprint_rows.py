"""The fingerprint rows of `make test-arch`: the command in emulators that show nothing, found by its compiled probes.

Each run is a fresh interpreter of the processor under qemu-user, with a fresh challenge, in which every text about the
machine is that of a real one's dump.  A row is right when all runs are called emulated and no declared sign helped.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ppc_python
import rootfs
from cross_extension import extensions
from foreign import ROOT, Failure, Say, Unavailable, finish, last_line
from python_rows import DEBIAN
from staging import stage
from table import Options, OutcomeName, Row

KIND = "fingerprint"
INSIDE = Path(__file__).with_name("fingerprint_inside.py")
DUMPS = ROOT / "tests" / "corpus"
RUNS = 10
RUN_S_MAX = 120


@dataclass(frozen=True)
class Target:
    """One emulated processor, and the real machine it poses as."""

    architecture: str
    cpu: str
    dump: str


TARGETS = (
    Target("ppc", "7447a", "composed/linux_powerbook_g4.txt"),
    Target("armhf", "cortex-a7", "composed/linux_raspberry_pi_3_32bit.txt"),
    Target("x86_64", "SandyBridge", "py_cpuinfo/linux_ubuntu_16_04_x86_64.txt"),
)


def rows(options: Options) -> Iterator[Row]:
    """Run every target that was asked for; hand over each row when it is known."""
    for target in TARGETS:
        if options.wants(target.architecture, target.cpu, KIND):
            yield _row(target, options)


def _row(target: Target, options: Options) -> Row:
    start = time.monotonic()
    result: OutcomeName
    try:
        launcher, environment = _interpreter(target, options.build, options.say)
        result, detail = _runs(target, launcher, environment, options.say)
    except Unavailable as error:
        result, detail = "skipped", str(error)
    except Failure as error:
        result, detail = "FAIL", str(error)
    return Row(target.architecture, target.cpu, "-", KIND, result, detail, time.monotonic() - start)


def _interpreter(target: Target, build: Path, say: Say) -> tuple[list[str], dict[str, str]]:
    """Return what starts Python there, and its environment."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "METANODE"))}
    if target.architecture == "x86_64":
        emulator = shutil.which("qemu-x86_64-static")
        if emulator is None:
            raise Unavailable("apt-get install qemu-user-static")
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), *sys.path[1:]])
        return [emulator, "-cpu", target.cpu, sys.executable], environment
    name = target.architecture
    folder = build / f"{name}-python"
    if name in DEBIAN:
        foreign = rootfs.interpreter(name, *DEBIAN[name], folder, say)
    else:
        foreign = ppc_python.interpreter(folder, say)
    tree = stage(folder, extensions(foreign, folder / "extensions", say))
    return [str(foreign.launcher(folder, target.cpu, [tree / "src"]))], environment


def _runs(target: Target, launcher: list[str], environment: Mapping[str, str], say: Say) -> tuple[OutcomeName, str]:
    told = []
    for number in range(1, RUNS + 1):
        say(f"{target.architecture}: fingerprint {number} of {RUNS} on {target.cpu}")
        code, output = finish([*launcher, str(INSIDE), str(DUMPS / target.dump)], RUN_S_MAX, env=environment)
        if code != 0:
            raise Failure(f"took longer than {RUN_S_MAX} s" if code is None else last_line(output))
        told.append(verdicts(json.loads(output.strip().splitlines()[-1])))
    return judged(told)


def verdicts(report: Mapping[str, Any]) -> dict[str, str]:
    """Return of a report what a row is judged by: the class, and the verdicts of signs and of timings."""
    found = {check["name"]: check["verdict"] for check in report["checks"]}
    names = ("virtual_machine", "emulator", "execution_engine")
    (engine,) = (check for check in report["checks"] if check["name"] == "execution_engine")
    numbers = engine["numbers"]
    outside = f"{numbers.get('outside', 0)}/{numbers.get('measured', 0)}"
    return {"class": report["weights"]["mainnet"]["class"], "outside": outside, **{name: found[name] for name in names}}


def judged(told: list[dict[str, str]]) -> tuple[OutcomeName, str]:
    """Return how a row went, and why."""
    caught = sum(one["class"] == "emulated" and one["execution_engine"] == "fail" for one in told)
    helped = sum(one["emulator"] == "fail" or one["virtual_machine"] == "fail" for one in told)
    outside = ", ".join(sorted({one["outside"] for one in told}))
    detail = f"{caught} of {len(told)} runs called emulated; ratios outside: {outside}"
    if helped:
        return "FAIL", f"{detail}; a declared sign was found in {helped}"
    return ("ok" if caught == len(told) else "FAIL"), detail
