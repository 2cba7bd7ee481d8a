"""The block loop: settlement, then every envelope at its position, then roots' material, views and the supply.

An envelope that may not stand makes the block invalid (`validity` and the caps below); one
that may but whose body fails leaves a receipt with its code, fee and nonce spent and nothing
else changed, because every `apply` checks before it writes.  A nonceless kind must succeed.
Source: protocol.md section 2, "Validity and failure".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metanode.core.model import kinds
from metanode.core.model.bodies import Attest, Govern, MachineCommit, MachineReveal, MachineUnbind, Transfer
from metanode.core.model.envelope import Envelope
from metanode.core.model.errors import CodecError, InvalidBlock, Rejection
from metanode.core.model.limits import EVIDENCE_PER_BLOCK_MAX
from metanode.core.model.receipt import OK, Receipt
from metanode.core.model.stake_bodies import Bond, Evidence, Unbond
from metanode.core.roles import BlockFields, Dropped, Execution, Head
from metanode.plugins.ledger.attested import (
    attest,
    evidence,
    govern,
    machines,
    settlement,
    stake,
    transfer,
    unbind,
    validity,
    views,
)
from metanode.plugins.ledger.attested.entries import Account, Rotation
from metanode.plugins.ledger.attested.rules import Events, Journal, Place, Rules, Slip, place_of
from metanode.plugins.ledger.attested.state import LedgerState
from metanode.plugins.ledger.attested.supply import check_supply
from metanode.plugins.ledger.attested.tables import Global
from metanode.plugins.ledger.attested.verdicts import Verdicts

_Signed = dict[tuple[bytes, bytes], bool]
"""Verdicts of a block's signatures, by envelope id and public key."""


class NotYet(Rejection):
    """An envelope that may not stand here but may in a later block: it stays in the pool."""


@dataclass
class _Space:
    """What the block's caps still allow."""

    bytes_left: int
    envelopes_left: int
    attests_left: int
    evidence_left: int = EVIDENCE_PER_BLOCK_MAX

    def check(self, envelope: Envelope) -> None:
        """Check the caps; raises NotYet KIND_CAP."""
        if len(envelope.raw) > self.bytes_left or self.envelopes_left == 0:
            raise NotYet("KIND_CAP", "the block is full")
        if envelope.kind == kinds.ATTEST and self.attests_left == 0:
            raise NotYet("KIND_CAP", "the block holds as many attestations as it may")
        if envelope.kind == kinds.EVIDENCE and self.evidence_left == 0:
            raise NotYet("KIND_CAP", "the block holds as much evidence as it may")

    def take(self, envelope: Envelope) -> None:
        """Count an envelope that stands."""
        self.bytes_left -= len(envelope.raw)
        self.envelopes_left -= 1
        self.attests_left -= envelope.kind == kinds.ATTEST
        self.evidence_left -= envelope.kind == kinds.EVIDENCE


def execute(
    rules: Rules,
    verdicts: Verdicts,
    parent: Head,
    fields: BlockFields,
    envelopes: Sequence[Envelope],
    *,
    assemble: bool,
) -> Execution:
    """Apply a block on top of its parent; see `roles.Ledger.execute`.

    With `assemble`, an envelope that is only early (its nonce waits for an earlier one, or the
    block is full) is left out without being reported as dropped: it may stand in a later block.

    :raises InvalidBlock: with the code of the first rule that the block breaks.
    """
    if fields.height != parent.height + 1 or fields.time_ms <= parent.time_ms:
        raise InvalidBlock(
            "BAD_HEADER",
            f"block {fields.height} at {fields.time_ms} ms on parent {parent.height} at {parent.time_ms} ms",
            "the next height and a later time",
        )
    place = place_of(rules, parent, fields)
    state = LedgerState(parent.state)
    journal = Journal(fields.height)
    elapsed = rules.schedule.epoch(parent.time_ms) if parent.height else None
    settlement.settle(state, place, journal, elapsed)
    if elapsed is None or elapsed < place.epoch:
        state.put_rotation(Rotation(place.epoch, parent.beta))
        evidence.begin_epoch(state, place)

    params = rules.params
    space = _Space(params.block_bytes_max, params.block_envelopes_max, params.attests_per_block_max)
    signed = _verify_signatures(verdicts, state, envelopes)
    included: list[Envelope] = []
    dropped: list[Dropped] = []
    receipts: list[Receipt] = []
    for position, envelope in enumerate(envelopes):
        try:
            space.check(envelope)
            receipt = _run(state, verdicts, signed, place, journal, envelope, len(included))
        except NotYet as error:
            if not assemble:
                raise _invalid(position, envelope, error) from error
        except (Rejection, CodecError) as error:
            if not assemble:
                raise _invalid(position, envelope, error) from error
            dropped.append(Dropped(envelope, error))
        else:
            space.take(envelope)
            included.append(envelope)
            receipts.append(receipt)

    changes = state.changes()
    after = parent.state.update(dict(changes))
    check_supply(parent.state, after, changes)
    rows = [*journal.rows, *views.rows_of_changes(rules, state, changes, parent.height, fields.height)]
    return Execution(
        state=after,
        changes=changes,
        included=included,
        dropped=dropped,
        receipts=receipts,
        rows=rows,
        events=journal.events,
        validator_set=state.next_set(),
        params_hash=rules.genesis.params_hash,
    )


