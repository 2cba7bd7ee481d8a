"""http.get, http.post, http.mix, balance.rate: a real node beside Flask and gunicorn, in the same rounds."""

from __future__ import annotations

import json
import sqlite3
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from live_node import live_node
from load import Loaded, generator, load
from measuring import Result, UnavailableError, cpu_s, rss_mib
from peers import flask_peer, peer_name
from transfers import BALANCE, Wallet, transfer_lines, wallets

from metanode.core.model.genesis import genesis_from_json

ROUNDS = 3
SECONDS = {"http.get": 2, "balance.rate": 2, "http.post": 4, "http.mix": 3}
"""Length of one load; wrk knows whole seconds only."""
RATE_MAX = {"http.post": 12_000, "http.mix": 4_000}
"""Transfers per second that are signed in advance: more than can be answered."""
GROUP = 2_000
"""Wallets of one load: as many as take turns, so that nonces arrive in order over parallel connections."""
BLOCK_MS = 250
DRAIN_S = 30.0
"""Longest wait for the accepted transfers to be final."""
START_S = 30.0
STARTS = 5
POOL_ENTRIES = 100_000
POOL = f"pool of {POOL_ENTRIES} envelopes (default 10000);"


@dataclass
class Samples:
    """Rates and CPU of one side in one kind of load, a value per round."""

    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)

    def add(self, loaded: Loaded, used_s: float) -> None:
        """Add a round."""
        self.rates.append(loaded.rate)
        self.cpu_us.append(used_s / loaded.requests * 1e6)
        self.p50_ms.append(loaded.p50_ms)
        self.p99_ms.append(loaded.p99_ms)


@dataclass
class Side:
    """One of the two servers."""

    url: str
    used_s: Callable[[], float]
    settle: Callable[[], None]
    """Waits until the accepted transfers are final."""
    samples: dict[str, Samples] = field(default_factory=dict)


def http_get() -> list[Result]:
    """GET /health."""
    return [_against_peer("http.get", "GET /health")]


def balance_rate() -> list[Result]:
    """GET /v1/accounts/{account}, every account in turn."""
    return [_against_peer("balance.rate", f"GET /v1/accounts/..., {GROUP} accounts in turn")]


def http_post() -> list[Result]:
    """POST /v1/tx, one transfer each."""
    what = (
        f"POST /v1/tx, one signed transfer each from {GROUP} accounts in turn, on both sides synced to disk before the "
        "answer (synchronous=FULL); our CPU counts until all are final, in blocks of at most 2000 every "
        f"{BLOCK_MS} ms"
    )
    return [_against_peer("http.post", what)]


def http_mix() -> list[Result]:
    """Four reads of a balance, then one transfer."""
    return [_against_peer("http.mix", "80 % GET /v1/accounts/..., 20 % POST /v1/tx as in http.post")]


def loaded_memory() -> list[Result]:
    """The node's memory after the loads above."""
    measured = _measured()
    ours, peer = measured.rss_mib, measured.peer_rss_mib
    conditions = (
        f"`metanode run` after the loads of the http ids, the highest VmRSS after any of them; {measured.transfers} "
        f"transfers accepted; {POOL} peer: all its processes, shared pages counted in each"
    )
    return [Result("rss.node_loaded", ours, "MiB", peer_name(), peer, peer / ours, conditions=conditions)]


def node_start() -> list[Result]:
    """From the start of the process until /health is answered."""
    seconds = []
    with live_node():
        pass  # compiles the bytecode
    for _ in range(STARTS):
        with live_node() as node:
            asked = time.monotonic()
            urllib.request.urlopen(f"{node.url}/health", timeout=START_S).close()
            seconds.append(node.start_s + time.monotonic() - asked)
    return [
        Result(
            "start.node_s",
            statistics.median(seconds),
            "s",
            conditions=(
                "from the start of the process until /health was answered, looked for every 10 ms; median of "
                f"{STARTS} (slowest {max(seconds):.2f}), bytecode cached, fresh home; no peer"
            ),
        )
    ]


@dataclass
class Measured:
    """All rounds of all loads."""

    ours: dict[str, Samples]
    peers: dict[str, Samples]
    rss_mib: float
    peer_rss_mib: float
    transfers: int


