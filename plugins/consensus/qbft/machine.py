"""The rules of QBFT: `step(state, event) -> (state, effects)`, one height at a time, and no I/O.

A value is a header hash; whether its block is valid is the driver's answer to `CheckBlock`.  Votes come
in with their signatures checked.  Own votes count like any other: the driver hands them back once they are
on disk.  First an event is written down, then every rule whose condition holds fires, each once a round.

Source: Moniz, "The Istanbul BFT consensus algorithm", arXiv 2002.03613; "2:4" is Algorithm 2, line 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from metanode.core.model import leader
from metanode.core.model.validators import Validator
from metanode.core.model.vote import NO_HASH, NOT_PREPARED, Certificate, VoteType, quorum
from metanode.plugins.consensus.qbft.events import (
    Accuse,
    BlockBuilt,
    BlockChecked,
    BlockDue,
    BuildBlock,
    Candidate,
    CastVote,
    CheckBlock,
    Decide,
    Effect,
    Event,
    PersistPrepared,
    ProposalReceived,
    Propose,
    Recovered,
    StartTimer,
    TimerExpired,
    VoteReceived,
)
from metanode.plugins.consensus.qbft.justification import proposal_is_justified, round_change_is_justified
from metanode.plugins.consensus.qbft.messages import SignedVote
from metanode.plugins.consensus.qbft.votes import ROUNDS_AHEAD_MAX, Prepared, VoteBook, faulty_max, highest_prepared

TIMER_BLOCKS = 4
"""The timer of round 0, in block times; each further round waits twice as long, up to a cap."""
TIMER_CAP_MS = 10_000
TIMER_CAP_BLOCKS = 8
"""The cap is the larger of both."""


class Phase(Enum):
    """Where the current round stands."""

    IDLE = "waiting for the next block to be due"
    PROPOSING = "waiting for the proposal of the leader"
    BUILDING = "building a proposal"
    FETCHING = "checking the block that an earlier round prepared, to propose it again"
    CHECKING = "checking the proposed block"
    REFUSED = "waiting for the next round: the proposed block is not valid"
    PREPARING = "waiting for a quorum of prepares"
    COMMITTING = "waiting for a quorum of commits"
    DECIDED = "storing the decided block"


@dataclass(frozen=True)
class State:
    """A validator's mind at one height.  `me` is None for a node that only watches."""

    height: int
    validators: tuple[Validator, ...] = field(repr=False)
    me: int | None
    beta: bytes = field(repr=False)
    """The VRF output of the header before: who leads follows from it."""
    block_ms: int
    book: VoteBook = field(repr=False)
    phase: Phase = Phase.IDLE
    round: int = 0
    accepted: bytes | None = None
    """The proposal of this round whose block is being checked or was found valid."""
    prepared: Prepared | None = None
    """The lock: the highest value this validator saw prepared.  Only a higher one replaces it."""
    candidates: Mapping[int, Candidate] = field(default_factory=dict, repr=False)
    """Proposals by round, for this round and later ones."""
    proposed: bool = False
    """Whether this validator, leading this round, has asked for its proposal to be sent."""


_Out = tuple[State, tuple[Effect, ...]]


def begin(height: int, validators: tuple[Validator, ...], me: int | None, beta: bytes, block_ms: int) -> State:
    """Return the state before anything has happened at `height` (1:11)."""
    return State(height, validators, me, beta, block_ms, VoteBook(len(validators)))


def timer_ms(round_number: int, block_ms: int) -> int:
    """Return how long a round waits before it is given up."""
    cap = max(TIMER_CAP_MS, TIMER_CAP_BLOCKS * block_ms)
    return min(cap, TIMER_BLOCKS * block_ms << min(round_number, 32))


def leader_of(state: State, round_number: int) -> int:
    """Return who proposes in a round of this height."""
    return leader.leader(state.beta, state.height, round_number, state.validators)


