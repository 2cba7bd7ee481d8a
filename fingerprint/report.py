"""A fingerprint for people and for programs: the same facts as text and as JSON.

Whatever could not be found out is said to be unmeasured, with the reason; identifiers appear
as hashes under a salt made for this one report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from metanode.core.model.bodies import inventory_digest
from metanode.fingerprint.checks import FAIL, Check
from metanode.fingerprint.classes import classify, processor_key
from metanode.fingerprint.collect import Report
from metanode.fingerprint.consistency import contradictions
from metanode.fingerprint.evidence import ACTIVE
from metanode.fingerprint.identifiers import salted_hash
from metanode.fingerprint.multipliers import SCALE, load_table
from metanode.fingerprint.report_lines import Style, check_lines, fold
from metanode.fingerprint.report_machine import machine_lines
from metanode.fingerprint.report_probes import (
    INTERPRETED,
    Compiled,
    compiled_lines,
    interpreter_lines,
    probes_json,
)
from metanode.fingerprint.samples import KINDS, Measurement
from metanode.fingerprint.scoring import CAPS, SCORING_VERSION, Policy, Score
from metanode.fingerprint.virtual import SIGNS, signs_of

if TYPE_CHECKING:
    from metanode.fingerprint.crosscheck import CrossCheck

NOTICE = (
    "Timings and texts are what this machine says of itself. They are evidence that raises the cost of lying, "
    "never proof, and never a permission: see docs/fingerprint.md."
)


@dataclass(frozen=True)
class Preview:
    """What one network would count this machine for."""

    network: str
    policy: Policy
    score: Score


@dataclass(frozen=True)
class Findings:
    """All that one run of the command found out."""

    report: Report
    measurements: tuple[Measurement, ...]
    crosschecks: tuple[CrossCheck, ...]
    previews: tuple[Preview, ...]
    salt: bytes
    """Random; hashes of identifiers in this report cannot be matched with any other's."""
    compiled: Compiled = Compiled()
    untimed: str = ""
    """Why nothing was timed, in words; empty where it was."""


def to_json(findings: Findings) -> dict[str, Any]:
    """Return the whole report as JSON values; amounts of weight are integers scaled by 1e9."""
    report, inventory = findings.report, findings.report.inventory
    raw = inventory.encode()
    return {
        "ok": True,
        "scoring_version": SCORING_VERSION,
        "table_version": load_table().version,
        "inventory": {
            **asdict(inventory),
            "features": list(inventory.features),
            "caches": [asdict(cache) for cache in inventory.caches],
            "signs": [asdict(sign) for sign in inventory.signs],
        },
        "inventory_bytes": len(raw),
        "inventory_digest": inventory_digest(raw).hex(),
        "details": {
            "os": report.os_name,
            "memory_kib": report.total_kib,
            "clock_khz_now": report.clock_khz,
            "flags": sorted(report.flags),
            "more": dict(sorted(report.details.items())),
        },
        "recognised": list(classify(inventory)),
        "model": processor_key(inventory),
        "disagreements": list(report.disagreements),
        "contradictions": [
            {"code": item.code, "words": item.words, "numbers": dict(item.numbers)}
            for item in contradictions(inventory)
        ],
        "signs": [
            {
                "code": sign.code,
                "name": SIGNS[sign.code].name,
                "about": SIGNS[sign.code].about,
                "severity": SIGNS[sign.code].severity,
                "evidence": sign.evidence,
                "words": SIGNS[sign.code].words,
            }
            for sign in signs_of(inventory)
        ],
        "checks": [_check_json(check) for check in findings.previews[0].score.checks],
        "crosschecks": [
            {**_check_json(row.check), "differences": list(row.differences)} for row in findings.crosschecks
        ],
        "probes": probes_json(findings.compiled, findings.measurements),
        "samples": [_samples_json(measurement) for measurement in findings.measurements],
        "identifiers": [
            {"kind": item.kind, "hash": salted_hash(item, findings.salt)} for item in report.identifiers
        ],
        "binding": inventory.binding,
        "weights": {preview.network: _preview_json(preview) for preview in findings.previews},
        "unread": dict(sorted(report.unread.items())),
        "problems": list(report.problems),
        "notice": NOTICE,
    }


def to_text(findings: Findings, *, style: Style, columns: int = 0) -> list[str]:
    """Return the lines that people read.

    :param columns: longer lines are folded; 0 folds none.
    """
    return [short for line in _lines(findings, style) for short in fold(line, columns)]


