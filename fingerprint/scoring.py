"""From an inventory and checks to a weight: pure integers, recomputed by every validator.

The order is fixed: row of the table by family and architecture, then caps where evidence is missing or contradicts
itself, then the network's factor for virtual machines and emulators.  What is paid at once is a second number: until
a processor's model is calibrated, what lies above the network's cap waits in escrow.  A check that could not be
measured never zeroes a machine; one that failed is named.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from metanode.core.model.errors import SettingsError
from metanode.core.model.hashing import H
from metanode.core.model.params import Params
from metanode.fingerprint import models
from metanode.fingerprint.checks import FAIL, PASS, UNMEASURED, Check
from metanode.fingerprint.classes import classify, processor_key
from metanode.fingerprint.consistency import check_consistency
from metanode.fingerprint.declared import check_binding, check_container, check_emulator, check_virtual_machine
from metanode.fingerprint.inventory import Inventory
from metanode.fingerprint.keyed import KEYED_ACTIVE
from metanode.fingerprint.multipliers import PROFILES, SCALE, Table, load_table
from metanode.fingerprint.probes import envelopes
from metanode.fingerprint.probes.envelopes import ENGINE, decides, memory_verdict, microarchitecture_of, verdict
from metanode.fingerprint.probes.summaries import ratios, read_mb_s
from metanode.fingerprint.rotation import READ_SPEED, measured
from metanode.fingerprint.samples import Summary

SCORING_VERSION = 2
"""Rises whenever the same record could get another weight by the same data files: chains name it in their genesis."""
DECAY_DAY_PARTS = 36_500
"""A bonus loses DECAY_PARTS_PER_DAY of these each day."""
DECAY_PARTS_PER_DAY = 15
CAP_MAX = 10 * SCALE
"""Largest cap that a network may choose; above every row, so it caps nothing."""

CAP_VIRTUAL_MACHINE = "virtual_machine"
CAP_EMULATOR = "emulator"
CAP_CONTRADICTION = "contradiction"
CAP_FAILED_PROBE = "failed_probe"
CAP_NOT_LOOKED_AT = "not_looked_at"
CAP_LEGACY = "legacy"
CAP_UNCALIBRATED = "uncalibrated"
CAPS: dict[str, str] = {
    CAP_VIRTUAL_MACHINE: "this network pays a virtual machine vm_weight of the base; run on bare hardware to lift it",
    CAP_EMULATOR: "this network pays an emulator vm_weight of the base; run on the processor itself to lift it",
    CAP_CONTRADICTION: "at most the multiplier of modern hardware while facts contradict each other; "
    "report the machine so that the rules can learn it",
    CAP_FAILED_PROBE: "at most the multiplier of modern hardware while a probe fails",
    CAP_NOT_LOOKED_AT: "at most 1.0 while signs of virtual machines cannot be looked for, or only hint at one; let the "
    "miner read /proc/cpuinfo and /sys to lift it",
    CAP_LEGACY: "at most this network's legacy_cap until compiled probes show the processor, by two ratios where its "
    "envelope is known; install metanode with its extension `_probes`, or use a client that has them, and register "
    "again to lift it",
    CAP_UNCALIBRATED: "at most this network's uncalibrated_cap is paid at once, the rest waits in escrow until the "
    "processor's model is calibrated; three owners with `metanode fingerprint --calibrate` and a vote lift it",
}
"""Every cap, with the way to lift it."""


@dataclass(frozen=True)
class Policy:
    """What a network chose in its genesis; numbers in billionths."""

    profile: str
    """`edge` or `rustchain`."""
    vm_weight: int
    """What is paid of the base of a virtual machine or an emulator."""
    uncalibrated_cap: int
    """Largest base that is paid at once before the processor's model is calibrated."""
    legacy_cap: int
    """Largest base of a machine that compiled probes have not shown."""

    def __post_init__(self) -> None:
        caps = (self.uncalibrated_cap, self.legacy_cap)
        if (
            self.profile not in PROFILES
            or not 0 <= self.vm_weight <= SCALE
            or not all(0 <= cap <= CAP_MAX for cap in caps)
        ):
            raise SettingsError(
                "BAD_SETTING",
                f"policy {self.profile!r} with vm_weight {self.vm_weight}, caps {caps}",
                f"a profile of {', '.join(PROFILES)}, a vm_weight of 0 to {SCALE}, caps of 0 to {CAP_MAX}",
            )


    @classmethod
    def of(cls, params: Params) -> Policy:
        """Return the policy that a genesis chose."""
        return cls(params.profile, params.vm_weight, params.uncalibrated_cap, params.legacy_cap)


@dataclass(frozen=True)
class Score:
    """What a machine counts for, and why."""

    family: str
    arch: str
    klass: str
    """vintage, board, low-power, modern, virtual, emulated or unknown."""
    model: str
    """The processor's, by which it is calibrated: `classes.processor_key`."""
    base_multiplier: int
    """The multiplier after caps, before the factor for virtual machines; scaled by 1e9.  This decays."""
    weight: int
    """What counts on the first day: base_multiplier, times vm_weight where a virtual machine or emulator is found."""
    payable: int
    """What is paid at once of the weight; the rest waits in escrow for the model's calibration."""
    caps: tuple[str, ...]
    """Keys of `CAPS` that lowered the weight, or what is paid of it at once."""
    evidence_level: str
    """`none` without a passed active probe, else `software`."""
    checks: tuple[Check, ...]


