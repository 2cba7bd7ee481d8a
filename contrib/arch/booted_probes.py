"""The compiled probes on a whole emulated PowerMac: its kernel is real, only its processor is not.

Nothing of the emulator shows to the process there: it has a vDSO, a platform name and a true /proc.  The kernel is the
one that powermac.py boots; the file system holds process 1 of that test and the program of the probes.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import targets
from cpio import Archive, open_compressed
from toolchain import PROBES, BuildError, Toolchain

from metanode.fingerprint.probes.readings import Readings, from_program

INIT = Path(__file__).with_name("powermac_init.c")
EMULATOR = "qemu-system-ppc"
MACHINES = {
    "powerpc-7450": ("-M", "mac99,via=pmu", "-cpu", "7447a"),
    "powerpc-750": ("-M", "g3beige", "-cpu", "750"),
}
"""Claimed processor to the emulated machine."""
BOOT_S_MAX = 420
COMPILE_S_MAX = 120


def boot(folder: Path, kernel: Path, claimed: str, runs: int, rounds: int) -> list[Readings]:
    """Boot one machine and run the probes in it, each time with a fresh challenge.

    :raises BuildError: the compiler is absent, or the machine did not run to its end.
    """
    challenges = [os.urandom(32) for _ in range(runs)]
    lines = [f"/probes {challenge.hex()} {rounds}" for challenge in challenges]
    disk = _file_system(folder, lines)
    command = [
        EMULATOR, *MACHINES[claimed], "-m", "256", "-vga", "none", "-net", "none", "-nographic", "-no-reboot",
        "-kernel", str(kernel), "-initrd", str(disk),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=BOOT_S_MAX, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{EMULATOR}: {error}") from None
    said = done.stdout.replace("\r", "")
    found = runs_told(said)
    if [one.challenge for one in found] != challenges:
        raise BuildError(f"{EMULATOR} ran {len(found)} of {runs}; it ended with {said[-200:]!r}")
    return found


def runs_told(console: str) -> list[Readings]:
    """Return what each run of the program wrote to the serial console."""
    parts = re.findall(r"^INIT begin /probes (\w+) .*\n((?:\d+ .*\n)+)", console, re.M)
    return [from_program(bytes.fromhex(name), text) for name, text in parts]


def _file_system(folder: Path, lines: Sequence[str]) -> Path:
    build = next(build for build in targets.load().builds if build.name == "ppc")
    own = folder / build.name / "probes"
    program = Toolchain((build.compiler, *build.flags), own, shim=PROBES).probes()
    init, packed = own / "init", own / "initramfs.gz"
    words = [build.compiler, *build.flags, "-O2", "-static", str(INIT), "-o", str(init)]
    made = subprocess.run(words, capture_output=True, text=True, timeout=COMPILE_S_MAX, check=False)
    if made.returncode:
        raise BuildError(made.stderr.strip()[:300])
    with open_compressed(packed) as out:
        archive = Archive(out)
        for name in ("proc", "sys", "tmp"):
            archive.directory(name)
        archive.character_device("dev/console", 5, 1)
        archive.file("init", init.read_bytes(), 0o755)
        archive.file("probes", program.read_bytes(), 0o755)
        archive.file("commands", "".join(f"{line}\n" for line in lines).encode())
        archive.close()
    return packed
