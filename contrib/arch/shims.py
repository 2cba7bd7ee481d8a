"""Rows of the shims: build the driver for an architecture, run it on each processor, hold it to what must be there."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from report import complaint, ending, read
from table import Options, OutcomeName, Row
from targets import HERE, Build, Run, Targets
from toolchain import BuildError, Toolchain

RUN_S_MAX = 300
"""Longest run of the driver on one processor."""
WHAT = "vectors"


def rows(options: Options, targets: Targets, *, ci: bool = False) -> Iterator[Row]:
    """Build and run what was asked for, several builds at a time; the order of the rows is that of the file."""
    with ThreadPoolExecutor(options.jobs) as pool:
        work = [
            pool.submit(_rows_of, build, runs, options, targets.emulators)
            for build, runs in _chosen(options, targets, ci)
        ]
        try:
            for done in work:
                yield from done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def missing_packages(options: Options, targets: Targets, *, ci: bool = False) -> list[str]:
    """Return the Debian packages whose compilers and emulators the chosen rows lack."""
    packages: list[str] = []
    for build, _ in _chosen(options, targets, ci):
        if shutil.which(build.compiler) is None:
            packages += build.packages
        if build.emulator and shutil.which(build.emulator) is None:
            packages += targets.emulators
    return list(dict.fromkeys(packages))


def _chosen(options: Options, targets: Targets, ci: bool) -> list[tuple[Build, list[Run]]]:
    chosen = []
    for build in targets.builds:
        runs = [run for run in build.runs if options.wants(build.name, build.architecture, run.cpu, WHAT)]
        if runs and (build.ci or not ci):
            chosen.append((build, runs))
    return chosen


def _rows_of(build: Build, runs: Sequence[Run], options: Options, emulators: Sequence[str]) -> list[Row]:
    """Build once, then run on each processor."""
    start = time.monotonic()

    def all_alike(result: OutcomeName, detail: str) -> list[Row]:
        seconds = (time.monotonic() - start) / len(runs)
        return [Row(build.architecture, run.cpu, "-", WHAT, result, detail, seconds) for run in runs]

    if build.emulator and shutil.which(build.emulator) is None:
        return all_alike("skipped", f"{build.emulator} is not installed: apt-get install {' '.join(emulators)}")
    options.say(f"{build.name}: building")
    # A program of this machine need not be static, and on some systems cannot be.
    link_flags = () if build.name == HERE else ("-static",)
    command, folder = (build.compiler, *build.flags), options.build / build.name
    toolchain = Toolchain(command, folder, link_flags, build.path_flags, build.added)
    if reason := toolchain.unusable():
        return all_alike("skipped", f"{reason}: apt-get install {' '.join(build.packages)}")
    try:
        program = toolchain.driver()
    except BuildError as error:
        return all_alike("FAIL", str(error))
    built_s = (time.monotonic() - start) / len(runs)
    found: list[Row] = []
    for run in runs:
        options.say(f"{build.name}: running on {run.cpu}")
        found += _run(build, run, program, built_s)
    return found


def _run(build: Build, run: Run, program: Path, built_s: float) -> list[Row]:
    """Run the driver on one processor: a row for each built path, or one that says what went wrong."""
    start = time.monotonic()
    command = [build.emulator, "-cpu", run.cpu] if build.emulator else []
    try:
        done = subprocess.run(
            [*command, str(program)], capture_output=True, text=True, errors="replace", timeout=RUN_S_MAX, check=False
        )
        report, wrong = read(done.stdout), ending(done.returncode, done.stderr)
    except subprocess.TimeoutExpired:
        report, wrong = read(""), f"took longer than {RUN_S_MAX} s"
    seconds = built_s + time.monotonic() - start
    if problem := "; ".join(filter(None, (wrong, complaint(report, build, run)))):
        return [Row(build.architecture, run.cpu, "-", WHAT, "FAIL", problem, seconds)]
    details = {
        name: outcome.removeprefix("ok ") if name in report.supported else "refused: this processor lacks it"
        for name, outcome in report.paths.items()
    }
    details["portable"] += f", {report.words}; {run.machine}"
    share = seconds / len(details)
    return [Row(build.architecture, run.cpu, name, WHAT, "ok", detail, share) for name, detail in details.items()]
