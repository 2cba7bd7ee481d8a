"""Run the compiled probes on this machine and under emulators, and write what they gave as labelled captures.

    python contrib/arch/capture_probes.py                 print ratios and verdicts, ten runs each
    python contrib/arch/capture_probes.py --write DIR     also write DIR/<label>-<claimed>.json
    python contrib/arch/capture_probes.py --only cortex-a72 --runs 3
    python contrib/arch/capture_probes.py --only native --runs 50 --load 4      beside four busy processes
    python contrib/arch/capture_probes.py --kernel vmlinux                      only the booted PowerMacs

The programs are those of targets.toml: an emulated processor is claimed as what the emulator says it is.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import booted_probes
import targets
from toolchain import PROBES, BuildError, Toolchain

from metanode.fingerprint.classes import processor_key
from metanode.fingerprint.collect import collect
from metanode.fingerprint.probes.compiled import measure_compiled
from metanode.fingerprint.probes.envelopes import judge_readings, microarchitecture_of
from metanode.fingerprint.probes.readings import Readings, from_program, to_json

ROUNDS = 45
RUNS = 10
RUN_S_MAX = 120
EMULATED = (
    ("ppc", "750", "powerpc-750"),
    ("ppc", "7400", "powerpc-7400"),
    ("ppc", "7447a", "powerpc-7450"),
    ("ppc64", "970", "powerpc-970"),
    ("ppc64le", "power8", "power8"),
    ("armhf", "cortex-a7", "cortex-a7"),
    ("aarch64", "cortex-a53", "cortex-a53"),
    ("aarch64", "cortex-a72", "cortex-a72"),
    ("x86_64", "Haswell", "haswell"),
)
"""Build and processor in targets.toml, and what is claimed."""


class Target(NamedTuple):
    """One way of running the probes."""

    label: str
    """`emulated` or `native`."""
    engine: str
    claimed: str
    command: tuple[str, ...]
    """Empty: the extension in this process."""


def main() -> int:
    """Capture what was asked for; 1 when a verdict is not what the label says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="DIR")
    parser.add_argument("--only", default="", metavar="NAMES", help="claimed processors, or native")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--build", type=Path, default=targets.ROOT / "build" / "arch", metavar="DIR")
    parser.add_argument("--kernel", type=Path, metavar="FILE", help="a kernel for PowerMacs: boot them, nothing else")
    parser.add_argument("--load", type=int, default=0, metavar="N", help="keep N processes busy meanwhile")
    args = parser.parse_args()
    only = {name for name in args.only.split(",") if name}
    wrong = 0
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(args.load)]
    try:
        wrong = capture_all(args, only)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    return int(wrong > 0)


def capture_all(args: argparse.Namespace, only: set[str]) -> int:
    """Run every target that was asked for; return how many verdicts are not what its label says."""
    wrong = 0
    folder = args.build.resolve()
    for target in booted(only) if args.kernel else found(folder, only):
        start = time.monotonic()
        if args.kernel:
            readings = booted_probes.boot(folder, args.kernel, target.claimed, args.runs, ROUNDS)
        else:
            readings = [run(target) for _ in range(args.runs)]
        seconds = (time.monotonic() - start) / args.runs
        engine = target.engine + (f", beside {args.load} busy processes" if args.load else "")
        print(f"{target.label} {target.claimed} ({engine}): {seconds:.2f} s a run")
        wrong += report(target, readings)
        if args.write is not None:
            args.write.mkdir(parents=True, exist_ok=True)
            kind = ("-booted" if args.kernel else "") + ("-loaded" if args.load else "")
            capture = {"label": target.label, "engine": engine, "claimed": target.claimed}
            path = args.write / f"{target.label}-{target.claimed}{kind}.json"
            path.write_text(compact({**capture, "runs": [to_json(one) for one in readings]}), "ascii")
    return wrong


