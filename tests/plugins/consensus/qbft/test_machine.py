"""The rules of QBFT one by one; names follow the algorithms of arXiv 2002.03613."""

from __future__ import annotations

from dataclasses import replace

import pytest

from metanode.core.model.validators import Validator
from metanode.core.model.vote import NO_HASH, NOT_PREPARED, Vote, VoteType
from metanode.plugins.consensus.qbft import machine
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
    StartTimer,
    TimerExpired,
    VoteReceived,
)
from metanode.plugins.consensus.qbft.machine import Phase, State, begin, leader_of, step, timer_ms
from metanode.plugins.consensus.qbft.messages import SignedVote
from metanode.plugins.consensus.qbft.votes import Prepared

HEIGHT = 5
A, B = b"\x0a" * 32, b"\x0b" * 32
SET = tuple(Validator(bytes([i + 1]) * 20, bytes([i + 1]) * 32, bytes([i + 101]) * 32, 10) for i in range(4))


def fresh(me: int | None) -> State:
    """Height 5 of four validators, before its block is due."""
    return begin(HEIGHT, SET, me, b"\x01" * 64, 1_000)


def signed(who: int, kind: VoteType, round_number: int, hash32: bytes = A, prepared: int = 0) -> SignedVote:
    """A vote; the machine never looks at its signature."""
    return SignedVote(who, Vote(HEIGHT, round_number, kind, hash32, prepared, bytes(64)))


def null(who: int, round_number: int) -> SignedVote:
    """A round-change of someone who prepared nothing."""
    return signed(who, VoteType.ROUND_CHANGE, round_number, NO_HASH, NOT_PREPARED)


def run(state: State, *events: Event) -> tuple[State, list[Effect]]:
    """Feed events; return all effects."""
    effects: list[Effect] = []
    for event in events:
        state, more = step(state, event)
        effects += more
    return state, effects


LEADER = leader_of(fresh(0), 0)
NEXT = leader_of(fresh(0), 1)
OTHER = next(who for who in range(4) if who not in (LEADER, NEXT))


def proposal(round_number: int = 0, hash32: bytes = A, **justification: tuple[SignedVote, ...]) -> ProposalReceived:
    """What the round's leader proposes."""
    who = leader_of(fresh(0), round_number)
    return ProposalReceived(who, Candidate(signed(who, VoteType.PROPOSE, round_number, hash32).vote, **justification))


def checked(hash32: bytes = A, round_number: int = 0, valid: bool = True) -> BlockChecked:
    """The driver's answer."""
    return BlockChecked(HEIGHT, round_number, hash32, valid)


def votes(kind: VoteType, round_number: int, hash32: bytes = A, who: tuple[int, ...] = (0, 1, 2)) -> list[Event]:
    """Votes of some validators for one value."""
    return [VoteReceived(signed(i, kind, round_number, hash32)) for i in who]


def prepared_by(round_number: int, hash32: bytes = A) -> tuple[SignedVote, ...]:
    """A prepared certificate."""
    return tuple(signed(who, VoteType.PREPARE, round_number, hash32) for who in (0, 1, 2))


def locked(state: State, hash32: bytes = A) -> State:
    """The same validator, holding a lock from round 0."""
    return replace(state, prepared=Prepared(0, hash32, prepared_by(0, hash32)))


def test_the_leader_builds_when_its_block_is_due_and_the_others_wait() -> None:
    """1:11-19: the timer starts for all."""
    state, effects = run(fresh(LEADER), BlockDue(HEIGHT))
    assert effects == [StartTimer(HEIGHT, 0, 4_000), BuildBlock(HEIGHT, 0)]
    assert run(state, BlockBuilt(HEIGHT, 0, A))[1] == [Propose(HEIGHT, 0, A)]
    assert run(fresh(OTHER), BlockDue(HEIGHT))[1] == [StartTimer(HEIGHT, 0, 4_000)]


def test_a_fresh_proposal_is_checked_as_the_leaders_then_prepared() -> None:
    """2:1-3."""
    state, effects = run(fresh(OTHER), proposal())
    assert effects == [StartTimer(HEIGHT, 0, 4_000), CheckBlock(HEIGHT, 0, A, LEADER)]
    assert run(state, checked())[1] == [CastVote(HEIGHT, 0, VoteType.PREPARE, A)]
    state, effects = run(state, checked(valid=False))
    assert effects == []
    assert state.phase is Phase.REFUSED


