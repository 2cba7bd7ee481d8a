"""Settlement: the first block of a later epoch fixes what the elapsed one pays; credits follow by machine index.

The pot is minted whole at that block.  Weights come from state alone: the record's
multiplier, decayed to the epoch's start, times the intervals that counted.  A machine
displaced while credits are being paged out gets nothing and its share joins the next pot, so
payments never exceed the pot.  Source: protocol.md section 5; what is still owed when the
next settlement begins is paid then, see docs/decisions/0008-settlement-overlap.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.amounts import AMOUNT_MAX, mul_div
from metanode.core.model.receipt import OK
from metanode.core.model.state_tables import Table
from metanode.fingerprint.scoring import decayed, epoch_weight
from metanode.plugins.ledger.attested import escrow, govern, seats
from metanode.plugins.ledger.attested.entries import Counters, Machine, Seal, Settlement
from metanode.plugins.ledger.attested.rules import Journal, Place, Rules
from metanode.plugins.ledger.attested.state import LedgerState
from metanode.plugins.ledger.attested.tables import Global


def settle(state: LedgerState, place: Place, journal: Journal, elapsed: int | None) -> None:
    """Do a block's part of settlement, before its envelopes.

    :param elapsed: the epoch of the parent; None when the parent is genesis, whose epoch
        holds no block yet and so mints nothing.
    """
    if elapsed is not None and elapsed < place.epoch:
        running = state.settlement()
        if running is not None:
            _credit(state, place, journal, running, running.end_index)
        govern.adopt(state, place, journal)
        seats.settle(state, place, journal)
        _begin(state, place, journal, elapsed)
        _drop_stale_seals(state, place)
    running = state.settlement()
    if running is not None:
        last = min(running.end_index, running.next_index + place.rules.params.settle_per_block)
        _credit(state, place, journal, running, last)


class Worth(NamedTuple):
    """What one interval of a machine weighs in an epoch."""

    weight: int
    """Its share of the pot."""
    payable: int
    """What of it is paid at once; the rest is escrowed."""


def worth(rules: Rules, machine: Machine, days: int, flags: int = 0) -> Worth:
    """Return what one interval weighs: the multiplier decays, attestations may lower it, policy takes its share."""
    if machine.displaced:
        return Worth(0, 0)
    base = decayed(machine.base_multiplier, days)
    weight = _policed(rules, machine, base, flags)
    if machine.payable >= machine.weight:
        return Worth(weight, weight)
    return Worth(weight, _policed(rules, machine, min(base, rules.policy.uncalibrated_cap), flags))


def lifted(state: LedgerState, machine: Machine) -> Machine:
    """Return the record as it is paid now: in full once its model is calibrated."""
    if machine.payable >= machine.weight or machine.displaced or state.calibrated(machine.model) is None:
        return machine
    return replace(machine, payable=machine.weight)


def _policed(rules: Rules, machine: Machine, base: int, flags: int) -> int:
    return epoch_weight(base, flags, klass=machine.klass, policy=rules.policy, table=rules.table)


def counted(counters: Counters, epoch: int) -> tuple[int, int]:
    """Return how many intervals count for an epoch being settled, and what their attestations showed.

    Counters that have moved on keep that epoch's bits in `prev_bits` (see `attest.rolled`).
    """
    if counters.epoch < epoch:
        return 0, 0
    if counters.epoch == epoch:
        return counters.bits.bit_count(), counters.flags
    return counters.prev_bits.bit_count(), counters.prev_flags


def _begin(state: LedgerState, place: Place, journal: Journal, epoch: int) -> None:
    supply = state.number(Global.SUPPLY)
    minted = min(place.rules.params.pot_per_epoch, AMOUNT_MAX - supply)
    pot = minted + state.number(Global.CARRIED) + state.number(Global.FEES) + escrow.run_out(state, epoch)
    days = place.rules.schedule.days(epoch)
    total = machines = 0
    # Nothing of this block has touched counters yet, so the parent's are all there is.
    for key, value in state.base.items_with_prefix(bytes((Table.COUNTERS,))):
        intervals, flags = counted(Counters.decode(value), epoch)
        if intervals:
            machine = state.machine(int.from_bytes(key[1:], "big"))
            weight = worth(place.rules, machine, days, flags).weight * intervals
            total += weight
            machines += weight > 0
    state.put_number(Global.SUPPLY, supply + minted)
    state.put_number(Global.FEES, 0)
    count = state.number(Global.MACHINES)
    begun = Settlement(epoch, pot, 0, total, 0, count)
    if total:
        state.put_number(Global.CARRIED, 0)
        state.put_settlement(begun)
    else:
        state.put_number(Global.CARRIED, pot)
        _row(journal, begun, place.height)
    journal.event("epoch_settled", epoch=epoch, pot=pot, machines=machines, total_weight=total)


def _credit(state: LedgerState, place: Place, journal: Journal, running: Settlement, last: int) -> None:
    """Credit the machines from `next_index` up to, not including, `last`; end the settlement after the last one."""
    days = place.rules.schedule.days(running.epoch)
    paid = running.paid
    for index in range(running.next_index, last):
        if state.has_counters(index):
            paid += _credit_machine(state, place, journal, running, index, days)
    done = replace(running, paid=paid, next_index=last)
    if last < running.end_index:
        state.put_settlement(done)
    else:
        state.put_settlement(None)
        state.put_number(Global.CARRIED, state.number(Global.CARRIED) + done.pot - done.paid)
    _row(journal, done, place.height)


def _credit_machine(
    state: LedgerState, place: Place, journal: Journal, running: Settlement, index: int, days: int
) -> int:
    """Pay and escrow what a machine earned, after what its escrow holds if its model is calibrated by now.

    :returns: what left the pot.
    """
    epoch, before, released = running.epoch, state.machine(index), 0
    machine = lifted(state, before)
    if machine is not before:
        state.put_machine(index, machine)
        released = escrow.release(state, index)
    intervals, flags = counted(state.counters(index), epoch)
    one = worth(place.rules, machine, days, flags)
    reward = mul_div(running.pot, one.weight * intervals, running.total_weight)
    at_once = mul_div(reward, one.payable, one.weight) if reward else 0
    if reward > at_once:
        escrow.hold(state, index, epoch, reward - at_once)
    if released + at_once:
        state.credit(machine.payee(epoch), released + at_once)
        state.put_machine(index, replace(machine, reward_total=machine.reward_total + released + at_once))
    _record(journal, place, epoch, index, machine, {"escrow": released, "reward": at_once}, reward - at_once)
    return reward


def _record(
    journal: Journal, place: Place, epoch: int, index: int, machine: Machine, paid: dict[str, int], held: int
) -> None:
    """Tell what a machine was credited with: its escrow, its reward, and what of that was escrowed anew."""
    account, owner = to_bech32m(account_id(machine.machine_key)), to_bech32m(machine.payee(epoch))
    for (kind, amount), ident in zip(paid.items(), (f"escrow:{epoch}:{index}", f"epoch:{epoch}:{index}"), strict=True):
        if amount:
            journal.row("transfers", ident, 0, place.height, kind, account, owner, amount, 0, OK)
    facts: dict[str, int | str] = {"epoch": epoch, "machine": account, "machine_index": index, "owner": owner}
    if paid["escrow"]:
        journal.event("escrow_paid", **facts, amount=paid["escrow"])
    if paid["reward"] or held:
        journal.event("reward_paid", **facts, amount=paid["reward"], escrowed=held)


def _row(journal: Journal, running: Settlement, height: int) -> None:
    journal.row("epochs", running.epoch, height, running.pot, running.paid, running.end_index, running.total_weight)


def _drop_stale_seals(state: LedgerState, place: Place) -> None:
    """Forget commits that no reveal may open any more, so that they cannot pile up."""
    window = place.rules.params.reveal_window_blocks
    for key, value in state.base.items_with_prefix(bytes((Table.SEAL,))):
        if place.height - Seal.decode(value).height > window:
            state.put_seal(key[1:], None)
