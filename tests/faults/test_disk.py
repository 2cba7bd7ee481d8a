"""A disk that fills up under a real node, or is read-only when it starts: one clear line, nothing lost."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from metanode.core.cli.node_api import NodeApi
from metanode.core.home import Home

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root"),
]

TMPFS_KIB = 2048
WAIT_S_MAX = 60.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, so small that a node fills it within seconds."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_KIB}k", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    for node in Running.started:
        if node.process.poll() is None:
            node.process.kill()
            node.process.wait()
    Running.started.clear()
    subprocess.run(["umount", str(place)], check=True)


def verb(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    command = [sys.executable, "-m", "metanode.core.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S_MAX, check=False)


def fresh_home(path: Path) -> Home:
    """A devnet home with ten blocks a second."""
    made = verb("init", "--home", str(path), "--network", "devnet", "--port", "0")
    assert made.returncode == 0, made.stderr
    home = Home(path)
    text = home.genesis_file.read_text().replace('"block_ms": 1000', '"block_ms": 50')
    home.genesis_file.write_text(text.replace('"slot_ms": 2000', '"slot_ms": 200'))
    return home


class Running:
    """A node process whose log stays outside the small disk."""

    started: ClassVar[list[Running]] = []

    def __init__(self, home: Home, log: Path) -> None:
        self.home, self.log = home, log
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "metanode.core.cli", "run", "--home", str(home.path)],
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )
        self.started.append(self)

    def api(self) -> NodeApi:
        """Wait until it serves."""
        deadline = time.monotonic() + WAIT_S_MAX
        while time.monotonic() < deadline:
            state = self.home.read_running()
            if state is not None and state["pid"] == self.process.pid and state["addresses"]:
                return NodeApi(state["addresses"][0])
            assert self.process.poll() is None, self.log.read_text()[-1500:]
            time.sleep(0.02)
        raise AssertionError("the node did not start in time")

    def end(self) -> tuple[int, list[str]]:
        """Wait for the end; return the exit code and the lines that name an error code."""
        code = self.process.wait(WAIT_S_MAX)
        return code, [line for line in self.log.read_text().splitlines() if line.startswith("error ")]


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for size in (65536, 4096, 512):
            while True:
                try:
                    os.write(fd, bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    break
    finally:
        os.close(fd)


def restart_goes_on(home: Home, log: Path, height: int) -> None:
    """After the cure the node has every final block and makes more."""
    node = Running(home, log)
    api = node.api()
    deadline = time.monotonic() + WAIT_S_MAX
    assert api.head()["height"] >= height, "a final block was lost"
    while api.head()["height"] < height + 3:
        assert time.monotonic() < deadline, "no block after the cure"
        time.sleep(0.05)
    node.process.send_signal(signal.SIGTERM)
    assert node.process.wait(WAIT_S_MAX) == 0


def test_a_full_disk_stops_the_node_with_one_line_and_it_resumes(disk: Path, tmp_path: Path) -> None:
    """STORAGE_FULL names the file; once there is space the chain goes on from its last final block."""
    home = fresh_home(disk / "home")
    ballast = disk / "ballast"
    node = Running(home, tmp_path / "log")
    api = node.api()
    height = api.head()["height"]
    fill(ballast)
    code, errors = node.end()
    assert code == 1
    assert len(errors) == 1, errors
    assert "STORAGE_FULL" in errors[0]
    assert str(disk) in errors[0]
    ballast.unlink()
    restart_goes_on(home, tmp_path / "log2", height)


def test_a_home_on_a_read_only_disk_is_refused_with_one_line(disk: Path, tmp_path: Path) -> None:
    """Starting there cannot work, and the line names what cannot be written."""
    home = fresh_home(disk / "home")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        refused = verb("run", "--home", str(home.path))
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    errors = [line for line in refused.stderr.splitlines() if line.startswith("error ")]
    assert refused.returncode == 1
    assert len(errors) == 1, refused.stderr
    assert str(disk) in errors[0]
    assert "Traceback" not in refused.stderr
