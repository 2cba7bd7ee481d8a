"""The command `metanode-fingerprint`, which is also the verb `metanode fingerprint`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metanode.core import model
from metanode.core.model.errors import MetanodeError
from metanode.core.model.params import network_params
from metanode.fingerprint.classes import classify, processor_key
from metanode.fingerprint.collect import Report, collect, look, read_machine
from metanode.fingerprint.evidence import judge_evidence
from metanode.fingerprint.multipliers import load_table
from metanode.fingerprint.probes import measure
from metanode.fingerprint.progress import ProgressLine, style_of
from metanode.fingerprint.samples import Measurement
from metanode.fingerprint.scoring import Policy, score
from metanode.platforms.priority import lower_priority
from metanode.platforms.terminal import HelpFormatter, terminal_columns

# Imported where they are used, once the interpreter's probes have given their buffer back: the peak stays 2 MiB lower.
if TYPE_CHECKING:
    from metanode.fingerprint.crosscheck import CrossCheck
    from metanode.fingerprint.report import Findings, Preview
    from metanode.fingerprint.report_probes import Compiled

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
NETWORKS = ("devnet", "testnet", "mainnet")
PREVIEWED = ("devnet", "mainnet")
"""Networks whose weight is shown when none is asked for."""

DESCRIPTION = """\
Measure this machine: what it is, whether it looks virtual, and what it would be paid for on
each network, with a reason for every number.  Nothing is sent anywhere."""
EPILOG = """\
examples:
  metanode-fingerprint
  metanode-fingerprint --json
  metanode-fingerprint --no-probes --policy mainnet
  metanode-fingerprint --capture my-machine.json    to send to others; identifiers are replaced
  metanode-fingerprint --from my-machine.json       what others see in it
  metanode-fingerprint --calibrate g4.report --ticket g4.ticket   see docs/calibration.md
  metanode-fingerprint --reports a.report b.report c.report       would these calibrate their model?

exit codes: 0 a report was made, or reports agree, 1 refused: unsupported platform, unreadable file, reports
that do not calibrate, 2 usage, 130 interrupted"""


class FingerprintVerb:
    """`metanode fingerprint`."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the options; `--json` comes from whoever owns the parser."""
        parser.add_argument(
            "--probes", action=argparse.BooleanOptionalAction, default=True, help="run the timing probes (default: yes)"
        )
        parser.add_argument(
            "--crosscheck", action=argparse.BooleanOptionalAction, default=True,
            help="ask py-cpuinfo and systemd-detect-virt for a second opinion (default: yes)",
        )
        parser.add_argument(
            "--policy", choices=NETWORKS, help="the network whose weight to show (default: devnet and mainnet)"
        )

        parser.add_argument(
            "--from", dest="source", type=Path, metavar="PATH",
            help="read a capture or a directory of outputs instead of this machine; nothing is timed then",
        )
        parser.add_argument(
            "--capture", type=Path, metavar="FILE",
            help="write what is read from this machine (or --from) to a new file, identifiers replaced, and stop",
        )
        parser.add_argument(
            "--calibrate", type=Path, metavar="FILE",
            help="measure this machine at length and write its calibration report, to be signed, to a new file",
        )
        parser.add_argument(
            "--ticket", type=Path, metavar="FILE",
            help="with --calibrate: for whom and for which chain, as `metanode machine ticket` wrote it",
        )
        parser.add_argument(
            "--reports", type=Path, nargs="+", metavar="FILE",
            help="judge calibration reports together, as validators will",
        )

    def run(self, args: argparse.Namespace) -> int:
        """Measure, print, and return the exit code."""
        as_json: bool = args.json
        networks = (args.policy,) if args.policy else PREVIEWED
        try:
            if args.capture:
                return _write_capture(args.capture, args.source, as_json=as_json)
            if args.calibrate or args.ticket or args.reports:
                from metanode.fingerprint import calibration_files  # a miner never calibrates

                return calibration_files.run(args)
            if args.source:
                findings = replay(args.source, networks)
            else:
                findings = find(probes=args.probes, second_opinions=args.crosscheck, networks=networks)
        except MetanodeError as error:
            if error.code != "UNSUPPORTED_PLATFORM":
                raise
            if as_json:
                print(json.dumps(error.reply(), sort_keys=True))
            else:
                print(f"unsupported: {error.message}", file=sys.stderr)
            return EXIT_FAILED
        from metanode.fingerprint.report import to_json, to_text

        if as_json:
            print(json.dumps(to_json(findings), sort_keys=True))
        else:
            columns = terminal_columns() if sys.stdout.isatty() else 0
            print("\n".join(to_text(findings, style=style_of(args), columns=columns)))
        return EXIT_OK


