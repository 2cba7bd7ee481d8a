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
from metanode.fingerprint.classes import classify
from metanode.fingerprint.collect import Report, collect, look, read_machine
from metanode.fingerprint.multipliers import load_table
from metanode.fingerprint.probes import Progress, measure
from metanode.fingerprint.samples import Measurement, judge
from metanode.fingerprint.scoring import Policy, score
from metanode.platforms.terminal import HelpFormatter, terminal_columns

# Imported where they are used, once the interpreter's probes have given their buffer back: the peak stays 2 MiB lower.
if TYPE_CHECKING:
    from metanode.fingerprint.crosscheck import CrossCheck
    from metanode.fingerprint.report import Findings, Preview

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

exit codes: 0 a report was made, 1 unsupported platform or unreadable capture, 2 usage, 130 interrupted"""
_COLOURS = {"bold": "1", "red": "31", "green": "32", "yellow": "33"}


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

    def run(self, args: argparse.Namespace) -> int:
        """Measure, print, and return the exit code."""
        as_json: bool = args.json
        networks = (args.policy,) if args.policy else PREVIEWED
        try:
            if args.capture:
                return _write_capture(args.capture, args.source, as_json=as_json)
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
            colour = _wants_colour(no_color=getattr(args, "no_color", False))
            columns = terminal_columns() if sys.stdout.isatty() else 0
            print("\n".join(to_text(findings, style=_coloured if colour else _plain, columns=columns)))
        return EXIT_OK


VERB = FingerprintVerb()


def find(*, probes: bool = True, second_opinions: bool = True, networks: Sequence[str] = PREVIEWED) -> Findings:
    """Look at this machine in full.

    :raises MetanodeError: UNSUPPORTED_PLATFORM.
    """
    show = _Progress()
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
    weights, untimed = preview(report, measurements, networks), "" if probes else "not timed (--no-probes)"
    return Findings(report, measurements, rows, weights, os.urandom(32), compiled, untimed)


def _second_opinions(report: Report, show: Progress) -> tuple[CrossCheck, ...]:
    from metanode.fingerprint.crosscheck import crosscheck

    show(0, 1, "second opinions (at most 5 s)")
    return crosscheck(report)


def replay(source: Path, networks: Sequence[str] = PREVIEWED) -> Findings:
    """Read another machine from a capture: no timing, no second opinions.

    :raises MetanodeError: FILE_MISSING, BAD_SHAPE.
    """
    from metanode.fingerprint.capture import read_capture  # a miner never replays
    from metanode.fingerprint.report import Findings

    report = read_machine(*read_capture(source))
    untimed = "not timed: a capture holds what a machine says, not how fast it is"
    return Findings(report, (), (), preview(report, (), networks), os.urandom(32), untimed=untimed)


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


def preview(report: Report, measurements: Sequence[Measurement], networks: Sequence[str]) -> tuple[Preview, ...]:
    """Return what each named network would count the machine for on its first day."""
    from metanode.fingerprint.report import Preview

    row = load_table().row(*classify(report.inventory))
    checks = judge([measurement.summary for measurement in measurements], row)
    return tuple(Preview(name, policy, score(report.inventory, checks, policy)) for name, policy in _policies(networks))


def _policies(networks: Sequence[str]) -> list[tuple[str, Policy]]:
    text = (Path(model.__file__).parent / "data" / "networks.json").read_text("utf-8")
    chosen = [(name, network_params(text, name)) for name in networks]
    return [(name, Policy(params.profile, params.vm_weight)) for name, params in chosen]


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
    try:
        return VERB.run(parser.parse_args(argv))
    except MetanodeError as error:
        print(error.line(), file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


class _Progress:
    """One line on standard error that overwrites itself; silent where that is no terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __call__(self, done: int, total: int, name: str) -> None:
        if self._shown:
            sys.stderr.write(f"\r\x1b[Kmeasuring {name} {100 * done // total} %")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _wants_colour(*, no_color: bool) -> bool:
    return sys.stdout.isatty() and not no_color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _coloured(text: str, *names: str) -> str:
    return f"\x1b[{';'.join(_COLOURS[name] for name in names)}m{text}\x1b[0m"


def _plain(text: str, *names: str) -> str:
    return text


if __name__ == "__main__":
    sys.exit(main())
