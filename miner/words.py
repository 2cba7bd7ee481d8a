"""What a miner tells its owner, in plain words: every number with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metanode.core import model
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.amounts import format_amount
from metanode.core.model.genesis import Params, network_params
from metanode.fingerprint.scoring import CAPS, Policy, Score
from metanode.fingerprint.virtual import SIGNS
from metanode.miner.measure import Machine, preview

SCALE = 1_000_000_000


def weight_words(weight: int) -> str:
    """Return a weight as people read it: 1.0 is what modern hardware counts."""
    return f"{weight // SCALE}.{weight % SCALE // 1000:06}".rstrip("0").ljust(len(f"{weight // SCALE}.") + 1, "0")


def policy_of(params: Params) -> Policy:
    """Return the policy that a chain's genesis chose."""
    return Policy(profile=params.profile, vm_weight=params.vm_weight)


def mainnet_params() -> Params:
    """Return the parameters of mainnet, to compare with."""
    data = Path(model.__file__).parent / "data" / "networks.json"
    return network_params(data.read_text(encoding="utf-8"), "mainnet")


def describe(machine: Machine, params: Params) -> list[str]:
    """Say what this machine is, what it would count for here and on mainnet, and why."""
    inventory = machine.report.inventory
    cpu = inventory.cpu
    here = preview(machine, (), policy_of(params))
    there = preview(machine, (), policy_of(mainnet_params()))
    lines = [
        f"this machine: {cpu.name or cpu.vendor or 'unknown processor'}, {cpu.threads} threads, "
        f"{inventory.memory_mib} MiB, {inventory.platform} on {inventory.machine}",
    ]
    for sign in inventory.signs:
        kind = SIGNS[sign.code]
        lines.append(f"sign of a {_about(kind.about)} ({kind.severity}): {kind.words} [{sign.evidence}]")
    lines.append(
        f"class {here.klass}: weight here {weight_words(here.weight)}, on mainnet {weight_words(there.weight)}"
    )
    lines += _reasons(here, "here")
    if there.weight != here.weight:
        lines += _reasons(there, "on mainnet")
    return lines


def _about(about: str) -> str:
    return {"vm": "virtual machine"}.get(about, about)


def _reasons(score: Score, where: str) -> list[str]:
    return [f"  {where}: {CAPS[cap]}" for cap in score.caps]


def attested(answer: dict[str, Any]) -> str:
    """Say what one accepted attestation brought."""
    late = "" if answer["counted"] else ", late: kept for continuity, not paid"
    return (
        f"attested interval {answer['interval']} of epoch {answer['epoch']}: "
        f"weight {weight_words(answer['weight'])}, class {answer['class']}{late}"
    )


def checks_lines(answer: dict[str, Any]) -> list[str]:
    """List the verdicts of a signed reply, with reasons and numbers."""
    lines = []
    for check in answer.get("checks", []):
        numbers = ", ".join(f"{name} {value}" for name, value in sorted(dict(check["numbers"]).items()))
        lines.append(
            f"  {check['verdict']:10} {check['name']:18} {check['reason']}{f' ({numbers})' if numbers else ''}"
        )
    return lines


def status_lines(status: dict[str, Any]) -> list[str]:
    """Render `metanode-miner status`."""
    lines = [
        f"state        {status['state']}",
        f"node         {status['node_url']}",
        f"machine      {status['machine']}",
        f"paid to      {status['owner']}",
        f"attested     {status['attested']} times, {status['refused']} refused, {status['queued']} waiting on disk",
    ]
    if status.get("balance") is not None:
        lines.append(f"balance      {format_amount(status['balance'])} coins")
    if status.get("last"):
        lines.append(f"last         {status['last']}")
    return lines


def owner_words(owner: bytes) -> str:
    """Return the account that is paid, as people write it."""
    return to_bech32m(owner)
