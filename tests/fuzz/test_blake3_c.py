"""The C shim under sanitizers: the reference's bytes for every length, and nothing touched outside its buffers."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import pytest

from fuzzkit import blake3_c

CASES = 1_200
SEED = 20_251_123


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The case runner, or a skip that says why there is none."""
    built, reason = blake3_c.build(tmp_path_factory.mktemp("blake3"))
    if built is None:
        pytest.skip(reason)
    return built


def test_the_c_code_equals_the_reference_and_stays_within_its_buffers(program: Path) -> None:
    """Right and wrong lengths, offsets and pointers; a refused call leaves its output as it was."""
    cases = blake3_c.cases(Random(SEED), CASES)
    assert {case.status for case in cases} == {blake3_c.OK, blake3_c.NULL, blake3_c.RANGE}
    blake3_c.run(program, cases)


def test_the_sanitizer_sees_a_step_beyond_a_buffer(program: Path) -> None:
    """The harness can fail: an operation that reads one byte too far ends the run with a report."""
    fault = blake3_c.Case(struct.pack("<BBIIII", 5, 0, 0, 8, 0, 0) + bytes(8), blake3_c.OK, b"")
    with pytest.raises(AssertionError, match="heap-buffer-overflow"):
        blake3_c.run(program, [fault])
