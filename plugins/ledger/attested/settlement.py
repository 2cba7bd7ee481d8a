"""Settlement: the first block of a later epoch fixes what the elapsed one pays; credits follow by machine index.

The pot is minted whole at that block.  Weights come from state alone: the record's
multiplier, decayed to the epoch's start, times the intervals that counted.  A machine
displaced while credits are being paged out gets nothing and its share joins the next pot, so
payments never exceed the pot.  Source: protocol.md section 5; what is still owed when the
next settlement begins is paid then, see docs/decisions/0008-settlement-overlap.md.
"""

from __future__ import annotations

from dataclasses import replace

from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.amounts import AMOUNT_MAX, mul_div
from metanode.core.model.receipt import OK
from metanode.core.model.state_tables import Table
from metanode.fingerprint.scoring import decayed
from metanode.plugins.ledger.attested.entries import Counters, Machine, Seal, Settlement
from metanode.plugins.ledger.attested.rules import Journal, Place
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
        _begin(state, place, journal, elapsed)
        _drop_stale_seals(state, place)
    running = state.settlement()
    if running is not None:
        last = min(running.end_index, running.next_index + place.rules.params.settle_per_block)
        _credit(state, place, journal, running, last)


def weight_now(machine: Machine, days: int) -> int:
    """Return what one interval of a machine weighs: the multiplier decays, then policy takes its share."""
    if machine.displaced or machine.base_multiplier == 0:
        return 0
    return mul_div(decayed(machine.base_multiplier, days), machine.weight, machine.base_multiplier)


def counted_intervals(counters: Counters, epoch: int) -> int:
    """Return how many intervals count for an epoch being settled.

    Counters that have moved on keep that epoch's bits in `prev_bits` (see `attest.rolled`).
    """
    if counters.epoch < epoch:
        return 0
    bits = counters.bits if counters.epoch == epoch else counters.prev_bits
    return bits.bit_count()


def _begin(state: LedgerState, place: Place, journal: Journal, epoch: int) -> None:
    supply = state.number(Global.SUPPLY)
    minted = min(place.rules.params.pot_per_epoch, AMOUNT_MAX - supply)
    pot = minted + state.number(Global.CARRIED) + state.number(Global.FEES)
    days = place.rules.schedule.days(epoch)
    total = machines = 0
    # Nothing of this block has touched counters yet, so the parent's are all there is.
    for key, value in state.base.items_with_prefix(bytes((Table.COUNTERS,))):
        intervals = counted_intervals(Counters.decode(value), epoch)
        if intervals:
            weight = weight_now(state.machine(int.from_bytes(key[1:], "big")), days) * intervals
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
        if not state.has_counters(index):
            continue
        machine = state.machine(index)
        weight = weight_now(machine, days) * counted_intervals(state.counters(index), running.epoch)
        reward = mul_div(running.pot, weight, running.total_weight)
        if not reward:
            continue
        paid += reward
        state.credit(machine.owner, reward)
        state.put_machine(index, replace(machine, reward_total=machine.reward_total + reward))
        _record_reward(journal, place, running.epoch, index, machine, reward)
    done = replace(running, paid=paid, next_index=last)
    if last < running.end_index:
        state.put_settlement(done)
    else:
        state.put_settlement(None)
        state.put_number(Global.CARRIED, state.number(Global.CARRIED) + done.pot - done.paid)
    _row(journal, done, place.height)


def _record_reward(journal: Journal, place: Place, epoch: int, index: int, machine: Machine, reward: int) -> None:
    account, owner = to_bech32m(account_id(machine.machine_key)), to_bech32m(machine.owner)
    journal.row("transfers", f"epoch:{epoch}:{index}", 0, place.height, "reward", account, owner, reward, 0, OK)
    journal.event(
        "reward_paid", epoch=epoch, machine=account, machine_index=index, owner=owner, amount=reward
    )


def _row(journal: Journal, running: Settlement, height: int) -> None:
    journal.row("epochs", running.epoch, height, running.pot, running.paid, running.end_index, running.total_weight)


def _drop_stale_seals(state: LedgerState, place: Place) -> None:
    """Forget commits that no reveal may open any more, so that they cannot pile up."""
    window = place.rules.params.reveal_window_blocks
    for key, value in state.base.items_with_prefix(bytes((Table.SEAL,))):
        if place.height - Seal.decode(value).height > window:
            state.put_seal(key[1:], None)
