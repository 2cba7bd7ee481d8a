"""Transfers: move coins from one account to another."""

from __future__ import annotations

from metanode.core.model.accounts import to_bech32m
from metanode.core.model.amounts import format_amount
from metanode.core.model.bodies import Transfer
from metanode.core.model.errors import Rejection
from metanode.core.model.receipt import OK, EventNumber
from metanode.plugins.ledger.attested.entries import Account
from metanode.plugins.ledger.attested.rules import Events, Slip
from metanode.plugins.ledger.attested.state import LedgerState


def check(state: LedgerState, sender: bytes, body: Transfer) -> None:
    """Check a transfer whose fee is already taken.

    :raises Rejection: SELF_TRANSFER, INSUFFICIENT_FUNDS.
    """
    if body.to == sender:
        raise Rejection("SELF_TRANSFER", f"{to_bech32m(sender)} sends to itself")
    balance = state.account(sender).balance
    if balance < body.amount:
        raise Rejection(
            "INSUFFICIENT_FUNDS",
            f"{to_bech32m(sender)} has {format_amount(balance)} coins after the fee",
            f"at least {format_amount(body.amount)} coins after the fee",
        )


def apply(state: LedgerState, slip: Slip, body: Transfer) -> Events:
    """Apply a transfer; raises as `check`, having changed nothing."""
    check(state, slip.sender, body)
    before = state.account(slip.sender)
    state.put_account(slip.sender, Account(before.balance - body.amount, before.nonce, before.public_key))
    state.credit(body.to, body.amount)
    record(slip, body, OK)
    slip.journal.event(
        "transfer_applied",
        id=slip.id.hex(),
        sender=to_bech32m(slip.sender),
        receiver=to_bech32m(body.to),
        amount=body.amount,
        fee=slip.fee,
    )
    return ((EventNumber.TRANSFERRED, slip.sender, body.to, body.amount),)


def record(slip: Slip, body: Transfer, code: int) -> None:
    """Add the view's row of a transfer, failed ones included."""
    slip.journal.row(
        "transfers",
        slip.id.hex(),
        slip.position,
        slip.place.height,
        "transfer",
        to_bech32m(slip.sender),
        to_bech32m(body.to),
        body.amount,
        slip.fee,
        code,
    )
