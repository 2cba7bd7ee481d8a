"""The Python rows of `make test-arch`: our tests inside foreign interpreters, hashing through the C extension.

Each row is one processor under qemu-user.  It runs the folders of its target, without what `left_out` names, and is
right when no test fails, the byte order and word size are those of the architecture, and exactly the expected
instruction set hashes: on a G3 the portable C, on a G4 AltiVec, in one and the same extension module.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ppc_python
import rootfs
from cross_extension import extensions
from foreign import Failure, Foreign, Say, Unavailable, ended_with_us, finish, last_line
from staging import site, stage
from table import Options, OutcomeName, Row

KIND = "python"
EXAMPLES_MAX = 5
"""Examples of each hypothesis property."""
RUN_S_MAX = 400
"""Longest run of one processor."""
RESULT = "RESULT "
INSIDE = Path(__file__).with_name("python_inside.py")
MODEL = ("tests/core/model", "tests/platforms/shims")
FOLDERS = (
    *MODEL, "tests/plugins/ledger", "tests/miner",
    "tests/fingerprint/test_keyed.py", "tests/fingerprint/test_inventory.py", "tests/fingerprint/test_samples.py",
)  # fmt: skip
"""What runs on each architecture; of the fingerprint, what is computed or encoded."""


@dataclass(frozen=True)
class Target:
    """One processor that Python runs on."""

    architecture: str
    cpu: str
    order: str
    bits: int
    usable: frozenset[str]
    """Paths that may hash there beside the portable one; the best of them must be selected."""
    left_out: Mapping[str, str]
    """Tests that are left out here, and why."""
    folders: tuple[str, ...] = FOLDERS


NATIVE = "is about building for this machine, and cffi's own compiler part is not in there"
NO_OPENSSL = "asks hashlib for more than this interpreter, built without OpenSSL, has"
LONG = "takes half a minute emulated; shorter lists fill the lanes of every path there"
RACE = "races two threads for a time that only an emulator makes long"
TREES = "tests/platforms/shims/blake3/test_trees.py::test_roots_and_paths_are_those_of_the_model"
EVERYWHERE = {
    "tests/platforms/shims/test_native_build.py": NATIVE,
    "tests/platforms/shims/test_sources.py": NATIVE,
    "tests/platforms/shims/blake3/test_packed.py::"
    "test_offsets_that_change_under_way_never_lead_out_of_the_data": RACE,
    **{f"{TREES}[{path}-{count}]": LONG for path in ("portable", "neon", "altivec") for count in (64, 65, 127)},
}
ON_PPC = {
    **EVERYWHERE,
    "tests/core/model/test_sha2.py::test_an_interpreter_without_them_falls_back_on_hashlib": NO_OPENSSL,
}
TARGETS = (
    Target("ppc", "750", "big", 32, frozenset(), ON_PPC, MODEL),
    Target("ppc", "7447a", "big", 32, frozenset({"altivec"}), ON_PPC),
    Target("s390x", "qemu", "big", 64, frozenset(), EVERYWHERE),
    Target("armhf", "cortex-a7", "little", 32, frozenset({"neon"}), EVERYWHERE),
)
DEBIAN = {
    "s390x": ("s390x-linux-gnu", "qemu-s390x-static", ()),
    "armhf": ("arm-linux-gnueabihf", "qemu-arm-static", ()),
}
"""Compiler, emulator and compiler flags of the architectures whose Python is Debian's."""


def rows(options: Options) -> Iterator[Row]:
    """Run every processor that was asked for, the architectures side by side; hand over each row when it is known."""
    wanted = [target for target in TARGETS if options.wants(target.architecture, target.cpu, KIND)]
    if not wanted:
        return
    try:
        packages = site(options.build / "python", sys.executable, options.say)
    except Failure as error:
        yield from (Row(one.architecture, one.cpu, "-", KIND, "FAIL", str(error), 0.0) for one in wanted)
        return
    names = list(dict.fromkeys(target.architecture for target in wanted))
    # The pool waits for its threads, and they for their programs: those end first.
    with ThreadPoolExecutor(max_workers=options.jobs) as pool, ended_with_us():
        jobs = [
            pool.submit(_of_architecture, [t for t in wanted if t.architecture == name], packages, options)
            for name in names
        ]
        for job in as_completed(jobs):
            yield from job.result()


