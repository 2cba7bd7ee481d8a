"""Dumps of strangers: no parser raises, and none takes more than time and memory in proportion."""

from __future__ import annotations

import resource
import time
from collections import Counter
from random import Random

import pytest

from fuzzkit import dumps

STEPS = 1_500
SEED = 20_261_120
SIZE = 5_000
"""Characters of one hostile source here; `make soak-fuzz` tries the largest that parsers look at."""
HOSTILE_SECONDS_MAX = 3.0
HOSTILE_KIB_MAX = 100 * 1024


def test_mutated_dumps_give_inventories() -> None:
    """Some thousands here; `make soak-fuzz` makes hundreds of thousands."""
    chance, counts = Random(SEED), Counter[str]()
    for _ in range(STEPS):
        dumps.step(chance, counts)
    assert len(counts) > 25, "mutations still reach most architectures"


@pytest.mark.parametrize("system", dumps.SYSTEMS)
def test_hostile_sources_are_read_in_bounded_time_and_memory(system: str) -> None:
    """One piece repeated, under every key that any platform reads at once."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for piece in dumps.PIECES:
        begun = time.process_time()
        dumps.check_hostile(system, piece, SIZE)
        assert time.process_time() - begun < HOSTILE_SECONDS_MAX, f"{piece!r} on {system}"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < HOSTILE_KIB_MAX