def booted(only: set[str]) -> Iterator[Target]:
    """Yield the machines that can be booted."""
    for claimed, options in booted_probes.MACHINES.items():
        if not only or claimed in only:
            engine = f"{booted_probes.EMULATOR} {version(booted_probes.EMULATOR)} {' '.join(options)}"
            yield Target("emulated", engine, claimed, ())


def found(folder: Path, only: set[str]) -> Iterator[Target]:
    """Yield what can be run here, and say why something cannot."""
    if not only or "native" in only:
        claimed = microarchitecture_of(processor_key(collect().inventory))
        yield Target("native", "the machine itself, or a virtual machine of its kind", claimed, ())
    builds = {build.name: build for build in targets.load().builds}
    for name, cpu, claimed in EMULATED:
        if only and claimed not in only:
            continue
        try:
            program = built(folder, builds[name])
        except BuildError as error:
            print(f"{claimed} is left out: {error}", file=sys.stderr)
            continue
        emulator = builds[name].emulator
        engine = f"{emulator} {version(emulator)} -cpu {cpu}"
        yield Target("emulated", engine, claimed, (emulator, "-cpu", cpu, str(program)))


def version(emulator: str) -> str:
    """Return the version that an emulator says it has."""
    done = subprocess.run([emulator, "--version"], capture_output=True, text=True, timeout=RUN_S_MAX, check=True)
    (found,) = re.findall(r"version (\S+)", done.stdout)[:1]
    return str(found)


def built(folder: Path, build: targets.Build) -> Path:
    """Build the program for one of the targets.

    :raises BuildError: the compiler or the emulator is absent, or the program does not build.
    """
    if shutil.which(build.emulator) is None:
        raise BuildError(f"{build.emulator} is not installed: apt-get install qemu-user-static")
    toolchain = Toolchain(
        (build.compiler, *build.flags), folder / build.name / "probes", path_flags=build.path_flags, shim=PROBES
    )
    if reason := toolchain.unusable():
        raise BuildError(f"{reason}: apt-get install {' '.join(build.packages)}")
    return toolchain.probes()


def run(target: Target) -> Readings:
    """Run once with a fresh challenge.

    :raises RuntimeError: the program failed, or the extension is not built.
    """
    challenge = os.urandom(32)
    if not target.command:
        readings = measure_compiled(challenge)
        if readings is None:
            raise RuntimeError("the extension is not built: python platforms/shims/probes/build_native.py")
        return readings
    command = [*target.command, challenge.hex(), str(ROUNDS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S_MAX, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(target.command)} ended with code {done.returncode}: {done.stderr[:200]}")
    return from_program(challenge, done.stdout)


def report(target: Target, readings: list[Readings]) -> int:
    """Print least, median and largest of each ratio, and the verdicts; return how many are wrong."""
    verdicts = [judge_readings(one, target.claimed)[0] for one in readings]
    for name in readings[0].ratios():
        values = sorted(one.ratios()[name] for one in readings if name in one.ratios())
        print(f"  {name:<12}{values[0]:>10}{values[len(values) // 2]:>10}{values[-1]:>10}")
    wanted = "fail" if target.label == "emulated" else "pass"
    right = sum(verdict.verdict == wanted for verdict in verdicts)
    reasons = sorted({verdict.reason for verdict in verdicts})
    outside = sorted({dict(verdict.numbers).get("outside", 0) for verdict in verdicts})
    print(f"  {right} of {len(verdicts)} {wanted}; {', '.join(reasons)}; ratios outside {outside}")
    return len(verdicts) - right


def compact(capture: dict[str, Any]) -> str:
    """Return JSON with one line for each probe of each run."""
    runs = [
        "{" + f'"challenge": {json.dumps(one["challenge"])}, "probes": {{\n'
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in one["probes"].items()) + "\n}}"
        for one in capture["runs"]
    ]  # fmt: skip
    head = ", ".join(f"{json.dumps(key)}: {json.dumps(capture[key])}" for key in ("label", "engine", "claimed"))
    return "{" + head + ', "runs": [\n' + ",\n".join(runs) + "\n]}\n"


if __name__ == "__main__":
    sys.exit(main())
