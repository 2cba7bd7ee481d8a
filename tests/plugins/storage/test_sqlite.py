"""What storage.sqlite promises beyond the contract: group commit, bounded reads, private files, plain SQL."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from metanode.core.model.errors import PluginError, SettingsError
from metanode.core.model.limits import UINT_MAX
from metanode.core.roles import VIEW_COLUMNS, Row
from metanode.core.testing.contracts.storage import GENESIS_HASH, opened, sample_commit
from metanode.core.workers import ThreadWorkers
from metanode.plugins.storage.sqlite import ageing, schema
from metanode.plugins.storage.sqlite.batches import PARAMETERS_MAX, delete_rows, write_rows
from metanode.plugins.storage.sqlite.database import DropPending, Options, SavePending
from metanode.plugins.storage.sqlite.plugin import provide_storage
from metanode.plugins.storage.sqlite.store import SqliteStorage


@asynccontextmanager
async def sqlite_at(path: Path) -> AsyncIterator[SqliteStorage]:
    """An open store."""
    async with opened(
        lambda: SqliteStorage(path, Options(), workers=ThreadWorkers(), log=logging.getLogger("test"))
    ) as storage:
        assert isinstance(storage, SqliteStorage)
        yield storage


def names(directory: Path) -> list[str]:
    """The files of a directory."""
    return sorted(file.name for file in directory.iterdir())


def traced(storage: SqliteStorage) -> list[str]:
    """The statements of the writer from now on."""
    said: list[str] = []
    assert storage._database is not None
    storage._database._writer.set_trace_callback(said.append)
    return said


async def test_saves_that_wait_share_one_transaction(tmp_path: Path) -> None:
    """A hundred concurrent saves cost two syncs: the first, and all that gathered behind it."""
    async with sqlite_at(tmp_path / "chain.sqlite") as storage:
        said = traced(storage)
        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(storage.save_pending, [(number.to_bytes(32, "big"), b"bytes")])
        assert said.count("COMMIT") <= 2
        assert len(await storage.load_pending()) == 100


async def test_a_block_is_one_transaction(tmp_path: Path) -> None:
    """Everything a block changes stands between one BEGIN and one COMMIT."""
    async with sqlite_at(tmp_path / "chain.sqlite") as storage:
        await storage.put_genesis([], [])
        said = traced(storage)
        envelopes = [(bytes([n]) * 32, b"bytes") for n in range(5)]
        rows = [Row("wallets", ("mn1a", 1, 0, 1))]
        await storage.commit(sample_commit(1, envelopes=envelopes, changes=[(b"k", b"v")], rows=rows))
        assert (said[0], said[-1]) == ("BEGIN IMMEDIATE", "COMMIT")
        assert (said.count("BEGIN IMMEDIATE"), said.count("COMMIT")) == (1, 1)


async def test_what_a_failed_transaction_undid_can_be_done_again(tmp_path: Path) -> None:
    """The writer's list of pending rows follows the table, also when a transaction is rolled back."""
    envelope, kept = (b"a" * 32, b"bytes"), (b"b" * 32, b"bytes")
    unfit: Any = object()
    async with sqlite_at(tmp_path / "chain.sqlite") as storage:
        await storage.save_pending([kept])
        database = storage._database
        assert database is not None
        refusing = Row("wallets", ("mn1a", "not a number", 0, 1))
        with pytest.raises(PluginError):
            await storage.commit(sample_commit(1, rows=[refusing], drop_pending=[kept[0]]))
        with pytest.raises((TypeError, sqlite3.Error)):
            database.write([SavePending([envelope]), DropPending([kept[0]]), SavePending([(b"c" * 32, unfit)])])
        assert await storage.load_pending() == [kept]
        await storage.save_pending([envelope, kept])
        assert await storage.load_pending() == [kept, envelope]
        await storage.drop_pending([kept[0]])
    async with sqlite_at(tmp_path / "chain.sqlite") as storage:
        await storage.save_pending([kept, envelope])
        assert await storage.load_pending() == [envelope, kept]


async def test_every_acknowledged_write_is_synced(tmp_path: Path) -> None:
    """WAL mode alone would lose the last transactions in a power cut; FULL syncs each."""
    async with sqlite_at(tmp_path / "chain.sqlite") as storage:
        assert storage._database is not None
        writer = storage._database._writer
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert writer.execute("PRAGMA synchronous").fetchone() == (2,)


async def test_the_files_are_private(tmp_path: Path) -> None:
    """Nobody but the node's user reads its data, whatever the umask."""
    path = tmp_path / "home" / "data" / "chain.sqlite"
    async with sqlite_at(path) as storage:
        await storage.put_genesis([(b"k", b"v")], [])
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("chain.sqlite", "chain.sqlite-wal", "chain.sqlite-shm", "chain.sqlite.lock"), 0o600)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.parent.stat().st_mode & 0o777 == 0o700


