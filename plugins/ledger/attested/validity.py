"""What must hold for an envelope to stand at its place at all, whatever its body does.

Breaking one of these makes a block invalid, or keeps the envelope out of the pool.
Source: docs/wire_format.md, "Validity and failure".
"""

from __future__ import annotations

from metanode.core.model.accounts import to_bech32m
from metanode.core.model.amounts import format_amount
from metanode.core.model.envelope import Envelope, check_envelope
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import NONCE_AHEAD_MAX
from metanode.plugins.ledger.attested.entries import Account
from metanode.plugins.ledger.attested.rules import Place, Rules


def check_alone(rules: Rules, envelope: Envelope) -> object:
    """Check what needs no state and return the decoded body.

    :raises Rejection: see `check_envelope`; FEE_TOO_LOW.
    :raises CodecError: the body is not canonical.
    """
    body = check_envelope(envelope, chain_id=rules.genesis.chain_id, registry=rules.kinds)
    if not rules.kinds.get(envelope.kind).nonceless and envelope.fee < rules.params.min_fee:
        raise Rejection(
            "FEE_TOO_LOW", f"a fee of {envelope.fee} micro-units", f"at least {rules.params.min_fee} micro-units"
        )
    return body


def check_height(place: Place, envelope: Envelope) -> None:
    """Check that the block's height is one the envelope is valid for.

    :raises Rejection: EXPIRED, VALID_TOO_LONG.
    """
    if envelope.valid_until < place.height:
        raise Rejection("EXPIRED", f"valid until height {envelope.valid_until}, the next block is {place.height}")
    last = place.height + place.rules.params.max_valid
    if envelope.valid_until > last:
        raise Rejection("VALID_TOO_LONG", f"valid until height {envelope.valid_until}", f"at most {last}")


def check_nonce(account: Account, envelope: Envelope, *, ahead_max: int = 0) -> None:
    """Check the nonce against the account's next one.

    :param ahead_max: how far above it may lie: 0 in a block, NONCE_AHEAD_MAX in the pool.
    :raises Rejection: REPLAYED below it, BAD_NONCE too far above it.
    """
    expected = f"nonce {account.nonce}"
    if envelope.nonce < account.nonce:
        raise Rejection("REPLAYED", f"nonce {envelope.nonce} of {to_bech32m(envelope.sender)} is used up", expected)
    if envelope.nonce > account.nonce + ahead_max:
        if ahead_max:
            expected = f"{expected}, or up to {ahead_max} more"
        raise Rejection("BAD_NONCE", f"nonce {envelope.nonce} of {to_bech32m(envelope.sender)}", expected)


def is_waiting(account: Account, envelope: Envelope) -> bool:
    """Return whether the envelope is only early: an earlier nonce of its account has yet to come."""
    return account.nonce < envelope.nonce <= account.nonce + NONCE_AHEAD_MAX


def key_of(account: Account, envelope: Envelope) -> bytes:
    """Return the key that must have signed the envelope.

    :raises Rejection: PUBKEY_UNEXPECTED, PUBKEY_MISSING.
    """
    if account.public_key:
        if envelope.public_key:
            raise Rejection("PUBKEY_UNEXPECTED", f"{to_bech32m(envelope.sender)} already has its key on chain")
        return account.public_key
    if not envelope.public_key:
        raise Rejection("PUBKEY_MISSING", f"{to_bech32m(envelope.sender)} has no key on chain yet")
    return envelope.public_key


def check_fee_payable(account: Account, envelope: Envelope, amount: int = 0) -> None:
    """Check that the account can pay the fee, and `amount` with it.

    :raises Rejection: INSUFFICIENT_FUNDS.
    """
    needed = envelope.fee + amount
    if account.balance < needed:
        raise Rejection(
            "INSUFFICIENT_FUNDS",
            f"{to_bech32m(envelope.sender)} has {format_amount(account.balance)} coins",
            f"at least {needed} micro-units: amount {amount} plus fee {envelope.fee}",
        )
