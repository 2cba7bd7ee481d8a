"""Keyed probes: recomputable, tied to their challenge."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model.errors import Rejection
from metanode.fingerprint.keyed import CHAIN_STEPS_MIN, PROBE_CHAIN, check_keyed, run_keyed

CHALLENGE = bytes(range(32))
VECTORS = {
    bytes(32): 0xF3F21049C284BD57,
    CHALLENGE: 0x2C8C62B07BAADB9E,
    b"\xff" * 32: 0xE5AA8AFFD130D33D,
}
"""Challenge to result of probe 1; published in docs/fingerprint.md for other implementations."""


@pytest.mark.parametrize("challenge", VECTORS)
def test_the_chain_gives_its_published_results(challenge: bytes) -> None:
    """A change here forks the chain."""
    assert run_keyed(challenge, PROBE_CHAIN) == VECTORS[challenge]


@settings(derandomize=True, max_examples=100)
@given(challenge=st.binary(min_size=32, max_size=32), bit=st.integers(0, 255))
def test_every_bit_of_the_challenge_matters(challenge: bytes, bit: int) -> None:
    """A recording for one challenge is useless for another."""
    other = bytearray(challenge)
    other[bit // 8] ^= 1 << bit % 8
    result = run_keyed(challenge, PROBE_CHAIN)
    assert 0 <= result < 1 << 64
    assert run_keyed(challenge, PROBE_CHAIN) == result
    assert run_keyed(bytes(other), PROBE_CHAIN) != result


def test_a_right_result_passes_and_a_wrong_one_fails() -> None:
    """The validator recomputes."""
    result = run_keyed(CHALLENGE, PROBE_CHAIN)
    assert check_keyed(CHALLENGE, [(PROBE_CHAIN, result)]).reason == "KEYED_RIGHT"
    assert check_keyed(CHALLENGE, [(PROBE_CHAIN, result ^ 1)]).reason == "PROBE_MISMATCH"
    assert check_keyed(bytes(32), [(PROBE_CHAIN, result)]).verdict == "fail"
    assert check_keyed(CHALLENGE, [(99, result)]).verdict == "fail"
    assert check_keyed(CHALLENGE, []).verdict == "unmeasured"


@pytest.mark.parametrize(
    ("challenge", "probe"), [(b"", 1), (bytes(31), 1), (bytes(33), 1), (bytes(32), 0), (bytes(32), 2)]
)
def test_a_malformed_request_is_refused(challenge: bytes, probe: int) -> None:
    """Another length or an unknown probe."""
    with pytest.raises(Rejection) as caught:
        run_keyed(challenge, probe)
    assert caught.value.code == "BAD_SHAPE"


def test_the_work_is_bounded() -> None:
    """A validator must be able to recompute it for every attestation of a block."""
    assert CHAIN_STEPS_MIN + 255 < 1_000
