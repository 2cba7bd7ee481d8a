"""Build and run the C shims, and whole Python, on foreign architectures: `make test-arch`.

Prints a table architecture x processor x path x result.  Row by row: targets.toml says what is built and which paths
must be found on which processor (shims.py), which systems are linked for only (linking.py), python_rows.py runs the
Python tests inside foreign systems, fingerprint_rows.py the fingerprint command in emulators that hide.
docs/architectures.md tells what that proves.

The exit code is 1 when a row failed, or was skipped although nothing was left out on purpose (--skips-allowed).
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import fingerprint_rows
import linking
import packages
import ppc_python
import python_rows
import rootfs
import shims
import targets
from table import Options, Row, failed, text, to_json

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "arch"
JOBS = 2


def main() -> int:
    """Run what was asked for and print the table; 1 when something is not right, 2 when the question is not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", default="", metavar="NAMES",
        help="comma-separated architectures, processors or kinds (vectors, linked, python, fingerprint): ppc,cortex-a7",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--ci", action="store_true", help="only the builds marked `ci` in targets.toml")
    parser.add_argument("--skips-allowed", action="store_true", help="rows without their tools fail nothing")
    parser.add_argument("--install", action="store_true", help="install the tools of the chosen rows and stop")
    parser.add_argument("--jobs", type=int, default=JOBS, help="builds at a time (default: %(default)s)")
    parser.add_argument("--build", type=Path, default=BUILD, metavar="DIR", help="default: build/arch in the checkout")
    args = parser.parse_args()
    start = time.monotonic()
    only = tuple(name for name in args.only.split(",") if name)
    options = Options(args.build.resolve(), only, max(1, args.jobs), say=Progress(start))
    table = targets.load()
    if args.install:
        return _install(options, table, ci=args.ci)
    rows: list[Row] = []

    def show() -> None:
        seconds = time.monotonic() - start
        print(to_json(rows, seconds) if args.json else f"{text(rows)}; {seconds:.0f} s", flush=True)

    def end_early(number: int, frame: object) -> None:
        missing = "told to end before all rows were known; those that are not in the table did not run to their end"
        rows.append(Row("-", "-", "-", "-", "skipped", missing, time.monotonic() - start))
        show()  # at once: what is running takes its time to end, and who tells us may not wait for it
        raise SystemExit(1)

    signal.signal(signal.SIGTERM, end_early)
    for row in _all_rows(options, table, ci=args.ci):
        options.say(f"{row.architecture} {row.cpu} {row.path}: {row.result}")
        rows.append(row)
    options.say("")
    if not rows:
        print(f"nothing is called {args.only!r}; there are {', '.join(_names(table))}", file=sys.stderr)
        return 2
    show()
    return int(failed(rows, skipped_fails=not args.skips_allowed))


def _install(options: Options, table: targets.Targets, *, ci: bool) -> int:
    """Install what is missing and can be installed; the rows themselves say what is missing still."""
    missing = shims.missing_packages(options, table, ci=ci)
    if not ci:
        missing += _python_packages(options)
    problems = [packages.install(list(dict.fromkeys(missing)), options.say)]
    if not ci:
        problems.append(linking.install(options, table))
    options.say("")
    for problem in filter(None, problems):
        print(problem, file=sys.stderr)
    return 0


def _python_packages(options: Options) -> list[str]:
    """Return the Debian packages that the Python rows lack."""
    if not any(options.wants(target.architecture, target.cpu, python_rows.KIND) for target in python_rows.TARGETS):
        return []
    tools = {**ppc_python.TOOLS, **rootfs.TOOLS}
    return [name for tool, names in tools.items() if shutil.which(tool) is None for name in names.split()]


def _all_rows(options: Options, table: targets.Targets, *, ci: bool) -> Iterator[Row]:
    yield from shims.rows(options, table, ci=ci)
    if not ci:
        yield from linking.rows(options, table)
        yield from python_rows.rows(options)
        yield from fingerprint_rows.rows(options)


def _names(table: targets.Targets) -> Iterable[str]:
    yield from (build.name for build in table.builds)
    yield from (link.target for link in table.links)
    yield from (shims.WHAT, linking.WHAT, python_rows.KIND, fingerprint_rows.KIND)


class Progress:
    """One line on standard error: over itself on a terminal, one after another elsewhere."""

    def __init__(self, start: float) -> None:
        self._start = start
        self._terminal = sys.stderr.isatty()

    def __call__(self, line: str) -> None:
        """Show what is being done; an empty line wipes it from a terminal."""
        if self._terminal:
            shown = f"{time.monotonic() - self._start:4.0f} s  {line}"[:99] if line else ""
            print(f"\r\x1b[K{shown}", end="", file=sys.stderr, flush=True)
        elif line:
            # In one piece, for several threads have something to say.
            sys.stderr.write(f"{time.monotonic() - self._start:4.0f} s  {line}\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        sys.exit(130)
