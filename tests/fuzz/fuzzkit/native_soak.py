"""The C shims under sanitizers for a given time: the cases of the reference on every path, then libFuzzer."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from random import Random

from fuzzkit import blake3_c, native

CASES_PER_RUN = 500
INPUTS_PER_RUN = 500
CASES_SHARE = 0.25
"""What part of the time goes to calls with a known answer."""


def run(seconds: float, chance: Random, directory: Path) -> str:
    """Share the time among the compilers and return what was done, or why not."""
    figures = []
    with tempfile.TemporaryDirectory() as scratch:
        for compiler in native.COMPILERS:
            folder = Path(scratch) / compiler
            folder.mkdir()
            try:
                built = native.Sanitized(compiler, folder)
            except native.UnavailableError as error:
                figures.append(f"skipped: {error}")
                continue
            share = seconds / len(native.COMPILERS)
            figures.append(f"{compiler}: {_cases(built, share * CASES_SHARE, chance)}")
            hunt = _fuzzer if built.has_fuzzer else _standalone
            figures.append(hunt(built, share * (1 - CASES_SHARE), chance, directory))
    return ", ".join(figures)


def _cases(built: native.Sanitized, seconds: float, chance: Random) -> str:
    program, count, end = built.cases(), 0, time.monotonic() + seconds
    paths = blake3_c.usable_paths(program)
    while count == 0 or time.monotonic() < end:
        cases = blake3_c.cases(chance, CASES_PER_RUN)
        for path in paths:
            blake3_c.run(program, cases, path)
        count += len(cases)
    return f"{count} calls equal the reference on paths {paths}"


def _fuzzer(built: native.Sanitized, seconds: float, chance: Random, directory: Path) -> str:
    seed = chance.randrange(2**31)
    inputs, kept = native.fuzz(built.fuzzer(), seconds, seed, directory / "corpus" / "native", directory / "findings")
    return f"libFuzzer {inputs} inputs, {kept} kept, seed {seed}"


def _standalone(built: native.Sanitized, seconds: float, chance: Random, directory: Path) -> str:
    program, inputs, end = built.standalone(), 0, time.monotonic() + seconds
    while inputs == 0 or time.monotonic() < end:
        native.run([str(program), str(chance.randrange(2**31)), str(INPUTS_PER_RUN)])
        inputs += INPUTS_PER_RUN
    return f"{inputs} random inputs"