def test_a_proposal_of_anybody_else_is_ignored() -> None:
    """2:1, "from leader"."""
    wrong = ProposalReceived(OTHER, Candidate(signed(OTHER, VoteType.PROPOSE, 0).vote))
    assert run(fresh(NEXT), wrong)[1] == []


def test_a_quorum_of_prepares_locks_and_commits_once() -> None:
    """2:4-7: the lock is on disk before the commit is said."""
    events = [proposal(), checked(), *votes(VoteType.PREPARE, 0)]
    state, effects = run(fresh(OTHER), *events)
    assert isinstance(effects[-2], PersistPrepared)
    assert effects[-1] == CastVote(HEIGHT, 0, VoteType.COMMIT, A)
    assert state.prepared is not None
    assert (state.prepared.round, state.prepared.hash) == (0, A)
    assert run(state, *votes(VoteType.PREPARE, 0, who=(3,)))[1] == []


def test_prepares_before_the_block_is_checked_wait_for_it() -> None:
    """Nobody commits to a block it has not seen."""
    state, effects = run(fresh(OTHER), *votes(VoteType.PREPARE, 0), proposal())
    assert not any(isinstance(effect, CastVote) for effect in effects)
    kinds = [effect.type for effect in run(state, checked())[1] if isinstance(effect, CastVote)]
    assert kinds == [VoteType.PREPARE, VoteType.COMMIT]


@pytest.mark.parametrize("now", [0, 1, 7])
def test_a_quorum_of_commits_of_any_round_decides(now: int) -> None:
    """2:8-10: also of a round that was left, and without having seen the block."""
    state = replace(fresh(OTHER), round=now, phase=Phase.PROPOSING)
    state, effects = run(state, *votes(VoteType.COMMIT, 0))
    (decide,) = [effect for effect in effects if isinstance(effect, Decide)]
    assert (decide.certificate.round, decide.certificate.header_hash, decide.certificate.signers()) == (0, A, [0, 1, 2])
    assert state.phase is Phase.DECIDED
    assert run(state, TimerExpired(HEIGHT, now), BlockDue(HEIGHT))[1] == []


def test_commits_for_different_values_or_rounds_do_not_add_up() -> None:
    """Two for A, one for B, one for A in another round: nothing."""
    events = [*votes(VoteType.COMMIT, 0, A, (0, 1)), *votes(VoteType.COMMIT, 0, B, (2,))]
    assert run(fresh(OTHER), *events, *votes(VoteType.COMMIT, 1, A, (3,)))[1] == []


def test_an_expired_timer_changes_the_round_with_the_lock() -> None:
    """3:1-4: null without one; the lock and its prepares with one; an old timer does nothing."""
    state, effects = run(fresh(OTHER), BlockDue(HEIGHT), TimerExpired(HEIGHT, 0))
    change = CastVote(HEIGHT, 1, VoteType.ROUND_CHANGE, NO_HASH, NOT_PREPARED)
    assert effects[1:] == [StartTimer(HEIGHT, 1, 8_000), change]
    assert run(state, TimerExpired(HEIGHT, 0), TimerExpired(HEIGHT - 1, 1))[1] == []
    _, effects = run(locked(fresh(OTHER)), BlockDue(HEIGHT), TimerExpired(HEIGHT, 0))
    assert effects[-1] == CastVote(HEIGHT, 1, VoteType.ROUND_CHANGE, A, 0, prepared_by(0))


def test_one_later_validator_pulls_nobody_and_two_pull_to_the_lower_of_their_rounds() -> None:
    """3:5-10 with f + 1 = 2."""
    state, effects = run(fresh(OTHER), VoteReceived(null(0, 9)))
    assert effects == []
    state, effects = run(state, VoteReceived(null(1, 4)))
    assert state.round == 4
    assert isinstance(effects[-1], CastVote)
    assert (effects[-1].type, effects[-1].round) == (VoteType.ROUND_CHANGE, 4)


def test_far_rounds_are_reached_without_passing_through_the_ones_between() -> None:
    """Recovery from any round: the newest round-change of each validator is kept, however far."""
    state, _ = run(fresh(OTHER), *(VoteReceived(null(who, 1_000)) for who in (LEADER, NEXT)))
    assert state.round == 1_000
    assert len(state.book.of(1_000, VoteType.ROUND_CHANGE)) == 2


