"""`metanode demo` as its first user meets it: everything happens, and nothing is left behind, however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from metanode.core.cli.demo_story import STEPS

pytestmark = pytest.mark.endtoend

SECONDS = 40
"""Two epochs of a devnet, so that the first can settle on a busy host too."""
START_S_MAX = 30.0
NODES = 4
END_S_MAX = 20.0
"""Longest wait for the end after a signal; it takes about a third of a second where nothing else runs."""


class Demo:
    """A demo process whose temporary files go to a directory of its own."""

    def __init__(self, directory: Path, *words: str, seconds: str = "") -> None:
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        environment |= {"TMPDIR": str(self.temporary), "DEMO_SECONDS": seconds, "METANODE_PASSPHRASE": "the user's own"}
        self._out = directory / "out"
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "metanode.core.cli", "demo", *words],
                stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment, cwd=directory,
            )  # fmt: skip

    @property
    def text(self) -> str:
        """Everything printed so far."""
        return self._out.read_text()

    def until(self, words: str) -> None:
        """Wait until it printed these words."""
        deadline = time.monotonic() + START_S_MAX
        while words not in self.text:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.05)

    def end(self, number: signal.Signals) -> int:
        """Send a signal; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(END_S_MAX)

    def processes(self) -> dict[int, str]:
        """The command lines that name its directory: its nodes and its miner."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # ended meanwhile
            if str(self.temporary) in line:
                found[int(entry.parent.name)] = line
        return found

    def assert_nothing_left(self) -> None:
        """No process, no temporary directory, no traceback."""
        assert self.processes() == {}
        assert list(self.temporary.iterdir()) == []
        assert "Traceback" not in self.text


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Demo]]:
    """Demos to be ended whatever happens: SIGTERM lets one end its own processes."""
    demos: list[Demo] = []
    yield demos
    for demo in demos:
        if demo.process.poll() is None:
            demo.process.terminate()
            demo.process.wait(END_S_MAX)


@pytest.fixture
def demo(tmp_path: Path, started: list[Demo]) -> Demo:
    """One that would run for a minute."""
    started.append(Demo(tmp_path, "--seconds", "60"))
    return started[0]


def test_a_short_demo_shows_everything_and_leaves_nothing(tmp_path: Path, started: list[Demo]) -> None:
    """DEMO_SECONDS=40: exit code 0, every step in order, the API's address, one short line each, no control codes."""
    demo = Demo(tmp_path, seconds=str(SECONDS))
    started.append(demo)
    began = time.monotonic()
    assert demo.process.wait(SECONDS + START_S_MAX) == 0, demo.text
    assert time.monotonic() - began >= SECONDS
    text = demo.text
    told = [text.index(f"ok {words}: ") for step, words in STEPS.items() if step != "fingerprinted"]
    assert text.index("   miner this machine: ") < told[0]
    assert told == sorted(told)
    assert text.count("  done     ") == len(STEPS)
    assert "  missing  " not in text
    assert re.search(r"the node's API is at http://127\.0\.0\.1:\d+\n", text)
    assert re.search(r"weight here \d+\.\d+, on mainnet \d+\.\d+", text)
    assert "virtual_machine" in text, "verdicts are shown"
    (verified,) = [line for line in text.splitlines() if line.startswith(f"ok {STEPS['verified']}")]
    assert verified.endswith("chain, validator set, certificate, receipt")
    assert "everything happened in" in text
    assert "\x1b" not in text
    demo.assert_nothing_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_ends_it_whole(demo: Demo, number: signal.Signals) -> None:
    """Within seconds, with 130, telling what had happened; node and miner are gone."""
    demo.until("registering this machine")
    assert len(demo.processes()) == NODES + 1
    assert demo.end(number) == 130
    assert f"of {len(STEPS)} steps happened" in demo.text
    assert "every process ended when asked" in demo.text
    demo.assert_nothing_left()


@pytest.mark.parametrize("words", ["making the homes", "starting the nodes"])
def test_a_signal_while_it_is_starting_ends_it_whole(demo: Demo, words: str) -> None:
    """A process that is being started at that moment is not forgotten; a second Ctrl-C changes nothing."""
    demo.until(words)
    demo.process.send_signal(signal.SIGINT)
    assert demo.end(signal.SIGINT) == 130
    demo.assert_nothing_left()


def test_without_an_end_of_its_own_ctrl_c_is_its_end(tmp_path: Path, started: list[Demo]) -> None:
    """Exit code 0: that is how it is meant to end; what is kept can be gone on with."""
    demo = Demo(tmp_path, "--keep", "kept")
    started.append(demo)
    demo.until("the node's API is at")
    assert demo.end(signal.SIGINT) == 0
    for name in ("v0", "v1", "v2", "v3"):
        assert f"metanode run --home kept/{name}" in demo.text
        assert {name, f"node-{name}.log"} <= {entry.name for entry in (tmp_path / "kept").iterdir()}
        assert not (tmp_path / "kept" / name / "run" / "node.json").exists(), "the node ended well"
    demo.assert_nothing_left()


def test_a_demo_that_is_too_short_fails_and_says_what_is_missing(tmp_path: Path, started: list[Demo]) -> None:
    """Exit code 1; with --json one object and nothing else."""
    demo = Demo(tmp_path, "--seconds", "4", "--json")
    started.append(demo)
    assert demo.process.wait(START_S_MAX) == 1
    value = json.loads(demo.text)
    assert (value["ok"], value["clean"]) == (False, True)
    assert {"settled", "paid", "sent", "proven", "verified"} <= set(value["missing"])
    assert set(value["missing"]) | set(value["steps"]) == set(STEPS)
    demo.assert_nothing_left()


def test_a_node_that_dies_ends_the_demo_with_one_line(demo: Demo) -> None:
    """Which process it was and how it ended, exit code 1, and the miner does not stay behind."""
    demo.until("registering this machine")
    (node,) = [pid for pid, line in demo.processes().items() if re.search(r" run --home \S+/v2 ", line)]
    os.kill(node, signal.SIGKILL)
    assert demo.process.wait(END_S_MAX) == 1
    assert "the node v2 ended with code -9" in demo.text
    demo.assert_nothing_left()


def test_a_reader_that_goes_away_ends_the_demo(tmp_path: Path) -> None:
    """`metanode demo | head -3`: writing fails, and still nothing is left behind."""
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "metanode.core.cli", "demo", "--seconds", "60"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(START_S_MAX) == 1
    assert process.stderr.read() == b""
    process.stderr.close()
    assert list((tmp_path / "tmp").iterdir()) == []
