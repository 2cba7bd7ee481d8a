"""The chain that is cheated: a real `metanode run` process on loopback, in a directory of its own.

Its genesis is testnet's with short blocks, slots and epochs, so that a run takes minutes; nothing about weights,
caps or limits differs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from metanode.core.cli.passphrase import ENVIRONMENT as PASSPHRASE_VARIABLE
from metanode.core.crypto.keys import KeyPair
from metanode.core.home import Home
from metanode.core.identity import Identity
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import Genesis
from metanode.core.model.hashing import H

NETWORK = "testnet"
SHORTENED: dict[str, Any] = {
    "block_ms": 200, "slot_ms": 1000, "slots_per_epoch": 20, "attest_every_slots": 4, "challenge_fresh_ms": 8_000,
}  # fmt: skip
"""Testnet's calendar in 20 s an epoch: an interval is 4 s, a challenge stale after 8 s."""
START_S_MAX = 30.0
STOP_S_MAX = 15.0
COINS = 1_000_000
CHEATER_COINS = 1_000
"""What each account of the cheater's holds: whoever has coins is a sponsor."""
ACCOUNTS = ("cheater", "twins' sponsor", "flood's sponsor")

_SETTINGS = """\

[plugins.mempool.fifo]
exempt_sources = ["local", "127.0.0.1"]
"""


@dataclass(frozen=True)
class Chain:
    """A running node, and what only this laboratory knows of it."""

    url: str
    genesis: Genesis
    identity: Identity
    """The operator's keys: of its sponsor account, and the only validator's."""
    cheater: KeyPair
    """A funded account of the cheater's own."""
    log: Path


def key_of(name: str) -> KeyPair:
    """Return a key drawn from a name: the same in every run."""
    return KeyPair.from_seed(H("machine", name.encode()))


@contextmanager
def running() -> Iterator[Chain]:
    """Make a chain, run its node for as long as the block lasts, leave nothing.

    :raises MetanodeError: INTERNAL when it does not start, with its last words.
    """
    with tempfile.TemporaryDirectory(prefix="metanode-cheat-") as scratch:
        home, log = Home(Path(scratch) / "home"), Path(scratch) / "node.log"
        _command(log, "init", "--home", str(home.path), "--network", NETWORK, "--port", "0").wait(START_S_MAX)
        if not home.settings_file.is_file():
            raise MetanodeError("INTERNAL", f"`metanode init` failed: {_last_words(log)}")
        genesis = cheatable(home.genesis())
        home.genesis_file.write_text(genesis.to_json(), encoding="utf-8")
        home.settings_file.write_text(home.settings_file.read_text("utf-8") + _SETTINGS, encoding="utf-8")
        identity = home.identity()
        node = _command(log, "run", "--home", str(home.path))
        try:
            yield Chain(_address(home, node, log), genesis, identity, key_of(ACCOUNTS[0]), log)
        finally:
            node.terminate()
            try:
                node.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                node.kill()
                node.wait()


def cheatable(genesis: Genesis) -> Genesis:
    """Return a network's genesis with the calendar of a run, and coins for the cheater."""
    params = replace(genesis.params, **SHORTENED)
    funded = [(key_of(name).account, CHEATER_COINS * COINS) for name in ACCOUNTS]
    accounts = tuple(sorted((*genesis.accounts, *funded)))
    return replace(genesis, params=params, accounts=accounts)


def _command(log: Path, *words: str) -> subprocess.Popen[bytes]:
    environment = {key: value for key, value in os.environ.items() if key != PASSPHRASE_VARIABLE}
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "metanode.core.cli", *words], stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, env=environment, start_new_session=True,
        )  # fmt: skip


def _address(home: Home, node: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline and node.poll() is None:
        state = home.read_running()
        if state is not None and state.get("addresses"):
            return str(state["addresses"][0])
        time.sleep(0.02)
    raise MetanodeError("INTERNAL", f"the node does not listen: {_last_words(log)}")


def _last_words(log: Path) -> str:
    """Return the last line of a log; of a record in JSON, what it says."""
    line = (log.read_text("utf-8", "replace").strip().splitlines() or ["no output"])[-1]
    try:
        return str(json.loads(line).get("message", line))[:300]
    except (ValueError, AttributeError):
        return line[-300:]
