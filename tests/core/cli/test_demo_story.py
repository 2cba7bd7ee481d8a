"""What the demo shows: short lines, a live line that neither wraps nor flickers, nothing but JSON with --json."""

from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from metanode.core.cli import demo, demo_story
from metanode.core.cli.console import Console
from metanode.core.cli.demo_story import STEPS, Story, _short
from metanode.core.cli.frame import main
from metanode.core.home import solo_genesis
from metanode.core.identity import fresh_identity
from metanode.core.testing.clock import SeededRandomness


class Terminal(io.StringIO):
    """A terminal of some width."""

    columns = 80

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def write(self, text: str) -> int:
        self.written.append(text)
        return super().write(text)

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 99


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """One with 80 columns."""
    made = Terminal()
    monkeypatch.setattr(os, "get_terminal_size", lambda fd: os.terminal_size((made.columns, 24)))
    monkeypatch.setenv("TERM", "xterm")
    return made


def story(out: io.StringIO, directory: Path, **console: Any) -> Story:
    """A story told to `out`."""
    made = Story(Console(out=out, **console), directory, lambda *words: {})
    made._genesis = solo_genesis(fresh_identity(SeededRandomness(1)), genesis_ms=0)
    return made


def bare(text: str) -> str:
    """Without colours and clearing."""
    return re.sub(r"\x1b\[[0-9;]*[mK]", "", text)


@pytest.mark.parametrize("columns", [40, 80, 132])
def test_the_live_line_never_fills_the_last_column(terminal: Terminal, tmp_path: Path, columns: int) -> None:
    """Else a terminal wraps, and every redraw scrolls; large balances and heights included."""
    terminal.columns = columns
    told = story(terminal, tmp_path)
    told._show({"height": 10**9, "time_ms": 12_345}, 10**15, 86_399.0)
    told._show({"height": 10**9, "time_ms": 12_345}, 10**15, None)
    assert all(len(line) < columns for line in bare(terminal.getvalue()).split("\r"))


def test_the_live_line_overwrites_itself_in_one_write(terminal: Terminal, tmp_path: Path) -> None:
    """Clearing first and writing after would flicker."""
    story(terminal, tmp_path)._show({"height": 1, "time_ms": 0}, 0, 5.0)
    (text,) = terminal.written
    assert text.startswith("\rheight 1")
    assert text.endswith("\x1b[K")
    assert "\x1b[2K" not in text


def test_long_lines_go_on_below_their_own_text_at_a_terminal(terminal: Terminal, tmp_path: Path) -> None:
    """And stay whole in a file, where programs look for them."""
    text = "sign of a virtual machine (declared): " + "a word " * 20
    story(terminal, tmp_path)._print("miner", text, "dim", indent=3)
    lines = bare(terminal.getvalue()).splitlines()
    assert len(lines) > 1
    assert all(len(line) <= 80 for line in lines)
    assert all(line.startswith(" " * 9) for line in lines[1:])
    plain = io.StringIO()
    story(plain, tmp_path)._print("miner", text, "dim", indent=3)
    assert plain.getvalue() == f"   miner {text}\n"


@pytest.mark.parametrize("how", ["pipe", "dumb", "json"])
def test_only_a_real_terminal_gets_a_live_line(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A log file, a dumb terminal and a program see none of its control codes."""
    out: io.StringIO = io.StringIO() if how == "pipe" else terminal
    if how == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    told = story(out, tmp_path, json=how == "json")
    told._show({"height": 1, "time_ms": 0}, 0, 5.0)
    told.end_line()
    assert out.getvalue() == ""


def test_what_was_checked_is_told_in_short_words() -> None:
    """The hashes behind them are for who asks `verify`."""
    checked = ["chain: genesis ab", "validator set: cd", "certificate: 1 of 1 signed", "item 0: envelope and receipt"]
    assert _short(checked) == "chain, validator set, certificate, receipt"


def test_the_miners_lines_are_told_as_they_come(tmp_path: Path) -> None:
    """Half a line waits for its other half; what is no JSON is shown as it is."""
    out = io.StringIO()
    told = story(out, tmp_path)
    log = tmp_path / "miner.log"
    line = json.dumps({"event": "machine", "text": "this machine: a test"})
    log.write_text(line[:20])
    told._read_miner()
    assert out.getvalue() == ""
    log.write_text(f"{line}\nTraceback: boom\n")
    told._read_miner()
    told._read_miner()
    assert out.getvalue() == "   miner this machine: a test\n.. miner: Traceback: boom\n"


def test_an_attestation_tells_class_weight_caps_and_each_verdict_in_words(tmp_path: Path) -> None:
    """Once: the next attestation tells only what is new."""
    out = io.StringIO()
    told = story(out, tmp_path)
    reply = {
        "id": "ab", "class": "vintage", "weight": 2_500_000_000, "payable": 1_500_000_000, "mainnet_weight": 0,
        "mainnet_reason": "VM_DETECTED", "caps": [{"name": "uncalibrated", "lift": "three owners and a vote lift it"}],
    }  # fmt: skip
    check = {"name": "emulator", "verdict": "pass", "reason": "NO_EMULATOR_SIGN", "words": "nothing", "numbers": {}}
    events = [{"event": "attested", "text": "attested interval 7", "reply": reply}, {"event": "check", "check": check}]
    (tmp_path / "miner.log").write_text("".join(json.dumps(event) + "\n" for event in (*events, events[0])))
    told._read_miner()
    assert out.getvalue().splitlines() == [
        "   miner attested interval 7",
        "   class      vintage, weight 2.5, 1.5 of it paid at once and the rest kept in escrow; "
        "on mainnet 0.0 (VM_DETECTED)",
        "   cap        uncalibrated: three owners and a vote lift it",
        "   pass       emulator            nothing [NO_EMULATOR_SIGN]",
    ]


def test_the_summary_names_what_is_missing(tmp_path: Path) -> None:
    """For people one line per step, for programs two lists."""
    out = io.StringIO()
    told = story(out, tmp_path)
    told._happened("fingerprinted", "", quiet=True)
    told.summary(3.0, clean=True)
    text = out.getvalue()
    assert f"1 of {len(STEPS)} steps happened in 3 s; every process ended when asked" in text
    assert text.count("  missing  ") == len(STEPS) - 1
    out = io.StringIO()
    story(out, tmp_path, json=True).summary(3.0, clean=False)
    value = json.loads(out.getvalue())
    assert (value["ok"], value["clean"], value["missing"]) == (False, False, list(STEPS))
    assert not demo_story.STEPS.keys() - set(value["missing"])


@pytest.mark.parametrize(
    ("words", "variable", "code", "error"),
    [
        (["--seconds", "0"], "", 2, "USAGE"),
        (["--seconds", "-3"], "", 2, "USAGE"),
        (["--seconds", "soon"], "", 2, "USAGE"),
        (["--seconds", str(demo.SECONDS_MAX + 1)], "", 2, "USAGE"),
        ([], "soon", 2, "USAGE"),
        ([], "1.5", 2, "USAGE"),
        (["--seconds", "5", "--keep", "."], "", 1, "FILE_EXISTS"),
        (["--seconds", "5", "--keep", "file/demo"], "", 1, "STORAGE_FULL"),
    ],
)
def test_a_mistake_starts_nothing(
    tmp_path: Path, capsys: Any, monkeypatch: Any, words: list[str], variable: str, code: int, error: str
) -> None:
    """One line, and no directory made."""
    monkeypatch.setenv("DEMO_SECONDS", variable)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(["demo", "--json", *words]) == code
    assert json.loads(capsys.readouterr().out)["code"] == error
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
