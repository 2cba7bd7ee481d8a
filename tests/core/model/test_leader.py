"""The draw of leaders."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model import ecvrf
from metanode.core.model.leader import alpha, beta_zero, draw, leader
from metanode.core.model.validators import Validator

DOCUMENT = json.loads((Path(__file__).resolve().parents[2] / "vectors" / "leader.json").read_text())


def bonded(*bonds: int) -> list[Validator]:
    return [Validator(bytes([i] * 20), bytes(32), bytes(32), bond) for i, bond in enumerate(bonds)]


def test_the_chain_of_outputs_is_the_published_one() -> None:
    """tests/vectors/leader.json: beta_0, inputs, proofs and leaders of three heights."""
    validators = bonded(*DOCUMENT["bonds"])
    beta = beta_zero(bytes.fromhex(DOCUMENT["genesis_hash"]))
    assert beta.hex() == DOCUMENT["beta_0"]
    for row in DOCUMENT["heights"]:
        height = row["height"]
        assert beta.hex() == row["beta_prev"]
        assert alpha(beta, height).hex() == row["alpha"]
        leaders = [leader(beta, height, r, validators) for r in range(len(row["leaders_of_rounds"]))]
        assert leaders == row["leaders_of_rounds"]
        key = bytes.fromhex(DOCUMENT["vrf_keys"][leaders[0]])
        output = ecvrf.verify(key, alpha(beta, height), bytes.fromhex(row["proof_of_round_0_leader"]))
        assert output is not None
        assert output.hex() == row["beta"]
        beta = output


@settings(derandomize=True, deadline=None, max_examples=50)
@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=9),
    st.integers(1, 2**64 - 1),
    st.binary(min_size=64, max_size=64),
)
def test_every_validator_leads_once_before_any_leads_twice(bonds: list[int], height: int, beta: bytes) -> None:
    """Rounds 0..n-1 are a permutation of the set, and so are the next n."""
    validators, n = bonded(*bonds), len(bonds)
    rounds = [leader(beta, height, r, validators) for r in range(2 * n)]
    assert sorted(rounds[:n]) == sorted(rounds[n:]) == list(range(n))


def test_a_lone_validator_leads_every_round() -> None:
    """N = 1: the set consensus.solo runs with."""
    assert {leader(bytes(64), 5, r, bonded(1)) for r in range(5)} == {0}


def test_the_chance_to_lead_follows_the_bond() -> None:
    """A bond of 9 in 10 leads about 9 of 10 heights."""
    counts = Counter(leader(bytes(64), height, 0, bonded(9, 1)) for height in range(1, 1001))
    assert 870 <= counts[0] <= 930


def test_a_draw_needs_somebody() -> None:
    """Excluding everybody is our mistake."""
    with pytest.raises(ValueError, match="no validator"):
        draw(bytes(64), 1, 0, bonded(1), [0])