def _invalid(position: int, envelope: Envelope, error: Rejection | CodecError) -> InvalidBlock:
    return InvalidBlock(error.code, f"envelope {position} ({envelope.id.hex()}): {error.message}", error.expected)


def _verify_signatures(verdicts: Verdicts, state: LedgerState, envelopes: Sequence[Envelope]) -> _Signed:
    """Verify the whole block in one batch, with the key that each account has or shows first in this block."""
    shown: dict[bytes, bytes] = {}
    pairs: list[tuple[Envelope, bytes]] = []
    for envelope in envelopes:
        if envelope.public_key:
            shown.setdefault(envelope.sender, envelope.public_key)
        key = state.account(envelope.sender).public_key or shown.get(envelope.sender)
        if key:
            pairs.append((envelope, key))
    valid = verdicts.verify(pairs)
    return {(envelope.id, key): verdict for (envelope, key), verdict in zip(pairs, valid, strict=True)}


def _run(
    state: LedgerState,
    verdicts: Verdicts,
    signed: _Signed,
    place: Place,
    journal: Journal,
    envelope: Envelope,
    position: int,
) -> Receipt:
    """Apply one envelope and return its receipt.

    Only what the envelope itself caused is caught: a fault of this node (a broken file, a full disk) must end
    it, since a receipt of that would be in no other node's block.

    :raises Rejection: it may not stand here; nothing has changed.
    :raises CodecError: likewise.
    """
    body = validity.check_alone(place.rules, envelope)
    validity.check_height(place, envelope)
    account = state.account(envelope.sender)
    slip = Slip(envelope.id, envelope.sender, envelope.fee, position, place, journal)
    if isinstance(body, Attest):
        attest.machine_of(state, envelope.sender)
        _check_signature(verdicts, signed, envelope, validity.key_of(account, envelope))
        return Receipt(envelope.id, OK, 0, attest.apply(state, verdicts, slip, body))
    if isinstance(body, Evidence):
        _check_signature(verdicts, signed, envelope, validity.key_of(account, envelope))
        return Receipt(envelope.id, OK, 0, evidence.apply(state, slip, body))

    if validity.is_waiting(account, envelope):
        raise NotYet("BAD_NONCE", f"nonce {envelope.nonce} waits for an earlier one", f"nonce {account.nonce}")
    validity.check_nonce(account, envelope)
    key = validity.key_of(account, envelope)
    validity.check_fee_payable(account, envelope)
    if isinstance(body, MachineCommit):
        # Above the cap it is dropped, not kept waiting: a commit that waits for the next epoch would
        # hold up every later nonce of its sponsor.
        machines.check_cap(place, state, envelope.sender)
    _check_signature(verdicts, signed, envelope, key)

    state.put_account(envelope.sender, Account(account.balance - envelope.fee, account.nonce + 1, key))
    state.put_number(Global.FEES, state.number(Global.FEES) + envelope.fee)
    try:
        events = _apply(state, verdicts, slip, body)
    except (Rejection, CodecError) as error:
        if isinstance(body, Transfer):
            transfer.record(slip, body, error.number)
        return Receipt(envelope.id, error.number, envelope.fee)
    return Receipt(envelope.id, OK, envelope.fee, events)


def _check_signature(verdicts: Verdicts, signed: _Signed, envelope: Envelope, key: bytes) -> None:
    verdict = signed.get((envelope.id, key))
    if verdict is None:  # the key became its account's within this block
        (verdict,) = verdicts.verify([(envelope, key)])
    if not verdict:
        raise Rejection("INVALID_SIGNATURE", "the signature does not verify under the account's key")


def _apply(state: LedgerState, verdicts: Verdicts, slip: Slip, body: object) -> Events:
    match body:
        case Transfer():
            return transfer.apply(state, slip, body)
        case MachineCommit():
            return machines.apply_commit(state, slip, body)
        case MachineReveal():
            return machines.apply_reveal(state, verdicts, slip, body)
        case MachineUnbind():
            return unbind.apply(state, slip, body)
        case Bond():
            return stake.apply_bond(state, slip, body)
        case Unbond():
            return stake.apply_unbond(state, slip, body)
        case Govern():
            return govern.apply(state, slip, body)
        case _:
            raise AssertionError(f"no rules for a body of type {type(body).__name__}")