async def test_a_clean_stop_leaves_one_whole_file(tmp_path: Path) -> None:
    """After a clean stop the database can be copied as one file; the next start needs no repair."""
    path = tmp_path / "chain.sqlite"
    async with sqlite_at(path) as storage:
        await storage.put_genesis([(b"k", b"v")], [])
    assert names(tmp_path) == ["chain.sqlite", "chain.sqlite.lock"]
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(path.read_bytes())
    async with sqlite_at(copy) as storage:
        assert await storage.load_state() == (0, [(b"k", b"v")])


async def test_an_opening_that_is_cancelled_leaves_nothing_open(tmp_path: Path) -> None:
    """A start that is given up holds neither the lock nor a connection."""
    path = tmp_path / "chain.sqlite"
    storage = SqliteStorage(path, Options(), workers=ThreadWorkers(), log=logging.getLogger("test"))
    with trio.CancelScope() as scope:
        scope.cancel()
        await storage.open(GENESIS_HASH)
    assert scope.cancelled_caught
    assert names(tmp_path) == ["chain.sqlite", "chain.sqlite.lock"]
    async with sqlite_at(path):
        pass


async def test_a_birth_that_a_crash_cut_short_is_begun_again(tmp_path: Path) -> None:
    """Leftovers under the working name are no database."""
    (tmp_path / "chain.sqlite.new").write_bytes(b"half")
    (tmp_path / "chain.sqlite.new-journal").write_bytes(b"half")
    async with sqlite_at(tmp_path / "chain.sqlite") as storage:
        assert await storage.load_state() == (0, [])
    assert not [name for name in names(tmp_path) if ".new" in name]


async def test_an_unclean_stop_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log says that the file was not closed and was checked."""
    path = tmp_path / "chain.sqlite"
    async with sqlite_at(path) as storage:
        await storage.put_genesis([], [])
        for name in ("chain.sqlite", "chain.sqlite-wal"):
            (tmp_path / f"crashed{name[5:]}").write_bytes((tmp_path / name).read_bytes())
    async with sqlite_at(tmp_path / "crashed.sqlite"):
        assert "was not closed" in caplog.text


async def test_the_views_are_plain_sql_while_the_node_runs(tmp_path: Path) -> None:
    """The sqlite3 command reads every view of a running node and can change none."""
    if shutil.which("sqlite3") is None:
        pytest.skip("no sqlite3 command here")
    path = tmp_path / "chain.sqlite"

    def ask(statement: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["sqlite3", str(path), statement], capture_output=True, text=True, check=False)

    async with sqlite_at(path) as storage:
        await storage.put_genesis([], [Row("wallets", ("mn1a", 5, 0, 0)), Row("wallets", ("mn1b", UINT_MAX, 0, 0))])
        for view, columns in VIEW_COLUMNS.items():
            head = ask(f"SELECT * FROM {view} LIMIT 0; SELECT group_concat(name) FROM pragma_table_info('{view}')")
            assert (head.stdout.strip(), head.stderr) == (",".join(columns), "")
        assert ask("SELECT account, balance FROM wallets ORDER BY balance").stdout.split() == [
            "mn1a|5",
            f"mn1b|{UINT_MAX}",
        ]
        assert "cannot modify wallets because it is a view" in ask("UPDATE wallets SET balance = 9").stderr
        await storage.commit(sample_commit(1, rows=[Row("wallets", ("mn1a", 6, 0, 1))]))
        assert ask("SELECT balance FROM wallets WHERE account = 'mn1a'").stdout == "6\n"


async def test_a_person_who_reads_does_not_stop_the_node(tmp_path: Path) -> None:
    """An open read transaction of another program blocks no commit."""
    path = tmp_path / "chain.sqlite"
    async with sqlite_at(path) as storage:
        await storage.put_genesis([], [])
        person = sqlite3.connect(path, isolation_level=None)
        person.execute("BEGIN")
        person.execute("SELECT count(*) FROM wallets").fetchone()
        await storage.commit(sample_commit(1))
        assert (await storage.load_state())[0] == 1
        assert person.execute("SELECT count(*) FROM blocks").fetchone() == (0,), "the reader keeps its moment"
        person.close()


@pytest.mark.parametrize(
    ("view", "where"),
    [
        ("wallets", ()),
        ("wallets", ("account",)),
        ("attestations", ()),
        ("attestations", ("machine",)),
        ("attestations", ("epoch",)),
        ("transfers", ()),
        ("transfers", ("sender",)),
        ("transfers", ("receiver",)),
        ("transfers", ("height",)),
        ("transfers", ("envelope_id",)),
        ("epochs", ()),
        ("epochs", ("epoch",)),
        ("miners", ()),
        ("miners", ("machine",)),
        ("miners", ("owner",)),
    ],
)
def test_a_page_of_history_costs_its_own_length(view: str, where: tuple[str, ...]) -> None:
    """Every question people ask is answered from an index; only rows of one key are ever sorted."""
    connection = sqlite3.connect(":memory:")
    for statement in schema.statements():
        connection.execute(statement)
    question = f"EXPLAIN QUERY PLAN {schema.select_rows(view, where)}"
    plan = " | ".join(row[3] for row in connection.execute(question, (*where, 10, 0)))
    connection.close()
    assert "USING" in plan
    assert [part for part in plan.split(" | ") if part.startswith("SCAN") and "USING" not in part] == (
        ["SCAN transfers_young"] if view == "transfers" else []
    ), "only what waits to be sorted in is looked through"
    # The rewards of one block share height and position: they alone are sorted, among themselves.
    sorted_parts = {"transfers": ("FOR LAST TERM OF ORDER BY", "FOR RIGHT PART OF ORDER BY")}.get(view, ())
    keyed = where == ("envelope_id",)
    assert keyed or "TEMP B-TREE" not in plan or any(part in plan for part in sorted_parts), plan


async def test_young_rows_are_seen_at_once_and_sorted_in_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer is the same whether a row is young or old, also while blocks move from one to the other."""
    monkeypatch.setattr(ageing, "YOUNG_ROWS_MAX", 20)
    path = tmp_path / "chain.sqlite"
    written: list[tuple[int, int]] = []
    async with sqlite_at(path) as storage:
        await storage.put_genesis([], [])
        for height in range(1, 13):
            ids = [bytes([height * 7 % 13, n]) * 16 for n in range(7)]
            rows = [
                Row("transfers", (each.hex(), n, height, "transfer", f"mn1{n % 3}", "mn1r", UINT_MAX - n, 100, 0))
                for n, each in enumerate(ids)
            ]
            await storage.commit(sample_commit(height, envelopes=[(each, b"bytes") for each in ids], rows=rows))
            written += [(height, n) for n in range(7)]
            shown = await storage.rows("transfers", where={}, limit=99, offset=0)
            assert [(row["height"], row["position"]) for row in shown] == sorted(written, reverse=True)
            sent = await storage.rows("transfers", where={"sender": "mn12"}, limit=99, offset=0)
            assert sent == [row for row in shown if row["sender"] == "mn12"]
            kept = bytes([7, 3]) * 16
            (first,) = await storage.rows("transfers", where={"envelope_id": kept.hex()}, limit=9, offset=0)
            assert (first["height"], first["amount"]) == (1, UINT_MAX - 3)
            assert [await storage.find_envelope(each) for each in ids] == [(height, n) for n in range(7)]
            assert await storage.find_envelope(kept) == (1, 3)
    connection = sqlite3.connect(path)
    for table in ("envelopes", "transfers"):
        (young,) = connection.execute(f"SELECT count(*) FROM {table}_young").fetchone()
        (old,) = connection.execute(f"SELECT count(*) FROM {table}_rows").fetchone()
        assert (young <= 20, young + old) == (True, len(written))
    connection.close()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 255, 256, 257, 1000, 2500])
