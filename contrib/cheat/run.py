"""Cheat a real node in every way we know, and say what each would earn: `make cheat`.

    python contrib/cheat/run.py                       all forgeries, a table; 1 when one ends otherwise than published
    python contrib/cheat/run.py --only invented-g4    some of them, by name or number
    python contrib/cheat/run.py --json
    python contrib/cheat/run.py --list                names and titles; nothing is run
    python contrib/cheat/run.py --write               keep what was seen: expected.json and docs/cheating.md
    python contrib/cheat/run.py --check               does docs/cheating.md fit expected.json?  Nothing is run

A node is started on loopback with testnet's rules and a short calendar, in a directory that goes with it; about a
minute and a half in all.  Envelopes, records and signatures are real and go through the node's HTTP API.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence

from client import Client
from forgery import Forgery, Outcome, all_forgeries
from lab import running
from page import EXPECTED, PAGE, Published, as_json, expected, render
from scene import GroundworkError, Scene
from screen import Screen
from worth import Honest, Weights

from metanode.core import crypto
from metanode.core.model.errors import MetanodeError


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0, 1 when something ends otherwise than published, 2 for a wrong name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="NAMES", help="names or numbers, with commas between")
    parser.add_argument("--json", action="store_true", help="answer with JSON")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="print names and titles")
    what.add_argument("--write", action="store_true", help="write expected.json and docs/cheating.md")
    what.add_argument("--check", action="store_true", help="fail when docs/cheating.md is not in step")
    options = parser.parse_args(arguments)
    if options.check:
        return _check()
    chosen, unknown = _chosen(options.only)
    if unknown or (options.write and options.only):
        wrong = f"no forgery is called {', '.join(unknown)}: see --list" if unknown else "--write takes all of them"
        print(wrong, file=sys.stderr)
        return 2
    if options.list:
        for number, one in chosen:
            print(f"{number:>3} {one.name:26} {one.title}")
        return 0
    start = time.monotonic()
    crypto.install()  # pure signatures take as long as a block
    screen = Screen(sys.stderr if options.json else sys.stdout)
    try:
        published, problems = _run(chosen, screen, compare=not options.write)
    except (GroundworkError, MetanodeError) as error:
        print(f"nothing was tried: {error}", file=sys.stderr)
        return 1
    if options.write and not problems:
        EXPECTED.write_text(as_json(published), encoding="utf-8")
        PAGE.write_text(render(published), encoding="utf-8")
    screen.end(Counter(one.verdict for one in published.outcomes.values()), time.monotonic() - start, problems)
    if options.json:
        print(json.dumps({"ok": not problems, "problems": problems, **json.loads(as_json(published))}, indent=1))
    return int(bool(problems))


def _chosen(only: str) -> tuple[list[tuple[int, Forgery]], list[str]]:
    """Return the forgeries asked for, with their numbers, and the names that are none."""
    wanted = [name for name in only.split(",") if name]
    numbered = list(enumerate(all_forgeries(), 1))
    known = {name for number, one in numbered for name in (one.name, str(number))}
    chosen = [(number, one) for number, one in numbered if not wanted or {one.name, str(number)} & set(wanted)]
    return chosen, [name for name in wanted if name not in known]


def _run(chosen: Sequence[tuple[int, Forgery]], screen: Screen, *, compare: bool) -> tuple[Published, list[str]]:
    """Start a node, try each forgery, print it; returns what was seen, and in words what is not as published."""
    before = expected() if compare else None
    outcomes: dict[str, Outcome] = {}
    problems: list[str] = []
    with running() as chain:
        scene = Scene.set(Client(chain))
        honest = Honest(*(Weights(one.weight, one.payable) for one in (scene.pc_told, scene.g4_told)))
        if before is not None and honest != before.honest:
            problems.append(f"the honest machines count for {honest}, not for {before.honest}: run --write")
        screen.start(honest)
        for number, one in chosen:
            screen.doing(number, len(all_forgeries()), one)
            try:
                outcome = one.run(scene)
            except GroundworkError as error:
                problems.append(f"{one.name} was not tried: {error}")
                continue
            except MetanodeError as error:
                outcome = Outcome(False, codes=(error.code,))
            outcomes[one.name] = outcome
            changed = before is not None and before.outcomes.get(one.name) != outcome
            if changed:
                problems.append(f"{one.name} ends otherwise than docs/cheating.md says; if that is right, run --write")
            screen.row(number, one, outcome, honest, changed=changed)
    return Published(honest, outcomes), problems


def _check() -> int:
    """Return 0 when the page says what expected.json holds."""
    if PAGE.exists() and PAGE.read_text("utf-8") == render(expected()):
        return 0
    print("docs/cheating.md is not in step with contrib/cheat: make cheat, then --write", file=sys.stderr)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
