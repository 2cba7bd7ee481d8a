"""Unbinding and hand-over: the owner takes a machine off the record, or names who is paid from the next epoch on.

What was earned is paid to whoever owned the machine in that epoch.  An unbound machine's tag is free from the next
epoch on, not before: bound again at once, one machine could attest the same interval twice under two keys.
"""

from __future__ import annotations

from dataclasses import replace

from metanode.core.model.accounts import to_bech32m
from metanode.core.model.bodies import MachineUnbind
from metanode.core.model.errors import Rejection
from metanode.core.model.receipt import EventNumber
from metanode.plugins.ledger.attested import attest
from metanode.plugins.ledger.attested.entries import Machine
from metanode.plugins.ledger.attested.rules import Events, Place, Slip
from metanode.plugins.ledger.attested.state import LedgerState


def check(place: Place, state: LedgerState, sender: bytes, body: MachineUnbind) -> tuple[int, Machine]:
    """Return (index, record) of the machine that the sender may unbind or hand over.

    :raises Rejection: MACHINE_UNKNOWN, HARDWARE_ALREADY_BOUND, MACHINE_RETIRED, NOT_OWNER, HANDOVER_WAITS.
    """
    index, machine = attest.machine_of(state, body.machine)
    owner = machine.payee(place.epoch)
    if sender != owner:
        raise Rejection("NOT_OWNER", f"machine {index} belongs to {to_bech32m(owner)}")
    running = state.settlement()
    if body.new_owner and owner != machine.owner and running is not None and running.epoch < machine.heir_epoch:
        # There is room for one former owner, and that one is still to be paid.
        raise Rejection("HANDOVER_WAITS", f"epoch {running.epoch}, before the last hand-over, is being settled")
    return index, machine


def apply(state: LedgerState, slip: Slip, body: MachineUnbind) -> Events:
    """Apply an unbinding or hand-over; raises as `check`, having changed nothing."""
    place = slip.place
    index, machine = check(place, state, slip.sender, body)
    name = to_bech32m(body.machine)
    if body.new_owner:
        first = place.epoch + 1
        state.put_machine(
            index, replace(machine, owner=slip.sender, heir=body.new_owner, heir_epoch=first)
        )
        slip.journal.event(
            "machine_handed_over", id=slip.id.hex(), machine=name, machine_index=index,
            owner=to_bech32m(body.new_owner), epoch=first,
        )  # fmt: skip
        return ((EventNumber.MACHINE_HANDED_OVER, index, body.new_owner, first),)
    state.put_machine(index, replace(machine, retired=place.epoch + 1))
    forget_twin(state, machine)
    slip.journal.event("machine_unbound", id=slip.id.hex(), machine=name, machine_index=index)
    return ((EventNumber.MACHINE_UNBOUND, index),)


def forget_twin(state: LedgerState, machine: Machine) -> None:
    """Count a machine no longer among its sponsor's."""
    twins = state.twins(machine.sponsor, machine.inventory_digest)
    state.put_twins(machine.sponsor, machine.inventory_digest, twins - 1)
