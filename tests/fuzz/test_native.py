"""The C shims under sanitizers: the reference's bytes on every path, and nothing touched outside their buffers.

`make soak-fuzz FUZZ_ONLY=native` does the same with libFuzzer and both compilers for as long as you like.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from fuzzkit import blake3_c, native

CASES = 900
INPUTS = 400
SEED = 20_251_123


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> native.Sanitized:
    """The shims under the first compiler that can, or a skip that says why none can."""
    reasons = []
    for compiler in native.COMPILERS:
        try:
            return native.Sanitized(compiler, tmp_path_factory.mktemp(compiler))
        except native.UnavailableError as error:
            reasons.append(str(error))
    pytest.skip("; ".join(reasons))


@pytest.fixture(scope="module")
def program(built: native.Sanitized) -> Path:
    """The runner of cases."""
    return built.cases()


def test_every_path_equals_the_reference_and_stays_within_its_buffers(program: Path) -> None:
    """Right and wrong lengths, modes, offsets and pointers; a refused call leaves its output as it was."""
    cases = blake3_c.cases(Random(SEED), CASES)
    assert {case.status for case in cases} == {blake3_c.OK, blake3_c.NULL, blake3_c.RANGE}
    for path in blake3_c.usable_paths(program):
        blake3_c.run(program, cases, path)


def test_the_sanitizer_sees_a_step_beyond_a_buffer(program: Path) -> None:
    """The harness can fail: an operation that reads one byte too far ends the run with a report."""
    with pytest.raises(AssertionError, match="heap-buffer-overflow"):
        blake3_c.run(program, [blake3_c.fault()])


def test_random_calls_agree_on_every_path_between_guard_pages(built: native.Sanitized) -> None:
    """Single inputs, batches, lists, proofs and signatures, right and hostile, as libFuzzer makes them in the soak."""
    said, _ = native.run([str(built.standalone()), str(SEED), str(INPUTS)])
    assert said.decode().startswith(f"{INPUTS} inputs of seed {SEED}")
