"""A snapshot is there whole or not at all, wherever the process dies while it is written."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from metanode.core.roles import Row, Snapshot
from metanode.core.testing.contracts.storage import opened, sample_commit
from metanode.core.workers import ThreadWorkers
from metanode.plugins.storage.sqlite.database import Options
from metanode.plugins.storage.sqlite.store import SqliteStorage

GENESIS = [(b"genesis", b"state")]


def stored(path: Path) -> SqliteStorage:
    """A storage over a file, which checkpoints often."""
    options = Options(wal_autocheckpoint_pages=10)
    return SqliteStorage(path, options, workers=ThreadWorkers(), log=logging.getLogger("test"))


async def test_a_crash_before_any_statement_leaves_genesis_or_the_snapshot(tmp_path: Path) -> None:
    """The files as they are before each statement, opened: the old chain; blocks or the snapshot can follow on it."""
    path = tmp_path / "chain.sqlite"
    entries = [(b"key %05d" % number, bytes(200)) for number in range(500)]
    rows = [Row("wallets", (f"mn1{number}", number, 0, 9)) for number in range(300)]
    snapshot = Snapshot(sample_commit(9, changes=entries, rows=rows), [(b"a" * 32, 8000)])
    crashes: list[Path] = []

    def copy(_: str) -> None:
        crashes.append(tmp_path / f"crash{len(crashes)}")
        crashes[-1].mkdir()
        for file in tmp_path.glob("chain.sqlite*"):
            if not file.name.endswith(("lock", "-shm")):
                shutil.copy(file, crashes[-1])

    async with opened(lambda: stored(path)) as storage:
        assert isinstance(storage, SqliteStorage)
        await storage.put_genesis(GENESIS, [])
        assert storage._database is not None
        storage._database._writer.set_trace_callback(copy)
        await storage.put_snapshot(snapshot)
        storage._database._writer.set_trace_callback(None)
        copy("")
    states = []
    for crash in crashes:
        async with opened(lambda crash=crash: stored(crash / "chain.sqlite")) as storage:  # type: ignore[misc]
            height, found = await storage.load_state()
            states.append(height)
            if height == 0:
                assert found == GENESIS
                assert await storage.origin() == (1, [])
                await storage.put_snapshot(snapshot)
            assert await storage.load_state() == (9, entries)
            assert len(await storage.rows("wallets", where={}, limit=1000, offset=0)) == 300
            await storage.commit(sample_commit(10))
    assert states == sorted(states)
    assert {0, 9} == set(states)
    assert len(states) > 10