def _of_architecture(targets: Sequence[Target], packages: Path, options: Options) -> list[Row]:
    """Prepare one architecture and run its processors one after another."""
    name = targets[0].architecture
    folder = options.build / f"{name}-python"
    start = time.monotonic()

    def unprepared(result: OutcomeName, detail: str) -> list[Row]:
        seconds = (time.monotonic() - start) / len(targets)
        return [Row(name, target.cpu, "-", KIND, result, detail, seconds) for target in targets]

    try:
        foreign = _interpreter(name, folder, options.say)
        tree = stage(folder, extensions(foreign, folder / "extensions", options.say))
    except Unavailable as error:
        return unprepared("skipped", str(error))
    except Failure as error:
        return unprepared("FAIL", str(error))
    prepared = (time.monotonic() - start) / len(targets)
    return [_run(target, foreign, tree, packages, prepared, options.say) for target in targets]


def _interpreter(name: str, folder: Path, say: Say) -> Foreign:
    if name in DEBIAN:
        return rootfs.interpreter(name, *DEBIAN[name], folder, say)
    return ppc_python.interpreter(folder, say)


def _run(target: Target, foreign: Foreign, tree: Path, packages: Path, prepared: float, say: Say) -> Row:
    """Run the tests on one processor and judge what they printed."""
    say(f"{target.architecture}: tests on {target.cpu}")
    start = time.monotonic()
    folder = tree.parent
    launcher = str(foreign.launcher(folder, target.cpu, [tree / "src", packages]))
    skipping = [word for test in target.left_out for word in ("--deselect" if "::" in test else "--ignore", test)]
    chosen = ["-m", "not faults and not endtoend", *skipping, "--durations=20", *target.folders]
    arguments = [launcher, str(EXAMPLES_MAX), *chosen]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "METANODE"))}
    environment["HYPOTHESIS_STORAGE_DIRECTORY"] = str(packages.with_name("hypothesis"))
    code, output = finish([launcher, str(INSIDE), *arguments], RUN_S_MAX, cwd=tree, env=environment)
    (folder / f"tests-{target.cpu}.txt").write_text(output, encoding="utf-8")
    report = read(output)
    if code is None:
        problem = f"took longer than {RUN_S_MAX} s"
    elif report is None:
        problem = f"ended with code {code}: {last_line(output)}"
    else:
        problem = complaint(report, target)
    detail = problem or _detail(report or {}, target)
    path = str((report or {}).get("selected") or "-")
    result: OutcomeName = "FAIL" if problem else "ok"
    return Row(target.architecture, target.cpu, path, KIND, result, detail, prepared + time.monotonic() - start)


def read(output: str) -> dict[str, Any] | None:
    """Return what the run said of itself; None when it did not come that far."""
    for line in reversed(output.splitlines()):
        if line.startswith(RESULT):
            report: dict[str, Any] = json.loads(line.removeprefix(RESULT))
            return report
    return None


def complaint(report: Mapping[str, Any], target: Target) -> str:
    """Return what is not as it must be, in one line; empty when all is."""
    if report["problem"]:
        return str(report["problem"])
    if (report["order"], report["bits"]) != (target.order, target.bits):
        return f"{report['order']}-endian with {report['bits']} bits"
    if set(report["usable"]) != {"portable", *target.usable}:
        must = ", ".join(["portable", *sorted(target.usable)])
        return f"usable paths are {', '.join(report['usable'])}; must be {must}"
    if report["selected"] not in (target.usable or {"portable"}):
        return f"{report['selected']} hashes"
    if report["hash"] != "shim":
        return f"the node would hash with {report['hash']}"
    if report["first"]:
        return f"{report['outcomes'].get('failed', 0)} failed: {report['first']}"
    if report["code"] or not report["outcomes"].get("passed"):
        return f"pytest ended with code {report['code']}"
    return ""


def _detail(report: Mapping[str, Any], target: Target) -> str:
    outcomes = report["outcomes"]
    skipped = f", {outcomes['skipped']} skipped" if outcomes.get("skipped") else ""
    order = "BE" if target.order == "big" else "LE"
    return f"{outcomes['passed']} tests pass{skipped}, {order}{target.bits} Python {report['python']}"