def test_the_leader_of_a_later_round_builds_when_nothing_was_prepared() -> None:
    """3:11 and 3:15-17: with a quorum for its round, exactly once."""
    state = replace(fresh(NEXT), round=1, phase=Phase.PROPOSING)
    events = [VoteReceived(null(who, 1)) for who in range(3)]
    state, effects = run(state, *events)
    assert effects == [BuildBlock(HEIGHT, 1)]
    state, effects = run(state, VoteReceived(null(3, 1)), BlockBuilt(HEIGHT, 1, B))
    assert effects == [Propose(HEIGHT, 1, B, tuple(null(who, 1) for who in range(4)))]
    assert run(state, BlockBuilt(HEIGHT, 1, A))[1] == []


def test_the_leader_of_a_later_round_proposes_the_highest_prepared_value() -> None:
    """3:12-13: the block is had and valid first, then proposed with the prepares that prove it."""
    changes = [null(0, 1), null(1, 1), signed(2, VoteType.ROUND_CHANGE, 1, A, 0)]
    state = replace(fresh(NEXT), round=1, phase=Phase.PROPOSING)
    events: list[Event] = [VoteReceived(changes[0]), VoteReceived(changes[1]), VoteReceived(changes[2], prepared_by(0))]
    state, effects = run(state, *events)
    assert effects == [CheckBlock(HEIGHT, 1, A, None)]
    _, effects = run(state, checked(A, 1))
    assert effects == [Propose(HEIGHT, 1, A, tuple(changes), prepared_by(0))]


def test_a_prepared_value_that_arrives_while_building_goes_first() -> None:
    """What was built is thrown away: the quorum now names a value."""
    state = replace(fresh(NEXT), round=1, phase=Phase.PROPOSING)
    state, _ = run(state, *(VoteReceived(null(who, 1)) for who in range(3)))
    late = VoteReceived(signed(3, VoteType.ROUND_CHANGE, 1, A, 0), prepared_by(0))
    _, effects = run(state, late, BlockBuilt(HEIGHT, 1, B))
    assert effects == [CheckBlock(HEIGHT, 1, A, None)]


@pytest.mark.parametrize(
    ("hash32", "changes", "prepares", "stands"),
    [
        (A, (null(0, 1), null(1, 1), null(2, 1)), (), True),
        (A, (null(0, 1), null(1, 1)), (), False),
        (A, (null(0, 1), null(1, 1), null(1, 1)), (), False),
        (A, (null(0, 1), null(1, 1), null(2, 2)), (), False),
        (A, (null(0, 1), null(1, 1), signed(2, VoteType.ROUND_CHANGE, 1, A, 0)), prepared_by(0), True),
        (B, (null(0, 1), null(1, 1), signed(2, VoteType.ROUND_CHANGE, 1, A, 0)), prepared_by(0), False),
        (A, (null(0, 1), null(1, 1), signed(2, VoteType.ROUND_CHANGE, 1, A, 0)), (), False),
        (A, (null(0, 1), null(1, 1), signed(2, VoteType.ROUND_CHANGE, 1, A, 0)), prepared_by(0)[:2], False),
        (A, (null(0, 1), null(1, 1), null(2, 1)), prepared_by(0), False),
    ],
    ids=[
        "all null", "too few", "one twice", "another round", "the prepared value", "not the prepared value",
        "no prepares", "too few prepares", "prepares nobody named",
    ],
)  # fmt: skip
def test_a_later_proposal_stands_only_with_its_justification(
    hash32: bytes, changes: tuple[SignedVote, ...], prepares: tuple[SignedVote, ...], stands: bool
) -> None:
    """Algorithm 4, JustifyPrePrepare."""
    state = replace(fresh(OTHER), round=1, phase=Phase.PROPOSING)
    _, effects = run(state, proposal(1, hash32, round_changes=changes, prepares=prepares))
    wanted = [CheckBlock(HEIGHT, 1, hash32, None if prepares else NEXT)] if stands else []
    assert [effect for effect in effects if isinstance(effect, CheckBlock)] == wanted


def test_a_justified_proposal_of_a_later_round_pulls_there() -> None:
    """Its round-changes are a quorum, more than the f + 1 of 3:5."""
    state, effects = run(fresh(OTHER), proposal(1, B, round_changes=(null(0, 1), null(1, 1), null(2, 1))))
    assert state.round == 1
    assert effects[-1] == CheckBlock(HEIGHT, 1, B, NEXT)


