"""Help as wide as the terminal, for programs that must stay small."""

from __future__ import annotations

import argparse
import os

COLUMNS = 80
"""Width where neither the environment nor a terminal says another."""


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of descriptions, and finds the width without `shutil` and the compressors it loads: 0.6 MiB.

    Not only `--help` pays for those: a parser makes a formatter for every option it is given.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=terminal_columns() - 2)


def terminal_columns() -> int:
    """Return COLUMNS of the environment, else the width of the terminal that standard output is, else `COLUMNS`."""
    text = os.environ.get("COLUMNS", "")
    if text.isdecimal() and int(text) > 0:
        return int(text)
    try:
        return os.get_terminal_size().columns or COLUMNS
    except OSError:  # not a terminal
        return COLUMNS
