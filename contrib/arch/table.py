"""One line of `make test-arch`: what ran on which processor, and how it ended; and the table of all lines.

A part of the suite is a function `rows(options) -> Iterable[Row]`; each row is handed over when it is known, so that
the progress line and the table need nothing else from it.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

WIDTH_MAX = 100
"""Longest line printed, characters."""

OutcomeName = Literal["ok", "FAIL", "skipped"]


@dataclass(frozen=True)
class Row:
    """One architecture, processor and code path, and how it went."""

    architecture: str
    """As Debian's compiler or kernel calls it: ppc, ppc64le, armhf, x86_64-macos."""
    cpu: str
    """The processor that was emulated, `native` for this one, `-` where nothing ran."""
    path: str
    """The instruction set that was forced: portable, altivec, ...; `-` where that is not the point."""
    what: str
    """What was done, one or two words: vectors, linked, python, booted."""
    result: OutcomeName
    detail: str
    """One line: counts when ok, the reason when skipped (and what to install), the first error when it failed."""
    seconds: float


@dataclass(frozen=True)
class Options:
    """What every part of the suite is told."""

    build: Path
    """A folder of its own for each part may be made below it; results may be kept from run to run."""
    only: tuple[str, ...] = ()
    """Names asked for with --only; empty for all."""
    jobs: int = 2
    """Processes at a time."""
    say: Callable[[str], None] = lambda text: None
    """Shows one short line of progress."""

    def wants(self, *names: str) -> bool:
        """Whether a row of these names (architecture, processor, kind) was asked for."""
        return not self.only or any(name in self.only for name in names)


def failed(rows: Sequence[Row], *, skipped_fails: bool) -> bool:
    """Whether the suite fails: a row failed, or one was skipped although that was not allowed."""
    return any(row.result == "FAIL" or (row.result == "skipped" and skipped_fails) for row in rows)


def summary(rows: Sequence[Row]) -> str:
    """Return the last line: how many of each."""
    ran = {(row.architecture, row.cpu) for row in rows if row.result == "ok"}
    count = {name: sum(row.result == name for row in rows) for name in ("ok", "FAIL", "skipped")}
    return (
        f"{count['ok']} ok, {count['FAIL']} failed, {count['skipped']} skipped; "
        f"{len({architecture for architecture, _ in ran})} architectures, {len(ran)} processors or systems"
    )


def text(rows: Sequence[Row]) -> str:
    """Return the table for people, at most WIDTH_MAX wide; what a row says beyond a line is folded below it."""
    heads = ("architecture", "cpu", "path", "what", "result", "s")
    cells = [
        (row.architecture, row.cpu, row.path, row.what, row.result, f"{row.seconds:.1f}") for row in rows
    ]
    widths = [max(len(line[at]) for line in (heads, *cells)) for at in range(len(heads))]
    lines = []
    for line, detail in zip((heads, *cells), ("", *(row.detail for row in rows)), strict=True):
        left = " ".join(
            cell.rjust(width) if at == len(heads) - 1 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        rest = " ".join(detail.split())
        room = WIDTH_MAX - len(left) - 2
        folded = textwrap.wrap(rest, room, subsequent_indent="  ", break_long_words=True) if rest else [""]
        lines.append(f"{left}  {folded[0]}".rstrip())
        lines += [f"{'':{len(left)}}  {more}" for more in folded[1:]]
    return "\n".join([*lines, "", summary(rows)])


def to_json(rows: Sequence[Row], seconds: float) -> str:
    """Return the table for programs."""
    report = {"rows": [asdict(row) for row in rows], "summary": summary(rows), "seconds": round(seconds, 1)}
    return json.dumps(report, indent=1)
