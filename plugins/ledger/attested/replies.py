"""What the node tells about machines and attestations: JSON values made from state, rules and scores.

Weights are integers in billionths; `multiplier` is the same number as decimal text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.amounts import amount_json
from metanode.core.model.params import WEIGHT_SCALE
from metanode.core.roles import Head
from metanode.fingerprint.checks import FAIL, Check
from metanode.fingerprint.scoring import CAP_UNCALIBRATED, CAPPED, CAPS, EMULATED, SCORING_VERSION, UNPROVEN, decayed
from metanode.plugins.ledger.attested import escrow
from metanode.plugins.ledger.attested.entries import Machine
from metanode.plugins.ledger.attested.records import Known
from metanode.plugins.ledger.attested.rules import Rules
from metanode.plugins.ledger.attested.settlement import counted, lifted, worth
from metanode.plugins.ledger.attested.state import LedgerState

FLAGS = {
    CAPPED: ("capped", "at most the multiplier of modern hardware in this epoch: a check that rotated in failed"),
    EMULATED: ("emulated", "vm_weight of the base in this epoch: the checks that rotated in show an emulator"),
    UNPROVEN: (
        "unproven",
        "at most legacy_cap in this epoch: checks that rotated in, and that its record measured, were left out",
    ),
}
"""What attestations may show against their machine, and what it costs."""
UNPAID_REASONS = ("VM_DETECTED", "EMULATOR_DETECTED")
"""Reasons of failed checks for which a network may pay nothing."""


def multiplier_text(weight: int) -> str:
    """Return billionths as decimal text, e.g. 1500000000 -> `1.5`."""
    places = f"{weight % WEIGHT_SCALE:09d}".rstrip("0") or "0"
    return f"{weight // WEIGHT_SCALE}.{places}"


def check_json(check: Check) -> dict[str, Any]:
    """Return one check."""
    return {
        "name": check.name,
        "verdict": check.verdict,
        "reason": check.reason,
        "words": check.words,
        "numbers": dict(check.numbers),
    }


def caps_json(caps: Iterable[str]) -> list[dict[str, str]]:
    """Return what holds a weight down, and how to lift it."""
    return [{"name": cap, "lift": CAPS[cap]} for cap in caps]


def flags_json(flags: int) -> list[dict[str, str]]:
    """Return what attestations showed against their machine."""
    return [{"name": name, "means": means} for flag, (name, means) in FLAGS.items() if flags & flag]


def calendar_json(rules: Rules, time_ms: int) -> dict[str, int]:
    """Return where a moment stands in slots, intervals and epochs."""
    schedule = rules.schedule
    slot, epoch = schedule.slot(time_ms), schedule.epoch(time_ms)
    interval = schedule.interval(slot)
    return {
        "slot": slot,
        "interval": interval,
        "interval_end_ms": schedule.interval_start_ms(interval + 1),
        "epoch": epoch,
        "epoch_end_ms": schedule.epoch_start_ms(epoch + 1),
    }


def standing_json(rules: Rules, machine: Machine, epoch: int, flags: int = 0) -> dict[str, Any]:
    """Return what a machine counts for in an epoch, by state alone.

    :param machine: as `lifted`.
    """
    days = rules.schedule.days(epoch)
    weight, payable = (0, 0) if machine.retired else worth(rules, machine, days, flags)
    return {
        "family": machine.family,
        "arch": machine.arch,
        "class": machine.klass,
        "model": machine.model,
        "weight": weight,
        "payable": payable,
        "multiplier": multiplier_text(decayed(machine.base_multiplier, days)),
    }


def evidence_json(
    known: Known | None, machine: Machine, checks: tuple[Check, ...] | None = None
) -> dict[str, Any]:
    """Return why a machine counts for what it does.

    :param machine: its record, as `lifted`: a cap that a calibration has lifted since is not told.
    :param known: what its reveal said; None when that is pruned: then only `checks` can be told.
    :param checks: the checks to show, those of the record when None.
    """
    if known is None:
        return {"caps": [], "evidence_level": "unknown", "checks": [check_json(check) for check in checks or ()]}
    paid_in_full = machine.payable >= machine.weight
    shown = known.score.checks if checks is None else checks
    reasons = [check.reason for check in known.score.checks if check.verdict == FAIL]
    unpaid = next((reason for reason in reasons if reason in UNPAID_REASONS), "")
    return {
        "caps": caps_json(cap for cap in known.score.caps if cap != CAP_UNCALIBRATED or not paid_in_full),
        "evidence_level": known.score.evidence_level,
        "checks": [check_json(check) for check in shown],
        "mainnet_weight": known.mainnet.weight,
        "mainnet_reason": unpaid,
        "scoring_version": SCORING_VERSION,
    }


def machine_json(rules: Rules, head: Head, index: int) -> dict[str, Any]:
    """Return what the state says of a machine."""
    state = LedgerState(head.state)
    machine, counters = lifted(state, state.machine(index)), state.counters(index)
    epoch = rules.schedule.epoch(head.time_ms)
    intervals, flags = counted(counters, epoch)
    return {
        "machine": to_bech32m(account_id(machine.machine_key)),
        "machine_key": machine.machine_key.hex(),
        "machine_index": index,
        "owner": to_bech32m(machine.payee(epoch)),
        "next_owner": to_bech32m(machine.payee(epoch + 1)),
        "sponsor": to_bech32m(machine.sponsor),
        "inventory_digest": machine.inventory_digest.hex(),
        "registered_height": machine.record_height,
        "displaced": machine.displaced == 1,
        "unbound": machine.retired > 0,
        "last_interval": counters.last_interval if state.has_counters(index) else None,
        "intervals_counted": intervals,
        "flags": flags_json(flags),
        "reward_total": amount_json(machine.reward_total),
        "escrow": amount_json(escrow.claims(state, index).total),
        "calibrated": state.calibrated(machine.model) is not None,
        **standing_json(rules, machine, epoch, flags),
    }
