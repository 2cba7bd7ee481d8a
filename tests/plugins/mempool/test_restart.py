"""A pool over a real ledger and a real database: what was acknowledged outlives the process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from metanode.core.model import kinds
from metanode.core.model.bodies import Transfer
from metanode.core.model.envelope import Envelope
from metanode.core.testing.contracts.ledger import LedgerChain, key_pair, sample_genesis
from metanode.core.testing.contracts.pool_bench import Bench
from metanode.core.workers import ThreadWorkers
from metanode.plugins.ledger.attested.ledger import AttestedLedger
from metanode.plugins.mempool.fifo import plugin
from metanode.plugins.storage.sqlite.database import Options
from metanode.plugins.storage.sqlite.store import SqliteStorage

ALICE, BOB = key_pair(1), key_pair(2)


def benches(path: Path, settings: dict[str, Any]) -> tuple[LedgerChain, Callable[[], Bench]]:
    """A chain, and what a process that starts on the database finds: nothing remembered but what is on disk."""
    genesis = sample_genesis([ALICE, BOB])
    chain = LedgerChain(AttestedLedger, genesis)

    def start() -> Bench:
        storage = SqliteStorage(path, Options(), workers=ThreadWorkers(), log=logging.getLogger("test"))
        bench = Bench(plugin.provide_mempool, storage, settings)
        bench.ledger = AttestedLedger(genesis)  # type: ignore[assignment]  # the real one
        return bench

    return chain, start


def transfer(chain: LedgerChain, nonce: int, fee: int) -> Envelope:
    """One of Alice's, whose account has shown no key yet."""
    return chain.envelope(ALICE, kinds.TRANSFER, Transfer(BOB.account, 1).encode(), nonce=nonce, fee=fee)


async def test_a_first_envelope_that_was_replaced_does_not_cost_the_later_ones(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    """The replacement, which shows the account's key, is saved behind those that rely on it: all come back."""
    chain, start = benches(tmp_path / "chain.sqlite", settings)
    first, better = transfer(chain, 0, 1_000), transfer(chain, 0, 5_000)
    later = [transfer(chain, nonce, 1_000) for nonce in range(1, 4)]
    bench = start()
    async with bench.pool(chain.head) as pool:
        for envelope in (first, *later, better):
            (answer,) = await pool.submit([envelope.raw], source="local")
            assert answer.error is None
        before = pool.select(count_max=9, bytes_max=10**6)
        with trio.fail_after(30):
            while first.id in dict(await bench.storage.load_pending()):
                await trio.lowlevel.checkpoint()  # until the pool's own task has taken it out
    assert before == [better, *later]
    async with start().pool(chain.head) as pool:
        assert pool.select(count_max=9, bytes_max=10**6) == before
