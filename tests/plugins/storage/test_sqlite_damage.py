"""A file that cannot be trusted stops the start with one line that names it and the cure."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from pathlib import Path

import pytest
import trio

from metanode.core.model.errors import StorageError
from metanode.core.testing.contracts.storage import GENESIS_HASH, opened, sample_commit
from metanode.core.workers import ThreadWorkers
from metanode.plugins.storage.sqlite.database import Options
from metanode.plugins.storage.sqlite.failures import translated
from metanode.plugins.storage.sqlite.store import SqliteStorage


def store(path: Path) -> SqliteStorage:
    return SqliteStorage(path, Options(), workers=ThreadWorkers(), log=logging.getLogger("test"))


async def written(path: Path) -> Path:
    """A cleanly closed database of five blocks, some hundred pages long."""
    async with opened(lambda: store(path)) as storage:
        await storage.put_genesis([(bytes([1]) + n.to_bytes(20, "big"), bytes(60)) for n in range(2000)], [])
        for height in range(1, 6):
            envelopes = [(bytes([height, n]) * 16, os.urandom(300)) for n in range(50)]
            await storage.commit(sample_commit(height, envelopes=envelopes))
    return path


async def refusal(path: Path) -> StorageError:
    """The error of opening the file; fails the test when it opens."""
    with pytest.raises(StorageError) as caught:
        await store(path).open(GENESIS_HASH)
    assert str(path) in caught.value.message
    if caught.value.code == "STORAGE_CORRUPT":
        # Nothing fetches a chain from others yet: only what an operator has kept can help.
        assert caught.value.expected == "a backup of the whole node home, or a new home made by `metanode init`"
    assert caught.value.expected
    assert "\n" not in caught.value.line()
    return caught.value


async def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    """Wherever the file ends early, also at nothing at all, the node does not start on it."""
    path = await written(tmp_path / "chain.sqlite")
    whole = path.read_bytes()
    for size in (0, 1, 50, 100, 4095, 4096, 8192, len(whole) // 2, len(whole) - 4096, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert (await refusal(path)).code == "STORAGE_CORRUPT", f"cut at {size}"


async def test_a_page_of_noise_is_refused(tmp_path: Path) -> None:
    """Every page of the file belongs to a structure that is checked at the start."""
    path = await written(tmp_path / "chain.sqlite")
    whole = path.read_bytes()
    blobs = _overflow_pages(path)
    checked = 0
    for page in range(len(whole) // 4096):
        if page + 1 in blobs:
            continue
        path.write_bytes(whole[: page * 4096] + b"\x5a" * 4096 + whole[(page + 1) * 4096 :])
        assert (await refusal(path)).code == "STORAGE_CORRUPT", f"page {page + 1}"
        checked += 1
    assert checked > 30


async def test_a_damaged_first_page_is_refused_by_name_or_harmless(tmp_path: Path) -> None:
    """Whatever byte of SQLite's own header flips, the node gets its data or one line, never a traceback."""
    path = await written(tmp_path / "chain.sqlite")
    whole = path.read_bytes()
    refused = 0
    for place in range(100):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        storage = store(path)
        try:
            await storage.open(GENESIS_HASH)
        except StorageError as error:
            refused += str(path) in error.message
            continue
        head, entries = await storage.load_state()
        await storage.aclose()
        assert (head, len(entries)) == (5, 2000), f"byte {place}"
    assert refused > 20


def _overflow_pages(path: Path) -> set[int]:
    """Pages that only continue a blob or hold a zeroed tail: their content is the checksum's business."""
    connection = sqlite3.connect(path)
    try:
        found = connection.execute("SELECT pageno FROM dbstat WHERE pagetype = 'overflow'").fetchall()
    except sqlite3.OperationalError:
        pytest.skip("this SQLite is built without dbstat")
    finally:
        connection.close()
    return {row[0] for row in found}


async def test_a_flipped_bit_in_the_head_block_is_refused(tmp_path: Path) -> None:
    """The head's bytes must match the checksum stored with them."""
    path = await written(tmp_path / "chain.sqlite")
    _execute(path, "UPDATE blocks SET body = zeroblob(length(body)) WHERE height = 5")
    error = await refusal(path)
    assert (error.code, "block 5" in error.message) == ("STORAGE_CORRUPT", True)


async def test_a_flipped_bit_in_an_older_block_is_refused_when_it_is_read(tmp_path: Path) -> None:
    """A damaged block is never handed out as if it were whole."""
    path = await written(tmp_path / "chain.sqlite")
    _execute(path, "UPDATE blocks SET certificate = x'00' WHERE height = 2")
    async with opened(lambda: store(path)) as storage:
        assert await storage.block(1) is not None
        with pytest.raises(StorageError, match="block 2") as caught:
            await storage.block(2)
        assert caught.value.code == "STORAGE_CORRUPT"
        assert str(path) in caught.value.message


