"""`--calibrate` and `--reports`: what a person sees of calibration reports, and the files they travel in."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metanode.core.model.accounts import to_bech32m
from metanode.core.model.calibration import (
    ReportFile,
    SignedReport,
    decode_report,
    report_file_from_json,
    ticket_from_json,
)
from metanode.core.model.errors import CodecError, MetanodeError, Rejection
from metanode.fingerprint.calibrate import calibrate
from metanode.fingerprint.calibration import Examined, check_reports, examine
from metanode.fingerprint.checks import FAIL, PASS
from metanode.fingerprint.probes import Progress
from metanode.fingerprint.probes.envelopes import JUDGED, MARGIN, envelopes, microarchitecture_of
from metanode.fingerprint.progress import ProgressLine, style_of
from metanode.fingerprint.report_lines import Style
from metanode.fingerprint.report_probes import ratio_text

FILE_BYTES_MAX = 32_768
"""Largest ticket or report file that is read."""
_COLOURS = {PASS: "green", FAIL: "red"}
SIGN_WORDS = "not signed yet: `metanode machine sign {path}` where the owner's wallet is"


def run(args: argparse.Namespace) -> int:
    """Do what `--calibrate` or `--reports` asks for; return the exit code.

    :raises MetanodeError: as `make_report` and `judge_files`; USAGE.
    """
    style = style_of(args)
    if args.reports:
        answer = judge_files(args.reports)
        print(json.dumps(answer, sort_keys=True) if args.json else "\n".join(verdict_lines(answer, style)))
        return 0 if answer["accepted"] else 1
    if not args.calibrate or not args.ticket:
        raise MetanodeError("USAGE", "--calibrate and --ticket go together", "--calibrate FILE --ticket FILE")
    show = ProgressLine()
    try:
        examined = make_report(args.calibrate, args.ticket, show)
    finally:
        show.clear()
    if args.json:
        value = {"ok": True, "file": str(args.calibrate), **examined_json(examined, signed=False)}
        print(json.dumps(value, sort_keys=True))
    else:
        written = f"wrote {args.calibrate}, {SIGN_WORDS.format(path=args.calibrate)}"
        print("\n".join([*report_lines(examined, style), written]))
    return 0


def make_report(path: Path, ticket: Path, progress: Progress | None = None) -> Examined:
    """Measure this machine for a ticket and write the report, not signed yet, to a new file.

    :raises MetanodeError: FILE_MISSING, FILE_EXISTS, the ticket cannot be read; and as `calibrate`.
    """
    asked = ticket_from_json(_read(ticket))
    if path.exists():  # told before a minute of measuring, not after
        raise MetanodeError("FILE_EXISTS", f"{path} exists", "a path for a new file")
    made = calibrate(asked, progress)
    text = ReportFile(asked.genesis_hash, made.report.encode()).to_json()
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise MetanodeError("FILE_EXISTS", f"{path} exists", "a path for a new file") from error
    except OSError as error:
        raise MetanodeError("FILE_MISSING", f"{path}: {(error.strerror or 'cannot be written').lower()}") from error
    return examine(made.report)


def judge_files(paths: Sequence[Path]) -> dict[str, Any]:
    """Judge report files together, as validators will; `accepted` tells the outcome, `code` and `message` why not.

    :raises MetanodeError: a file cannot be read.
    """
    files = [report_file_from_json(_read(path)) for path in paths]
    reports = [examined_json(examine(decode_report(file.report)), signed=bool(file.signature)) for file in files]
    answer: dict[str, Any] = {"accepted": False, "reports": reports, "ranges": {}, "code": "OK", "message": ""}
    try:
        if len({file.genesis_hash for file in files}) > 1:
            raise Rejection("WRONG_CHAIN", "these reports are of different chains", "reports made for one chain")
        if unsigned := [str(path) for path, file in zip(paths, files, strict=True) if not file.signature]:
            raise Rejection("INVALID_SIGNATURE", f"not signed: {', '.join(unsigned)}", "`metanode machine sign`")
        signed = [SignedReport(file.report, file.signature).encode() for file in files]
        calibration = check_reports(signed, files[0].genesis_hash)
    except (Rejection, CodecError) as error:
        return {**answer, "ok": False, "code": error.code, "message": error.message, "expected": error.expected}
    ranges = {name: [low, high] for name, low, high in calibration.ranges}
    return {**answer, "ok": True, "accepted": True, "model": calibration.model, "ranges": ranges}


def examined_json(examined: Examined, *, signed: bool) -> dict[str, Any]:
    """Return what a report says, for programs; ratios in thousandths."""
    report, inventory = examined.report, examined.inventory
    return {
        "owner": to_bech32m(report.owner),
        "machine_key": report.machine_key.hex(),
        "binding_tag": report.binding_tag.hex(),
        "model": report.model,
        "name": inventory.cpu.name,
        "board": inventory.board.model or inventory.board.product_name,
        "challenge_height": report.challenge_height,
        "header_hash": report.header_hash.hex(),
        "agent": report.agent,
        "signed": signed,
        "counts": not examined.failed,
        "ratios": dict(examined.ratios),
        "ranges": {name: list(bounds) for name, bounds in _bounds(report.model).items()},
        "checks": [
            {"name": check.name, "verdict": check.verdict, "reason": check.reason, "words": check.words,
             "numbers": dict(check.numbers)}
            for check in examined.checks
        ],
    }  # fmt: skip


def report_lines(examined: Examined, style: Style) -> list[str]:
    """Return what was measured, how it lies against the envelope, and whether it can count."""
    report, inventory = examined.report, examined.inventory
    lines = [f"{style('model', 'bold')}    {report.model}   {inventory.cpu.name or inventory.board.model}".rstrip()]
    lines.append(f"{style('owner', 'bold')}    {to_bech32m(report.owner)}")
    for check in examined.checks:
        verdict = style(f"{check.verdict:<11}", _COLOURS.get(check.verdict, "yellow"))
        lines.append(f"  {verdict}{check.name:<21}{check.words if check.verdict == FAIL else check.reason}")
    bounds = _bounds(report.model)
    for name, value in examined.ratios.items():
        text = f"  {name:<12}{ratio_text(value):>6}"
        if name in bounds:
            low, high = bounds[name]
            inside = low <= value * MARGIN <= high * MARGIN * MARGIN
            fits = "fits" if inside else style("outside", "red")
            text += f"  {fits} {ratio_text(-(-low // MARGIN))} to {ratio_text(high * MARGIN)}"
        lines.append(text)
    if examined.failed:
        why = ", ".join(check.name for check in examined.failed)
        lines.append(f"{style('refused', 'red')}  validators will not count this report: {why}")
    return lines


def verdict_lines(answer: dict[str, Any], style: Style) -> list[str]:
    """Return what judging several files gave."""
    lines = []
    for report in answer["reports"]:
        failed = [check["name"] for check in report["checks"] if check["verdict"] == FAIL]
        signed = "signed" if report["signed"] else style("not signed", "yellow")
        lines.append(f"{report['owner']}  {report['model']}  {signed}  {report['name'] or report['board']}".rstrip())
        lines.append("  " + ", ".join(f"{name} {ratio_text(value)}" for name, value in report["ratios"].items()))
        if failed:
            lines.append(f"  {style('fails', 'red')} {', '.join(failed)}")
    if answer["accepted"]:
        lines.append(f"{style('agree', 'green')}  once validators vote for it, these calibrate {answer['model']}")
        return lines
    why = f"{answer['code']}: {answer['message']} (expected: {answer['expected']})"
    lines.append(f"{style('refused', 'red')}  {why}")
    return lines


def _bounds(model: str) -> dict[str, tuple[int, int]]:
    """Return the ranges of the model's envelope, before the margin."""
    envelope = envelopes().get(microarchitecture_of(model))
    return {} if envelope is None else {name: envelope.ranges[name] for name in JUDGED if name in envelope.ranges}


def _read(path: Path) -> str:
    """Read a small text file; raises MetanodeError FILE_MISSING, TOO_LARGE or BAD_JSON."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        text = data.decode("ascii")
    except OSError as error:
        raise MetanodeError("FILE_MISSING", f"{path}: {(error.strerror or 'cannot be read').lower()}") from error
    except UnicodeDecodeError as error:
        raise MetanodeError("BAD_JSON", f"{path} is no text file", "a ticket or report as metanode wrote it") from error
    if len(data) > FILE_BYTES_MAX:
        raise MetanodeError("TOO_LARGE", f"{path} is larger than {FILE_BYTES_MAX} bytes")
    return text
