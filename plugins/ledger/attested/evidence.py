"""Evidence: two signed votes of one validator that exclude each other cost it a part of its bond and its seat.

Anyone may bring it, free of charge.  The bond is cut at once, the seat goes with the next settlement, and as long as
the validator is in jail nothing more is taken: one fault often leaves many such pairs.
Source: protocol.md section 4, "Stake"; docs/decisions/0014-stake-and-set-changes.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from metanode.core.model.accounts import to_bech32m
from metanode.core.model.amounts import mul_div
from metanode.core.model.errors import Rejection
from metanode.core.model.receipt import OK, EventNumber
from metanode.core.model.stake_bodies import Evidence
from metanode.plugins.ledger.attested.entries import Buckets, Punished, Stake
from metanode.plugins.ledger.attested.rules import Events, Place, Slip
from metanode.plugins.ledger.attested.state import LedgerState
from metanode.plugins.ledger.attested.tables import Global

TREASURY_NAME = "treasury"
"""Stands for the receiver in the view of transfers."""


class Accused(NamedTuple):
    """Whom evidence is about."""

    account: bytes
    stake: Stake


def check(place: Place, state: LedgerState, body: Evidence) -> Accused:
    """Check all but the signatures.

    :raises Rejection: STAKE_UNKNOWN, VALIDATOR_JAILED, EVIDENCE_LATE, REPLAYED.
    """
    account = state.stake_holder(body.key)
    stake = None if account is None else state.stake(account)
    if account is None or stake is None or stake.consensus_key != body.key:
        raise Rejection("STAKE_UNKNOWN", f"no bond stands for consensus key {body.key.hex()}")
    if stake.jailed:
        raise Rejection("VALIDATOR_JAILED", f"{to_bech32m(account)} is in jail")
    oldest, height = first_height(state), body.first.height
    if not oldest <= height <= place.height:
        raise Rejection("EVIDENCE_LATE", f"votes of height {height}", f"a height from {oldest} to {place.height}")
    if state.punished(body.id) is not None:
        raise Rejection("REPLAYED", f"{to_bech32m(account)} was punished for a double vote of this kind at {height}")
    return Accused(account, stake)


def check_signatures(place: Place, body: Evidence) -> None:
    """Check that both votes are the key's; raises Rejection INVALID_SIGNATURE."""
    if not body.is_signed(place.rules.genesis_hash):
        raise Rejection("INVALID_SIGNATURE", f"key {body.key.hex()} did not sign both votes")


def apply(state: LedgerState, slip: Slip, body: Evidence) -> Events:
    """Apply evidence; raises as `check` and `check_signatures`, having changed nothing."""
    account, stake = check(slip.place, state, body)
    check_signatures(slip.place, body)
    height = body.first.height
    loss = mul_div(stake.bond, slip.place.rules.params.slash_permille, 1000)
    state.put_stake(account, replace(stake, bond=stake.bond - loss, jailed=1))
    state.put_number(Global.TREASURY, state.number(Global.TREASURY) + loss)
    state.put_punished(body.id, Punished(account, height, slip.place.height))
    name = to_bech32m(account)
    slip.journal.row(
        "transfers", slip.id.hex(), slip.position, slip.place.height, "slash", name, TREASURY_NAME, loss, 0, OK
    )
    slip.journal.event("slashed", id=slip.id.hex(), account=name, amount=loss, vote_height=height)
    return ((EventNumber.SLASHED, account, loss, height),)


def first_height(state: LedgerState) -> int:
    """Return the lowest height that evidence counts for."""
    return next((height for _, height in state.epoch_starts().amounts), 1)


def begin_epoch(state: LedgerState, place: Place) -> None:
    """Remember the height at which an epoch begins, and forget what evidence no longer reaches; in its first block."""
    oldest = place.epoch - place.rules.params.evidence_epochs
    kept = [pair for pair in state.epoch_starts().amounts if pair[0] >= oldest]
    state.put_epoch_starts(Buckets((*kept, (place.epoch, place.height))))
    first = first_height(state)
    for ident, mark in state.all_punished():
        if mark.vote_height < first:
            state.put_punished(ident, None)
