"""What the node tells about machines and attestations: JSON values made from state, rules and scores.

Weights are integers in billionths; `multiplier` is the same number as decimal text.
"""

from __future__ import annotations

from typing import Any

from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.amounts import amount_json
from metanode.core.model.params import WEIGHT_SCALE
from metanode.core.roles import Head
from metanode.fingerprint.checks import FAIL, Check
from metanode.fingerprint.scoring import CAPS, SCORING_VERSION, Score, decayed
from metanode.plugins.ledger.attested.entries import Machine
from metanode.plugins.ledger.attested.records import Known
from metanode.plugins.ledger.attested.rules import Rules
from metanode.plugins.ledger.attested.settlement import weight_now
from metanode.plugins.ledger.attested.state import LedgerState

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


def caps_json(score: Score) -> list[dict[str, str]]:
    """Return what holds a weight down, and how to lift it."""
    return [{"name": cap, "lift": CAPS[cap]} for cap in score.caps]


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


def standing_json(rules: Rules, machine: Machine, epoch: int) -> dict[str, Any]:
    """Return what a machine counts for in an epoch, by state alone."""
    days = rules.schedule.days(epoch)
    return {
        "family": machine.family,
        "arch": machine.arch,
        "class": machine.klass,
        "weight": weight_now(machine, days),
        "multiplier": multiplier_text(decayed(machine.base_multiplier, days)),
    }


def evidence_json(known: Known | None, checks: tuple[Check, ...] | None = None) -> dict[str, Any]:
    """Return why a machine counts for what it does.

    :param known: what its reveal said; None when that is pruned: then only `checks` can be told.
    :param checks: the checks to show, those of the record when None.
    """
    if known is None:
        return {"caps": [], "evidence_level": "unknown", "checks": [check_json(check) for check in checks or ()]}
    shown = known.score.checks if checks is None else checks
    reasons = [check.reason for check in known.score.checks if check.verdict == FAIL]
    unpaid = next((reason for reason in reasons if reason in UNPAID_REASONS), "")
    return {
        "caps": caps_json(known.score),
        "evidence_level": known.score.evidence_level,
        "checks": [check_json(check) for check in shown],
        "mainnet_weight": known.mainnet.weight,
        "mainnet_reason": unpaid,
        "scoring_version": SCORING_VERSION,
    }


def machine_json(rules: Rules, head: Head, index: int) -> dict[str, Any]:
    """Return what the state says of a machine."""
    state = LedgerState(head.state)
    machine, counters = state.machine(index), state.counters(index)
    epoch = rules.schedule.epoch(head.time_ms)
    return {
        "machine": to_bech32m(account_id(machine.machine_key)),
        "machine_key": machine.machine_key.hex(),
        "machine_index": index,
        "owner": to_bech32m(machine.owner),
        "sponsor": to_bech32m(machine.sponsor),
        "inventory_digest": machine.inventory_digest.hex(),
        "registered_height": machine.record_height,
        "displaced": machine.displaced == 1,
        "last_interval": counters.last_interval if state.has_counters(index) else None,
        "intervals_counted": counters.bits.bit_count() if counters.epoch == epoch else 0,
        "reward_total": amount_json(machine.reward_total),
        **standing_json(rules, machine, epoch),
    }
