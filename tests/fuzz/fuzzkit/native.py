"""The C shims built with address and undefined-behaviour sanitizers, and the programs of tests/fuzz/native around them.

Debian: `apt-get install gcc clang libclang-rt-14-dev` (the runtime of the clang that is installed; libFuzzer is part of
it).  With gcc alone inputs are made at random, without looking at which code they reach.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[3]
SHIMS = ROOT / "platforms" / "shims"
PROGRAMS = ROOT / "tests" / "fuzz" / "native"
FLAGS = ("-std=c99", "-O1", "-g", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-fno-omit-frame-pointer",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all")  # fmt: skip
TARGET = ("guarded.c", "target.c", "single.c", "lists.c", "proofs.c", "signatures.c")
"""What happens with a fuzzer's input."""
COMPILERS = ("gcc", "clang")
COMPILE_S_MAX = 300
INPUT_BYTES_MAX = 192
"""Longest input of libFuzzer: about a dozen calls."""
INPUT_S_MAX = 60


class UnavailableError(Exception):
    """This machine cannot build it; the text says why, in one line."""


class Sanitized:
    """The shims' objects of one compiler, in a folder of their own, and programs made of them."""

    def __init__(self, compiler: str, folder: Path) -> None:
        """Compile the shims.

        :raises UnavailableError: there is no such compiler, or it has no sanitizers.
        """
        found = shutil.which(compiler)
        if found is None:
            raise UnavailableError(f"{compiler} is not installed")
        self.name = compiler
        self._compiler = found
        self._folder = folder
        refusal = self._refusal(*FLAGS, self._probe("main"), "-o", str(folder / "probe"))
        if refusal:
            raise UnavailableError(f"{compiler} has no sanitizers: {refusal.strip().splitlines()[-1]}")
        self.has_fuzzer = not self._refusal(
            "-fsanitize=fuzzer", self._probe("LLVMFuzzerTestOneInput"), "-o", str(folder / "probe")
        )
        # Objects count which code is reached; a program without libFuzzer does not look.
        self._flags = (*FLAGS, "-fsanitize=fuzzer-no-link") if self.has_fuzzer else FLAGS
        self._shims = [self._object(source, flags) for source, flags in sources()]

    def cases(self) -> Path:
        """Return the program that takes calls from outside."""
        return self._program("cases", ["cases.c"])

    def standalone(self) -> Path:
        """Return the fuzzer's target with random inputs of its own."""
        return self._program("standalone", [*TARGET, "standalone.c"])

    def fuzzer(self) -> Path:
        """Return libFuzzer around the target."""
        return self._program("fuzzer", TARGET, "-fsanitize=fuzzer")

    def _program(self, name: str, parts: Iterable[str], *flags: str) -> Path:
        program = self._folder / name
        objects = [*(self._object(PROGRAMS / part, ()) for part in parts), *self._shims]
        self._run(*self._flags, *flags, *map(str, objects), "-o", str(program))
        return program

    def _object(self, source: Path, flags: Iterable[str]) -> Path:
        made = self._folder / f"{source.parent.name}-{source.stem}.o"
        includes = (f"-I{SHIMS / 'blake3'}", f"-I{SHIMS / 'ed25519'}")
        # A path's own optimisation comes after ours and holds: what ships is what is tried.
        self._run(*self._flags, *filter(self._knows, flags), *includes, "-c", str(source), "-o", str(made))
        return made

    def _knows(self, flag: str) -> bool:
        return not self._refusal("-Werror", flag, "-c", self._probe("main"), "-o", str(self._folder / "probe.o"))

    def _probe(self, function: str) -> str:
        probe = self._folder / "probe.c"
        probe.write_text(f"int {function}(void) {{ return 0; }}\n", encoding="ascii")
        return str(probe)

    def _run(self, *words: str) -> None:
        refusal = self._refusal(*words)
        assert not refusal, refusal

    def _refusal(self, *words: str) -> str:
        """Return what the compiler said, or nothing when it did what it was told."""
        command = [self._compiler, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_S_MAX, check=False)
        return (done.stderr or "it fails without a word") if done.returncode else ""


def sources() -> Iterator[tuple[Path, list[str]]]:
    """Yield each C file of the shims with its own flags, as native.toml lists them."""
    for folder in (SHIMS / "blake3", SHIMS / "ed25519"):
        listed = tomllib.loads((folder / "native.toml").read_text(encoding="utf-8"))
        for name in listed["sources"]:
            yield folder / name, []
        for path in listed.get("paths", {}).values():
            yield folder / path["source"], path["flags"]


def run(command: list[str], *, input: bytes = b"", timeout_s: float = 600.0) -> tuple[bytes, str]:
    """Run a program to its end and return what it wrote to both streams; a sanitizer's report is a failure."""
    done = subprocess.run(
        command, input=input, capture_output=True, timeout=timeout_s, check=False,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"},
    )  # fmt: skip
    errors = done.stderr.decode("utf-8", "replace")
    assert done.returncode == 0, f"{' '.join(command)}\n{errors[-6000:]}"
    return done.stdout, errors


def fuzz(program: Path, seconds: float, seed: int, corpus: Path, findings: Path) -> tuple[int, int]:
    """Run libFuzzer for so long and return how many inputs it ran and how many it keeps in `corpus`.

    An input that ends in a report is kept in `findings` and fails; repeat it with the program and that file.
    """
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    _, said = run(
        [str(program), str(corpus), f"-max_total_time={max(1, round(seconds))}", f"-seed={seed}",
         f"-max_len={INPUT_BYTES_MAX}", f"-timeout={INPUT_S_MAX}", f"-artifact_prefix={findings}/native-",
         "-print_final_stats=1", "-verbosity=0"], timeout_s=2 * seconds + 300,
    )  # fmt: skip
    found = re.search(r"number_of_executed_units:\s*(\d+)", said)
    assert found is not None, said[-2000:]
    return int(found[1]), sum(1 for _ in corpus.iterdir())
