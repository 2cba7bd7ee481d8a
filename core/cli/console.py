"""How a verb answers: text for people, one JSON object for programs, colour only where it helps."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from metanode.core.model.errors import MetanodeError

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def wants_color(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Colour goes to a terminal that can show it, unless NO_COLOR is set to anything (https://no-color.org)."""
    environ = os.environ if environ is None else environ
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class Console:
    """Where a verb writes: results to `out`, remarks and errors to `err`."""

    def __init__(
        self,
        *,
        json: bool = False,
        color: bool | None = None,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self.json = json
        """The caller wants JSON on standard output and nothing else there."""
        self.out = sys.stdout if out is None else out
        self.err = sys.stderr if err is None else err
        self.color = wants_color(self.out) if color is None else color

    def style(self, text: str, *styles: str) -> str:
        """Colour `text` (bold, dim, red, green, yellow, cyan) where colour is wanted."""
        if not self.color or not styles:
            return text
        return f"\x1b[{';'.join(_STYLES[name] for name in styles)}m{text}\x1b[0m"

    def line(self, text: str = "") -> None:
        """Print a line for people; silent with --json."""
        if not self.json:
            print(text, file=self.out, flush=True)

    def result(self, value: Mapping[str, Any], text: str | Sequence[str] = ()) -> None:
        """Answer: `value` as one line of JSON with --json, else `text`."""
        if self.json:
            print(json.dumps(value, sort_keys=True), file=self.out, flush=True)
            return
        for line in [text] if isinstance(text, str) else text:
            print(line, file=self.out, flush=True)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
        """Lay rows out in columns as wide as their content; for `result` or `line`."""
        cells = [[str(cell) for cell in row] for row in rows]
        widths = [max([len(head), *(len(row[i]) for row in cells)]) for i, head in enumerate(headers)]
        padded = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in [[head.upper() for head in headers], *cells]
        ]
        return [self.style(padded[0], "bold"), *padded[1:]]

    def remark(self, text: str) -> None:
        """Print a remark on standard error, also with --json."""
        print(text, file=self.err, flush=True)

    def error(self, error: MetanodeError) -> None:
        """Print a refusal: one line on standard error, or the reply object on standard output with --json."""
        if self.json:
            print(json.dumps(error.reply(), sort_keys=True), file=self.out, flush=True)
        else:
            line = error.line()
            red = self.color and wants_color(self.err)
            print(f"\x1b[31m{line}\x1b[0m" if red else line, file=self.err, flush=True)