def score(
    inventory: Inventory,
    probe_checks: Sequence[Check],
    policy: Policy,
    *,
    table: Table | None = None,
    calibrated: bool = False,
) -> Score:
    """Return what the machine counts for under a policy.

    :param probe_checks: checks from `evidence.judge_evidence`; may be empty.
    :param table: the multiplier table; the shipped one when None.
    :param calibrated: whether the chain calibrated the processor's model.
    """
    table = table or load_table()
    family, arch = classify(inventory)
    row = table.row(family, arch)
    own = (check_virtual_machine(inventory), check_emulator(inventory), check_consistency(inventory))
    virtual, emulator, consistency = own
    checks = (*own, check_container(inventory), check_binding(inventory), *probe_checks)

    base, klass, caps = row.multipliers[policy.profile], row.klass, []
    if consistency.verdict == FAIL:
        base, klass = min(base, modern_multiplier(policy, table)), "unknown"
        caps.append(CAP_CONTRADICTION)
    if any(check.verdict == FAIL and check.name != ENGINE for check in probe_checks):
        base = min(base, modern_multiplier(policy, table))
        caps.append(CAP_FAILED_PROBE)
    if UNMEASURED in (virtual.verdict, emulator.verdict) and base > SCALE:
        base = SCALE
        caps.append(CAP_NOT_LOOKED_AT)
    shown = any(check.name == KEYED_ACTIVE and check.verdict == PASS for check in probe_checks)
    if not shown and base > policy.legacy_cap:
        base = policy.legacy_cap
        caps.append(CAP_LEGACY)
    lowered = []
    if virtual.verdict == FAIL:
        klass = "virtual"
        lowered = [CAP_VIRTUAL_MACHINE]
    if emulator.verdict == FAIL or any(check.name == ENGINE and check.verdict == FAIL for check in probe_checks):
        klass = "emulated"
        lowered.append(CAP_EMULATOR)
    factor = class_factor(klass, policy)
    if factor < SCALE:
        caps += lowered
    weight = base * factor // SCALE
    payable = weight if calibrated else min(base, policy.uncalibrated_cap) * factor // SCALE
    if payable < weight:
        caps.append(CAP_UNCALIBRATED)
    level = "software" if shown else "none"
    return Score(
        family, arch, klass, processor_key(inventory), base, weight, payable, tuple(caps), level, checks
    )


def modern_multiplier(policy: Policy, table: Table) -> int:
    """Return the most that is paid where something failed: the row of modern x86, at most 1.0."""
    return min(table.row("x86", "modern").multipliers[policy.profile], SCALE)


def class_factor(klass: str, policy: Policy) -> int:
    """Return what is paid of a base in this class, in billionths."""
    return policy.vm_weight if klass in ("virtual", "emulated") else SCALE


def scoring_name(table: Table) -> str:
    """Return what a genesis calls these rules with their data: version, hyphen, a digest as hex.

    The digest is H(params, that of the table || that of the envelopes || that of the model database).
    """
    data = table.digest + envelopes.digest() + models.digest()
    return f"{SCORING_VERSION}-{H('params', data).hex()}"


def decayed(base: int, days: int) -> int:
    """Return a multiplier after whole days from genesis: what lies above 1.0 melts, 1.0 and less stays.

    base <= 1e9 never decays; otherwise 1e9 + (base - 1e9) * max(0, 36500 - 15 * days) // 36500.
    """
    if base <= SCALE:
        return base
    return SCALE + (base - SCALE) * max(0, DECAY_DAY_PARTS - DECAY_PARTS_PER_DAY * days) // DECAY_DAY_PARTS


CAPPED = 1
"""A selected check failed: memory is faster than the processor's bus can carry."""
EMULATED = 2
"""The selected ratios are those of a program that imitates the processor."""
UNPROVEN = 4
"""Selected checks that the machine's record measured were left out, and the rest decides nothing."""


def attest_flags(
    summaries: Sequence[Summary], selected: Collection[str], model: str, recorded: Collection[str]
) -> int:
    """Return what an attestation shows against its machine, as the sum of CAPPED, EMULATED and UNPROVEN.

    :param summaries: those beside a right result, `summaries.proven`.
    :param selected: the epoch's checks, `rotation.selected`; what was not selected is not looked at.
    :param model: of the machine's record.
    :param recorded: what its record measured, `rotation.measured`: a system that refuses code that can be written, or a
        processor without vectors, is never asked for more than it showed.
    """
    claimed = microarchitecture_of(model)
    found = {name: ratio for name, ratio in ratios(summaries).items() if name in selected}
    read = read_mb_s(summaries) if READ_SPEED in selected else 0
    owed = set(recorded).intersection(selected)
    # Two ratios that agree do as well: a busy machine may fail to take one of its timings.
    whole = bool(recorded) and owed.issubset(measured(summaries))
    flags = 0 if whole or decides(found, claimed) else UNPROVEN
    if memory_verdict(read, claimed).verdict == FAIL:
        flags |= CAPPED
    if verdict(found, claimed).verdict == FAIL:
        flags |= EMULATED
    return flags


def epoch_weight(base: int, flags: int, *, klass: str, policy: Policy, table: Table) -> int:
    """Return what a machine counts for in one interval of an epoch.

    :param base: the record's base after decay; for what is paid at once, limited to `uncalibrated_cap` before.
    :param flags: those of all attestations that count in the epoch.
    :param klass: of the record.
    """
    if flags & CAPPED:
        base = min(base, modern_multiplier(policy, table))
    if flags & UNPROVEN:
        base = min(base, policy.legacy_cap)
    return base * class_factor("emulated" if flags & EMULATED else klass, policy) // SCALE
