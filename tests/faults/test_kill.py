"""A real node on a real database, killed with SIGKILL again and again while it makes blocks.

An outside client holds the list of acknowledged ids.  After every restart, and at the end: nothing acknowledged is
lost, nothing happens twice, the supply sums.  (What SIGKILL cannot show, a lost page cache, is another suite's work.)
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from metanode.core.cli.node_api import NodeApi
from metanode.core.crypto import install, keystore
from metanode.core.crypto.keys import KeyPair
from metanode.core.home import Home
from metanode.core.model import kinds
from metanode.core.model.bodies import Transfer
from metanode.core.model.envelope import Envelope, build_envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import Genesis
from metanode.core.model.validators import decode_set

KILLS = 30
SEED = int(os.environ.get("METANODE_TEST_SEED", "20251120"))
START_S_MAX = 30.0
PASSING = {"UNREACHABLE", "TIMEOUT", "BAD_REPLY", "NOT_READY"}
"""What a client sees of a node that dies under it: then the envelope was not acknowledged."""

pytestmark = pytest.mark.faults


class RealNode:
    """A node process on a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = Home(home)
        self._process: subprocess.Popen[bytes] | None = None

    def verb(self, *words: str) -> None:
        """Run a verb to its end."""
        command = [sys.executable, "-m", "metanode.core.cli", *words, "--home", str(self.home.path)]
        subprocess.run(command, check=True, capture_output=True)

    def start(self) -> NodeApi:
        """Start the process and return how to ask it, once it serves."""
        with (self.home.path / "node.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "metanode.core.cli", "run", "--home", str(self.home.path)],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            state = self.home.read_running()
            if state is not None and state["pid"] == self._process.pid and state["addresses"]:
                return NodeApi(state["addresses"][0])
            assert self._process.poll() is None, (self.home.path / "node.log").read_text()[-2000:]
            time.sleep(0.01)
        raise AssertionError("the node did not start in time")

    def end(self, how: signal.Signals) -> int:
        """Send a signal and wait for the end."""
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(START_S_MAX)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RealNode]:
    """A fresh home; whatever runs at the end is killed."""
    install()
    real = RealNode(tmp_path / "home")
    real.verb("init", "--network", "devnet", "--port", "0")
    # Faster blocks hit more moments of block production in the same time.
    genesis = real.home.genesis_file
    text = genesis.read_text().replace('"block_ms": 1000', '"block_ms": 100')
    genesis.write_text(text.replace('"slot_ms": 2000', '"slot_ms": 400'))
    yield real
    if real._process is not None and real._process.poll() is None:
        real.end(signal.SIGKILL)


def transfer(genesis: Genesis, key: KeyPair, nonce: int, height: int) -> Envelope:
    """A transfer of `nonce + 1` micro-units to an account of its own."""
    return build_envelope(
        chain_id=genesis.chain_id,
        kind=kinds.TRANSFER,
        sender=key.account,
        nonce=nonce,
        fee=genesis.params.min_fee,
        valid_until=height + genesis.params.max_valid,
        body=Transfer(to=nonce.to_bytes(20, "big"), amount=nonce + 1).encode(),
        public_key=key.public_key if nonce == 0 else b"",
        sign=key.sign,
        genesis_hash=genesis.hash,
    )


def test_thirty_kills_lose_nothing_acknowledged_and_repeat_nothing(node: RealNode) -> None:
    """Acknowledged transfers are all final exactly once, in nonce order, and every coin is accounted for."""
    print(f"seed {SEED} (METANODE_TEST_SEED)")
    chance = random.Random(SEED)
    genesis = node.home.genesis()
    passphrase = node.home.passphrase()
    assert passphrase is not None
    key = KeyPair.from_seed(keystore.open(node.home.keys_dir / "sponsor.key", passphrase))
    acknowledged: dict[int, Envelope] = {}
    made: dict[int, Envelope] = {}
    last_height = 0

    for _ in range(KILLS):
        api = node.start()
        height = api.head()["height"]
        assert height >= last_height, "a final block was lost"
        nonce = len(acknowledged)
        deadline = time.monotonic() + chance.uniform(0.02, 0.6)
        while time.monotonic() < deadline:
            # The same bytes again after a crash: a sender that got no answer may always repeat itself.
            envelope = made.setdefault(nonce, transfer(genesis, key, nonce, height))
            try:
                api.submit([envelope])
                acknowledged[nonce] = envelope
                nonce += 1
                last_height = api.head()["height"]
            except MetanodeError as error:
                if error.code in ("BAD_NONCE", "REPLAYED") and api.account(key.account)["nonce"] > nonce:
                    # It stands in a block although its answer was lost: final, so nothing to repeat.
                    acknowledged[nonce] = envelope
                    nonce += 1
                    continue
                # BAD_NONCE here: as many wait as the pool queues for one sender.
                if error.code not in PASSING | {"RATE_LIMITED", "POOL_FULL", "BAD_NONCE"}:
                    raise
                break
        node.end(signal.SIGKILL)

    api = node.start()
    views = [api.wait_final(envelope.id.hex(), 60) for envelope in acknowledged.values()]
    assert len(views) >= KILLS, "the client got through between the kills"
    assert all(view["receipt"]["code"] == "OK" for view in views)
    assert api.account(key.account)["nonce"] == len(views), "each happened once, and nothing else did"
    for nonce in (0, len(views) - 1):
        assert api.account(nonce.to_bytes(20, "big"))["balance"]["micro"] == nonce + 1
    assert node.end(signal.SIGTERM) == 0
    check_the_books(node, genesis, len(views))


def check_the_books(node: RealNode, genesis: Genesis, transfers: int) -> None:
    """Read the database as anyone with sqlite3 can: heights without a gap, ids once, every coin in some place."""
    path = node.home.data_dir("storage.sqlite") / "chain.sqlite"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        rows = database.execute("SELECT envelope_id FROM transfers WHERE kind = 'transfer' AND code = 0")
        ids = [row[0] for row in rows]
        assert len(ids) == len(set(ids)) == transfers
        held = database.execute("SELECT SUM(balance) FROM wallets").fetchone()[0]
        settled = database.execute("SELECT COUNT(*), COALESCE(SUM(paid), 0) FROM epochs").fetchone()
    database.close()
    # No machine is registered, so nothing was paid: what wallets lack against genesis is fees, in the pot or pending.
    assert settled[1] == 0
    bonded = sum(member.bond for member in decode_set(genesis.validators))
    assert held == genesis.supply - bonded - transfers * genesis.params.min_fee
