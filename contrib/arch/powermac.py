"""Boot an emulated PowerMac G4 and a G3 and run the shims and Python there: `make soak-powermac`.

Linux for PowerMacs starts from a file system made here: the C driver of tests/arch, our PowerPC Python with its
extension module, and the tests of BOOTED.  Read from the serial console, it must hold that

- the kernel says what the processor is, and whether it has AltiVec;
- the driver finds and passes exactly the paths that targets.toml names for that processor, and Python hashes by the
  best of them: AltiVec on the G4, portable C on the G3, from the same files; an illegal instruction fails the row;
- no test fails, and the machine powers itself off;
- RUNS runs of the compiled probes, each for a challenge of its own, are called emulated one and all, by their timings
  alone: this machine has a kernel, a vDSO and a /proc of its own, and shows nothing else.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ppc_python
import python_rows
import targets
from booted_probes import runs_told
from cpio import Archive, open_compressed
from cross_extension import extensions
from foreign import ROOT, Failure, Foreign, Say, Unavailable, ended_with_us, finish, run
from report import complaint, ending, read
from run import BUILD, Progress
from staging import site, stage
from table import Row, failed, text, to_json
from toolchain import PROBES, BuildError, Toolchain

from metanode.fingerprint.checks import FAIL
from metanode.fingerprint.probes.envelopes import judge_readings

HERE = Path(__file__).parent
INIT = HERE / "powermac_init.c"
KERNEL = "vmlinux-*-pmac32.zst"
RECIPE = ROOT / "platforms" / "vintage" / "kernel_powermac.sh"
EMULATOR = "qemu-system-ppc"
BOOT_S_MAX = 600
"""Longest life of one machine; idle computers take half a minute."""
TOOL_S_MAX = 120
MEMORY_MIB = 768
EXAMPLES_MAX = 5
RUNS, ROUNDS = 10, 45
"""Runs of the compiled probes, and samples of each short one, as the miner takes them."""
LIBRARIES = ("ld.so.1", "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1")
NOT_NEEDED = frozenset({
    "include", "site-packages", "lib2to3", "idlelib", "tkinter", "ensurepip", "distutils", "pydoc_data", "share", "bin",
    "docs", "endtoend", "durability", "fuzz", "faults", "second_implementation",
})  # fmt: skip
"""Folders of the interpreter, the packages and the checkout that the tests below do without."""
BOOTED = (
    "tests/core/model/test_blake3.py", "tests/core/model/test_hashing.py", "tests/core/model/test_merkle.py",
    "tests/core/model/test_codec.py", "tests/core/model/test_envelope.py",
    "tests/platforms/shims/blake3/test_provider.py",
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """One emulated PowerMac."""

    name: str
    cpu: str
    options: tuple[str, ...]
    says: str
    """What /proc/cpuinfo must match."""
    claimed: str
    """The microarchitecture that its processor would be, were it one."""


MACHINES = (
    Machine("mac99", "7447a", ("-M", "mac99,via=pmu", "-cpu", "7447a"), r"cpu\s*: 7447A, altivec supported",
            "powerpc-7450"),
    Machine("g3beige", "750", ("-M", "g3beige", "-cpu", "750"), r"cpu\s*: 740/750\s*$", "powerpc-750"),
)  # fmt: skip


def rows(build: Path, names: tuple[str, ...], say: Say) -> Iterator[Row]:
    """Boot the machines that were asked for, one after another."""
    machines = [machine for machine in MACHINES if not names or machine.name in names]
    start = time.monotonic()
    try:
        kernel, disk = _kernel(build), _file_system(build, say)
    except Unavailable as error:
        yield from (Row("ppc", machine.cpu, "-", machine.name, "skipped", str(error), 0.0) for machine in machines)
        return
    except (Failure, BuildError) as error:
        yield from (Row("ppc", machine.cpu, "-", machine.name, "FAIL", str(error), 0.0) for machine in machines)
        return
    for machine in machines:
        say(f"{machine.name}: booting")
        command = [
            EMULATOR, *machine.options, "-m", str(MEMORY_MIB), "-vga", "none", "-net", "none", "-nographic",
            "-no-reboot", "-kernel", str(kernel), "-initrd", str(disk),
        ]  # fmt: skip
        code, output = finish(command, BOOT_S_MAX)
        output = output.replace("\r", "")
        (build / "powermac" / f"{machine.name}.txt").write_text(output, encoding="utf-8")
        path, detail, problem = judge(output, code, machine)
        seconds = time.monotonic() - start
        start = time.monotonic()
        yield Row("ppc", machine.cpu, path, machine.name, "FAIL" if problem else "ok", problem or detail, seconds)


def judge(output: str, code: int | None, machine: Machine) -> tuple[str, str, str]:
    """Return (path that hashes, what was seen, what is wrong) of a machine's serial console."""
    build = next(build for build in targets.load().builds if build.name == "ppc")
    processor = next(run for run in build.runs if run.cpu == machine.cpu)
    target = next(target for target in python_rows.TARGETS if (target.architecture, target.cpu) == ("ppc", machine.cpu))
    ends = [int(number) for number in re.findall(r"^INIT end (\d+)$", output, re.M)]
    if not ends:
        return "-", "", "the kernel did not start our program; see build/arch/powermac"
    if not re.search(machine.says, output, re.M):
        return "-", "", f"the kernel does not say {machine.says!r} of the processor"
    driver = read(output)
    said = python_rows.read(output)
    path = str((said or {}).get("selected", "-"))
    verdicts = [judge_readings(one, machine.claimed)[0] for one in runs_told(output)]
    caught = sum(verdict.verdict == FAIL for verdict in verdicts)
    checks = [
        ending(ends[1], "") if len(ends) > 1 else "the driver did not end",
        complaint(driver, build, processor),
        "Python said nothing" if said is None else python_rows.complaint(said, target),
        "" if caught == len(verdicts) == RUNS else f"{caught} of {len(verdicts)} runs of the probes called emulated",
        "" if code == 0 and "INIT power off" in output else "it did not power off",
    ]
    cases = ", ".join(f"{name} {outcome.removeprefix('ok ')}" for name, outcome in driver.paths.items())
    passed = (said or {}).get("outcomes", {}).get("passed", 0)
    told = f"{cases}; {passed} Python tests pass; {caught} of {len(verdicts)} runs called emulated"
    return path, f"{told}; {driver.words}; powered off", next(filter(None, checks), "")


