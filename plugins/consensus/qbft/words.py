"""What a validator waits for, in words, with a stable name for each cause: what `metanode why` and `/health` say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from metanode.core.model.vote import VoteType, quorum
from metanode.plugins.consensus.qbft.machine import Phase, State, leader_of


class Waiting(NamedTuple):
    """Why there is no block yet."""

    cause: str
    """One of `CAUSES`."""
    words: str


CAUSES: dict[str, str] = {
    "idle": "the next block is not due",
    "no-proposal": "the leader of the round has not proposed",
    "building": "this node is building its proposal",
    "checking": "the proposed block is being checked",
    "fetching": "a block that an earlier round prepared is being fetched",
    "block-refused": "the proposed block is not valid here",
    "no-prepares": "too few validators have prepared the proposal",
    "no-commits": "too few validators have committed to the proposal",
    "no-round-changes": "too few validators have come to this round",
    "storing": "the decided block is being fetched or stored",
    "catching-up": "peers have blocks that this node lacks",
    "too-few-peers": "fewer validators are connected than a quorum needs",
    "guard-missing": "the sign-guard of this key is missing or refuses, so this node does not vote",
}
"""Every cause, and what it means."""


def waiting(state: State, *, refused: str, peers: int, behind: int) -> Waiting:
    """Return what the next block waits for, as this node sees it.

    :param refused: why the guard refused to sign, empty when it did not.
    :param peers: connected peers.
    :param behind: blocks that a peer is known to have and this node lacks.
    """
    size = len(state.validators)
    needed = quorum(size) if size else 1
    if behind > 1:
        return Waiting("catching-up", f"fetching {behind} blocks that peers have")
    if refused:
        return Waiting("guard-missing", f"this node does not vote: {refused}")
    if state.me is not None and peers + 1 < needed:
        return Waiting("too-few-peers", f"{peers} peers are connected; {needed} of {size} validators make a block")
    return _by_phase(state, needed)


def _by_phase(state: State, needed: int) -> Waiting:
    round_number = state.round
    match state.phase:
        case Phase.IDLE:
            return Waiting("idle", state.phase.value)
        case Phase.PROPOSING:
            return _no_proposal(state, needed)
        case Phase.BUILDING:
            return Waiting("building", f"building the proposal of round {round_number}")
        case Phase.FETCHING:
            return Waiting("fetching", state.phase.value)
        case Phase.CHECKING:
            return Waiting("checking", state.phase.value)
        case Phase.REFUSED:
            who = leader_of(state, round_number)
            return Waiting("block-refused", f"the block that validator {who} proposed is not valid here")
        case Phase.PREPARING:
            have = state.book.of(round_number, VoteType.PREPARE)
            return Waiting("no-prepares", _count("prepares", have, needed, state))
        case Phase.COMMITTING:
            have = state.book.of(round_number, VoteType.COMMIT)
            return Waiting("no-commits", _count("commits", have, needed, state))
        case Phase.DECIDED:
            return Waiting("storing", state.phase.value)


def _no_proposal(state: State, needed: int) -> Waiting:
    who, round_number = leader_of(state, state.round), state.round
    have = state.book.of(round_number, VoteType.ROUND_CHANGE)
    if round_number and len(have) < needed:
        return Waiting("no-round-changes", _count("round-changes", have, needed, state))
    mine = " (this node)" if who == state.me else ""
    return Waiting("no-proposal", f"waiting for the proposal of validator {who}{mine} in round {round_number}")


def _count(what: str, have: Iterable[int], needed: int, state: State) -> str:
    voted = set(have)
    silent = ", ".join(str(who) for who in range(len(state.validators)) if who not in voted)
    return f"{len(voted)} of {needed} {what} in round {state.round}; none from validator {silent}"
