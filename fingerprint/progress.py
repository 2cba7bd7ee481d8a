"""What a terminal adds to the fingerprint's commands: a line of progress, and colours."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

_COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


class ProgressLine:
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


def style_of(args: argparse.Namespace) -> Callable[..., str]:
    """Return how to colour text: not at all where standard output is no terminal, or nobody wants it."""
    return _coloured if _wants_colour(no_color=getattr(args, "no_color", False)) else _plain


def _wants_colour(*, no_color: bool) -> bool:
    return sys.stdout.isatty() and not no_color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _coloured(text: str, *names: str) -> str:
    return f"\x1b[{';'.join(_COLOURS[name] for name in names)}m{text}\x1b[0m"


def _plain(text: str, *names: str) -> str:
    return text
