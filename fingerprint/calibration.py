"""Do these reports come from one real model?  Pure: every validator judges a proposal alike, and anyone can beforehand.

Owners can be invented and timings as well, so agreement is a consistency check and a cost, never a proof: whether
three reports are three machines that exist is what validators vote on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metanode.core.model import ed25519
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.calibration import (
    REPORTS_MAX,
    REPORTS_MIN,
    CalibrationReport,
    SignedReport,
    decode_report,
    decode_signed_report,
    report_digest,
)
from metanode.core.model.errors import Rejection
from metanode.fingerprint.checks import FAIL, Check
from metanode.fingerprint.classes import classify, processor_key
from metanode.fingerprint.consistency import check_consistency
from metanode.fingerprint.declared import check_emulator, check_virtual_machine
from metanode.fingerprint.evidence import judge_evidence
from metanode.fingerprint.inventory import Inventory, decode_inventory
from metanode.fingerprint.keyed import PROBES, check_active, check_keyed
from metanode.fingerprint.multipliers import Table, load_table
from metanode.fingerprint.probes.envelopes import JUDGED, MEASURED_MIN
from metanode.fingerprint.probes.summaries import RATIOS, proven, ratios
from metanode.fingerprint.samples import decode_samples

AGREEMENT = 2
"""The highest of a ratio may be so many times the lowest: machines of one model differ in steppings and kernels."""


@dataclass(frozen=True)
class Examined:
    """One report, judged by itself."""

    report: CalibrationReport
    inventory: Inventory
    checks: tuple[Check, ...]
    ratios: Mapping[str, int]
    """Each of `summaries.RATIOS` that was measured, in thousandths."""

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that keep it from counting."""
        return tuple(check for check in self.checks if check.verdict == FAIL)


@dataclass(frozen=True)
class Calibration:
    """What a set of reports says of its model."""

    model: str
    ranges: tuple[tuple[str, int, int], ...]
    """(ratio, lowest, highest) in thousandths, of each one that all reports measured, in the order of RATIOS."""


def examine(report: CalibrationReport, *, table: Table | None = None) -> Examined:
    """Judge one report; its signature is not looked at.

    :param table: the multiplier table; the shipped one when None.
    :raises Rejection: PROBE_MISMATCH, CALIBRATION_MODEL_DIFFERS, CALIBRATION_UNMEASURED; the inventory or the
        samples have the wrong shape.
    :raises CodecError: one of them is not canonical.
    """
    inventory = decode_inventory(report.inventory)
    model = processor_key(inventory)
    if report.model != model:
        raise Rejection("CALIBRATION_MODEL_DIFFERS", f"a report of {report.model!r} whose inventory is of {model!r}")
    _check_results(report)
    summaries = decode_samples(report.samples)
    found = ratios(proven(summaries, report.probe_results))
    measured = sum(name in found for name in JUDGED)
    if measured < MEASURED_MIN:
        message = f"{_whose(report)} measured {measured} of {', '.join(JUDGED)}"
        raise Rejection("CALIBRATION_UNMEASURED", message, f"{MEASURED_MIN} of them or more, by the compiled probes")
    own = (check_virtual_machine(inventory), check_emulator(inventory), check_consistency(inventory))
    row = (table or load_table()).row(*classify(inventory))
    checks = (*own, *judge_evidence(report.probe_results, summaries, model, row))
    return Examined(report, inventory, checks, found)


