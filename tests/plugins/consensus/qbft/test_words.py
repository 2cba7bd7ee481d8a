"""Why there is no block, in words: each cause by name, from what the machine knows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from metanode.core.model.validators import Validator
from metanode.core.model.vote import NO_HASH, NOT_PREPARED, Vote, VoteType
from metanode.plugins.consensus.qbft.machine import Phase, State, begin, leader_of
from metanode.plugins.consensus.qbft.messages import SignedVote
from metanode.plugins.consensus.qbft.words import CAUSES, waiting

SET = tuple(Validator(bytes([i + 1]) * 20, bytes([i + 1]) * 32, bytes([i + 101]) * 32, 10) for i in range(4))


def state(phase: Phase, round_number: int = 0, voted: tuple[int, ...] = (), kind: VoteType = VoteType.PREPARE) -> State:
    """Height 5 in some phase, with some votes."""
    made = replace(begin(5, SET, 0, b"\x01" * 64, 1_000), phase=phase, round=round_number)
    book = made.book
    for who in voted:
        null = kind is VoteType.ROUND_CHANGE
        cast = Vote(5, round_number, kind, NO_HASH, NOT_PREPARED if null else 0, bytes(64))
        book, _ = book.add(SignedVote(who, cast), round_number)
    return replace(made, book=book)


@pytest.mark.parametrize(
    ("given", "cause", "words"),
    [
        (state(Phase.IDLE), "idle", "due"),
        (state(Phase.PROPOSING), "no-proposal", f"validator {leader_of(state(Phase.IDLE), 0)}"),
        (state(Phase.PROPOSING, 2, (1,), VoteType.ROUND_CHANGE), "no-round-changes", "1 of 3 round-changes in round 2"),
        (state(Phase.PROPOSING, 2, (1, 2, 3), VoteType.ROUND_CHANGE), "no-proposal", "in round 2"),
        (state(Phase.BUILDING), "building", "building"),
        (state(Phase.FETCHING, 1), "fetching", "earlier round"),
        (state(Phase.CHECKING), "checking", "checking"),
        (state(Phase.REFUSED), "block-refused", "not valid here"),
        (state(Phase.PREPARING, 0, (0, 3)), "no-prepares", "2 of 3 prepares in round 0; none from validator 1, 2"),
        (state(Phase.COMMITTING, 1, (0,), VoteType.COMMIT), "no-commits", "none from validator 1, 2, 3"),
        (state(Phase.DECIDED), "storing", "storing"),
    ],
)
def test_each_phase_says_what_it_waits_for(given: State, cause: str, words: str) -> None:
    """With who is missing, where somebody is."""
    said = waiting(given, refused="", peers=3, behind=0)
    assert said.cause == cause
    assert words in said.words


def test_what_hinders_this_node_goes_before_what_the_round_waits_for() -> None:
    """Catching up, a guard that refuses, too few peers; a watcher needs none."""
    idle = state(Phase.PROPOSING)
    assert waiting(idle, refused="", peers=1, behind=0).cause == "too-few-peers"
    silent = waiting(idle, refused="no guard", peers=0, behind=0)
    assert silent == ("guard-missing", "this node does not vote: no guard")
    assert waiting(idle, refused="no guard", peers=3, behind=5).cause == "catching-up"
    assert waiting(replace(idle, me=None), refused="", peers=0, behind=0).cause == "no-proposal"
    assert waiting(idle, refused="", peers=2, behind=1).cause == "no-proposal"


def test_every_cause_is_explained() -> None:
    """What the pages list."""
    assert all(CAUSES.values())
    assert len(CAUSES) >= 8
