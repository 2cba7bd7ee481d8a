"""`metanode run` as a real process: it says where it listens, and ends well on either signal."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.endtoend
WAIT_S = 60
METANODE = [sys.executable, "-m", "metanode.core.cli"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A devnet home with a free port."""
    command = [*METANODE, "init", "--home", str(tmp_path / "home"), "--network", "devnet", "--port", "0"]
    subprocess.run(command, check=True, capture_output=True, timeout=WAIT_S)
    return tmp_path / "home"


@pytest.fixture
def started(home: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A running node and what it announced."""
    command = [*METANODE, "run", "--home", str(home), "--json", "--log-json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_node_runs_until_it_is_told_to_stop(
    started: tuple[subprocess.Popen[str], dict[str, Any]], home: Path, number: int, code: int
) -> None:
    """It answers at the address it announced; Ctrl-C exits 130, SIGTERM 0; no traceback, every log line is JSON."""
    process, announced = started
    assert announced["status"] == "running"
    (address,) = announced["addresses"]
    with urllib.request.urlopen(f"{address}/health", timeout=WAIT_S) as reply:
        assert json.load(reply)["ok"] is True
    running = json.loads((home / "run" / "node.json").read_text())
    assert (running["pid"], running["addresses"]) == (process.pid, [address])
    listed = subprocess.run([*METANODE, "plugins", "--home", str(home), "--json"], capture_output=True, check=True)
    assert {row["state"] for row in json.loads(listed.stdout)["plugins"][:5]} == {"running"}
    process.send_signal(number)
    _, log = process.communicate(timeout=WAIT_S)
    assert process.returncode == code
    messages = [json.loads(line)["msg"] for line in log.splitlines()]
    assert messages.count(f"stopping on {signal.Signals(number).name}") == 1
    assert messages[-1] == "storage.sqlite stopped"
    assert not (home / "run" / "node.json").exists()


def test_a_node_that_cannot_start_says_why_in_one_line(home: Path) -> None:
    """File, key and value; nothing else but log lines."""
    settings = home / "metanode.toml"
    settings.write_text(settings.read_text().replace('storage = "sqlite"', 'storage = "sqlit"'))
    run = subprocess.run([*METANODE, "run", "--home", str(home)], capture_output=True, text=True, timeout=WAIT_S)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == (
        f"error PLUGIN_UNKNOWN: {settings}: [roles] storage names 'sqlit', which is not installed "
        "(expected: did you mean 'sqlite'?)"
    )
    assert "Traceback" not in run.stderr


def test_a_wrong_passphrase_is_said_in_one_line(home: Path, tmp_path: Path) -> None:
    """Before anything is opened."""
    wrong = tmp_path / "wrong"
    wrong.write_text("not it\n")
    command = [*METANODE, "run", "--home", str(home), "--passphrase-file", str(wrong)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    assert run.returncode == 1
    assert run.stderr.startswith("error KEYSTORE_LOCKED: ")
    assert len(run.stderr.splitlines()) == 1
    assert "not it" not in run.stderr


def test_a_second_node_in_one_home_is_refused(
    started: tuple[subprocess.Popen[str], dict[str, Any]], home: Path
) -> None:
    """And the first goes on, its running file untouched."""
    process, _ = started
    command = [*METANODE, "run", "--home", str(home), "--json"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    assert run.returncode == 1
    assert json.loads(run.stdout)["code"] == "STORAGE_LOCKED"
    assert json.loads((home / "run" / "node.json").read_text())["pid"] == process.pid
    assert process.poll() is None
