"""Databases of schema version 2 are taken over whole."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from metanode.core.model.errors import StorageError
from metanode.core.model.limits import UINT_MAX
from metanode.core.roles import VIEW_COLUMNS, Row
from metanode.core.testing.contracts.storage import GENESIS_HASH, opened, sample_commit
from metanode.core.workers import ThreadWorkers
from metanode.plugins.storage.sqlite import conversion
from metanode.plugins.storage.sqlite.database import Options
from metanode.plugins.storage.sqlite.schema import APPLICATION_ID, objects, to_column
from metanode.plugins.storage.sqlite.store import SqliteStorage

V2 = """
CREATE TABLE envelopes (id BLOB PRIMARY KEY NOT NULL, height INTEGER NOT NULL, position INTEGER NOT NULL);
CREATE TABLE state (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL);
CREATE TABLE "wallets_rows" ("account" TEXT, "balance", "nonce", "updated_height", PRIMARY KEY ("account"));
CREATE INDEX "wallets_by_age" ON "wallets_rows" ("updated_height", "account");
CREATE VIEW "wallets" AS SELECT "account", "balance", "nonce", "updated_height" FROM "wallets_rows";
CREATE TABLE "transfers_rows" ("envelope_id" TEXT, "position", "height", "kind" TEXT, "sender" TEXT, "receiver" TEXT,
    "amount", "fee", "code", PRIMARY KEY ("envelope_id", "position"));
CREATE INDEX "transfers_by_age" ON "transfers_rows" ("height", "position");
CREATE INDEX "transfers_by_sender" ON "transfers_rows" ("sender", "height", "position");
CREATE INDEX "transfers_by_receiver" ON "transfers_rows" ("receiver", "height", "position");
CREATE VIEW "transfers" AS SELECT "envelope_id", "position", "height", "kind", "sender", "receiver", "amount", "fee",
    "code" FROM "transfers_rows";
"""
"""The tables of version 2 that have another form now."""
CHANGED = ("envelopes", "envelopes_rows", "envelopes_young", "state")
WALLETS = [("mn1a", 5, 1, 1), ("mn1b", UINT_MAX, 0, 0)]
TRANSFERS = [
    (f"{9 - n:064x}", 0, n, "transfer", "mn1a", "mn1b", UINT_MAX - n, 100, 0) for n in range(1, 4)
] + [(f"epoch:0:{n}", 7, 3, "reward", None, "mn1a", 5, 0, 0) for n in range(2)]  # fmt: skip


def version_2(path: Path) -> None:
    """Write a chain of one block, one waiting envelope and a few rows, as version 2 did."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    kept = {name: made for name, made in objects().items() if not name.startswith((*CHANGED, "wallets", "transfers"))}
    connection.executescript(";\n".join(kept.values()) + ";" + V2)
    connection.execute("INSERT INTO meta VALUES (1, ?, 1, 0, 0, 0)", (GENESIS_HASH,))
    connection.executemany("INSERT INTO envelopes VALUES (?, ?, ?)", [(b"i" * 32, 1, 0), (b"j" * 32, 1, 1)])
    connection.executemany("INSERT INTO state VALUES (?, ?)", [(b"\x01b", b"2"), (b"\x01a", b"1")])
    connection.execute("INSERT INTO pending VALUES (3, ?, ?)", (b"p" * 32, b"waits"))
    for table, rows in (("wallets_rows", WALLETS), ("transfers_rows", TRANSFERS)):
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", [tuple(map(to_column, row)) for row in rows])  # type: ignore[arg-type]
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 2")
    connection.close()


async def read(path: Path) -> dict[str, Any]:
    """Open the database and return what it holds."""
    async with opened(
        lambda: SqliteStorage(path, Options(), workers=ThreadWorkers(), log=logging.getLogger("test"))
    ) as storage:
        return {
            "places": [await storage.find_envelope(letter * 32) for letter in (b"i", b"j", b"x")],
            "state": await storage.load_state(),
            "pending": await storage.load_pending(),
            **{view: await storage.rows(view, where={}, limit=99, offset=0) for view in VIEW_COLUMNS},
        }


