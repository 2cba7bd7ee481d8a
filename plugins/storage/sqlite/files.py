"""The files around the database: private directory, exclusive lock, a birth that a crash cannot halve."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

from metanode.core.model.errors import StorageError
from metanode.platforms.durable import make_directory, sync_directory, sync_file
from metanode.plugins.storage.sqlite.failures import corrupt, translated
from metanode.plugins.storage.sqlite.schema import statements

LOG_PIECE_BYTES = 1 << 20
"""How much of a log is in memory at a time."""


class FileLock:
    """An advisory lock on `<database>.lock`, held until `release` or the end of the process.

    `flock` also keeps out a second node of the same process, which SQLite's own POSIX locks would let in.
    """

    def __init__(self, database: Path) -> None:
        """Take the lock.

        :raises StorageError: STORAGE_LOCKED, another node holds it; STORAGE_FULL.
        """
        path = database.with_name(database.name + ".lock")
        with translated(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
            except BlockingIOError:
                holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(self._descriptor)
                raise StorageError("STORAGE_LOCKED", f"{database} is in use by process {holder}") from None
            except OSError:
                os.close(self._descriptor)
                raise

    def release(self) -> None:
        """Let go.  The file stays: removing it would race with another taker."""
        os.close(self._descriptor)


def prepare_directory(directory: Path) -> None:
    """Make `directory` and its missing parents, each mode 0700 and durable.

    :raises StorageError: STORAGE_FULL, the system refuses.
    """
    with translated(directory):
        make_directory(directory)


def settle(database: Path) -> None:
    """See to it that the next commit makes durable all that was found: the database's name, its log and the log's.

    The log that SQLite reads back after a crash may be in the page cache alone.  A process that was killed had not
    synced it yet; for one that stopped because a sync failed the system has dropped what it could not write, and any
    further sync succeeds without it.  Then later commits would stand on ones that the next power cut takes away, and
    fall with them.  So the log is written anew, byte for byte.  Call inside a transaction that writes: nobody else
    changes the log then, and its commit syncs it.

    The names: SQLite syncs the directory when it has made a log, but does not look whether that worked.

    :raises OSError: the system refuses.
    """
    log = database.with_name(database.name + "-wal")
    sync_directory(log.parent)
    descriptor = os.open(log, os.O_RDWR | os.O_CLOEXEC)
    try:
        position = 0
        while piece := os.pread(descriptor, LOG_PIECE_BYTES, position):
            position += os.pwrite(descriptor, piece, position)
    finally:
        os.close(descriptor)


def ensure_database(path: Path, genesis_hash: bytes) -> None:
    """Make the database when there is none.

    It is built under another name and renamed when complete: whoever finds a file under the
    final name finds a whole one, so an empty or half file there is damage, never a first start.
    The name is not durable yet: `settle` sees to that, before anything is said.

    :raises StorageError: STORAGE_CORRUPT when only its log is left, STORAGE_FULL.
    """
    log = path.with_name(path.name + "-wal")
    young = path.with_name(path.name + ".new")
    with translated(path):
        if path.exists():
            return
        if log.exists() and log.stat().st_size > 0:
            raise corrupt(path, f"is gone while its log {log.name} is still there")
        for suffix in ("", "-journal", "-wal", "-shm"):
            path.with_name(young.name + suffix).unlink(missing_ok=True)
        os.close(os.open(young, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        connection = sqlite3.connect(young, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = OFF")  # one sync of ours, when it is whole
            connection.execute("BEGIN IMMEDIATE")
            for statement in statements():
                connection.execute(statement)
            connection.execute("INSERT INTO meta VALUES (1, ?, 0, 0, 0, 0)", (genesis_hash,))
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        with young.open("rb+") as file:
            sync_file(file.fileno())
        young.rename(path)
