"""Bonds: who may lock coins for which keys, how seats follow at settlements, and when the coins come back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from metanode.core.model import kinds
from metanode.core.model.bodies import ADMIT, PROPOSE, REMOVE, SEAT
from metanode.core.model.codec import encode
from metanode.core.model.errors import ERROR_CODES
from metanode.core.model.limits import VALIDATORS_MAX
from metanode.core.model.receipt import EventNumber
from metanode.core.model.stake_bodies import decode_bond
from metanode.core.model.validators import decode_set, encode_set, set_hash
from metanode.plugins.ledger.attested import seats
from metanode.plugins.ledger.attested.entries import PastSet, Stake
from metanode.plugins.ledger.attested.state import LedgerState
from metanode.plugins.ledger.attested.supply import is_whole, supply_parts

COIN = 10**6


@pytest.fixture
def four(new_chain: Any) -> Any:
    """A chain of four members with a bond of one coin, and two candidates without."""
    return new_chain(members=4, candidates=2)


def refused(chain: Any, envelope: Any) -> str:
    """Return the code with which an envelope fails, at the door and in a block alike."""
    code = chain.door(envelope)
    assert code is not None
    assert chain.codes(envelope) == [ERROR_CODES[code].number]
    return str(code)


def seat(chain: Any, kit: Any, who: int, verdict: int) -> Any:
    """Return member 0's proposal about an account."""
    return chain.govern(kit.member(0), PROPOSE, encode([SEAT, [kit.member(who).account, verdict]]))


def test_a_bond_moves_coins_and_keeps_the_supply(four: Any, kit: Any) -> None:
    """It comes beside the balance, is told in receipt and event, and is not a seat."""
    before = four.state.account(kit.member(4).account).balance
    done = four.block(four.bond(4, 2 * COIN), after_ms=1)
    assert done.receipts[0].events == ((EventNumber.BONDED, kit.member(4).account, 2 * COIN, 2 * COIN),)
    assert four.state.account(kit.member(4).account).balance == before - 2 * COIN - four.genesis.params.min_fee
    parts = supply_parts(four.head.state)
    assert parts["bonded"] == 6 * COIN
    assert is_whole(parts)
    assert four.codes(four.bond(4, COIN)) == [0], "with the same keys it is added to"
    assert four.state.stake(kit.member(4).account).bond == 3 * COIN
    four.to_epoch(1)
    assert kit.member(4).account not in four.seated(), "nobody admitted it"


def test_what_is_no_bond_costs_its_fee(four: Any, kit: Any) -> None:
    """Too little, too much, keys of others, proofs of others."""
    assert refused(four, four.bond(4, COIN - 1)) == "BOND_TOO_LOW"
    assert refused(four, four.bond(4, 10**15)) == "INSUFFICIENT_FUNDS"
    assert refused(four, four.bond(4, COIN, keys=1)) == "KEY_TAKEN", "a member's, though the sender holds them"
    assert four.codes(four.bond(5, COIN)) == [0]
    assert refused(four, four.bond(5, COIN, keys=7)) == "STAKE_KEYS"
    right = decode_bond(four.bond(4, COIN).body)
    for wrong, code in (
        (replace(right, signature=bytes(64)), "INVALID_SIGNATURE"),
        (replace(right, vrf_proof=bytes(80)), "BAD_VRF"),
        (replace(right, bls_key=bytes(48), bls_proof=bytes(96)), "INVALID_SIGNATURE"),
        (replace(right, vrf_key=right.consensus_key), "KEY_TAKEN"),
        (replace(right, consensus_key=kit.member(4).public_key), "KEY_TAKEN"),
    ):
        assert refused(four, four.envelope(kit.member(4), kinds.BOND, wrong.encode())) == code
    copied = four.envelope(kit.alice, kinds.BOND, right.encode())
    assert refused(four, copied) == "INVALID_SIGNATURE", "the proofs name the account"
    assert supply_parts(four.head.state)["bonded"] == 5 * COIN


