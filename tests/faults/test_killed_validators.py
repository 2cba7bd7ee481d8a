"""Four real validators over encrypted TCP, one killed with SIGKILL after the other: no fork, and no long stall."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from metanode.core import crypto
from metanode.core.clock import SystemClock, SystemRandomness
from metanode.core.crypto import keystore
from metanode.core.home import Home, founders_genesis
from metanode.core.identity import KEY_NAMES, fresh_identity
from metanode.plugins.consensus.qbft.guard_log import raise_guard

VALIDATORS = 4
KILLS = 6
SEED = int(os.environ.get("METANODE_TEST_SEED", "20261120"))
STALL_S_MAX = 40.0
"""Three capped timers and a start: how long the others may need for the next two blocks after a kill."""

pytestmark = pytest.mark.faults


class Devnet:
    """Homes of one chain, and a process for each."""

    def __init__(self, root: Path) -> None:
        crypto.install()
        randomness = SystemRandomness()
        identities = [fresh_identity(randomness) for _ in range(VALIDATORS)]
        genesis = founders_genesis(identities, genesis_ms=SystemClock().now_ms())
        ports = free_ports(2 * VALIDATORS)
        self.http, self.noise = ports[:VALIDATORS], ports[VALIDATORS:]
        self.homes = [root / f"n{index}" for index in range(VALIDATORS)]
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        for index, (home, identity) in enumerate(zip(self.homes, identities, strict=True)):
            (home / "keys").mkdir(parents=True, mode=0o700)
            (home / "keys" / "passphrase").write_text("a test\n")
            for name in KEY_NAMES:
                seed = getattr(identity, name).seed
                keystore.create(home / "keys" / f"{name}.key", seed, b"a test", label=name, randomness=randomness)
            (home / "genesis.json").write_text(genesis.to_json())
            dial = [
                f"noise:127.0.0.1:{port}#{other.node.public_key.hex()}"
                for port, other in zip(self.noise, identities, strict=True)
                if other is not identity
            ]
            (home / "metanode.toml").write_text(
                f'[node]\nname = "n{index}"\n'
                '[roles]\nstorage = "sqlite"\nledger = "attested"\nmempool = "fifo"\nconsensus = "qbft"\n'
                'transport = ["noise"]\napi = ["http"]\n'
                f"[peers]\ndial = {json.dumps(dial)}\n"
                f'[plugins.api.http]\nhost = "127.0.0.1"\nport = {self.http[index]}\n'
                f'[plugins.transport.noise]\nlisten = ["127.0.0.1:{self.noise[index]}"]\n'
            )
            raise_guard(Home(home), identity.consensus.public_key, 0)

    def start(self, index: int) -> None:
        """Start one process."""
        with (self.homes[index] / "node.log").open("ab") as log:
            command = [sys.executable, "-m", "metanode.core.cli", "run", "--home", str(self.homes[index])]
            self.processes[index] = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)

    def kill(self, index: int) -> None:
        """The power goes, as far as one process sees."""
        self.processes[index].send_signal(signal.SIGKILL)
        self.processes.pop(index).wait()

    def ask(self, index: int, path: str) -> Any:
        """Read from one node; None while it does not serve."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http[index]}{path}", timeout=5) as reply:
                return json.load(reply)
        except OSError:
            return None

    def heights(self) -> list[int]:
        """The heads of the nodes that serve."""
        heads = [self.ask(index, "/v1/head") for index in self.processes]
        return [int(head["height"]) for head in heads if head is not None]

    def wait_for(self, height: int, nodes: int) -> None:
        """Return once so many nodes have this height."""
        deadline = time.monotonic() + STALL_S_MAX
        while sum(one >= height for one in self.heights()) < nodes:
            if time.monotonic() > deadline:
                pytest.fail(f"height {height} not reached within {STALL_S_MAX} s: {self.heights()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End every process that still runs."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(30)


def free_ports(count: int) -> list[int]:
    """Ports nobody listened on a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture
def devnet(tmp_path: Path) -> Iterator[Devnet]:
    """Four validators that run."""
    made = Devnet(tmp_path)
    try:
        for index in range(VALIDATORS):
            made.start(index)
        yield made
    finally:
        made.stop()


def test_validators_killed_one_after_the_other_neither_fork_nor_stall(devnet: Devnet) -> None:
    """At random moments; the others go on, it comes back, and in the end all hold the same blocks."""
    print(f"METANODE_TEST_SEED={SEED}")
    chance = random.Random(SEED)
    devnet.wait_for(2, VALIDATORS)
    for _ in range(KILLS):
        victim = chance.randrange(VALIDATORS)
        devnet.kill(victim)
        devnet.wait_for(max(devnet.heights()) + 2, VALIDATORS - 1)
        devnet.start(victim)
        # The next one may go while this one still catches up.
        devnet.wait_for(max(devnet.heights()) + chance.randrange(3), VALIDATORS - 1)
    devnet.wait_for(max(devnet.heights()) + 2, VALIDATORS)
    for height in range(1, min(devnet.heights()) + 1):
        hashes = {str(devnet.ask(index, f"/v1/blocks/{height}")["header_hash"]) for index in range(VALIDATORS)}
        assert len(hashes) == 1, f"two blocks at height {height}"
