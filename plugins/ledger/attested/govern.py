"""Governing: members of the validator set propose and approve; what a quorum approved counts from a settlement on.

A proposal is checked when it is made, and only what adopting it writes is kept.  Approvals are kept as accounts, not
as places in the set, and counted against the set of the block that settles: a set may change while members approve.
Source: protocol.md section 4; docs/decisions/0012-escrow-and-calibration.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from metanode.core.model import codec
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.bodies import APPROVE, CALIBRATE, SEAT, Govern, decode_proposal, proposal_id
from metanode.core.model.calibration import MODEL_BYTES_MAX
from metanode.core.model.errors import Rejection
from metanode.core.model.receipt import EventNumber
from metanode.core.model.vote import quorum
from metanode.fingerprint.calibration import check_reports
from metanode.plugins.ledger.attested import seats
from metanode.plugins.ledger.attested.entries import Calibrated, Proposal
from metanode.plugins.ledger.attested.rules import Events, Journal, Place, Slip
from metanode.plugins.ledger.attested.state import LedgerState

PROPOSAL_EPOCHS = 30
"""Epochs for which a proposal waits for approvals, after the one it was made in."""
PROPOSALS_PER_MEMBER_MAX = 2
"""Most proposals of one member that are open at a time."""

Content = list[codec.Value]


def _calibration(place: Place, state: LedgerState, content: Content) -> tuple[str, bytes]:
    """Check [model, report, report, ...] and return the model and the ranges of its ratios."""
    if not content:
        raise Rejection("BAD_SHAPE", "a calibration of nothing", "[model, report, report, ...]")
    model = codec.expect_text(content[0], "calibration.model", maximum=MODEL_BYTES_MAX)
    if state.calibrated(model) is not None:
        raise Rejection("MODEL_CALIBRATED", f"model {model!r} is calibrated")
    reports = [codec.expect_bytes(report, "calibration.report") for report in content[1:]]
    found = check_reports(reports, place.rules.genesis_hash, table=place.rules.table)
    if found.model != model:
        raise Rejection("CALIBRATION_MODEL_DIFFERS", f"reports of {found.model!r} to calibrate {model!r}")
    return model, codec.encode([list(ratio) for ratio in found.ranges])


_Judge = Callable[[Place, LedgerState, Content], tuple[str, bytes]]
_CHECKS: dict[int, _Judge] = {CALIBRATE: _calibration, SEAT: seats.judge}
"""By type of proposal: what judges its content and returns (subject, effect)."""


def needed(state: LedgerState) -> int:
    """Return how many members must approve."""
    return quorum(len(state.validators()))


def members(state: LedgerState) -> set[bytes]:
    """Return the accounts that may govern."""
    return {member.account for member in state.validators()}


def check(place: Place, state: LedgerState, sender: bytes, body: Govern) -> bytes:
    """Check all but a proposal's content and return the proposal's id.

    :raises Rejection: NOT_VALIDATOR, PROPOSAL_UNKNOWN, PROPOSAL_APPROVED, PROPOSAL_KNOWN, PROPOSALS_FULL.
    """
    if sender not in members(state):
        raise Rejection("NOT_VALIDATOR", f"{to_bech32m(sender)} is no member of the validator set")
    if body.action == APPROVE:
        open_one = state.proposal(body.payload)
        if open_one is None:
            raise Rejection("PROPOSAL_UNKNOWN", f"proposal {body.payload.hex()} is not open")
        if sender in open_one.approvals:
            raise Rejection("PROPOSAL_APPROVED", f"{to_bech32m(sender)} approved {body.payload.hex()} before")
        return body.payload
    ident = proposal_id(body.payload, place.rules.genesis_hash)
    if state.proposal(ident) is not None:
        raise Rejection("PROPOSAL_KNOWN", f"proposal {ident.hex()} is open")
    if sum(each.sender == sender for _, each in state.proposals()) >= PROPOSALS_PER_MEMBER_MAX:
        raise Rejection("PROPOSALS_FULL", f"{to_bech32m(sender)} has {PROPOSALS_PER_MEMBER_MAX} open proposals")
    return ident


def assess(place: Place, state: LedgerState, body: Govern) -> tuple[int, str, bytes]:
    """Judge a proposal's content, the dear part, and return its (type, subject, effect).

    :raises Rejection: PROPOSAL_TYPE, BAD_SHAPE; MODEL_CALIBRATED or what `check_reports` says; what `seats.judge` says.
    :raises CodecError: a report is not canonical.
    """
    number, content = decode_proposal(body.payload)
    judge = _CHECKS.get(number)
    if judge is None:
        raise Rejection("PROPOSAL_TYPE", f"a proposal of type {number}", f"one of {', '.join(map(str, _CHECKS))}")
    return (number, *judge(place, state, content))


def apply(state: LedgerState, slip: Slip, body: Govern) -> Events:
    """Apply a proposal or an approval; raises as `check` and `assess`, having changed nothing."""
    place = slip.place
    ident = check(place, state, slip.sender, body)
    sender = to_bech32m(slip.sender)
    if body.action != APPROVE:
        number, subject, effect = assess(place, state, body)
        made = Proposal(number, subject, effect, (slip.sender,), slip.sender, place.height, place.epoch)
        state.put_proposal(ident, made)
        slip.journal.event("proposed", id=ident.hex(), type=number, subject=subject, sender=sender)
        return ((EventNumber.PROPOSED, ident, number),)
    before = state.proposal(ident)
    assert before is not None, "check found it"
    # Former members fall away, so that no list outgrows the set.
    approvals = tuple(sorted({*before.approvals, slip.sender} & members(state)))
    state.put_proposal(ident, replace(before, approvals=approvals))
    slip.journal.event("approved", id=ident.hex(), sender=sender, approvals=len(approvals))
    return ((EventNumber.APPROVED, ident, len(approvals)),)


def _take_effect(state: LedgerState, place: Place, adopted: Proposal) -> bool:
    """Write what a proposal was about; return False where it no longer changes anything."""
    if adopted.type == SEAT:
        return seats.adopt(state, adopted.effect)
    if state.calibrated(adopted.subject) is not None:  # by another proposal, and machines were paid by that
        return False
    state.put_calibrated(adopted.subject, Calibrated(place.height, adopted.effect))
    return True


def adopt(state: LedgerState, place: Place, journal: Journal) -> None:
    """Let what a quorum approved take effect, and forget what waited too long; once an epoch, by rising id."""
    for ident, open_one in state.proposals():
        if len(members(state).intersection(open_one.approvals)) >= needed(state):
            told = "proposal_adopted" if _take_effect(state, place, open_one) else "proposal_moot"
        elif place.epoch > open_one.epoch + PROPOSAL_EPOCHS:
            told = "proposal_expired"
        else:
            continue
        state.put_proposal(ident, None)
        journal.event(told, id=ident.hex(), type=open_one.type, subject=open_one.subject)