def test_an_admitted_candidate_has_its_seat_from_the_block_after_the_settlement(four: Any, kit: Any) -> None:
    """The settlement block is the old set's and names the new one; its own transactions know the old one too."""
    four.block(four.bond(4, 2 * COIN), after_ms=1)
    four.vote_seat(4, ADMIT, (0, 1, 2))
    assert len(four.seated()) == 4, "nothing moves within an epoch"
    four.block(four.bond(0, COIN), after_ms=1)
    assert {each.bond for each in decode_set(four.state.next_set())} == {COIN}, "bonds are frozen until then"
    head = four.head
    done = four.ledger.execute(head, four.fields(20_000), [seat(four, kit, 3, REMOVE)], assemble=False)
    after = decode_set(done.validator_set)
    assert [each.account for each in after] == sorted(kit.member(i).account for i in range(5))
    assert {each.account: each.bond for each in after}[kit.member(0).account] == 2 * COIN
    assert LedgerState(done.state).next_set() == done.validator_set
    assert [event.name for event in done.events[:2]] == ["proposal_adopted", "validators_changed"]
    early = four.govern(kit.member(4), PROPOSE, encode([SEAT, [kit.member(3).account, REMOVE]]))
    (receipt,) = four.ledger.execute(head, four.fields(20_000), [early], assemble=False).receipts
    assert receipt.code == ERROR_CODES["NOT_VALIDATOR"].number, "its seat counts from the next block on"
    four.to_epoch(1)
    assert four.codes(four.govern(kit.member(4), PROPOSE, encode([SEAT, [kit.member(3).account, REMOVE]]))) == [0]


def test_a_removed_member_keeps_its_bond_and_may_be_admitted_again(four: Any, kit: Any) -> None:
    """A vote takes the seat, not the coins."""
    four.vote_seat(3, REMOVE, (0, 1, 2))
    four.to_epoch(1)
    assert kit.member(3).account not in four.seated()
    assert four.state.stake(kit.member(3).account).bond == COIN
    four.vote_seat(3, ADMIT, (0, 1))
    four.to_epoch(2)
    assert kit.member(3).account in four.seated(), "two of three are a quorum"


def test_a_withdrawn_bond_leaves_the_set_and_is_paid_back_when_it_is_no_longer_answerable(four: Any, kit: Any) -> None:
    """Devnet has no trust period: two epochs of evidence, and the one that the last block of its seat lies in."""
    before = four.state.account(kit.member(1).account).balance
    done = four.block(four.unbond(1), after_ms=1)
    assert done.receipts[0].events == ((EventNumber.UNBONDED, kit.member(1).account, COIN),)
    assert refused(four, four.unbond(1)) == "STAKE_LEAVING"
    assert refused(four, four.bond(1, COIN)) == "STAKE_LEAVING"
    assert refused(four, seat(four, kit, 1, REMOVE)) == "STAKE_LEAVING"
    assert kit.member(1).account in four.seated()
    four.to_epoch(5)
    assert kit.member(1).account not in four.seated()
    assert four.state.stake(kit.member(1).account).release == 5 + 3, "counted from when it left, not from the request"
    four.to_epoch(7)
    assert four.state.account(kit.member(1).account).balance < before
    done = four.to_epoch(8)
    assert four.state.stake(kit.member(1).account) is None
    assert four.state.account(kit.member(1).account).balance == before + COIN - 3 * four.genesis.params.min_fee
    assert "bond_released" in [event.name for event in done.events]
    assert is_whole(supply_parts(four.head.state))
    assert four.codes(four.bond(1, COIN)) == [0], "its keys are free again"


def test_a_withdrawal_names_its_own_key(four: Any, kit: Any) -> None:
    """Nobody withdraws for another, nor what is not there."""
    assert refused(four, four.unbond(0, key=1)) == "STAKE_UNKNOWN"
    assert refused(four, four.unbond(4)) == "STAKE_UNKNOWN"


def test_a_change_that_leaves_no_validator_is_dropped(new_chain: Any, kit: Any) -> None:
    """The last one stays until another is admitted, and only then its wait begins."""
    chain = new_chain(members=1, candidates=1)
    chain.block(chain.unbond(0), after_ms=1)
    chain.to_epoch(1)
    chain.to_epoch(9)
    assert chain.seated() == [kit.member(0).account]
    assert chain.state.stake(kit.member(0).account).release == 0
    chain.block(chain.bond(1, COIN), after_ms=1)
    chain.vote_seat(1, ADMIT, (0,))
    chain.to_epoch(10)
    assert chain.seated() == [kit.member(1).account]
    assert chain.state.stake(kit.member(0).account).release == 13
    chain.to_epoch(13)
    assert chain.state.stake(kit.member(0).account) is None


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ([], "BAD_SHAPE"),
        ([b"a" * 20], "BAD_SHAPE"),
        ([b"a" * 19, ADMIT], "BAD_SHAPE"),
        ([b"a" * 20, 2], "BAD_SHAPE"),
        ([b"a" * 20, ADMIT], "STAKE_UNKNOWN"),
    ],
)
def test_a_proposal_about_nobody_is_refused(four: Any, kit: Any, content: Any, code: str) -> None:
    """Nothing is kept of it."""
    assert refused(four, four.govern(kit.member(0), PROPOSE, encode([SEAT, content]))) == code
    assert four.state.proposals() == []