def shape(path: Path) -> set[tuple[str, str, str]]:
    """Every table, index and view, and the columns it has."""
    connection = sqlite3.connect(path)
    try:
        return {
            (kind, name, str([row[2:] for row in connection.execute(f"PRAGMA {about}({name})")]))
            for kind, name in connection.execute("SELECT type, name FROM sqlite_master")
            for about in ("table_info", "index_info")
        }
    finally:
        connection.close()


async def test_a_database_of_version_2_is_taken_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Places, state, pending envelopes and views are what they were, and the log tells of it, once."""
    path = tmp_path / "chain.sqlite"
    version_2(path)
    found = await read(path)
    assert found["places"] == [(1, 0), (1, 1), None]
    assert found["state"] == (0, [(b"\x01a", b"1"), (b"\x01b", b"2")])
    assert found["pending"] == [(b"p" * 32, b"waits")]
    assert [tuple(row.values()) for row in found["wallets"]] == WALLETS
    assert sorted(tuple(row.values()) for row in found["transfers"]) == sorted(TRANSFERS)
    assert "converted from schema version 2 to 4" in caplog.text
    caplog.clear()
    assert await read(path) == found
    assert "converted" not in caplog.text


async def test_a_converted_database_is_like_a_fresh_one(tmp_path: Path) -> None:
    """Nothing of the old form is left, nothing of the new one is missing, and blocks go on."""
    converted, fresh = tmp_path / "converted.sqlite", tmp_path / "fresh.sqlite"
    version_2(converted)
    await read(converted)
    await read(fresh)
    assert {row[:2] for row in shape(converted)} == {row[:2] for row in shape(fresh)}
    row = Row("transfers", ("f" * 64, 0, 1, "transfer", "mn1a", "mn1c", 1, 100, 0))
    async with opened(
        lambda: SqliteStorage(converted, Options(), workers=ThreadWorkers(), log=logging.getLogger("test"))
    ) as storage:
        await storage.commit(sample_commit(1, envelopes=[(b"k" * 32, b"bytes")], rows=[row]))
        assert await storage.find_envelope(b"k" * 32) == (1, 0)
        assert len(await storage.rows("transfers", where={"sender": "mn1a"}, limit=9, offset=0)) == 4


async def test_a_database_of_version_3_gets_the_tables_it_lacks(tmp_path: Path) -> None:
    """Blocks and state are as they were; changes of the set are known from now on."""
    old, fresh = tmp_path / "old.sqlite", tmp_path / "fresh.sqlite"

    def stored(path: Path) -> SqliteStorage:
        return SqliteStorage(path, Options(), workers=ThreadWorkers(), log=logging.getLogger("test"))

    await read(fresh)
    async with opened(lambda: stored(old)) as storage:
        await storage.put_genesis([(b"k", b"1")], [])
        await storage.commit(sample_commit(1, changes=[(b"k", b"2")]))
    connection = sqlite3.connect(old, isolation_level=None)
    connection.executescript("DROP TABLE sets; DROP TABLE origin; PRAGMA user_version = 3")
    connection.close()
    async with opened(lambda: stored(old)) as storage:
        assert await storage.load_state() == (1, [(b"k", b"2")])
        assert await storage.origin() == (1, [])
        await storage.commit(sample_commit(2))
    assert shape(old) == shape(fresh)


async def test_a_conversion_that_fails_leaves_the_old_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one transaction: the next start finds version 2 and begins again."""
    path = tmp_path / "chain.sqlite"
    version_2(path)
    before = shape(path)
    with monkeypatch.context() as patched:
        patched.setattr(conversion, "SCHEMA_VERSION", "no number;")
        with pytest.raises(StorageError):
            await read(path)
    assert shape(path) == before
    assert (await read(path))["places"] == [(1, 0), (1, 1), None]
