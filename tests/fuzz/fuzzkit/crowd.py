"""A hundred thousand accounts: many senders pay as many strangers, and unfunded senders knock; memory is watched."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from random import Random

from fuzzkit.http_live import transfer
from fuzzkit.node import Node
from metanode.core.crypto.keys import KeyPair
from metanode.core.home import Home
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.genesis import Genesis

ACCOUNTS = 100_000
SENDERS = 2_000
BATCH = 100
MIB_PER_100_000_ACCOUNTS_MAX = 160
"""What the state of as many accounts may weigh, with its map, its proofs' tree and what SQLite caches."""


@dataclass
class Crowd:
    """Figures of one run."""

    accounts: int = 0
    """Distinct accounts that were paid, all of them final."""
    knocks: int = 0
    """Envelopes of senders who own nothing, all refused."""
    seconds: float = 0.0
    rss_before_mib: float = 0.0
    rss_after_mib: float = 0.0

    def line(self) -> str:
        """One line for people."""
        return (
            f"crowd: {self.accounts} accounts made and {self.knocks} unfunded envelopes refused "
            f"in {self.seconds:.0f} s, RSS {self.rss_before_mib:.1f} -> {self.rss_after_mib:.1f} MiB"
        )


def key(number: int) -> KeyPair:
    """Return a sender's key."""
    return KeyPair.from_seed(b"crowd" + number.to_bytes(27, "big"))


def fund(home: Home) -> None:
    """Give every sender coins in the genesis file and let blocks come fast."""
    path = home.genesis_file
    value = json.loads(path.read_text(encoding="utf-8"))
    value["params"]["block_ms"] = 500
    value["accounts"].update({to_bech32m(key(n).account): 10_000_000 for n in range(SENDERS)})
    path.write_text(json.dumps(value), encoding="utf-8")


def run(node: Node, seconds: float, seed: str) -> Crowd:
    """Make accounts until there are enough or time is over.

    The node must have been started on a home that `fund` prepared.
    """
    chance = Random(seed)
    genesis = node.home.genesis()
    figures = Crowd(rss_before_mib=node.rss_mib())
    begun = time.monotonic()
    end = begun + seconds
    keys = [key(n) for n in range(SENDERS)]
    nonce = 0
    while figures.accounts < ACCOUNTS and time.monotonic() < end:
        height = node.ask("GET", "/v1/head")[2]["height"]
        for start in range(0, SENDERS, BATCH):
            batch = [
                transfer(genesis, sender, nonce, to=chance.randbytes(20), amount=1, height=height).raw.hex()
                for sender in keys[start : start + BATCH]
            ]
            _submit(node, batch)
            figures.accounts += BATCH
        nonce += 1
        figures.knocks += _knock(node, genesis, chance)
    _wait_final(node, keys, nonce)
    figures.seconds = time.monotonic() - begun
    figures.rss_after_mib = node.rss_mib()
    node.check_well()
    share = max(0.25, figures.accounts / ACCOUNTS)
    grown = figures.rss_after_mib - figures.rss_before_mib
    assert grown <= MIB_PER_100_000_ACCOUNTS_MAX * share, figures.line()
    return figures


def _wait_final(node: Node, keys: list[KeyPair], nonce: int) -> None:
    """Return when every sender's envelopes are in blocks."""
    for sender in keys:
        while node.ask("GET", f"/v1/accounts/{to_bech32m(sender.account)}")[2]["nonce"] < nonce:
            time.sleep(0.05)


def _submit(node: Node, batch: list[str]) -> None:
    """Submit a batch until all of it is taken: a full pool empties with the next block."""
    while True:
        status, _, value = node.ask("POST", "/v1/tx", json.dumps({"envelopes": batch}).encode())
        if status in (200, 202):
            return
        assert "results" in value, (status, value)
        codes = Counter(row["code"] for row in value["results"] if not row["ok"])
        assert set(codes) <= {"POOL_FULL", "REPLAYED", "BAD_NONCE"}, codes
        if set(codes) == {"REPLAYED"}:
            return  # included meanwhile
        time.sleep(0.1)


def _knock(node: Node, genesis: Genesis, chance: Random) -> int:
    """Send envelopes of senders who own nothing; return how many were refused for it."""
    strangers = [KeyPair.from_seed(chance.randbytes(32)) for _ in range(BATCH)]
    batch = [transfer(genesis, stranger, 0, to=bytes(20)).raw.hex() for stranger in strangers]
    _, _, value = node.ask("POST", "/v1/tx", json.dumps({"envelopes": batch}).encode())
    codes = Counter(row["code"] for row in value["results"])
    assert set(codes) <= {"INSUFFICIENT_FUNDS"}, codes
    return len(batch)