def _kernel(build: Path) -> Path:
    """Return the kernel: built by the recipe, named by METANODE_PPC_KERNEL, or kept beside the checkout."""
    if shutil.which(EMULATOR) is None:
        raise Unavailable("apt-get install qemu-system-ppc")
    own = build / "powermac" / "recipe" / "vmlinux"
    if own.is_file():
        return own
    told = os.environ.get("METANODE_PPC_KERNEL")
    kept = [Path(told)] if told else sorted((ROOT.parent / "shared" / "vintage").glob(KERNEL))
    if told and not kept[-1].is_file():
        raise Unavailable(f"METANODE_PPC_KERNEL names no file: {told}")
    if not kept:
        raise Unavailable(f"no PowerMac kernel yet; it takes twenty minutes: sh {RECIPE.relative_to(ROOT)}")
    if kept[-1].suffix != ".zst":
        return kept[-1]
    unpacked = build / "powermac" / "vmlinux"
    unpacked.parent.mkdir(parents=True, exist_ok=True)
    run(["zstd", "-q", "-d", "-f", str(kept[-1]), "-o", str(unpacked)], TOOL_S_MAX)
    return unpacked


def _file_system(build: Path, say: Say) -> Path:
    """Build everything that runs in the machine and pack it."""
    folder = build / "powermac"
    python = ppc_python.interpreter(build / "ppc-python", say)
    tree = stage(folder, extensions(python, build / "ppc-python" / "extensions", say))
    packages = site(build / "python", sys.executable, say)
    say("powermac: building the driver")
    ppc = next(build for build in targets.load().builds if build.name == "ppc")
    driver = Toolchain((ppc.compiler, *ppc.flags), build / ppc.name).driver()
    probes = Toolchain((ppc.compiler, *ppc.flags), build / ppc.name / "probes", shim=PROBES).probes()
    init = folder / "init"
    run([*python.compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-static", str(INIT), "-o", str(init)], TOOL_S_MAX)
    say("powermac: packing the file system")
    packed = folder / "initramfs.gz"
    with open_compressed(packed) as out:
        archive = Archive(out)
        for name in ("proc", "sys", "tmp", "root"):
            archive.directory(name)
        archive.character_device("dev/console", 5, 1)
        archive.file("init", init.read_bytes(), 0o755)
        archive.file("driver", driver.read_bytes(), 0o755)
        archive.file("probes", probes.read_bytes(), 0o755)
        _python(archive, python)
        archive.tree("tree", tree, without=NOT_NEEDED)
        archive.tree("site", packages, without=NOT_NEEDED)
        archive.file("python_inside.py", python_rows.INSIDE.read_bytes())
        archive.file("commands", _commands(python).encode())
        archive.close()
    return packed


def _python(archive: Archive, python: Foreign) -> None:
    """Add the interpreter, the C library that it is linked with, and what it lacks."""
    for name in LIBRARIES:
        library = ppc_python.LIBRARIES / "lib" / name
        archive.file(f"lib/{name}", library.read_bytes(), 0o755)
    prefix = python.python.parents[1]
    archive.file("pyppc/bin/python3.11", python.python.read_bytes(), 0o755)
    archive.tree("pyppc/lib", prefix / "lib", without=NOT_NEEDED)
    for number, folder in enumerate(python.search):
        archive.tree(f"search{number}", folder)


def _commands(python: Foreign) -> str:
    search = ":".join(["/tree/src", "/site", *(f"/search{number}" for number, _ in enumerate(python.search))])
    interpreter = f"/pyppc/bin/{ppc_python.MINOR}"
    probes = "".join(f"/probes {os.urandom(32).hex()} {ROUNDS}\n" for _ in range(RUNS))
    return (
        f"{interpreter} -S -c print(open('/proc/cpuinfo').read())\n"
        "/driver\n"
        f"{probes}"
        f"PYTHONPATH={search} HOME=/root {interpreter} -S /python_inside.py {interpreter} {EXAMPLES_MAX} "
        f"--color=no --rootdir=/tree -c /tree/pyproject.toml {' '.join(f'/tree/{test}' for test in BOOTED)}\n"
    )


def main() -> int:
    """Boot, print the table, and answer 1 when something is not right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="NAMES", help=", ".join(machine.name for machine in MACHINES))
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--build", type=Path, default=BUILD, metavar="DIR", help="default: build/arch in the checkout")
    args = parser.parse_args()
    names = tuple(name for name in args.only.split(",") if name)
    if unknown := set(names) - {machine.name for machine in MACHINES}:
        parser.error(f"no machine is called {', '.join(sorted(unknown))}")
    start = time.monotonic()
    say = Progress(start)
    with ended_with_us():
        found = list(rows(args.build.resolve(), names, say))
    say("")
    seconds = time.monotonic() - start
    print(to_json(found, seconds) if args.json else f"{text(found)}; {seconds:.0f} s")
    return int(failed(found, skipped_fails=True))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        sys.exit(130)
