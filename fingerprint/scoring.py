"""From an inventory and checks to a weight: pure integers, recomputed by every validator.

The order is fixed: row of the table by family and architecture, then caps where evidence is
missing or contradicts itself, then the network's factor for virtual machines.  A check that
could not be measured holds a machine at 1.0 at most and never zeroes it; one that failed is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metanode.core.model.errors import SettingsError
from metanode.fingerprint.checks import FAIL, PASS, UNMEASURED, Check
from metanode.fingerprint.classes import classify
from metanode.fingerprint.consistency import check_consistency
from metanode.fingerprint.inventory import BINDINGS, SOURCES, Inventory
from metanode.fingerprint.multipliers import PROFILES, SCALE, Table, load_table
from metanode.fingerprint.virtual import decided_by, hints_of, signs_of

SCORING_VERSION = 1
"""Rises whenever the same inventory could get another weight by the same table: chains name it in their genesis."""
DECAY_DAY_PARTS = 36_500
"""A bonus loses DECAY_PARTS_PER_DAY of these each day."""
DECAY_PARTS_PER_DAY = 15

CAP_VIRTUAL_MACHINE = "virtual_machine"
CAP_EMULATOR = "emulator"
CAP_CONTRADICTION = "contradiction"
CAP_FAILED_PROBE = "failed_probe"
CAP_NOT_LOOKED_AT = "not_looked_at"
CAPS: dict[str, str] = {
    CAP_VIRTUAL_MACHINE: "this network pays a virtual machine vm_weight of the base; run on bare hardware to lift it",
    CAP_EMULATOR: "this network pays an emulator vm_weight of the base; run on the processor itself to lift it",
    CAP_CONTRADICTION: "at most the multiplier of modern hardware while facts contradict each other; "
    "report the machine so that the rules can learn it",
    CAP_FAILED_PROBE: "at most the multiplier of modern hardware while a probe fails",
    CAP_NOT_LOOKED_AT: "at most 1.0 while signs of virtual machines cannot be looked for, or only hint at one; let the "
    "miner read /proc/cpuinfo and /sys to lift it",
}
"""Every cap, with the way to lift it."""

_VM_SOURCES = ("cpuinfo", "dmi", "pci", "devices", "device_tree")


@dataclass(frozen=True)
class Policy:
    """What a network chose in its genesis."""

    profile: str
    """`edge` or `rustchain`."""
    vm_weight: int
    """What is paid of a virtual machine's base, scaled by 1e9."""

    def __post_init__(self) -> None:
        if self.profile not in PROFILES or not 0 <= self.vm_weight <= SCALE:
            raise SettingsError(
                "BAD_SETTING",
                f"policy {self.profile!r} with vm_weight {self.vm_weight}",
                f"a profile of {', '.join(PROFILES)} and a vm_weight of 0 to {SCALE}",
            )


@dataclass(frozen=True)
class Score:
    """What a machine counts for, and why."""

    family: str
    arch: str
    klass: str
    """vintage, board, low-power, modern, virtual, emulated or unknown."""
    base_multiplier: int
    """The multiplier after caps, before the factor for virtual machines; scaled by 1e9.  This decays."""
    weight: int
    """What counts on the first day: base_multiplier, times vm_weight where a virtual machine is detected."""
    caps: tuple[str, ...]
    """Keys of `CAPS` that lowered the weight."""
    evidence_level: str
    """`none` without a passed active probe, else `software`."""
    checks: tuple[Check, ...]


def score(inventory: Inventory, probe_checks: Sequence[Check], policy: Policy, *, table: Table | None = None) -> Score:
    """Return what the machine counts for under a policy.

    :param probe_checks: checks from `samples.judge` and `keyed.check_keyed`; may be empty.
    :param table: the multiplier table; the shipped one when None.
    """
    table = table or load_table()
    family, arch = classify(inventory)
    row = table.row(family, arch)
    own = (check_virtual_machine(inventory), check_emulator(inventory), check_consistency(inventory))
    virtual, emulator, consistency = own
    checks = (*own, check_container(inventory), check_binding(inventory), *probe_checks)

    base, klass, caps = row.multipliers[policy.profile], row.klass, []
    modern = min(table.row("x86", "modern").multipliers[policy.profile], SCALE)
    if consistency.verdict == FAIL:
        base, klass = min(base, modern), "unknown"
        caps.append(CAP_CONTRADICTION)
    if any(check.verdict == FAIL for check in probe_checks):
        base = min(base, modern)
        caps.append(CAP_FAILED_PROBE)
    if UNMEASURED in (virtual.verdict, emulator.verdict) and base > SCALE:
        base = SCALE
        caps.append(CAP_NOT_LOOKED_AT)
    weight, lowered = base, []
    if virtual.verdict == FAIL:
        klass = "virtual"
        lowered = [CAP_VIRTUAL_MACHINE]
    if emulator.verdict == FAIL:
        klass = "emulated"
        lowered.append(CAP_EMULATOR)
    if lowered and policy.vm_weight < SCALE:
        weight = base * policy.vm_weight // SCALE
        caps += lowered
    measured = any(check.verdict == PASS for check in probe_checks)
    return Score(family, arch, klass, base, weight, tuple(caps), "software" if measured else "none", checks)


def scoring_name(table: Table) -> str:
    """Return what a genesis calls these rules with this table: version, hyphen, the table's digest as hex."""
    return f"{SCORING_VERSION}-{table.digest.hex()}"


def decayed(base: int, days: int) -> int:
    """Return a multiplier after whole days from genesis: what lies above 1.0 melts, 1.0 and less stays.

    base <= 1e9 never decays; otherwise 1e9 + (base - 1e9) * max(0, 36500 - 15 * days) // 36500.
    """
    if base <= SCALE:
        return base
    return SCALE + (base - SCALE) * max(0, DECAY_DAY_PARTS - DECAY_PARTS_PER_DAY * days) // DECAY_DAY_PARTS


def check_virtual_machine(inventory: Inventory) -> Check:
    """Fail on a declared sign; unmeasured on hints alone, or when there was nothing to look at."""
    signs = signs_of(inventory)
    declared, hints = decided_by(signs, "vm"), hints_of(signs, "vm")
    numbers = (("declared", len(declared)), ("hints", len(hints)))
    if declared:
        return Check("virtual_machine", FAIL, "VM_DETECTED", numbers)
    if hints:
        return Check("virtual_machine", UNMEASURED, "VM_HINTED", numbers)
    if not any(_looked_at(inventory, name) for name in _VM_SOURCES):
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