def _against_peer(name: str, what: str) -> Result:
    measured = _measured()
    ours, peer = measured.ours[name], measured.peers[name]
    rate, peer_rate = statistics.median(ours.rates), statistics.median(peer.rates)
    cpu, peer_cpu = statistics.median(ours.cpu_us), statistics.median(peer.cpu_us)
    conditions = (
        f"{what}; {generator()}; median of {ROUNDS} rounds in turn with the peer, {SECONDS[name]:g} s each "
        f"({min(ours.rates):.0f} to {max(ours.rates):.0f}/s); p50 {statistics.median(ours.p50_ms):.1f} ms, p99 "
        f"{statistics.median(ours.p99_ms):.1f} ms, peer {statistics.median(peer.p50_ms):.1f} and "
        f"{statistics.median(peer.p99_ms):.1f} ms; peer CPU {peer_cpu:.0f} us, CPU ratio {peer_cpu / cpu:.3g}; "
        f"rate limit lifted for 127.0.0.1 (exempt_sources); {POOL}"
    )
    return Result(name, rate, "requests/s", peer_name(), peer_rate, rate / peer_rate, cpu, conditions)


@cache
def _measured() -> Measured:
    """Run all loads once; the ids share the servers and the rounds."""
    groups = [wallets(GROUP * 2 * ROUNDS)[start * GROUP :][:GROUP] for start in range(2 * ROUNDS)]
    everyone = [wallet for group in groups for wallet in group]
    owned = [(wallet.account, BALANCE) for wallet in everyone]
    with ExitStack() as stack:
        node = stack.enter_context(live_node(lambda home: _prepare(home, everyone)))
        home = node.directory / "home"
        genesis = genesis_from_json((home / "genesis.json").read_text(encoding="utf-8"))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="metanode-bench-")))
        peer_url, processes = stack.enter_context(flask_peer(scratch, genesis.hash.hex(), owned))
        database = home / "data" / "storage.sqlite" / "chain.sqlite"
        ours = Side(node.url, lambda: cpu_s(node.pid), lambda: _wait_until_final(database))
        peer = Side(peer_url, processes.cpu_s, lambda: None)
        highest = 0.0
        transfers = 0
        for number in range(ROUNDS):
            for name, lines in _loads(groups[2 * number], groups[2 * number + 1], genesis.chain_id, genesis.hash):
                for side in (ours, peer) if number % 2 else (peer, ours):
                    before = side.used_s()
                    loaded = load(side.url, lines, scratch, SECONDS[name])
                    side.settle()
                    side.samples.setdefault(name, Samples()).add(loaded, side.used_s() - before)
                    if side is ours:
                        highest = max(highest, rss_mib(node.pid))
                        share = {"http.post": 1.0, "http.mix": 0.2}.get(name, 0.0)
                        transfers += round(loaded.requests * share)
        return Measured(ours.samples, peer.samples, highest, processes.rss_mib(), transfers)


def _loads(
    post: Sequence[Wallet], mix: Sequence[Wallet], chain_id: int, genesis_hash: bytes
) -> Iterator[tuple[str, list[str]]]:
    """Yield the loads of one round, transfers signed while nothing is measured."""
    reads = [f"GET /v1/accounts/{wallet.text}" for wallet in post]
    yield "http.get", ["GET /health"]
    yield "balance.rate", reads * 50
    count = RATE_MAX["http.post"] * SECONDS["http.post"]
    yield "http.post", transfer_lines(post, count, chain_id=chain_id, genesis_hash=genesis_hash)
    count = RATE_MAX["http.mix"] * SECONDS["http.mix"]
    writes = transfer_lines(mix, count, chain_id=chain_id, genesis_hash=genesis_hash)
    mixed = []
    for place, write in enumerate(writes):
        mixed += [reads[(4 * place + i) % GROUP] for i in range(4)] + [write]
    yield "http.mix", mixed


def _prepare(home: Path, everyone: Sequence[Wallet]) -> None:
    """Fund the wallets, make blocks quicker, widen the pool, lift the rate limit for this machine."""
    path = home / "genesis.json"
    genesis = json.loads(path.read_text(encoding="utf-8"))
    genesis["accounts"].update({wallet.text: BALANCE for wallet in everyone})
    genesis["params"]["block_ms"] = BLOCK_MS
    path.write_text(json.dumps(genesis), encoding="utf-8")
    with (home / "metanode.toml").open("a", encoding="utf-8") as settings:
        settings.write(f'\n[plugins.mempool.fifo]\nentries_max = {POOL_ENTRIES}\nbytes_max_mib = 64\n')
        settings.write('exempt_sources = ["local", "127.0.0.1"]\n')


def _wait_until_final(database: Path) -> None:
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    try:
        deadline = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline:
            if connection.execute("SELECT count(*) FROM pending").fetchone()[0] == 0:
                return
            time.sleep(0.1)
    finally:
        connection.close()
    raise UnavailableError(f"accepted transfers were not final after {DRAIN_S:g} s")