def test_many_rows_take_few_statements(count: int) -> None:
    """All rows arrive in their order, and go, with the statements that their number needs."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE t (a, b, c)")
    said: list[str] = []
    connection.set_trace_callback(said.append)
    rows = [(n, str(n), None) for n in range(count)]
    write_rows(connection, "t", rows)
    assert len(said) <= 3 * count // PARAMETERS_MAX + 9
    assert connection.execute("SELECT * FROM t ORDER BY rowid").fetchall() == rows
    said.clear()
    delete_rows(connection, "t", "a", range(0, count, 2))
    assert len(said) <= count // PARAMETERS_MAX + 10
    assert connection.execute("SELECT a FROM t ORDER BY rowid").fetchall() == [(n,) for n in range(1, count, 2)]
    connection.close()


def test_large_numbers_sort_as_numbers() -> None:
    """The text form of a number above 2^63 - 1 sorts after every integer and by value."""
    numbers = [0, 5, 2**63 - 1, 2**63, 10**19 - 1, 10**19, UINT_MAX]
    connection = sqlite3.connect(":memory:")
    for statement in schema.statements():
        connection.execute(statement)
    rows = [(f"mn1{n}", n, 0, 0) for n in reversed(numbers)]
    target, conflict = schema.row_target("wallets")
    write_rows(connection, target, rows, conflict)
    found = [row[0] for row in connection.execute("SELECT balance FROM wallets ORDER BY balance")]
    connection.close()
    assert [schema.from_column("balance", value) for value in found] == numbers


def test_a_relative_path_needs_a_home(tmp_path: Path) -> None:
    """Without a home there is no place a relative path could be below."""
    settings = {"path": "chain.sqlite", "cache_mib": 8, "wal_autocheckpoint_pages": 1000, "read_threads": 2}
    log = logging.getLogger("test")
    homeless = SimpleNamespace(settings=settings, data_dir=None, workers=ThreadWorkers(), log=log)
    with pytest.raises(SettingsError, match="relative"):
        provide_storage(homeless)  # type: ignore[arg-type]
    at_home = SimpleNamespace(settings=settings, data_dir=tmp_path, workers=ThreadWorkers(), log=log)
    storage = provide_storage(at_home)  # type: ignore[arg-type]
    assert isinstance(storage, SqliteStorage)
    assert storage.path == tmp_path / "chain.sqlite"