def test_a_lock_is_replaced_only_by_a_later_quorum() -> None:
    """Preparing another justified value is allowed; the lock moves when that one gathers its own quorum."""
    changes = (null(0, 2), null(1, 2), null(2, 2))
    state = locked(replace(fresh(OTHER), round=2, phase=Phase.PROPOSING))
    state, _ = run(state, proposal(2, B, round_changes=changes), checked(B, 2), *votes(VoteType.PREPARE, 2, B, (0, 1)))
    assert state.prepared is not None
    assert state.prepared.hash == A
    state, _ = run(state, *votes(VoteType.PREPARE, 2, B, (2,)))
    assert state.prepared is not None
    assert (state.prepared.round, state.prepared.hash) == (2, B)


@pytest.mark.parametrize(
    ("vote", "prepares"),
    [
        (signed(1, VoteType.ROUND_CHANGE, 1, A, 0), ()),
        (signed(1, VoteType.ROUND_CHANGE, 1, A, 0), prepared_by(0)[:2]),
        (signed(1, VoteType.ROUND_CHANGE, 1, B, 0), prepared_by(0)),
        (signed(1, VoteType.ROUND_CHANGE, 1, A, 1), prepared_by(1)),
        (null(1, 1), prepared_by(0)),
    ],
    ids=["no proof", "too few", "another value", "its own round", "proof of nothing"],
)
def test_a_round_change_that_does_not_prove_its_value_is_no_vote(
    vote: SignedVote, prepares: tuple[SignedVote, ...]
) -> None:
    """Algorithm 4, JustifyRoundChange; a leader could not show it."""
    state, _ = run(fresh(OTHER), VoteReceived(vote, prepares))
    assert state.book.of(1, VoteType.ROUND_CHANGE) == {}
    assert state.book.newest == {}


def test_a_second_vote_of_another_value_is_evidence_and_counts_for_nothing() -> None:
    """And the same vote twice is neither."""
    first, second = signed(1, VoteType.PREPARE, 0, A), signed(1, VoteType.PREPARE, 0, B)
    state, effects = run(fresh(OTHER), VoteReceived(first), VoteReceived(first), VoteReceived(second))
    (accuse,) = effects
    assert isinstance(accuse, Accuse)
    assert accuse.evidence == (1, first.vote, second.vote)
    assert state.book.of(0, VoteType.PREPARE) == {1: first.vote}


def test_votes_of_other_heights_and_strangers_change_nothing() -> None:
    """The driver keeps the next height's; anything else is old or wrong."""
    state = fresh(OTHER)
    other = SignedVote(1, replace(signed(1, VoteType.COMMIT, 0).vote, height=HEIGHT + 1))
    assert run(state, VoteReceived(other), VoteReceived(signed(4, VoteType.COMMIT, 0))) == (state, [])


def test_timers_double_up_to_the_cap() -> None:
    """Four block times; the cap is the larger of ten seconds and eight block times."""
    assert [timer_ms(round_number, 1_000) for round_number in (0, 1, 2, 10**6)] == [4_000, 8_000, 10_000, 10_000]
    assert [timer_ms(round_number, 5_000) for round_number in (0, 1, 2)] == [20_000, 40_000, 40_000]
    assert timer_ms(0, 250) == 1_000


def test_a_node_outside_the_set_watches() -> None:
    """It decides with the others and says nothing."""
    events = [BlockDue(HEIGHT), proposal(), checked(), *votes(VoteType.PREPARE, 0), TimerExpired(HEIGHT, 0)]
    state, effects = run(fresh(None), *events, *votes(VoteType.COMMIT, 0))
    assert not any(isinstance(effect, CastVote | Propose | BuildBlock | PersistPrepared) for effect in effects)
    assert isinstance(effects[-1], Decide)
    assert state.phase is Phase.DECIDED


def test_a_step_leaves_the_state_before_it_as_it_was() -> None:
    """Pure: the same state and event give the same answer again."""
    state = run(fresh(OTHER), proposal())[0]
    assert step(state, checked()) == step(state, checked())
    assert state.phase is Phase.CHECKING
    assert machine.step(state, BlockDue(HEIGHT + 1)) == (state, ())
