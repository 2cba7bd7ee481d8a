"""Governing: who proposes and approves, what is refused, when a proposal counts and when it lapses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from metanode.core.model.bodies import APPROVE, CALIBRATE, PROPOSE, proposal_id
from metanode.core.model.codec import encode
from metanode.core.model.errors import ERROR_CODES
from metanode.core.model.receipt import EventNumber
from metanode.core.model.validators import encode_set
from metanode.plugins.ledger.attested import govern, tables
from metanode.plugins.ledger.attested.govern import PROPOSAL_EPOCHS, PROPOSALS_PER_MEMBER_MAX
from metanode.plugins.ledger.attested.state import LedgerState

MODEL = "ppc pvr 8003"


@pytest.fixture
def four(new_chain: Any) -> Any:
    """A chain of four members: three must approve."""
    return new_chain(members=4)


@pytest.fixture
def proposals(four: Any, composer: Any) -> list[bytes]:
    """Calibrations of one model by different reports."""
    reports = [composer.signed(number, genesis_hash=four.genesis.hash) for number in range(4)]
    chosen = ([0, 1, 2], [1, 2, 3], [0, 2, 3])
    return [encode([CALIBRATE, [MODEL, *(reports[i] for i in each)]]) for each in chosen]


def refused(chain: Any, envelope: Any) -> str:
    """Return the code with which an envelope fails, at the door and in a block alike."""
    code = chain.door(envelope)
    assert code is not None
    assert chain.codes(envelope) == [ERROR_CODES[code].number]
    return str(code)


def ident(chain: Any, proposal: bytes) -> bytes:
    """Return a proposal's id."""
    return proposal_id(proposal, chain.genesis.hash)


def test_a_quorum_of_members_calibrates_a_model_at_the_next_settlement(
    four: Any, kit: Any, proposals: list[bytes]
) -> None:
    """The proposer counts; what counts in a block is what stood before it."""
    name = ident(four, proposals[0])
    done = four.block(four.govern(kit.member(0), PROPOSE, proposals[0]), after_ms=1)
    assert done.receipts[0].events == ((EventNumber.PROPOSED, name, CALIBRATE),)
    done = four.block(four.govern(kit.member(2), APPROVE, name), after_ms=1)
    assert done.receipts[0].events == ((EventNumber.APPROVED, name, 2),)
    four.to_epoch(1)
    assert four.state.calibrated(MODEL) is None, "two of four are no quorum"
    four.block(four.govern(kit.member(3), APPROVE, name), after_ms=1)
    assert four.state.calibrated(MODEL) is None, "nothing counts within an epoch"
    done = four.to_epoch(2)
    assert four.state.calibrated(MODEL).height == four.head.height
    assert four.state.proposals() == []
    assert done.events[0].name == "proposal_adopted"
    assert refused(four, four.govern(kit.member(1), PROPOSE, proposals[1])) == "MODEL_CALIBRATED"
    assert refused(four, four.govern(kit.member(1), APPROVE, name)) == "PROPOSAL_UNKNOWN"


def test_only_members_govern(four: Any, kit: Any, proposals: list[bytes]) -> None:
    """Whatever they say, nobody else's content is looked at."""
    assert refused(four, four.govern(kit.alice, PROPOSE, proposals[0])) == "NOT_VALIDATOR"
    four.block(four.govern(kit.member(0), PROPOSE, proposals[0]), after_ms=1)
    assert refused(four, four.govern(kit.alice, APPROVE, ident(four, proposals[0]))) == "NOT_VALIDATOR"


def test_a_member_approves_once(four: Any, kit: Any, proposals: list[bytes]) -> None:
    """Proposing is approving."""
    name = ident(four, proposals[0])
    assert refused(four, four.govern(kit.member(1), APPROVE, name)) == "PROPOSAL_UNKNOWN"
    four.block(four.govern(kit.member(0), PROPOSE, proposals[0]), after_ms=1)
    assert refused(four, four.govern(kit.member(0), APPROVE, name)) == "PROPOSAL_APPROVED"
    assert refused(four, four.govern(kit.member(1), PROPOSE, proposals[0])) == "PROPOSAL_KNOWN"
    votes = four.govern(kit.member(1), APPROVE, name), four.govern(kit.member(1), APPROVE, name, nonce=3)
    assert four.codes(*votes) == [0, 333]