async def test_a_head_that_is_not_the_newest_block_is_refused(tmp_path: Path) -> None:
    """A missing block is damage, not a shorter chain."""
    path = await written(tmp_path / "chain.sqlite")
    _execute(path, "DELETE FROM blocks WHERE height = 5")
    assert (await refusal(path)).code == "STORAGE_CORRUPT"


async def test_a_log_without_its_database_is_refused(tmp_path: Path) -> None:
    """Starting afresh beside a log that holds blocks would throw them away."""
    path = tmp_path / "chain.sqlite"
    path.with_name("chain.sqlite-wal").write_bytes(b"frames")
    assert (await refusal(path)).code == "STORAGE_CORRUPT"


async def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    """Nothing is converted silently."""
    path = await written(tmp_path / "chain.sqlite")
    _execute(path, "PRAGMA user_version = 99")
    error = await refusal(path)
    assert error.code == "STORAGE_VERSION"
    assert "99" in error.message


async def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    """A wrong path must not end in somebody else's data."""
    path = tmp_path / "contacts.sqlite"
    _execute(path, "CREATE TABLE people (name TEXT)")
    assert (await refusal(path)).code == "STORAGE_CORRUPT"


async def test_one_data_directory_has_one_node(tmp_path: Path) -> None:
    """A second node is refused in the same process and in another, and may start once the first has stopped."""
    path = tmp_path / "chain.sqlite"
    code = (
        "import logging, sys, trio; from pathlib import Path;"
        "from metanode.plugins.storage.sqlite.store import SqliteStorage;"
        "from metanode.plugins.storage.sqlite.database import Options;"
        "from metanode.core.workers import ThreadWorkers;"
        "storage = SqliteStorage(Path(sys.argv[1]), Options(), workers=ThreadWorkers(), log=logging.getLogger());"
        "trio.run(storage.open, bytes(range(32)))"
    )
    async with opened(lambda: store(path)):
        error = await refusal(path)
        assert error.code == "STORAGE_LOCKED"
        assert str(os.getpid()) in error.message
        run = await trio.run_process([sys.executable, "-c", code, str(path)], capture_stderr=True, check=False)
        assert b"STORAGE_LOCKED" in run.stderr
    async with opened(lambda: store(path)):
        pass


async def test_a_full_disk_refuses_the_write_and_keeps_what_stands(tmp_path: Path) -> None:
    """What cannot be written is refused by name; reads go on, and writing works again when there is space."""
    async with opened(lambda: store(tmp_path / "chain.sqlite")) as storage:
        await storage.put_genesis([], [])
        assert isinstance(storage, SqliteStorage)
        assert storage._database is not None
        writer = storage._database._writer
        limit = writer.execute("PRAGMA max_page_count").fetchone()[0]
        writer.execute("PRAGMA max_page_count = 1")
        big = sample_commit(1, envelopes=[(bytes(32), bytes(200_000))])
        with pytest.raises(StorageError) as caught:
            await storage.commit(big)
        assert caught.value.code == "STORAGE_FULL"
        with pytest.raises(StorageError):
            await storage.save_pending([(bytes(32), bytes(200_000))])
        assert await storage.load_state() == (0, [])
        writer.execute(f"PRAGMA max_page_count = {limit}")
        await storage.commit(big)
        assert (await storage.health())["db_rw"] is True


async def test_a_path_that_cannot_hold_a_file_is_one_line(tmp_path: Path) -> None:
    """A directory below a file, or a directory in the file's place."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught:
        await store(tmp_path / "file" / "data" / "chain.sqlite").open(GENESIS_HASH)
    assert caught.value.code == "BAD_SETTING"
    (tmp_path / "chain.sqlite").mkdir()
    assert (await refusal(tmp_path / "chain.sqlite")).code == "BAD_SETTING"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("database is locked", "STORAGE_LOCKED"),
        ("database disk image is malformed", "STORAGE_CORRUPT"),
        ("file is not a database", "STORAGE_CORRUPT"),
        ("database or disk is full", "STORAGE_FULL"),
        ("attempt to write a readonly database", "STORAGE_FULL"),
        ("disk I/O error", "STORAGE_FULL"),
    ],
)
def test_a_failure_is_known_by_its_text_too(text: str, code: str) -> None:
    """Python 3.10 gives no result code."""
    with pytest.raises(StorageError) as caught, translated(Path("/data/chain.sqlite")):
        raise sqlite3.OperationalError(text)
    assert caught.value.code == code


def test_a_mistake_of_our_own_is_not_blamed_on_the_disk() -> None:
    """A wrong statement reaches the log as what it is."""
    with pytest.raises(sqlite3.OperationalError, match="syntax"), translated(Path("/data/chain.sqlite")):
        raise sqlite3.OperationalError('near "SELEKT": syntax error')


def _execute(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()