def step(state: State, event: Event) -> _Out:
    """Return the next state and the effects to run, in order.

    An event of another height or a past round, or one that does not fit, changes nothing.
    """
    if state.phase is Phase.DECIDED:
        return state, ()
    match event:
        case Recovered(round_number, prepared):
            state = replace(state, round=round_number, prepared=prepared, phase=_waiting(round_number))
            effects: tuple[Effect, ...] = (_timer(state),) if round_number else ()
        case BlockDue(height) if height == state.height and state.phase is Phase.IDLE:
            state, effects = _open_round(state)  # 1:17-19: the instance starts when its block is due
        case TimerExpired(height, round_number) if (height, round_number) == (state.height, state.round):
            state, effects = _change_round(state, state.round + 1)  # 3:1-4
        case BlockBuilt(height, round_number, hash32) if _awaits(state, Phase.BUILDING, height, round_number):
            state, effects = _propose_fresh(state, hash32)  # 1:17, 3:15-16
        case BlockChecked(height, round_number, hash32, valid) if _awaits(state, Phase.CHECKING, height, round_number):
            state, effects = _checked(state, hash32, valid)  # 2:3
        case BlockChecked(height, round_number, hash32, True) if _awaits(state, Phase.FETCHING, height, round_number):
            state, effects = _propose_again(state, hash32)  # 3:12-13
        case ProposalReceived(validator, candidate):
            state, effects = _note_proposal(state, validator, candidate)
        case VoteReceived(signed, prepares):
            state, effects = _note_vote(state, signed, prepares)
        case _:
            return state, ()
    return _fire(state, effects)


def _fire(state: State, effects: tuple[Effect, ...]) -> _Out:
    """Apply the rules whose conditions hold, until none does."""
    while True:
        for rule in (_decide, _commit, _jump, _lead, _accept):
            fired = rule(state)
            if fired is not None:
                state, effects = fired[0], effects + fired[1]
                break
        else:
            return state, effects


# -- writing down what arrived --


def _note_vote(state: State, signed: SignedVote, prepares: tuple[SignedVote, ...]) -> _Out:
    vote = signed.vote
    if vote.height != state.height or signed.validator >= len(state.validators):
        return state, ()
    # A proposer shows the prepares of the highest prepared value, so it takes no claim without them.
    if vote.type is VoteType.ROUND_CHANGE and not round_change_is_justified(vote, prepares, len(state.validators)):
        return state, ()
    book, evidence = state.book.add(signed, state.round, prepares)
    return replace(state, book=book), () if evidence is None else (Accuse(evidence),)


def _note_proposal(state: State, validator: int, candidate: Candidate) -> _Out:
    vote = candidate.vote
    if vote.height != state.height or not state.round <= vote.round <= state.round + ROUNDS_AHEAD_MAX:
        return state, ()
    # 2:1, "from leader(lambda, r) such that JustifyPrePrepare(m)"
    if validator != leader_of(state, vote.round):
        return state, ()
    if not proposal_is_justified(vote, candidate.round_changes, candidate.prepares, len(state.validators)):
        return state, ()
    book, evidence = state.book.add(SignedVote(validator, vote), state.round)
    if evidence is not None:
        return replace(state, book=book), (Accuse(evidence),)
    candidates = state.candidates
    if vote.round not in candidates:
        candidates = {**candidates, vote.round: candidate}
    return replace(state, book=book, candidates=candidates), ()


# -- the rules --


def _decide(state: State) -> _Out | None:
    """2:8-10: a quorum of commits of any one round decides."""
    decided = state.book.decided()
    if decided is None or state.phase is Phase.DECIDED:
        return None
    round_number, hash32 = decided
    commits = state.book.for_hash(round_number, VoteType.COMMIT, hash32)
    signatures = {signed.validator: signed.vote.signature for signed in commits}
    certificate = Certificate.build(state.height, round_number, hash32, signatures, len(state.validators))
    return replace(state, phase=Phase.DECIDED), (Decide(certificate),)


def _commit(state: State) -> _Out | None:
    """2:4-7: a quorum of prepares for the accepted proposal locks it."""
    if state.phase is not Phase.PREPARING or state.accepted is None:
        return None
    votes = state.book.for_hash(state.round, VoteType.PREPARE, state.accepted)
    if len(votes) < quorum(len(state.validators)):
        return None
    prepared = Prepared(state.round, state.accepted, votes)
    after = replace(state, phase=Phase.COMMITTING, prepared=prepared)
    if state.me is None:
        return after, ()
    vote = CastVote(state.height, state.round, VoteType.COMMIT, state.accepted)
    return after, (PersistPrepared(state.height, prepared), vote)


def _jump(state: State) -> _Out | None:
    """3:5-10: f + 1 validators are in later rounds, so an honest one is: go to the lowest of theirs."""
    if state.phase is Phase.DECIDED:
        return None
    above = state.book.rounds_above(state.round)
    if len(above) > faulty_max(len(state.validators)):
        # The f + 1 furthest: the lowest round that any f + 1 of them agree to have reached.
        return _change_round(state, above[-faulty_max(len(state.validators)) - 1])
    ahead = [when for when in state.candidates if when > state.round]
    if ahead:  # a justified proposal carries a quorum of round-changes, so f + 1 of them
        return _change_round(state, max(ahead))
    return None


