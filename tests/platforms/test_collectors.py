"""Collectors of platforms that are not this one: they ask, never raise, and name what did not answer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from metanode.fingerprint.collect import read_machine
from metanode.platforms import commands
from metanode.platforms.captured import own_process
from metanode.platforms.commands import read_commands
from metanode.platforms.files import read_hex
from metanode.platforms.freebsd import dump as freebsd
from metanode.platforms.macos import dump as macos
from metanode.platforms.openbsd import dump as openbsd


def test_commands_are_kept_by_their_command_line() -> None:
    """With the reason for each that gave nothing."""
    files: dict[str, str] = {}
    unread: dict[str, str] = {}
    good = [sys.executable, "-c", "print(7)"]
    slow = [sys.executable, "-c", "import time; time.sleep(60)"]
    read_commands([good, ["no-such-program-here"]], files, unread, seconds_max=20.0)
    read_commands([slow], files, unread, seconds_max=0.2)
    assert files == {"cmd:" + " ".join(good): "7\n"}
    assert unread["cmd:no-such-program-here"] == "no-such-program-here is not installed"
    assert "took longer than 0.2 s" in unread["cmd:" + " ".join(slow)]


def test_a_collector_runs_where_nothing_of_it_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every source is named as unread, and the empty dump still makes a report."""
    monkeypatch.setattr(commands, "run_limited", lambda command, seconds_max: (None, "not here"))
    for dump, system in (
        (macos.read_dump(), "darwin"),
        (freebsd.read_dump(tmp_path), "freebsd14"),
        (openbsd.read_dump(tmp_path), "openbsd7"),
    ):
        assert not dump.files
        assert len(dump.unread) >= 5
        facts = own_process()
        report = read_machine(dump, type(facts)(system, facts.machine, 64, "little", None))
        assert report.problems
        assert report.unread == dump.unread


def test_files_and_commands_are_read_below_a_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The boot messages are a file, the rest are commands, each with its time limit."""
    seen = []

    def answer(command: list[str], *, seconds_max: float) -> tuple[str, str]:
        seen.append((tuple(command), seconds_max))
        return "hw.ncpu: 1\n", ""

    monkeypatch.setattr(commands, "run_limited", answer)
    (tmp_path / "var/run").mkdir(parents=True)
    (tmp_path / "var/run/dmesg.boot").write_text("CPU: x\n", "utf-8")
    for module in (freebsd, openbsd):
        dump = module.read_dump(tmp_path)
        assert dump.files["var/run/dmesg.boot"] == "CPU: x\n"
        assert dump.files["cmd:sysctl hw"] == "hw.ncpu: 1\n"
    assert all(seconds <= freebsd.COMMAND_SECONDS_MAX for _, seconds in seen)
    del seen[:]
    macos.read_dump()
    assert {seconds for _, seconds in seen} == {macos.QUICK_SECONDS_MAX, macos.SLOW_SECONDS_MAX}


def test_binary_properties_are_hexadecimal_digits(tmp_path: Path) -> None:
    """Bounded, and None where there is no such file."""
    (tmp_path / "cell").write_bytes(b"\x80\x03\x01\x02" + b"x" * 100)
    digits = read_hex(tmp_path / "cell")
    assert digits is not None
    assert digits.startswith("80030102")
    assert len(digits) == 128
    assert read_hex(tmp_path / "none") is None
