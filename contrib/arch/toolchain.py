"""Build the driver of tests/arch over the shims' C sources; what has not changed is not compiled again."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from header import write_header, write_if_new
from targets import PATHS, ROOT

from metanode.platforms.shims import native_build

SHIM = ROOT / "platforms" / "shims" / "blake3"
DRIVER = ROOT / "tests" / "arch"
WORKLOAD = Path(__file__).with_name("workload.c")
PROBES = ROOT / "platforms" / "shims" / "probes"
PROBES_PROGRAM = Path(__file__).with_name("probes.c")
VECTORS = ROOT / "tests" / "vectors"
STRICT = ("-O2", *native_build.WARNINGS, "-Wpedantic", "-Wconversion")
COMPILE_S_MAX = 240
"""Longest wait for one call of a compiler."""


class BuildError(Exception):
    """A compiler is absent, or refused; the text is one line."""


@dataclass(frozen=True)
class Source:
    """A C file and the flags of its own, each dropped by a compiler that does not know it."""

    path: Path
    flags: tuple[str, ...] = ()
    instructions: str = ""
    """The path (an instruction set) that it holds."""


def shim_sources(folder: Path = SHIM) -> tuple[Source, ...]:
    """Return what the extension module is made of, as its own build reads it."""
    native = native_build.read(folder)
    return tuple(
        Source(folder / name, native.flags.get(name, ()), Path(name).stem if Path(name).stem in PATHS[1:] else "")
        for name in native.sources
    )


def driver_sources() -> tuple[Source, ...]:
    """Return the C files of the driver."""
    return tuple(Source(path) for path in sorted(DRIVER.glob("*.c")))


@dataclass(frozen=True)
class Toolchain:
    """A compiler with its flags and a folder for what it makes."""

    command: tuple[str, ...]
    """The compiler and the flags of every call."""
    folder: Path
    link_flags: tuple[str, ...] = ("-static",)
    path_flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """More flags for the file of a path."""
    added: tuple[str, ...] = ()
    """More files of this folder."""
    shim: Path = SHIM
    """Where the sources are; a test breaks a copy."""

    def unusable(self) -> str:
        """Return why this compiler cannot make a program, in one line; empty when it can."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._run(str(self._probe()), *self.link_flags, into=self.folder / "probe")
        except BuildError as error:
            return str(error)
        return ""

    def driver(self) -> Path:
        """Build the driver and return the program.

        :raises BuildError: a file does not compile without a warning, or the objects do not link.
        """
        added = [Source(Path(__file__).with_name(name)) for name in self.added]
        return self._program("driver", (*shim_sources(self.shim), *driver_sources(), *added))

    def workload(self) -> Path:
        """Build the program whose instructions are counted and return it."""
        return self._program("workload", (*shim_sources(self.shim), Source(WORKLOAD)))

    def probes(self) -> Path:
        """Build the program that runs the probes and return it; `shim` must be PROBES."""
        return self._program("probes", (*shim_sources(self.shim), Source(PROBES_PROGRAM)))

    def _program(self, name: str, sources: Sequence[Source]) -> Path:
        program = self.folder / name
        with self._alone():
            write_header(self.folder, VECTORS)
            objects = [self._object(source) for source in sources]
            self._run(*map(str, objects), *self.link_flags, into=program)
        return program

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other runs of the suite from building in the same folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _object(self, source: Source) -> Path:
        """Compile one file, unless nothing that it is made of has changed."""
        target = self.folder / f"{source.path.stem}.o"
        stamp = target.with_suffix(".stamp")
        words = [*STRICT, *self._flags(source), f"-I{self.shim}", f"-I{self.folder}", "-c", str(source.path)]
        made_of = hashlib.sha256("\0".join([self._version, *self.command, *words]).encode())
        for path in (source.path, *sorted([*self.shim.glob("*.h"), *DRIVER.glob("*.h"), *self.folder.glob("*.h")])):
            made_of.update(path.read_bytes())
        if not (target.is_file() and stamp.is_file() and stamp.read_text("ascii") == made_of.hexdigest()):
            stamp.unlink(missing_ok=True)
            self._run(*words, into=target)
            stamp.write_text(made_of.hexdigest(), "ascii")
        return target

    def is_empty(self, source: Source) -> bool:
        """Whether the file of a path holds no path for this target, because the compiler was not told of it."""
        text = self._run(*self._flags(source), f"-I{self.shim}", "-E", "-P", str(source.path))
        return re.search(rf"mn_path_{source.instructions}\s*=\s*\(\(void\s*\*\)\s*0\)", text) is not None

    def _flags(self, source: Source) -> list[str]:
        """Return the flags of a file that this compiler takes, asked as the build of the extension asks."""
        own = [flag for flag in source.flags if self._known.accepts(flag)]
        return [*self.path_flags.get(source.instructions, ()), *own]

    @cached_property
    def _known(self) -> native_build.Flags:
        return native_build.Flags(self.command)

    def _probe(self) -> Path:
        probe = self.folder / "probe.c"
        write_if_new(probe, "#include <stdint.h>\n#include <string.h>\nint main(void) { return 0; }\n")
        return probe

    @cached_property
    def _version(self) -> str:
        return self._run("--version")

    def _run(self, *words: str, into: Path | None = None) -> str:
        """Run the compiler; what it makes appears whole or not at all, for another run may be using the folder."""
        made = None if into is None else into.with_name(f"{os.getpid()}-{into.name}")
        command = [*self.command, *words, *([] if made is None else ["-o", str(made)])]
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=COMPILE_S_MAX, check=False,
                env=environment,
            )  # fmt: skip
        except FileNotFoundError:
            raise BuildError(f"{self.command[0]} is not installed") from None
        except subprocess.TimeoutExpired:
            raise BuildError(f"{self.command[0]} took longer than {COMPILE_S_MAX} s") from None
        if done.returncode:
            raise BuildError(_first_error(done.stderr) or f"{self.command[0]} ended with code {done.returncode}")
        if made is not None and into is not None:
            made.replace(into)
        return done.stdout


def _first_error(text: str) -> str:
    """Return the line of a compiler's output that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line or "undefined reference" in line]
    return (errors or lines or [""])[0].replace(f"{ROOT}/", "")[:300]