def test_a_proposal_that_changes_nothing_is_refused(four: Any, kit: Any) -> None:
    """Admitting a member, removing a candidate."""
    four.block(four.bond(4, COIN), after_ms=1)
    assert refused(four, seat(four, kit, 1, ADMIT)) == "NO_CHANGE"
    assert refused(four, seat(four, kit, 4, REMOVE)) == "NO_CHANGE"


def test_a_vote_for_a_bond_that_is_withdrawn_meanwhile_has_no_effect(four: Any, kit: Any) -> None:
    """It is told as moot and goes."""
    four.block(four.bond(4, COIN), after_ms=1)
    four.vote_seat(4, ADMIT, (0, 1, 2))
    four.block(four.unbond(4), after_ms=1)
    done = four.to_epoch(1)
    assert done.events[0].name == "proposal_moot"
    assert kit.member(4).account not in four.seated()
    assert four.state.proposals() == []


def test_no_more_are_admitted_than_a_set_holds(four: Any, kit: Any) -> None:
    """Members that are in jail or short of bond keep their place."""
    state = LedgerState(four.head.state)
    for number in range(VALIDATORS_MAX - 4):
        key = bytes([number]) * 32
        state.put_stake(bytes([number]) * 20, Stake(key, key[:31] + b"v", b"", b"", COIN, admitted=1, jailed=1))
    free = bytes([200]) * 20
    state.put_stake(free, Stake(bytes([201]) * 32, bytes([202]) * 32, b"", b"", COIN))
    assert not seats.adopt(state, free + bytes([ADMIT]))
    assert seats.adopt(state, bytes(20) + bytes([REMOVE]))
    assert seats.adopt(state, free + bytes([ADMIT]))
    assert state.stake(free).admitted == 1  # type: ignore[union-attr]


def test_genesis_members_are_bonded_like_any_other(four: Any, kit: Any) -> None:
    """The set that a settlement makes of them is the genesis' own, byte for byte."""
    assert len(four.state.stakes()) == 4
    for number in range(4):
        for key in (kit.consensus(number).public_key, kit.vrf(number).public_key):
            assert four.state.stake_holder(key) == kit.member(number).account
    done = four.to_epoch(1)
    assert done.validator_set == four.genesis.validators
    assert encode_set(decode_set(done.validator_set)) == done.validator_set


def test_a_set_that_acts_no_more_is_kept_as_long_as_its_headers_are_believed(four: Any, kit: Any) -> None:
    """Under its hash, with the height of the header that names its successor; so proofs of that time still find it."""
    first = four.state.next_set()
    four.block(four.bond(0, COIN), after_ms=1)
    four.to_epoch(1)
    changed = four.head.height
    second = four.state.next_set()
    (kept,) = four.state.past_sets()
    assert kept == (set_hash(first), PastSet(first, changed, 1))
    four.block(four.bond(0, COIN), after_ms=1)
    four.to_epoch(3)
    assert {entry.encoded for _, entry in four.state.past_sets()} == {first, second}
    four.to_epoch(4)
    assert [entry.encoded for _, entry in four.state.past_sets()] == [second], "devnet waits three epochs"
    four.to_epoch(6)
    assert four.state.past_sets() == []


def test_the_wait_covers_trust_and_evidence(new_chain: Any) -> None:
    """Whole epochs, rounded up."""
    for trust_s, evidence, epochs in ((0, 0, 1), (0, 2, 3), (1, 2, 4), (20, 2, 4), (21, 2, 5)):
        chain = new_chain(trust_period_s=trust_s, evidence_epochs=evidence)
        assert chain.genesis.params.unbonding_epochs == epochs
