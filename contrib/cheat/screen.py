"""The table as it grows: one line a forgery, coloured on a terminal, and what came of them all."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections import Counter
from typing import TextIO

from forgery import LOWERED, NOT_CAUGHT, REFUSED, UNPAID, Forgery, Outcome
from worth import Honest, Weights, coins, shares, times

COLOURS = {REFUSED: "32", UNPAID: "32", LOWERED: "33", NOT_CAUGHT: "31;1"}
HEAD = f"{'no':>3} {'forgery':26} {'ends':11} {'class':9} {'weight':>6} {'pays':>5} {'n':>4} {'coins/day':>9}  told by"
WIDTH = len(HEAD) - len("told by")
BELOW = " " * 8


class Screen:
    """Prints to standard output; says on standard error what runs, where that is a terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self._colour = out.isatty() and not plain
        self._live = sys.stderr.isatty() and not plain
        self._columns = shutil.get_terminal_size().columns if out.isatty() else 0

    def start(self, honest: Honest) -> None:
        """Say what honest machines earn, and begin the table."""
        alone = shares(honest)
        for name, key in (("an honest modern computer", "pc"), ("an honest PowerBook G4", "g4")):
            one: Weights = getattr(honest, key)
            weights = f"{times(one.weight):>6} {times(one.payable):>5} {1:>4} {coins(alone[key]):>9}"
            self._line(f"    {name:48} {weights}  without any of these")
        self._line("")
        self._line(self._styled(HEAD, "1"))

    def doing(self, number: int, count: int, one: Forgery) -> None:
        """Say what runs now."""
        if self._live:
            sys.stderr.write(f"\r\x1b[K{number} of {count}: {one.title}"[:99])
            sys.stderr.flush()

    def row(self, number: int, one: Forgery, outcome: Outcome, honest: Honest, *, changed: bool) -> None:
        """Print one forgery."""
        verdict = self._styled(f"{outcome.verdict:11}", COLOURS[outcome.verdict])
        by = ", ".join((*outcome.codes, *(f"cap {cap}" for cap in outcome.caps))) or "nothing"
        earned = coins(shares(honest, outcome)["cheat"])
        weights = f"{times(outcome.weight):>6} {times(outcome.payable):>5} {outcome.machines:>4} {earned:>9}"
        if not outcome.accepted:
            weights = f"{'-':>6} {'-':>5} {'-':>4} {earned:>9}"
        by += f"; {outcome.note}" if outcome.note else ""
        self._folded(f"{number:>3} {one.name:26} {verdict} {outcome.klass or '-':9} {weights}", by)
        if changed:
            self._line(self._styled(f"{BELOW}not as published: see docs/cheating.md", "31;1"))

    def end(self, verdicts: Counter[str], seconds: float, problems: list[str]) -> None:
        """Print the sum."""
        told = ", ".join(f"{verdicts[name]} {name}" for name in COLOURS if verdicts[name])
        self._line(f"\n{sum(verdicts.values())} forgeries in {seconds:.0f} s: {told}")
        self._line("What is not caught is bounded by caps and limits only: docs/cheating.md says by which.")
        for problem in problems:
            self._line(self._styled(problem, "31"))

    def _folded(self, line: str, by: str) -> None:
        """Print a line with its reasons; below it where the terminal is too narrow."""
        if not self._columns or WIDTH + len(by) <= self._columns:
            self._line(f"{line}  {by}")
            return
        self._line(line)
        for part in textwrap.wrap(by, max(40, self._columns - len(BELOW))):
            self._line(f"{BELOW}{part}")

    def _styled(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def _line(self, text: str) -> None:
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._out.write(f"{text}\n")
        self._out.flush()
