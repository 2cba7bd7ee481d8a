"""Validators in trouble: loss, delay, repetition, partitions, skewed clocks, power cuts, liars; one seed decides.

What runs is the production machine, votes, codec, sign-guard and log records (`Voter`); replaced are the clock,
the links, the disk and the blocks.  A failing seed says how to see it again.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from simkit import picture
from simkit.mutations import MUTATIONS
from simkit.runs import first_fault, replay
from simkit.world import World

from metanode.core import crypto
from metanode.core.testing.toy_signatures import toy_signatures

pytestmark = pytest.mark.simulation
FIRST = int(os.environ.get("METANODE_TEST_SEED", "0"))


@pytest.mark.parametrize(("size", "seeds"), [(1, 10), (2, 20), (3, 30), (4, 300), (5, 40), (7, 60), (9, 40)])
def test_no_seed_breaks_an_invariant(size: int, seeds: int) -> None:
    """Agreement, validity, no double sign, no false accusation, and going on after trouble; f of N lie."""
    print(f"seeds {FIRST} to {FIRST + seeds - 1}")
    assert first_fault(range(FIRST, FIRST + seeds), size) == ""


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_rule_broken_on_purpose_is_found(name: str) -> None:
    """Within a thousand seeds; a simulation that finds none of these would prove nothing."""
    with MUTATIONS[name]():
        assert first_fault(range(1_000), 4) != ""


def test_a_seed_is_repeated_exactly() -> None:
    """Or a failure could not be looked at."""
    crypto.install()
    with toy_signatures():
        runs = [World(17) for _ in range(2)]
        for world in runs:
            world.trace = []
            world.run()
    assert runs[0].trace == runs[1].trace
    assert runs[0].final == runs[1].final


def test_the_runs_reach_what_they_are_meant_to_reach() -> None:
    """Later rounds, locks carried over, crashes, accusations and catching up all happen among a few seeds."""
    crypto.install()
    rounds = accused = 0
    words: set[str] = set()
    with toy_signatures():
        for seed in range(40):
            world = World(seed)
            world.trace = []
            world.run()
            rounds = max([rounds, *(round_number for _, _, round_number, _ in world.signed)])
            accused += len(world.evidence)
            words |= {event.words.split()[0] for event in world.trace}
            locks = [value for place, value in world.signed.items() if place[3] == 3 and value[0] != bytes(32)]
            words |= {"locked"} if locks else set()
    assert rounds >= 3
    assert accused > 0
    assert {"starts", "crashes", "final", "propose", "prepare", "commit", "round_change", "locked"} <= words


def test_a_failing_seed_is_drawn(tmp_path: Path) -> None:
    """With the broken rule on top."""
    with MUTATIONS["leader"]():
        fault, path = replay(0, 4, tmp_path)
    assert fault.startswith("Violation: validity")
    page = path.read_text()
    assert "validator 3" in page
    assert page.count("Violation: validity") == 2


def test_the_picture_in_the_pages_is_what_the_machine_does() -> None:
    """`python tests/simulation/simkit/picture.py` (with PYTHONPATH=tests/simulation) draws it anew."""
    text = picture.PAGE.read_text()
    assert picture.page_with(picture.section(), text) == text
