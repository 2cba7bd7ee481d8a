"""Evidence of double votes: what counts, what it costs, how often, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from metanode.core.model.bodies import ADMIT
from metanode.core.model.errors import InvalidBlock, MetanodeError
from metanode.core.model.limits import EVIDENCE_PER_BLOCK_MAX
from metanode.core.model.receipt import EventNumber
from metanode.core.model.stake_bodies import Evidence, decode_evidence
from metanode.core.model.vote import VoteType
from metanode.plugins.ledger.attested.supply import is_whole, supply_parts
from metanode.plugins.ledger.attested.tables import Global

COIN = 10**6


@pytest.fixture
def four(new_chain: Any) -> Any:
    """A chain of four members with a bond of one coin, two blocks old."""
    chain = new_chain(members=4, candidates=1)
    chain.block(after_ms=1)
    chain.block(after_ms=1)
    return chain


def refused(chain: Any, envelope: Any) -> str:
    """Return the code with which evidence is refused: at the door, and the block that holds it."""
    with pytest.raises(InvalidBlock) as caught:
        chain.ledger.execute(chain.head, chain.fields(1), [envelope], assemble=False)
    assert caught.value.code == chain.door(envelope)
    return str(caught.value.code)


def test_two_votes_cost_a_part_of_the_bond_at_once_and_the_seat_at_the_settlement(four: Any, kit: Any) -> None:
    """One twentieth here; it goes to the treasury, and the reporter pays nothing."""
    reporter = four.state.account(kit.bob.account)
    done = four.block(four.accuse(four.double_vote(2, 2)), after_ms=1)
    assert done.receipts[0].fee == 0
    assert done.receipts[0].events == ((EventNumber.SLASHED, kit.member(2).account, COIN // 20, 2),)
    stake = four.state.stake(kit.member(2).account)
    assert (stake.bond, stake.jailed) == (COIN - COIN // 20, 1)
    assert four.state.number(Global.TREASURY) == COIN // 20
    assert is_whole(supply_parts(four.head.state))
    assert four.state.account(kit.bob.account) == reporter, "nothing of the sender is touched"
    assert kit.member(2).account in four.seated()
    four.to_epoch(1)
    assert kit.member(2).account not in four.seated()


def test_one_fault_is_punished_once_until_the_members_admit_again(four: Any, kit: Any) -> None:
    """A key that signed on two machines leaves many pairs; in jail nothing more is taken."""
    first, other = four.double_vote(2, 2), four.double_vote(2, 2, round=1)
    four.block(four.accuse(first), after_ms=1)
    assert refused(four, four.accuse(first)) == "VALIDATOR_JAILED"
    assert refused(four, four.accuse(other)) == "VALIDATOR_JAILED"
    four.block(four.bond(2, COIN), after_ms=1)
    four.vote_seat(2, ADMIT, (0, 1, 3))
    four.to_epoch(1)
    assert kit.member(2).account in four.seated()
    assert refused(four, four.accuse(first)) == "REPLAYED"
    assert four.codes(four.accuse(other)) == [0], "another double vote is another offence"


def test_readmission_needs_a_whole_bond(four: Any, kit: Any) -> None:
    """What was taken is to be made good first."""
    four.block(four.accuse(four.double_vote(2, 2)), after_ms=1)
    four.vote_seat(2, ADMIT, (0, 1, 3))
    four.to_epoch(1)
    assert kit.member(2).account not in four.seated()
    four.block(four.bond(2, COIN // 20), after_ms=1)
    four.to_epoch(2)
    assert kit.member(2).account in four.seated()


def test_evidence_is_of_heights_of_the_last_epochs(four: Any) -> None:
    """Devnet: this epoch and the two before it; the height being voted on counts, the one after it does not."""
    assert refused(four, four.accuse(four.double_vote(1, 4))) == "EVIDENCE_LATE"
    now = four.accuse(four.double_vote(1, 3))
    assert four.door(now) is None
    four.to_epoch(1)
    four.to_epoch(2)
    assert four.door(four.accuse(four.double_vote(1, 1))) is None
    four.to_epoch(3)
    assert [epoch for epoch, _ in four.state.epoch_starts().amounts] == [1, 2, 3]
    assert refused(four, four.accuse(four.double_vote(1, 2))) == "EVIDENCE_LATE"
    assert four.codes(four.accuse(four.double_vote(1, 3))) == [0]


def test_marks_go_when_evidence_of_their_height_no_longer_counts(four: Any) -> None:
    """So that the table does not grow."""
    four.block(four.accuse(four.double_vote(1, 2)), after_ms=1)
    for epoch in (1, 2):
        four.to_epoch(epoch)
        assert len(four.state.all_punished()) == 1
    four.to_epoch(3)
    assert four.state.all_punished() == []


def test_a_bond_answers_until_it_is_paid_back(four: Any, kit: Any) -> None:
    """Leaving is no way out."""
    four.block(four.unbond(3), after_ms=1)
    four.to_epoch(1)
    four.to_epoch(2)
    height = four.state.epoch_starts().amounts[0][1]
    four.block(four.accuse(four.double_vote(3, height)), after_ms=1)
    before = four.state.account(kit.member(3).account).balance
    four.to_epoch(4)
    assert four.state.account(kit.member(3).account).balance == before + COIN - COIN // 20
    assert refused(four, four.accuse(four.double_vote(3, four.head.height))) == "STAKE_UNKNOWN"


def test_votes_of_others_and_of_nobody_are_refused(four: Any, kit: Any) -> None:
    """Both signatures count."""
    key = kit.consensus(1).public_key
    forged = Evidence.of(key, four.vote(1, 2, 1), four.vote(1, 2, 2, signer=2))
    assert refused(four, four.accuse(forged)) == "INVALID_SIGNATURE"
    assert refused(four, four.accuse(four.double_vote(9, 2))) == "STAKE_UNKNOWN"
    vrf = Evidence.of(kit.vrf(1).public_key, four.vote(1, 2, 1), four.vote(1, 2, 2))
    assert refused(four, four.accuse(vrf)) == "STAKE_UNKNOWN", "a VRF key signs no votes"


def test_votes_that_an_honest_validator_sends_are_no_evidence(four: Any, kit: Any) -> None:
    """Another height, round or type, or the same value, signed twice."""
    key, vote = kit.consensus(1).public_key, four.vote(1, 2, 1)
    for other in (
        four.vote(1, 3, 2),
        four.vote(1, 2, 2, round=1),
        four.vote(1, 2, 2, type=VoteType.PREPARE),
        four.vote(1, 2, 1, signer=2),
    ):
        with pytest.raises(MetanodeError, match="NOT_EQUIVOCATION"):
            decode_evidence(Evidence.of(key, vote, other).encode())
    for twice in (Evidence(key, vote, vote), Evidence(key, *reversed((vote, four.vote(1, 2, 2))))):
        same = twice if twice.first.encode() >= twice.second.encode() else Evidence(key, twice.second, twice.first)
        with pytest.raises(MetanodeError, match="BAD_SHAPE"):
            decode_evidence(same.encode())


def test_a_reporter_whom_the_chain_does_not_know_shows_its_key(four: Any, kit: Any) -> None:
    """Every time: nothing is written about it."""
    stranger = kit.box(7).key
    assert four.codes(four.accuse(four.double_vote(1, 2), by=stranger)) == [0]
    assert four.state.account(stranger.account).public_key == b""
    assert four.codes(four.accuse(four.double_vote(2, 2), by=stranger)) == [0]


def test_a_block_holds_so_much_evidence_and_no_more(new_chain: Any, kit: Any) -> None:
    """The rest waits in the pool."""
    chain = new_chain(members=EVIDENCE_PER_BLOCK_MAX + 1)
    chain.block(after_ms=1)
    accusations = [chain.accuse(chain.double_vote(number, 1)) for number in range(EVIDENCE_PER_BLOCK_MAX + 1)]
    with pytest.raises(InvalidBlock, match="KIND_CAP"):
        chain.ledger.execute(chain.head, chain.fields(1), accusations, assemble=False)
    done = chain.assemble(*accusations)
    assert len(done.included) == EVIDENCE_PER_BLOCK_MAX
    assert not done.dropped
    everyone = [kit.member(number).account for number in range(EVIDENCE_PER_BLOCK_MAX + 1)]
    chain.to_epoch(1)
    assert len(chain.seated()) == 1
    chain.block(accusations[-1], after_ms=1)
    chain.to_epoch(2)
    assert len(chain.seated()) == 1, "the last one stays: a chain without validators would end"
    assert set(chain.seated()) <= set(everyone)


@pytest.mark.parametrize(("permille", "left"), [(0, COIN), (1, COIN - 1000), (1000, 0)])
def test_the_chain_says_what_a_double_vote_costs(new_chain: Any, kit: Any, permille: int, left: int) -> None:
    """From nothing but the seat to the whole bond."""
    chain = new_chain(members=2, slash_permille=permille)
    chain.block(after_ms=1)
    chain.block(chain.accuse(chain.double_vote(0, 1)), after_ms=1)
    assert chain.state.stake(kit.member(0).account).bond == left
    chain.block(chain.unbond(0), after_ms=1)
    for epoch in (1, 4):
        chain.to_epoch(epoch)
    assert chain.state.stake(kit.member(0).account) is None
