"""Readers of Linux: bounded, never raising, never blocking."""

from __future__ import annotations

import os
import select
import struct
import sys
from pathlib import Path

import pytest

from metanode.platforms import commands
from metanode.platforms.commands import run_limited
from metanode.platforms.files import link_target, read_text
from metanode.platforms.linux import dump as dump_module
from metanode.platforms.linux.dump import read_dump
from metanode.platforms.linux.process import read_process, vdso_in_auxv


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    """Odd bytes become marks; a NUL separates words in device trees."""
    path = tmp_path / "file"
    path.write_bytes(b"a\0b\xff" + b"c" * 100)
    assert read_text(path, bytes_max=6) == ("a b\ufffdcc", "")


def test_what_cannot_be_read_has_a_reason(tmp_path: Path) -> None:
    """Missing, directory, pipe: a few words each, no exception, no waiting."""
    assert read_text(tmp_path / "none") == (None, "not there")
    assert read_text(tmp_path)[0] is None
    os.mkfifo(tmp_path / "pipe")
    assert read_text(tmp_path / "pipe") == (None, "not a regular file")
    assert read_text(Path("/dev/null")) == (None, "not a regular file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_protected_file_is_told_apart(tmp_path: Path) -> None:
    """The owner may want to know that root could read it."""
    path = tmp_path / "secret"
    path.write_text("x")
    path.chmod(0)
    assert read_text(path) == (None, "not readable by this user")


def test_links_are_read_not_followed(tmp_path: Path) -> None:
    """The target names the bus a device sits on."""
    (tmp_path / "link").symlink_to("../devices/virtual/net/lo")
    assert link_target(tmp_path / "link") == ("../devices/virtual/net/lo", "")
    assert link_target(tmp_path / "none") == (None, "not there")
    assert link_target(tmp_path)[0] is None


def test_a_dump_is_read_below_any_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, patterns, links and marks, with what is missing named."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor : 0\n")
    for number in range(3):
        device = tmp_path / f"sys/bus/pci/devices/0000:00:0{number}.0"
        device.mkdir(parents=True)
        (device / "vendor").write_text("0x8086\n")
    (tmp_path / "sys/class/net").mkdir(parents=True)
    (tmp_path / "sys/class/net/lo").symlink_to("../../devices/virtual/net/lo")
    (tmp_path / ".dockerenv").touch()
    monkeypatch.setattr(dump_module, "MATCHES_MAX", 2)
    dump = read_dump(tmp_path)
    assert dump.files["proc/cpuinfo"] == "processor : 0\n"
    assert dump.files["sys/bus/pci/devices/0000:00:01.0/vendor"] == "0x8086\n"
    assert dump.files["link:sys/class/net/lo"] == "../../devices/virtual/net/lo"
    assert "mark:.dockerenv" in dump.files
    assert dump.unread["proc/meminfo"] == "not there"
    assert dump.unread["sys/bus/pci/devices/*/vendor"] == "3 matches, only the first 2 read"


def test_an_empty_root_gives_an_empty_dump(tmp_path: Path) -> None:
    """Nothing there is an answer."""
    assert read_dump(tmp_path).files == {}


def test_a_command_is_run_without_a_shell_or_input() -> None:
    """Words are passed as they are."""
    code = "import sys; print(sys.argv[1], sys.stdin.read() == '')"
    assert run_limited([sys.executable, "-c", code, "a b; $x"], seconds_max=30) == ("a b; $x True\n", "")


def test_a_command_that_says_something_and_fails_is_still_an_answer() -> None:
    """systemd-detect-virt says "none" with status 1."""
    assert run_limited([sys.executable, "-c", "print('none'); raise SystemExit(1)"], seconds_max=30) == ("none\n", "")
    text, reason = run_limited([sys.executable, "-c", "raise SystemExit(3)"], seconds_max=30)
    assert text is None
    assert reason.endswith("ended with status 3")


def test_a_missing_command_is_named() -> None:
    """One line instead of an exception."""
    assert run_limited(["no-such-command-here"], seconds_max=1) == (None, "no-such-command-here is not installed")
    assert run_limited(["/"], seconds_max=1) == (None, "/: permission denied")


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    """Nothing stays behind when the time is up: the pipe that parent and child hold open is closed."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = (
        "import os, signal, sys\n"
        "out = os.open(sys.argv[1], os.O_WRONLY)\n"
        "os.fork()\n"
        "os.write(out, b'x')\n"
        "signal.pause()\n"
    )
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        text, reason = run_limited([sys.executable, "-c", code, str(pipe)], seconds_max=1.0)
        assert text is None
        assert reason.endswith("took longer than 1 s")
        poller = select.poll()
        poller.register(reader, select.POLLIN)
        while True:
            events = poller.poll(10_000)
            if not events:
                pytest.skip("this machine was too busy to start a process within a second")
            if events[0][1] & select.POLLIN:
                os.read(reader, 16)
            elif events[0][1] & select.POLLHUP:
                break
    finally:
        os.close(reader)


def test_output_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool gone wild cannot fill the memory of a report."""
    monkeypatch.setattr(commands, "OUTPUT_CHARS_MAX", 3)
    assert run_limited([sys.executable, "-c", "print('abcdef')"], seconds_max=30) == ("abc", "")


@pytest.mark.parametrize(("order", "word"), [("little", 8), ("big", 4), ("big", 8), ("little", 4)])
def test_the_auxiliary_vector_is_read_on_every_width_and_order(order: str, word: int) -> None:
    """AT_SYSINFO_EHDR is 33; the vector ends with AT_NULL."""
    form = ("<" if order == "little" else ">") + ("Q" if word == 8 else "I")

    def vector(*values: int) -> bytes:
        return b"".join(struct.pack(form, value) for value in values)

    assert vdso_in_auxv(vector(6, 4096, 33, 0x7FFF0000, 0, 0), word, order) is True
    assert vdso_in_auxv(vector(6, 4096, 33, 0, 0, 0), word, order) is False
    assert vdso_in_auxv(vector(6, 4096, 0, 0), word, order) is False
    assert vdso_in_auxv(vector(6, 4096), word, order) is None
    assert vdso_in_auxv(b"", word, order) is None


def test_this_process_knows_itself(tmp_path: Path) -> None:
    """Width and byte order are those of the interpreter; an unreadable vector is unknown, not absent."""
    facts = read_process()
    assert facts.byte_order == sys.byteorder
    assert facts.word_bits == 8 * struct.calcsize("P")
    assert read_process(tmp_path / "none").has_vdso is None