def _lead(state: State) -> _Out | None:
    """3:11-17: the leader of a later round proposes what the round-changes of a quorum allow."""
    if state.round == 0 or state.proposed or state.phase is not Phase.PROPOSING:
        return None
    if state.me != leader_of(state, state.round):
        return None
    round_changes = state.book.of(state.round, VoteType.ROUND_CHANGE)
    if len(round_changes) < quorum(len(state.validators)):
        return None
    highest = highest_prepared(round_changes)
    if highest is None:
        return replace(state, phase=Phase.BUILDING), (BuildBlock(state.height, state.round),)
    again = replace(state, phase=Phase.FETCHING, accepted=highest[1])
    return again, (CheckBlock(state.height, state.round, highest[1], None),)


def _accept(state: State) -> _Out | None:
    """2:1-2: the proposal of this round; its block is checked before the prepare of 2:3."""
    candidate = state.candidates.get(state.round)
    if candidate is None or state.phase not in (Phase.IDLE, Phase.PROPOSING, Phase.BUILDING, Phase.FETCHING):
        return None
    by = leader_of(state, state.round) if candidate.fresh else None
    after = replace(state, phase=Phase.CHECKING, accepted=candidate.vote.hash)
    return after, (_timer(state), CheckBlock(state.height, state.round, candidate.vote.hash, by))


# -- what rules do --


def _open_round(state: State) -> _Out:
    if state.me is not None and state.me == leader_of(state, 0):
        return replace(state, phase=Phase.BUILDING), (_timer(state), BuildBlock(state.height, 0))
    return replace(state, phase=Phase.PROPOSING), (_timer(state),)


def _change_round(state: State, round_number: int) -> _Out:
    after = replace(
        state,
        round=round_number,
        phase=Phase.PROPOSING,
        accepted=None,
        proposed=False,
        book=state.book.entering(round_number),
        candidates={when: item for when, item in state.candidates.items() if when >= round_number},
    )
    if state.me is None:
        return after, (_timer(after),)
    lock = state.prepared
    if lock is None:
        vote = CastVote(state.height, round_number, VoteType.ROUND_CHANGE, NO_HASH, NOT_PREPARED)
    else:
        vote = CastVote(state.height, round_number, VoteType.ROUND_CHANGE, lock.hash, lock.round, lock.votes)
    return after, (_timer(after), vote)


def _propose_fresh(state: State, hash32: bytes) -> _Out:
    # Round-changes that arrived while the block was built may name a prepared value: then it is the one to propose.
    round_changes = _round_changes(state)
    if state.round and highest_prepared(round_changes) is not None:
        return replace(state, phase=Phase.PROPOSING), ()
    after = replace(state, phase=Phase.PROPOSING, proposed=True)
    return after, (Propose(state.height, state.round, hash32, round_changes),)


def _propose_again(state: State, hash32: bytes) -> _Out:
    round_changes = _round_changes(state)
    highest = highest_prepared(round_changes)
    waiting = replace(state, phase=Phase.PROPOSING, accepted=None)
    if highest is None or highest[1] != hash32:
        return waiting, ()  # a higher one arrived meanwhile: `_lead` asks for it
    by = next(item.validator for item in round_changes if (item.vote.prepared_round, item.vote.hash) == highest)
    prepares = state.book.proofs[state.round, by]
    return replace(waiting, proposed=True), (Propose(state.height, state.round, hash32, round_changes, prepares),)


def _checked(state: State, hash32: bytes, valid: bool) -> _Out:
    if hash32 != state.accepted:
        return state, ()
    if not valid:
        return replace(state, phase=Phase.REFUSED), ()
    after = replace(state, phase=Phase.PREPARING)
    if state.me is None:
        return after, ()
    return after, (CastVote(state.height, state.round, VoteType.PREPARE, hash32),)


def _round_changes(state: State) -> tuple[SignedVote, ...]:
    row = state.book.of(state.round, VoteType.ROUND_CHANGE) if state.round else {}
    return tuple(SignedVote(who, row[who]) for who in sorted(row))


def _awaits(state: State, phase: Phase, height: int, round_number: int) -> bool:
    return (state.phase, state.height, state.round) == (phase, height, round_number)


def _waiting(round_number: int) -> Phase:
    return Phase.PROPOSING if round_number else Phase.IDLE


def _timer(state: State) -> StartTimer:
    return StartTimer(state.height, state.round, timer_ms(state.round, state.block_ms))
