"""What a miner tells its owner, in plain words: every number with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metanode.core import model
from metanode.core.model.amounts import format_amount
from metanode.core.model.genesis import Params, network_params
from metanode.fingerprint.scoring import CAPS, Policy, Score
from metanode.fingerprint.virtual import SIGNS
from metanode.miner.measure import Machine, expected, preview
from metanode.miner.status import STATES

SCALE = 1_000_000_000


def weight_words(weight: int) -> str:
    """Return a weight as people read it: 1.0 is what modern hardware counts."""
    return f"{weight // SCALE}.{weight % SCALE // 1000:06}".rstrip("0").ljust(len(f"{weight // SCALE}.") + 1, "0")


def mainnet_params() -> Params:
    """Return the parameters of mainnet, to compare with."""
    data = Path(model.__file__).parent / "data" / "networks.json"
    return network_params(data.read_text(encoding="utf-8"), "mainnet")


def describe(machine: Machine, params: Params) -> list[str]:
    """Say what this machine is, what it would count for here and on mainnet, and why."""
    inventory = machine.report.inventory
    cpu = inventory.cpu
    here, there = (preview(machine, expected(), Policy.of(each)) for each in (params, mainnet_params()))
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
    at_once = f"  {where}: {weight_words(score.payable)} of it is paid at once, the rest waits in escrow"
    waiting = [at_once] if score.payable < score.weight else []
    return waiting + [f"  {where}: {CAPS[cap]}" for cap in score.caps]


def attested(answer: dict[str, Any]) -> str:
    """Say what one accepted attestation brought."""
    late = "" if answer["counted"] else ", late: kept for continuity, not paid"
    return (
        f"attested interval {answer['interval']} of epoch {answer['epoch']}: "
        f"weight {weight_words(answer['weight'])}, class {answer['class']}{late}"
    )


def check_line(check: dict[str, Any]) -> str:
    """Say one verdict of a signed reply: its reason's code and words, and the numbers behind it."""
    numbers = ", ".join(f"{name} {value}" for name, value in sorted(check["numbers"].items()))
    reason = ": ".join(filter(None, (check["reason"], check.get("words"))))
    return f"{check['verdict']:10} {check['name']:19} {reason}{f' ({numbers})' if numbers else ''}"


def status_lines(status: dict[str, Any], *, running: bool, now_ms: int) -> list[str]:
    """Render `metanode-miner status`.

    :param running: whether a miner uses the directory now.
    """
    state = status["state"]
    meaning = STATES.get(state, "")
    if running:
        lines = [f"state        {state}: {meaning}"]
    elif state in ("stopped", "ended"):
        lines = [f"state        not running; {state}: {meaning}"]
    else:
        lines = [f"state        not running; it was {state} when it was killed"]
    lines += [
        f"told         {age_words(now_ms - status['updated_ms'])} ago",
        f"node         {status['node_url']}",
        f"machine      {status['machine']}",
        f"paid to      {status['owner']}",
        f"attested     {status['attested']} since its start, {status['refused']} refused, "
        f"{status['queued']} waiting on disk",
    ]
    if status.get("balance") is not None:
        lines.append(f"balance      {format_amount(status['balance'])} coins")
    if status.get("last"):
        lines.append(f"last         {status['last']}")
    checks = status.get("checks") or []
    return lines + [f"{'' if at else 'checks':12} {check_line(check)}" for at, check in enumerate(checks)]


def age_words(milliseconds: int) -> str:
    """Return a span of time in its largest fitting unit; a clock that was set back gives 0 s."""
    seconds = max(0, milliseconds) // 1000
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
