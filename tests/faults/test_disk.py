"""A disk under a real node: full, read-only from the start or all at once, failing to sync: one clear line, no loss."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from metanode.core.cli.node_api import NodeApi
from metanode.core.crypto import install, keystore
from metanode.core.crypto.keys import KeyPair
from metanode.core.home import Home
from metanode.core.model import kinds
from metanode.core.model.bodies import Transfer
from metanode.core.model.envelope import build_envelope
from metanode.core.model.errors import MetanodeError

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root"),
]

TMPFS_KIB = 2048
IMAGE_BYTES = 16 << 20
RAM_KIB = 20 << 10
"""Room for what the image holds at first and a little more; what is used of it later comes out of the same."""
BLOCK_BYTES = 4096
WAIT_S_MAX = 60.0


def mount(place: Path, *words: str) -> None:
    """Mount something at a place, or skip the test where that cannot be done."""
    place.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", *words, str(place)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")


def end_all() -> None:
    """Nobody may use a file system that is about to go."""
    for node in Running.started:
        if node.process.poll() is None:
            node.process.kill()
            node.process.wait()
    Running.started.clear()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, so small that a node fills it within seconds."""
    place = tmp_path / "disk"
    mount(place, "-t", "tmpfs", "-o", f"size={TMPFS_KIB}k", "tmpfs")
    yield place
    end_all()
    subprocess.run(["umount", str(place)], check=True)


class Ext4:
    """A real file system on an image in RAM, whose blocks that are free at first have no room of their own there.

    Once the RAM is full, writes to them fail as they do on a disk that is dying, and only when they are synced.
    """

    def __init__(self, directory: Path) -> None:
        self.ram, self.place = directory / "ram", directory / "disk"
        self.image, self.ballast = self.ram / "image", self.ram / "ballast"
        mount(self.ram, "-t", "tmpfs", "-o", f"size={RAM_KIB}k", "tmpfs")
        self.image.write_bytes(bytes(IMAGE_BYTES))
        made = subprocess.run(
            ["mkfs.ext4", "-q", "-F", "-b", str(BLOCK_BYTES), "-J", "size=4", str(self.image)], check=False
        )
        listed = subprocess.run(["dumpe2fs", str(self.image)], capture_output=True, text=True, check=False)
        if made.returncode or listed.returncode:
            pytest.skip("no ext4 can be made here")
        data = self.image.read_bytes()
        self.image.write_bytes(data)  # mkfs leaves holes, in the journal too, and that must go on working
        for free in re.findall(r"Free blocks: (.*)", listed.stdout):
            for first, last in re.findall(r"(\d+)-(\d+)", free):
                start, length = int(first) * BLOCK_BYTES, (int(last) + 1 - int(first)) * BLOCK_BYTES
                subprocess.run(["fallocate", "-p", "-o", str(start), "-l", str(length), str(self.image)], check=True)
        self.mount()

    def mount(self) -> None:
        """Put it in its place."""
        mount(self.place, "-o", "loop,errors=remount-ro", str(self.image))

    def remount(self) -> None:
        """Forget what only the page cache held and the disk had refused."""
        subprocess.run(["umount", str(self.place)], check=True)
        self.mount()


@pytest.fixture
def ext4(tmp_path: Path) -> Iterator[Ext4]:
    """A disk that can fail; its nodes write their logs elsewhere."""
    try:
        missing = [tool for tool in ("mkfs.ext4", "dumpe2fs", "fallocate") if shutil.which(tool) is None]
        if missing:
            pytest.skip(f"{missing[0]} is not installed")
        made = Ext4(tmp_path)
        yield made
    finally:
        end_all()
        for place in (tmp_path / "disk", tmp_path / "ram"):
            if place.is_mount():
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


class Sender:
    """Sends transfers, one after the other, and keeps the ids of those that were acknowledged."""

    def __init__(self, home: Home) -> None:
        install()
        passphrase = home.passphrase()
        assert passphrase is not None
        self._key = KeyPair.from_seed(keystore.open(home.keys_dir / "sponsor.key", passphrase))
        self._genesis = home.genesis()
        self.acknowledged: list[str] = []

    def send(self, api: NodeApi, count: int) -> MetanodeError | None:
        """Send so many; return what stopped it, None when nothing did."""
        try:
            first = api.account(self._key.account)["next_nonce"]
            for nonce in range(first, first + count):
                envelope = build_envelope(
                    chain_id=self._genesis.chain_id,
                    kind=kinds.TRANSFER,
                    sender=self._key.account,
                    nonce=nonce,
                    fee=self._genesis.params.min_fee,
                    valid_until=self._genesis.params.max_valid,
                    body=Transfer(to=nonce.to_bytes(20, "big"), amount=1).encode(),
                    public_key=self._key.public_key if nonce == 0 else b"",
                    sign=self._key.sign,
                    genesis_hash=self._genesis.hash,
                )
                api.submit([envelope])
                self.acknowledged.append(envelope.id.hex())
        except MetanodeError as error:
            return error
        return None

    def check(self, api: NodeApi) -> None:
        """Everything acknowledged is final, or becomes so."""
        for envelope_id in self.acknowledged:
            assert api.wait_final(envelope_id, WAIT_S_MAX)["receipt"]["code"] == "OK"


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


def stopped_with_one_line(node: Running, place: Path) -> None:
    """The node ended by itself, and says where and why."""
    code, errors = node.end()
    assert code == 1
    assert len(errors) == 1, errors
    assert "STORAGE_FULL" in errors[0]
    assert str(place) in errors[0]
    assert "Traceback" not in node.log.read_text()


def test_a_disk_that_turns_read_only_stops_the_node_and_it_resumes(ext4: Ext4, tmp_path: Path) -> None:
    """As after an error that the kernel found: open files refuse too.  Nothing acknowledged is lost."""
    home = fresh_home(ext4.place / "home")
    node = Running(home, tmp_path / "log")
    sender = Sender(home)
    assert sender.send(node.api(), 5) is None
    subprocess.run(["mount", "-o", "remount,abort", str(ext4.place)], check=True)
    stopped_with_one_line(node, ext4.place)
    refused = verb("run", "--home", str(home.path))
    lines = refused.stderr.splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith("error ")] == ["error STORAGE_FULL"], lines
    ext4.remount()
    again = Running(home, tmp_path / "log2")
    sender.check(again.api())
    assert sender.send(again.api(), 1) is None
    sender.check(again.api())


def test_a_sync_that_fails_stops_the_node_and_what_it_read_back_is_made_durable(ext4: Ext4, tmp_path: Path) -> None:
    """The page cache shows what the disk never got, and the next sync says nothing: no start may build on that.

    The cache is dropped after one: what was acknowledged before the failure and since is there.
    """
    home = fresh_home(ext4.place / "home")
    node = Running(home, tmp_path / "log")
    sender, api = Sender(home), node.api()
    assert sender.send(api, 5) is None
    fill(ext4.ballast)
    while sender.send(api, 1) is None:
        pass
    stopped_with_one_line(node, ext4.place)
    ext4.ballast.unlink()
    again = Running(home, tmp_path / "log2")
    sender.check(again.api())
    assert sender.send(again.api(), 5) is None
    again.process.kill()
    again.process.wait()
    ext4.remount()
    last = Running(home, tmp_path / "log3")
    sender.check(last.api())
    last.process.send_signal(signal.SIGTERM)
    assert last.process.wait(WAIT_S_MAX) == 0
