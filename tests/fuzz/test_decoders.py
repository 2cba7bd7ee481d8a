"""Every decoder meets mutated vectors and arbitrary bytes: it accepts one spelling or refuses in one line.

Seeds are fixed, so every run tries the same inputs; `make soak-fuzz` tries others for as long as you like.
"""

from __future__ import annotations

from random import Random

import pytest

from fuzzkit.loop import Hunt
from fuzzkit.targets import TARGETS, Target
from metanode.core.crypto import install

STEPS = 2_500
SEED = 20_251_120


@pytest.fixture(scope="module", autouse=True)
def _crypto() -> None:
    install()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_only_refusals_come_out_and_what_is_accepted_has_one_spelling(target: Target) -> None:
    """decode(x) gives a value whose encoding is x, or a refusal of the documented types."""
    hunt = Hunt(target, Random(f"{SEED} {target.name}"))
    for _ in range(STEPS):
        hunt.step()
    assert hunt.outcomes["accepted"], "mutations reach behind the first check"
    assert len(hunt.outcomes) > 1 or target.name == "state_proof"
