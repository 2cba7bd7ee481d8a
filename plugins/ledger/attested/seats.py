"""Seats: the settlement block makes the next validator set of the bonded accounts that members admitted.

The block itself is certified by the old set and names the new one, which acts from the next block on.  Between
settlements nothing moves a seat or the bond that counts for it.
Source: protocol.md section 3, "Validator set"; docs/decisions/0014-stake-and-set-changes.md.
"""

from __future__ import annotations

from dataclasses import replace

from metanode.core.model import codec
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.bodies import ADMIT
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import ACCOUNT_BYTES, VALIDATORS_MAX
from metanode.core.model.receipt import OK
from metanode.core.model.validators import Validator, encode_set, set_hash
from metanode.plugins.ledger.attested.entries import PastSet, Stake
from metanode.plugins.ledger.attested.rules import Journal, Place
from metanode.plugins.ledger.attested.state import LedgerState


def judge(place: Place, state: LedgerState, content: list[codec.Value]) -> tuple[str, bytes]:
    """Check the content [account, ADMIT or REMOVE] of a proposal and return (subject, effect).

    :raises Rejection: BAD_SHAPE, STAKE_UNKNOWN, STAKE_LEAVING, NO_CHANGE.
    """
    parts = codec.expect_list(content, "seat", size=2)
    account = codec.expect_bytes(parts[0], "seat.account", size=ACCOUNT_BYTES)
    verdict = codec.expect_uint(parts[1], "seat.verdict", maximum=ADMIT)
    found, name = state.stake(account), to_bech32m(account)
    if found is None:
        raise Rejection("STAKE_UNKNOWN", f"{name} has no bond")
    if found.leaving:
        raise Rejection("STAKE_LEAVING", f"the bond of {name} is being withdrawn")
    if _seated(found, verdict) == found:
        raise Rejection("NO_CHANGE", f"{name} is {'admitted' if verdict == ADMIT else 'not admitted'} already")
    return f"{'admit' if verdict == ADMIT else 'remove'} {name}", account + bytes((verdict,))


def adopt(state: LedgerState, effect: bytes) -> bool:
    """Let an approved proposal take effect; return False where nothing is left to do it to, or all seats are taken."""
    account, verdict = effect[:-1], effect[-1]
    found = state.stake(account)
    if found is None or found.leaving:
        return False
    taken = sum(stake.admitted for _, stake in state.stakes())
    if verdict == ADMIT and not found.admitted and taken >= VALIDATORS_MAX:
        return False
    state.put_stake(account, _seated(found, verdict))
    return True


def _seated(stake: Stake, verdict: int) -> Stake:
    """Admitting also lets out of jail."""
    return replace(stake, admitted=1, jailed=0) if verdict == ADMIT else replace(stake, admitted=0)


def settle(state: LedgerState, place: Place, journal: Journal) -> None:
    """Make the next set, begin the wait of those that left it, and end waits that are over."""
    least = max(1, place.rules.params.bond_min)
    stakes = state.stakes()
    members = [
        Validator(account, stake.consensus_key, stake.vrf_key, stake.bond, stake.bls_key)
        for account, stake in stakes
        if stake.admitted and not stake.jailed and not stake.leaving and stake.bond >= least
    ]
    before = state.next_set()
    if members:  # else the change is dropped whole: a chain without validators is at its end
        after = encode_set(members)
        if after != before:
            state.put_next_set(after)
            state.put_past_set(set_hash(before), PastSet(before, place.height, place.epoch))
            journal.event("validators_changed", members=len(members), set_hash=set_hash(after).hex())
    wait = place.rules.params.unbonding_epochs
    for ident, past in state.past_sets():
        if past.epoch + wait <= place.epoch:
            state.put_past_set(ident, None)
    seated = {member.account for member in members or state.validators()}
    for account, stake in stakes:
        if stake.release:
            if stake.release <= place.epoch:
                _pay_back(state, place, journal, account, stake)
        elif stake.leaving and account not in seated:
            state.put_stake(account, replace(stake, admitted=0, release=place.epoch + wait))


def _pay_back(state: LedgerState, place: Place, journal: Journal, account: bytes, stake: Stake) -> None:
    state.credit(account, stake.bond)
    for key in stake.keys:
        state.put_stake_holder(key, None)
    state.put_stake(account, None)
    name = to_bech32m(account)
    if stake.bond:
        ident = f"unbond:{place.height}:{name}"
        journal.row("transfers", ident, 0, place.height, "unbond", name, name, stake.bond, 0, OK)
    journal.event("bond_released", account=name, amount=stake.bond)