VERB = FingerprintVerb()


def find(*, probes: bool = True, second_opinions: bool = True, networks: Sequence[str] = PREVIEWED) -> Findings:
    """Look at this machine in full, from now on at a low priority.

    :raises MetanodeError: UNSUPPORTED_PLATFORM.
    """
    lower_priority()
    show = ProgressLine()
    try:
        show(0, 1, "hardware")
        report = collect()
        measurements = measure(progress=show) if probes else ()
        from metanode.fingerprint.report import Findings
        from metanode.fingerprint.report_probes import Compiled, run_compiled

        compiled = run_compiled(report.inventory, show) if probes else Compiled()
        rows = _second_opinions(report, show) if second_opinions else ()
    finally:
        show.clear()
    weights, untimed = preview(report, measurements, compiled, networks), "" if probes else "not timed (--no-probes)"
    return Findings(report, measurements, rows, weights, os.urandom(32), compiled, untimed)


def _second_opinions(report: Report, show: ProgressLine) -> tuple[CrossCheck, ...]:
    from metanode.fingerprint.crosscheck import crosscheck

    show(0, 1, "second opinions (at most 5 s)")
    return crosscheck(report)


def replay(source: Path, networks: Sequence[str] = PREVIEWED) -> Findings:
    """Read another machine from a capture: no timing, no second opinions.

    :raises MetanodeError: FILE_MISSING, BAD_SHAPE.
    """
    from metanode.fingerprint.capture import read_capture  # a miner never replays
    from metanode.fingerprint.report import Findings
    from metanode.fingerprint.report_probes import Compiled

    report = read_machine(*read_capture(source))
    untimed = "not timed: a capture holds what a machine says, not how fast it is"
    return Findings(report, (), (), preview(report, (), Compiled(), networks), os.urandom(32), untimed=untimed)


def _write_capture(path: Path, source: Path | None, *, as_json: bool) -> int:
    """Write a dump without identifiers to a new file.

    :raises MetanodeError: UNSUPPORTED_PLATFORM; FILE_EXISTS; FILE_MISSING, also where it cannot be written.
    """
    from metanode.fingerprint.capture import read_capture, write_capture
    from metanode.fingerprint.redact import SALT_BYTES, host_names, redact

    dump, facts = look() if source is None else read_capture(source)
    identifiers = read_machine(dump, facts).identifiers
    clean = redact(dump, identifiers, host_names() if source is None else (), os.urandom(SALT_BYTES))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(write_capture(clean, facts))
    except FileExistsError as error:
        raise MetanodeError("FILE_EXISTS", f"{path} exists", "a path for a new file") from error
    except OSError as error:
        raise MetanodeError("FILE_MISSING", f"{path}: {(error.strerror or 'cannot be written').lower()}") from error
    if as_json:
        print(json.dumps({"ok": True, "file": str(path), "sources": len(clean.files)}, sort_keys=True))
    else:
        print(f"wrote {path}: {len(clean.files)} sources, identifiers replaced; look through it before you send it")
    return EXIT_OK


def preview(
    report: Report, measurements: Sequence[Measurement], compiled: Compiled, networks: Sequence[str]
) -> tuple[Preview, ...]:
    """Return what each named network would count the machine for on its first day."""
    from metanode.fingerprint.report import Preview

    row = load_table().row(*classify(report.inventory))
    summaries = [item.summary for item in (*measurements, *compiled.measurements)]
    checks = judge_evidence(compiled.results, summaries, processor_key(report.inventory), row)
    return tuple(Preview(name, policy, score(report.inventory, checks, policy)) for name, policy in _policies(networks))


def _policies(networks: Sequence[str]) -> list[tuple[str, Policy]]:
    text = (Path(model.__file__).parent / "data" / "networks.json").read_text("utf-8")
    chosen = [(name, network_params(text, name)) for name in networks]
    return [(name, Policy.of(params)) for name, params in chosen]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; `argv` is without the program's name."""
    parser = argparse.ArgumentParser(
        prog="metanode-fingerprint",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    VERB.configure(parser)
    parser.add_argument("--json", action="store_true", help="answer with JSON")
    parser.add_argument("--no-color", action="store_true", help="plain text")
    args = parser.parse_args(argv)
    try:
        return VERB.run(args)
    except MetanodeError as error:
        if args.json:
            print(json.dumps(error.reply(), sort_keys=True))
        else:
            print(error.line(), file=sys.stderr)
        return EXIT_USAGE if error.code == "USAGE" else EXIT_FAILED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
