"""How wide help is, and what finding that out must not cost."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import pytest

from metanode.platforms import terminal
from metanode.platforms.terminal import COLUMNS, HelpFormatter, terminal_columns


def nothing() -> os.terminal_size:
    raise OSError(25, "Inappropriate ioctl for device")


@pytest.mark.parametrize(
    ("environment", "expected"), [("100", 100), ("1", 1), ("0", 132), ("-5", 132), ("wide", 132), ("", 132)]
)
def test_the_environment_wins_where_it_makes_sense(
    environment: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COLUMNS, as every program of a terminal takes it; else the terminal itself."""
    monkeypatch.setenv("COLUMNS", environment)
    monkeypatch.setattr(terminal.os, "get_terminal_size", lambda: os.terminal_size((132, 40)))
    assert terminal_columns() == expected


def test_without_a_terminal_there_is_a_usual_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output into a file or a pipe; a serial line may also say that it has no width."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(terminal.os, "get_terminal_size", nothing)
    assert terminal_columns() == COLUMNS
    monkeypatch.setattr(terminal.os, "get_terminal_size", lambda: os.terminal_size((0, 0)))
    assert terminal_columns() == COLUMNS


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_help_looks_as_the_standard_formatter_makes_it(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the way to the width is another."""
    monkeypatch.setenv("COLUMNS", str(columns))

    def text(formatter: type[argparse.HelpFormatter]) -> str:
        parser = argparse.ArgumentParser(prog="p", description="one\n  two", formatter_class=formatter)
        parser.add_argument("--long-option", metavar="VALUE", help="many words " * 12)
        return parser.format_help()

    assert text(HelpFormatter) == text(argparse.RawDescriptionHelpFormatter)


def test_a_parser_of_options_loads_no_compressors() -> None:
    """Half a MiB that a miner at rest would keep."""
    code = (
        "import argparse, sys\nfrom metanode.platforms.terminal import HelpFormatter\n"
        "parser = argparse.ArgumentParser(formatter_class=HelpFormatter)\n"
        "parser.add_argument('--option')\nparser.parse_args(['--option', 'x'])\nparser.format_help()\n"
        "print({'shutil', 'bz2', 'lzma', 'zlib'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
