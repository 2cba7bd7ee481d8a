"""A disk that loses what it was given: the storage ends, and the next start builds on nothing that is not there."""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import trio

from metanode.core.model.errors import StorageError
from metanode.core.testing.workers import InlineWorkers
from metanode.plugins.storage.sqlite.database import Database, Options, SavePending
from metanode.plugins.storage.sqlite.store import SqliteStorage

GENESIS_HASH = bytes(32)
LOG = logging.getLogger("test")


class Losing:
    """A connection whose commits fail as SQLite's do when the sync of the log fails."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.commits = 0

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement == "COMMIT":
            self.commits += 1
            raise sqlite3.OperationalError("disk I/O error")
        return self._connection.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def losing(database: Database, monkeypatch: pytest.MonkeyPatch) -> Losing:
    """Let every commit from now on fail."""
    writer = Losing(database._writer)
    monkeypatch.setattr(database, "_writer", writer)
    return writer


async def test_a_write_that_was_lost_ends_the_role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel stops the node then: whatever came next would be built on what may not be there."""
    storage = SqliteStorage(tmp_path / "chain.sqlite", Options(), workers=InlineWorkers(), log=LOG)
    await storage.open(GENESIS_HASH)
    assert storage._database is not None
    losing(storage._database, monkeypatch)
    ended: list[StorageError] = []

    async def run(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        try:
            await storage.run(task_status=task_status)
        except StorageError as error:
            ended.append(error)

    async with trio.open_nursery() as nursery:
        await nursery.start(run)
        with pytest.raises(StorageError) as caught:
            await storage.save_pending([(bytes(32), b"lost")])
    assert (caught.value.code, ended[0].code) == ("STORAGE_FULL", "STORAGE_FULL")
    assert str(tmp_path) in ended[0].message


def test_nothing_more_is_written_once_a_write_was_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No second try, no note of a clean stop."""
    path = tmp_path / "chain.sqlite"
    database = Database(path, GENESIS_HASH, Options(), LOG)
    writer = losing(database, monkeypatch)
    for _ in range(3):
        with pytest.raises(StorageError, match="disk I/O error"):
            database.write([SavePending([(bytes(32), b"lost")])])
    database.close()
    assert writer.commits == 1
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT running FROM meta").fetchone()[0] == 1
    connection.close()


def test_a_full_disk_has_lost_nothing(tmp_path: Path) -> None:
    """It refuses before it takes anything: the next write may be tried."""
    database = Database(tmp_path / "chain.sqlite", GENESIS_HASH, Options(), LOG)
    limit = database._writer.execute("PRAGMA max_page_count").fetchone()[0]
    database._writer.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StorageError, match="full"):
        database.write([SavePending([(bytes(32), bytes(200_000))])])
    database._writer.execute(f"PRAGMA max_page_count = {limit}")
    database.write([SavePending([(bytes(32), bytes(200_000))])])
    database.close()


@pytest.mark.parametrize("crashed", [False, True])
def test_every_start_writes_and_syncs_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crashed: bool
) -> None:
    """After a crash too, when the note of use is there already and SQLite would leave the page, and the log, alone."""
    path = tmp_path / "chain.sqlite"
    first = Database(path, GENESIS_HASH, Options(), LOG)
    first.write([SavePending([(bytes(32), b"found")])])
    if crashed:
        copy = tmp_path / "copy"
        copy.mkdir()
        for name in ("chain.sqlite", "chain.sqlite-wal"):
            (copy / name).write_bytes((tmp_path / name).read_bytes())
    first.close()
    path = copy / "chain.sqlite" if crashed else path
    log = path.with_name("chain.sqlite-wal")
    before = log.stat().st_size if crashed else 0
    rewritten: list[int] = []
    pwrite = os.pwrite

    def spy(descriptor: int, data: bytes, offset: int) -> int:
        if os.readlink(f"/proc/self/fd/{descriptor}") == str(log):
            rewritten.append(len(data))
        return pwrite(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", spy)
    again = Database(path, GENESIS_HASH, Options(), LOG)
    assert sum(rewritten) == before
    assert log.stat().st_size > before, "a commit, and so a sync of the log"
    again.close()