def _lines(findings: Findings, style: Style) -> list[str]:
    report = findings.report
    first = findings.previews[0].score
    lines = [style("Machine", "bold"), *machine_lines(report, style)]
    lines += ["", style("Signs of virtual machines, containers and emulators", "bold")]
    signs = signs_of(report.inventory)
    for sign in signs:
        kind = SIGNS[sign.code]
        lines.append(f"  {kind.severity:<9}{kind.name:<24}{kind.words} ({sign.evidence})")
    if not signs:
        lines.append("  none found; that proves nothing by itself")
    lines += ["", style("Checks", "bold")]
    timed = (*INTERPRETED, *ACTIVE)
    lines += [line for check in first.checks if check.name not in timed for line in check_lines(check, style)]
    lines += ["", style("The processor, timed by the compiled probes", "bold")]
    untimed = [f"  {findings.untimed}"] if findings.untimed else []
    lines += untimed or compiled_lines(findings.compiled, style)
    lines += ["", style("The interpreter, timed by itself", "bold") + " (Python's own cost is in every figure)"]
    lines += untimed or interpreter_lines(first.checks, findings.measurements, style)
    lines += ["", style("Second opinions", "bold")]
    for row in findings.crosschecks:
        lines += check_lines(row.check, style)
        lines += [f"    {difference}" for difference in row.differences]
    if not findings.crosschecks:
        lines.append("  not asked for")
    lines += ["", style("Identifiers", "bold") + " (hashed under a salt of this report alone; none is sent)"]
    lines += [f"  {item.kind:<14}{salted_hash(item, findings.salt)}" for item in report.identifiers]
    lines.append(f"  the binding tag rests on: {report.inventory.binding.replace('_', ' ')}")
    lines += ["", style("What it would count for", "bold")]
    for preview in findings.previews:
        lines += _preview_lines(preview, style)
    lines += ["", NOTICE]
    return lines


def weight_text(weight: int) -> str:
    """Return a weight or multiplier as a decimal, exactly, without needless zeros: `0.8`, `2.5`, `0.0005`."""
    whole, fraction = divmod(weight, SCALE)
    digits = f"{fraction:09d}".rstrip("0")
    return f"{whole}.{digits or '0'}"


def reasons(score: Score, policy: Policy) -> list[str]:
    """Return why a machine counts for what it does under a policy, one sentence each."""
    row = load_table().row(score.family, score.arch)
    sentences = [f"{row.name} is in class {row.klass}, base {weight_text(row.multipliers[policy.profile])}"]
    if not row.listed:
        sentences.append("upstream lists no value of its own for it: it is paid like what it would fall under")
    sentences += [
        f"{check.name.replace('_', ' ')}: {check.words}" for check in score.checks if check.verdict == FAIL
    ]
    sentences += [f"{cap.replace('_', ' ')} cap: {CAPS[cap]}" for cap in score.caps]
    if score.klass in ("virtual", "emulated") and policy.vm_weight == SCALE:
        sentences.append("this network pays virtual machines and emulators in full")
    return sentences


def _preview_lines(preview: Preview, style: Style) -> list[str]:
    score = preview.score
    head = style(f"{weight_text(score.weight)}", "bold")
    if score.payable < score.weight:
        head += f", {style(weight_text(score.payable), 'bold')} of it at once and the rest in escrow,"
    policy = f"profile {preview.policy.profile}, virtual machines x {weight_text(preview.policy.vm_weight)}"
    base = weight_text(score.base_multiplier)
    lines = [f"  {preview.network:<9}{head} of base {base}, class {score.klass} ({policy})"]
    return lines + [f"    - {sentence}" for sentence in reasons(score, preview.policy)]


def _preview_json(preview: Preview) -> dict[str, Any]:
    score = preview.score
    return {
        "profile": preview.policy.profile,
        "vm_weight": preview.policy.vm_weight,
        "uncalibrated_cap": preview.policy.uncalibrated_cap,
        "legacy_cap": preview.policy.legacy_cap,
        "family": score.family,
        "arch": score.arch,
        "class": score.klass,
        "base_multiplier": score.base_multiplier,
        "weight": score.weight,
        "weight_text": weight_text(score.weight),
        "payable": score.payable,
        "payable_text": weight_text(score.payable),
        "caps": [{"name": cap, "words": CAPS[cap]} for cap in score.caps],
        "evidence_level": score.evidence_level,
        "reasons": reasons(score, preview.policy),
    }


def _check_json(check: Check) -> dict[str, Any]:
    numbers: Mapping[str, int] = dict(check.numbers)
    return {
        "name": check.name,
        "verdict": check.verdict,
        "reason": check.reason,
        "words": check.words,
        "numbers": numbers,
        "question": check.meaning.question,
        "worth": check.meaning.worth,
    }


def _samples_json(measurement: Measurement) -> dict[str, Any]:
    kind, summary = KINDS[measurement.kind], measurement.summary
    raw: Sequence[int] = measurement.raw
    return {
        "name": kind.name,
        "unit": kind.unit,
        "words": kind.words,
        "raw": list(raw),
        "minimum": summary.minimum,
        "median": summary.median,
        "maximum": summary.maximum,
        "spread_permille": summary.spread_permille,
    }
