"""Count the instructions that a PowerPC G4 executes for a KiB of hashing: AltiVec against scalar C, under emulation.

The emulator logs every instruction it runs, one translation block each; the lines are counted.  That is exact and the
same in every run, but it is no time: an emulated vector instruction costs the emulator more than a scalar one.  Each
figure is the difference of two amounts of work divided by their difference, so program start and set-up cancel.

    python contrib/arch/instructions.py            a table
    python contrib/arch/instructions.py --json     the same for programs; {"unavailable": "..."} where it cannot run
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import targets
from toolchain import BuildError, Toolchain

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = "ppc"
CPU = "7447a"
KIB = (16, 48)
"""The two amounts of work."""
KINDS = {"one": "one input", "many": "messages of 64 to 250 bytes"}
COUNTED = ("portable", "altivec")
RUN_S_MAX = 60
"""Longest wait for one count."""
LINES_A_LOOK = 10_000
"""Lines of the log between two looks at the clock."""


def main() -> int:
    """Print the counts; 1 when they cannot be had here."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "arch", metavar="DIR")
    args = parser.parse_args()
    try:
        found = counts(args.build.resolve())
    except BuildError as error:
        print(json.dumps({"unavailable": str(error)}) if args.json else error)
        return 1
    if args.json:
        print(json.dumps({"cpu": CPU, "instructions_per_kib": found}))
        return 0
    print(f"instructions per KiB on a {CPU}\n{'':28} {'scalar':>8} {'AltiVec':>8} {'quotient':>8}")
    for kind, per_path in found.items():
        scalar, vector = (per_path[name] for name in COUNTED)
        print(f"{KINDS[kind]:28} {scalar:8.0f} {vector:8.0f} {vector / scalar:8.3f}")
    return 0


def counts(folder: Path) -> dict[str, dict[str, float]]:
    """Return instructions per KiB by kind and path.

    :raises BuildError: compiler or emulator are absent, or the program does not build or run.
    """
    build = next(build for build in targets.load().builds if build.name == ARCHITECTURE)
    if shutil.which(build.emulator) is None:
        raise BuildError(f"{build.emulator} is not installed: apt-get install qemu-user-static")
    toolchain = Toolchain((build.compiler, *build.flags), folder / build.name)
    if reason := toolchain.unusable():
        raise BuildError(f"{reason}: apt-get install {' '.join(build.packages)}")
    program = toolchain.workload()
    found: dict[str, dict[str, float]] = {}
    for kind in KINDS:
        found[kind] = {}
        for name in COUNTED:
            few, many = (count(build.emulator, program, name, kind, kib) for kib in KIB)
            found[kind][name] = (many - few) / (KIB[1] - KIB[0])
    return found


def count(emulator: str, program: Path, path: str, kind: str, kib: int) -> int:
    """Return how many instructions the program executes from its start to its end."""
    one_each = "-one-insn-per-tb" if "-one-insn-per-tb" in _help(emulator) else "-singlestep"  # renamed in QEMU 8.1
    command = [
        emulator, "-cpu", CPU, one_each, "-d", "exec,nochain", "-D", "/dev/stdout",
        str(program), str(targets.PATHS.index(path)), kind, str(kib),
    ]  # fmt: skip
    deadline = time.monotonic() + RUN_S_MAX
    executed = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None, "a pipe was asked for"
        for line in process.stdout:
            executed += line.startswith(b"Trace ")
            if not executed % LINES_A_LOOK and time.monotonic() > deadline:
                process.kill()
                raise BuildError(f"counting took longer than {RUN_S_MAX} s")
    if process.returncode:
        raise BuildError(f"{program.name} {path} {kind} ended with code {process.returncode} on a {CPU}")
    return executed


def _help(emulator: str) -> str:
    return subprocess.run([emulator, "-help"], capture_output=True, text=True, timeout=RUN_S_MAX, check=False).stdout


if __name__ == "__main__":
    sys.exit(main())
