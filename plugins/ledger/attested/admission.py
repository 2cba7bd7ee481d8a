"""Checks at the door: would this envelope stand in the next block, on its own?

Cheapest first: shape, height, nonce, funds and replay keys read the head's state; then one batch
of signatures; keyed probes and scores last.  Runs in a worker thread beside the block loop and
shares nothing with it but `Verdicts`.
"""

from __future__ import annotations

from collections.abc import Sequence

from metanode.core.model.accounts import to_bech32m
from metanode.core.model.bodies import PROPOSE, Attest, Govern, MachineCommit, MachineReveal, MachineUnbind, Transfer
from metanode.core.model.envelope import Envelope
from metanode.core.model.errors import CodecError, MetanodeError, Rejection
from metanode.core.model.limits import NONCE_AHEAD_MAX
from metanode.core.model.stake_bodies import Bond, Evidence, Unbond
from metanode.core.roles import Head
from metanode.plugins.ledger.attested import attest, evidence, govern, machines, stake, transfer, unbind, validity
from metanode.plugins.ledger.attested.rules import Place, Rules, next_place
from metanode.plugins.ledger.attested.state import LedgerState
from metanode.plugins.ledger.attested.verdicts import Verdicts


def check(rules: Rules, verdicts: Verdicts, head: Head, envelopes: Sequence[Envelope]) -> list[MetanodeError | None]:
    """Check envelopes for admission, each alone; see `roles.Ledger.check`."""
    state = LedgerState(head.state)
    place = next_place(rules, head)
    errors: list[MetanodeError | None] = [None] * len(envelopes)
    shown: dict[bytes, bytes] = {}
    keyed: list[tuple[int, object, bytes]] = []
    for index, envelope in enumerate(envelopes):
        try:
            body = _check_cheaply(place, state, envelope)
            keyed.append((index, body, _key(state, verdicts, shown, envelope)))
        except (Rejection, CodecError) as error:
            errors[index] = error
    valid = verdicts.verify([(envelopes[index], key) for index, _, key in keyed])
    for (index, body, _), signed in zip(keyed, valid, strict=True):
        try:
            if not signed:
                raise Rejection("INVALID_SIGNATURE", "the signature does not verify under the account's key")
            _check_dearly(place, state, verdicts, envelopes[index], body)
        except (Rejection, CodecError) as error:
            errors[index] = error
    return errors


def _check_cheaply(place: Place, state: LedgerState, envelope: Envelope) -> object:
    body = validity.check_alone(place.rules, envelope)
    validity.check_height(place, envelope)
    account = state.account(envelope.sender)
    if isinstance(body, Attest):
        attest.assess(place, state, envelope.sender, body)
        return body
    if isinstance(body, Evidence):
        evidence.check(place, state, body)
        return body
    validity.check_nonce(account, envelope, ahead_max=NONCE_AHEAD_MAX)
    validity.check_fee_payable(account, envelope, body.amount if isinstance(body, (Transfer, Bond)) else 0)
    match body:
        case Transfer():
            transfer.check(state, envelope.sender, body)
        case MachineCommit():
            machines.check_cap(place, state, envelope.sender)
            machines.check_commit(state, body)
        case MachineUnbind():
            unbind.check(place, state, envelope.sender, body)
        case Bond():
            stake.check_bond(place, state, envelope.sender, body)
        case Unbond():
            stake.check_unbond(state, envelope.sender, body)
        case Govern():
            govern.check(place, state, envelope.sender, body)
    return body


def _check_dearly(place: Place, state: LedgerState, verdicts: Verdicts, envelope: Envelope, body: object) -> None:
    match body:
        case Attest():
            attest.check_probes(verdicts, attest.assess(place, state, envelope.sender, body), body)
        case MachineReveal():
            machines.assess(place, state, verdicts, body)
        case Bond():
            stake.check_proofs(place, envelope.sender, body)
        case Evidence():
            evidence.check_signatures(place, body)
        case Govern(action=action) if action == PROPOSE:
            govern.assess(place, state, body)


def _key(state: LedgerState, verdicts: Verdicts, shown: dict[bytes, bytes], envelope: Envelope) -> bytes:
    """Return the key to verify with; later envelopes of a new account may rely on its first one's.

    :raises Rejection: PUBKEY_UNEXPECTED, PUBKEY_MISSING.
    """
    account = state.account(envelope.sender)
    if account.public_key or envelope.public_key:
        if envelope.public_key:
            shown[envelope.sender] = envelope.public_key
        return validity.key_of(account, envelope)
    key = shown.get(envelope.sender) or verdicts.hint(envelope.sender)
    if not key or envelope.nonce == account.nonce:
        raise Rejection("PUBKEY_MISSING", f"{to_bech32m(envelope.sender)} has no key on chain yet")
    return key
