"""Checks on what a machine says of itself: signs of virtual machines, emulators and containers, and its identifiers.

One declared sign decides, hints never do, and where nothing could be looked at there is no answer.
"""

from __future__ import annotations

from metanode.fingerprint.checks import FAIL, PASS, UNMEASURED, Check
from metanode.fingerprint.inventory import BINDINGS, SOURCES, Inventory
from metanode.fingerprint.virtual import decided_by, hints_of, signs_of

VM_SOURCES = ("cpuinfo", "dmi", "pci", "devices", "device_tree")
"""Sources that would show a virtual machine."""


def check_virtual_machine(inventory: Inventory) -> Check:
    """Fail on a declared sign; unmeasured on hints alone, or when there was nothing to look at."""
    signs = signs_of(inventory)
    declared, hints = decided_by(signs, "vm"), hints_of(signs, "vm")
    numbers = (("declared", len(declared)), ("hints", len(hints)))
    if declared:
        return Check("virtual_machine", FAIL, "VM_DETECTED", numbers)
    if hints:
        return Check("virtual_machine", UNMEASURED, "VM_HINTED", numbers)
    if not any(_looked_at(inventory, name) for name in VM_SOURCES):
        return Check("virtual_machine", UNMEASURED, "NOT_LOOKED_AT", numbers)
    return Check("virtual_machine", PASS, "NO_SIGN", numbers)


def check_emulator(inventory: Inventory) -> Check:
    """Fail on a declared sign of an emulator; unmeasured when the process could not be looked at."""
    signs = signs_of(inventory)
    declared, hints = decided_by(signs, "emulator"), hints_of(signs, "emulator")
    numbers = (("declared", len(declared)), ("hints", len(hints)))
    if declared:
        return Check("emulator", FAIL, "EMULATOR_DETECTED", numbers)
    if hints:
        return Check("emulator", UNMEASURED, "EMULATOR_HINTED", numbers)
    if not _looked_at(inventory, "process"):
        return Check("emulator", UNMEASURED, "NOT_LOOKED_AT", numbers)
    return Check("emulator", PASS, "NO_EMULATOR_SIGN", numbers)


def check_container(inventory: Inventory) -> Check:
    """A container is no virtual machine: its hints are told and change no weight."""
    hints = hints_of(signs_of(inventory), "container")
    if hints:
        return Check("container", UNMEASURED, "CONTAINER_HINTED", (("hints", len(hints)),))
    return Check("container", PASS, "NO_CONTAINER_SIGN", (("hints", 0),))


def check_binding(inventory: Inventory) -> Check:
    """Tell what the binding tag rests on."""
    strength = (("strength", BINDINGS.index(inventory.binding)),)
    if inventory.binding in ("mac", "disk"):
        return Check("binding", PASS, "BOUND_TO_HARDWARE", strength)
    if inventory.binding == "machine_id":
        return Check("binding", UNMEASURED, "BOUND_TO_SOFTWARE", strength)
    return Check("binding", UNMEASURED, "NO_IDENTIFIER", strength)


def _looked_at(inventory: Inventory, source: str) -> bool:
    return bool(inventory.sources >> SOURCES.index(source) & 1)