def test_a_member_has_few_proposals_open(four: Any, kit: Any, proposals: list[bytes]) -> None:
    """Also within one block; another member is free to make one."""
    made = [four.govern(kit.member(0), PROPOSE, each, nonce=i) for i, each in enumerate(proposals)]
    assert four.codes(*made) == [0] * PROPOSALS_PER_MEMBER_MAX + [334]
    assert refused(four, four.govern(kit.member(0), PROPOSE, proposals[2])) == "PROPOSALS_FULL"
    assert four.codes(four.govern(kit.member(1), PROPOSE, proposals[2])) == [0]
    assert [name for name, _ in four.state.proposals()] == sorted(ident(four, each) for each in proposals)


def test_a_proposal_lapses(four: Any, kit: Any, proposals: list[bytes]) -> None:
    """It is still there in its last epoch, and may be made anew."""
    four.block(four.govern(kit.member(0), PROPOSE, proposals[0]), after_ms=1)
    four.to_epoch(PROPOSAL_EPOCHS)
    assert len(four.state.proposals()) == 1
    done = four.to_epoch(PROPOSAL_EPOCHS + 1)
    assert four.state.proposals() == []
    assert done.events[0].name == "proposal_expired"
    assert four.codes(four.govern(kit.member(0), PROPOSE, proposals[0])) == [0]


def test_two_adopted_proposals_of_one_model_are_one_calibration(four: Any, kit: Any, proposals: list[bytes]) -> None:
    """The one with the lower id counts; the other goes without a trace."""
    for proposal in proposals[:2]:
        four.block(four.govern(kit.member(0), PROPOSE, proposal), after_ms=1)
    for proposal in proposals[:2]:
        four.block(*(four.govern(kit.member(i), APPROVE, ident(four, proposal)) for i in (1, 2)), after_ms=1)
    first = min(four.state.proposals())[1]
    four.to_epoch(1)
    assert four.state.calibrated(MODEL).ranges == first.effect
    assert four.state.proposals() == []


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ([2, []], "PROPOSAL_TYPE"),
        ([CALIBRATE, []], "BAD_SHAPE"),
        ([CALIBRATE, [b"model"]], "BAD_SHAPE"),
        ([CALIBRATE, ["m" * 65]], "BAD_SHAPE"),
        ([CALIBRATE, [MODEL, 1]], "BAD_SHAPE"),
        ([CALIBRATE, [MODEL, b"1", b"2"]], "CALIBRATION_TOO_FEW"),
        ([CALIBRATE, [MODEL, b"1", b"2", b"3"]], "NOT_CANONICAL"),
        ([CALIBRATE, [MODEL, *[b""] * 9]], "TOO_LARGE"),
    ],
)
def test_a_proposal_that_is_none_costs_its_fee(four: Any, kit: Any, content: Any, code: str) -> None:
    """And nothing is kept of it."""
    assert refused(four, four.govern(kit.member(0), PROPOSE, encode(content))) == code
    assert four.state.proposals() == []


def test_reports_calibrate_their_own_model_on_their_own_chain(four: Any, kit: Any, composer: Any) -> None:
    """Under another name, or signed for another chain, they do nothing."""
    right = [composer.signed(number, genesis_hash=four.genesis.hash) for number in range(3)]
    wrong = [composer.signed(number, genesis_hash=bytes(32)) for number in range(3)]
    cases = ("ppc pvr 8004", right, "CALIBRATION_MODEL_DIFFERS"), (MODEL, wrong, "INVALID_SIGNATURE")
    for model, reports, code in cases:
        assert refused(four, four.govern(kit.member(0), PROPOSE, encode([CALIBRATE, [model, *reports]]))) == code


def test_approvals_are_counted_against_the_set_of_the_block_that_settles(
    four: Any, kit: Any, proposals: list[bytes]
) -> None:
    """Members that left do not count, and fall away with the next approval."""
    name = ident(four, proposals[0])
    four.block(four.govern(kit.member(0), PROPOSE, proposals[0]), after_ms=1)
    four.block(four.govern(kit.member(1), APPROVE, name), after_ms=1)
    rows = [row for row in four.state.validators() if row.account != kit.member(0).account]
    smaller = four.head.state.update({tables.VALIDATOR_SET_KEY: encode([encode_set(rows)])})
    state = LedgerState(smaller)
    assert govern.needed(state) == 2
    four.head = replace(four.head, state=smaller)
    done = four.ledger.execute(four.head, four.fields(60_000), [], assemble=False)
    assert LedgerState(done.state).calibrated(MODEL) is None, "one of three is no quorum"
    vote = four.govern(kit.member(2), APPROVE, name)
    done = four.ledger.execute(four.head, four.fields(1), [vote], assemble=False)
    assert done.receipts[0].events == ((EventNumber.APPROVED, name, 2),)
    assert kit.member(0).account not in LedgerState(done.state).proposal(name).approvals