def check_reports(signed: Sequence[bytes], genesis_hash: bytes, *, table: Table | None = None) -> Calibration:
    """Judge a set of signed reports, cheapest check first.

    :raises Rejection: CALIBRATION_TOO_FEW, TOO_LARGE, CALIBRATION_SAME_OWNER, CALIBRATION_SAME_MACHINE,
        CALIBRATION_MODEL_DIFFERS, INVALID_SIGNATURE, CALIBRATION_NOT_REAL, CALIBRATION_INCONSISTENT; and as `examine`.
    :raises CodecError: one of them is not canonical.
    """
    if len(signed) < REPORTS_MIN:
        raise Rejection("CALIBRATION_TOO_FEW", f"{len(signed)} calibration reports")
    if len(signed) > REPORTS_MAX:
        raise Rejection("TOO_LARGE", f"{len(signed)} calibration reports", f"at most {REPORTS_MAX}")
    opened = [decode_signed_report(data) for data in signed]
    reports = [decode_report(each.report) for each in opened]
    _check_distinct(reports)
    _check_signatures(opened, reports, genesis_hash)
    examined = [examine(report, table=table) for report in reports]
    for each in examined:
        if each.failed:
            why = ", ".join(f"{check.name} ({check.reason})" for check in each.failed)
            raise Rejection("CALIBRATION_NOT_REAL", f"{_whose(each.report)} fails {why}")
    return Calibration(reports[0].model, _ranges(examined))


def _check_results(report: CalibrationReport) -> None:
    """Recompute every keyed probe; raises Rejection PROBE_MISMATCH."""
    interpreted = tuple(pair for pair in report.probe_results if pair[0] in PROBES)
    compiled = tuple(pair for pair in report.probe_results if pair[0] not in PROBES)
    for check in (check_keyed(report.challenge, interpreted), check_active(report.challenge, compiled)):
        if check.verdict == FAIL:
            probe = dict(check.numbers)["probe"]
            raise Rejection("PROBE_MISMATCH", f"{_whose(report)} has a wrong result of probe {probe}")


def _check_distinct(reports: Sequence[CalibrationReport]) -> None:
    """Refuse two reports of one owner, of one machine, or of two models."""
    models = sorted({report.model for report in reports})
    if len(models) > 1:
        raise Rejection("CALIBRATION_MODEL_DIFFERS", f"reports of {' and '.join(map(repr, models))}")
    _check_unlike([report.owner for report in reports], reports, "CALIBRATION_SAME_OWNER", "owner")
    # Two machines never time alike to the picosecond: equal samples are one measurement told twice.
    for what in ("machine_key", "binding_tag", "samples"):
        parts = [getattr(report, what) for report in reports]
        _check_unlike(parts, reports, "CALIBRATION_SAME_MACHINE", what.replace("_", " "))


def _check_unlike(parts: Sequence[bytes], reports: Sequence[CalibrationReport], code: str, what: str) -> None:
    first: dict[bytes, CalibrationReport] = {}
    for part, report in zip(parts, reports, strict=True):
        if part in first:
            raise Rejection(code, f"{_whose(first[part])} and {_whose(report)} have one {what}")
        first[part] = report


def _check_signatures(
    opened: Sequence[SignedReport], reports: Sequence[CalibrationReport], genesis_hash: bytes
) -> None:
    verdicts = ed25519.verify_many(
        [
            (report.owner_key, report_digest(each.report, genesis_hash), each.signature)
            for each, report in zip(opened, reports, strict=True)
        ]
    )
    for right, report in zip(verdicts, reports, strict=True):
        if not right:
            raise Rejection("INVALID_SIGNATURE", f"{_whose(report)} is not signed by its owner for this chain")


def _ranges(examined: Sequence[Examined]) -> tuple[tuple[str, int, int], ...]:
    """Return the range of each ratio that all reports have; raises Rejection where they disagree."""
    common = [name for name in RATIOS if all(name in each.ratios for each in examined)]
    if sum(name in JUDGED for name in common) < MEASURED_MIN:
        raise Rejection("CALIBRATION_UNMEASURED", f"all reports measured {', '.join(common) or 'nothing'}",
                        f"{MEASURED_MIN} of {', '.join(JUDGED)} in every report")  # fmt: skip
    found = []
    for name in common:
        values = [each.ratios[name] for each in examined]
        low, high = min(values), max(values)
        if high > AGREEMENT * low:
            raise Rejection("CALIBRATION_INCONSISTENT", f"{name} is {low} to {high} thousandths")
        found.append((name, low, high))
    return tuple(found)


def _whose(report: CalibrationReport) -> str:
    return f"the report of {to_bech32m(report.owner)}"
