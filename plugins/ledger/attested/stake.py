"""Stake: accounts bond coins as security for the keys they would validate with, and withdraw them.

Who is bonded is a candidate; members admit candidates by vote (`govern`), and each settlement makes the next
validator set of those (`seats`).  A bond is whole: it is added to, never split, and withdrawn at once.
Source: protocol.md section 4, "Stake"; docs/decisions/0014-stake-and-set-changes.md.
"""

from __future__ import annotations

from dataclasses import replace

from metanode.core.model import ecvrf, ed25519
from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.amounts import format_amount
from metanode.core.model.errors import Rejection
from metanode.core.model.receipt import OK, EventNumber
from metanode.core.model.stake_bodies import Bond, Unbond
from metanode.plugins.ledger.attested.entries import Account, Stake
from metanode.plugins.ledger.attested.rules import Events, Place, Slip
from metanode.plugins.ledger.attested.state import LedgerState


def check_bond(place: Place, state: LedgerState, sender: bytes, body: Bond) -> Stake:
    """Check a bond whose fee is already taken, all but its proofs, and return the stake that it makes.

    :raises Rejection: BOND_TOO_LOW, KEY_TAKEN; STAKE_LEAVING, STAKE_KEYS; INSUFFICIENT_FUNDS.
    """
    before = state.stake(sender)
    if before is None:
        _check_first(place, state, sender, body)
        before = Stake(body.consensus_key, body.vrf_key, body.bls_key, body.bls_proof, 0)
    elif before.leaving:
        raise Rejection("STAKE_LEAVING", f"the bond of {to_bech32m(sender)} is being withdrawn")
    elif before.keys != body.keys():
        raise Rejection("STAKE_KEYS", f"{to_bech32m(sender)} has bonded with other keys")
    balance = state.account(sender).balance
    if balance < body.amount:
        raise Rejection(
            "INSUFFICIENT_FUNDS",
            f"{to_bech32m(sender)} has {format_amount(balance)} coins after the fee",
            f"at least {format_amount(body.amount)} coins after the fee",
        )
    return replace(before, bond=before.bond + body.amount)


def _check_first(place: Place, state: LedgerState, sender: bytes, body: Bond) -> None:
    least = place.rules.params.bond_min
    if body.amount < least:
        raise Rejection("BOND_TOO_LOW", f"a bond of {body.amount} micro-units", f"at least {least} micro-units")
    keys = body.keys()
    if len(set(keys)) < len(keys) or sender in map(account_id, (body.consensus_key, body.vrf_key)):
        raise Rejection("KEY_TAKEN", "a key serves twice")
    for key in keys:
        if state.stake_holder(key) is not None:
            raise Rejection("KEY_TAKEN", f"key {key.hex()} serves already")


def check_proofs(place: Place, sender: bytes, body: Bond) -> None:
    """Check that the sender holds the keys; dear.

    :raises Rejection: INVALID_SIGNATURE, BAD_VRF.
    """
    digest = body.digest(sender, place.rules.genesis_hash)
    if not ed25519.verify(body.consensus_key, digest, body.signature):
        raise Rejection("INVALID_SIGNATURE", "the consensus key did not sign this bond")
    if ecvrf.verify(body.vrf_key, digest, body.vrf_proof) is None:
        raise Rejection("BAD_VRF", "the VRF key did not prove this bond")


def apply_bond(state: LedgerState, slip: Slip, body: Bond) -> Events:
    """Apply a bond; raises as `check_bond` and `check_proofs`, having changed nothing."""
    after = check_bond(slip.place, state, slip.sender, body)
    check_proofs(slip.place, slip.sender, body)
    account = state.account(slip.sender)
    state.put_account(slip.sender, Account(account.balance - body.amount, account.nonce, account.public_key))
    for key in after.keys:
        state.put_stake_holder(key, slip.sender)
    state.put_stake(slip.sender, after)
    name = to_bech32m(slip.sender)
    slip.journal.row(
        "transfers", slip.id.hex(), slip.position, slip.place.height, "bond", name, name, body.amount, slip.fee, OK
    )
    slip.journal.event("bonded", id=slip.id.hex(), account=name, amount=body.amount, bond=after.bond)
    return ((EventNumber.BONDED, slip.sender, body.amount, after.bond),)


def check_unbond(state: LedgerState, sender: bytes, body: Unbond) -> Stake:
    """Return the stake that the sender may withdraw.

    :raises Rejection: STAKE_UNKNOWN, STAKE_LEAVING.
    """
    found = state.stake(sender)
    if found is None or found.consensus_key != body.consensus_key:
        raise Rejection("STAKE_UNKNOWN", f"{to_bech32m(sender)} has no bond with key {body.consensus_key.hex()}")
    if found.leaving:
        raise Rejection("STAKE_LEAVING", f"the bond of {to_bech32m(sender)} is being withdrawn")
    return found


def apply_unbond(state: LedgerState, slip: Slip, body: Unbond) -> Events:
    """Apply a withdrawal; raises as `check_unbond`, having changed nothing."""
    found = check_unbond(state, slip.sender, body)
    state.put_stake(slip.sender, replace(found, leaving=1))
    slip.journal.event("unbonding", id=slip.id.hex(), account=to_bech32m(slip.sender), bond=found.bond)
    return ((EventNumber.UNBONDED, slip.sender, found.bond),)
