"""The blocking half: an open database, its one writer and its readers.

Every method blocks and belongs in a worker thread.  `store.py` sees to it that one thread
at a time writes and that no more threads read than there are readers.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from metanode.core.model.errors import StorageError
from metanode.core.roles import VIEW_COLUMNS, BlockCommit, Row, Snapshot
from metanode.plugins.storage._shared.views import check_row
from metanode.plugins.storage.sqlite import queries
from metanode.plugins.storage.sqlite.ageing import sort_in
from metanode.plugins.storage.sqlite.batches import delete_rows, write_rows
from metanode.plugins.storage.sqlite.checks import check_head, check_owner, check_size, check_structure, checksum
from metanode.plugins.storage.sqlite.conversion import CONVERTIBLE, convert
from metanode.plugins.storage.sqlite.failures import corrupt, lost_writes, translated
from metanode.plugins.storage.sqlite.files import FileLock, ensure_database, prepare_directory, settle
from metanode.plugins.storage.sqlite.pending import PendingRows
from metanode.plugins.storage.sqlite.schema import SCHEMA_VERSION, row_target

T = TypeVar("T")

BUSY_SECONDS_MAX = 5.0
"""How long another program (a person's sqlite3) may keep the writer waiting."""
LOG_BYTES_MAX = 64 << 20
"""The write-ahead log is cut back to this after a checkpoint, when a long read let it grow."""
READER_CACHE_KIB = 1024
"""Page cache of one reader."""


@dataclass(frozen=True)
class Options:
    """The plugin's settings, as `plugin.toml` bounds them."""

    cache_mib: int = 8
    wal_autocheckpoint_pages: int = 1000
    read_threads: int = 2


@dataclass(frozen=True)
class SavePending:
    """Keep these (id, bytes)."""

    envelopes: Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class DropPending:
    """Forget these ids."""

    ids: Sequence[bytes]


@dataclass(frozen=True)
class Probe:
    """Write one number, to see that writing works."""


Job = SavePending | DropPending | Probe
"""What may share a transaction with its like."""


class Database:
    """An open chain database."""

    def __init__(self, path: Path, genesis_hash: bytes, options: Options, log: logging.Logger) -> None:
        """Lock, make or open, and check the file; say in the log when the last stop was no clean one.

        :raises StorageError: what `roles.Storage.open` promises.
        """
        self.path = path
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        prepare_directory(path.parent)
        self._lock = FileLock(path)
        self._opened: list[sqlite3.Connection] = []
        self.broken: StorageError | None = None
        """Why nothing is written any more: the disk lost something.  Only another start looks at what is there."""
        try:
            ensure_database(path, genesis_hash)
            with translated(path, opening=True):
                check_size(path)
                self._writer = self._connect("rw", options.cache_mib * 1024)
                self._writer.execute("PRAGMA synchronous = FULL")
                self._writer.execute("PRAGMA fullfsync = ON")
                self._writer.execute("PRAGMA checkpoint_fullfsync = ON")
                self._writer.execute(f"PRAGMA wal_autocheckpoint = {options.wal_autocheckpoint_pages}")
                self._writer.execute(f"PRAGMA journal_size_limit = {LOG_BYTES_MAX}")
                version = check_owner(self._writer, path, genesis_hash)
                check_structure(self._writer, path)
                self._head = check_head(self._writer, path, version)
                self._pending: PendingRows | None = None
                if self._writer.execute("SELECT running FROM meta").fetchone()[0]:
                    log.warning("%s was not closed; checked, head is %d", path, self._head)
                if version in CONVERTIBLE:
                    log.warning("%s is converted from schema version %d to %d", path, version, SCHEMA_VERSION)
                self._start(version)
                for _ in range(options.read_threads):
                    reader = self._connect("ro", READER_CACHE_KIB)
                    reader.execute("PRAGMA query_only = ON")
                    self._readers.put(reader)
        except BaseException:
            self._release()
            raise

    def close(self) -> None:
        """Copy the log into the database, note the clean stop and close every connection; only close a broken one."""
        try:
            if self.broken is not None:
                return
            with translated(self.path):
                with self._transaction() as writer:
                    writer.execute("UPDATE meta SET running = 0")
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self._release()

    def put_genesis(self, entries: Sequence[tuple[bytes, bytes]], rows: Sequence[Row]) -> None:
        """Write the state before block 1, once."""
        with self._transaction() as writer:
            if writer.execute("SELECT genesis_written FROM meta").fetchone()[0]:
                return
            write_rows(writer, "state", sorted(entries))
            self._write_rows(writer, rows)
            writer.execute("UPDATE meta SET genesis_written = 1")

    def commit(self, commit: BlockCommit, height: int) -> None:
        """Write one block and all it changes, or nothing.

        :raises StorageError: BAD_HEADER, `height` is not the next one; or the disk refuses.
        """
        if height != self._head + 1:
            raise StorageError("BAD_HEADER", f"block {height} on top of {self._head}", f"height {self._head + 1}")
        with self._transaction() as writer:
            self._write_block(writer, commit, height)
        self._head = height

    def put_snapshot(self, snapshot: Snapshot, height: int) -> None:
        """Begin at a later block, or change nothing.

        :raises StorageError: BAD_HEADER, there is a block; or the disk refuses.
        """
        if self._head:
            raise StorageError("BAD_HEADER", f"a snapshot of block {height} on top of {self._head}", "no block yet")
        with self._transaction() as writer:
            # Genesis, which may have been written, told of the state before block 1.
            for table in ("state", *(row_target(view)[0].partition(" ")[0] for view in VIEW_COLUMNS)):
                writer.execute(f"DELETE FROM {table}")
            ancestors = b"".join(digest + time_ms.to_bytes(8, "big") for digest, time_ms in snapshot.ancestors)
            writer.execute("INSERT INTO origin VALUES (?, ?)", (height, ancestors))
            writer.execute("UPDATE meta SET genesis_written = 1")
            self._write_block(writer, snapshot.commit, height)
        self._head = height

    def _write_block(self, writer: sqlite3.Connection, commit: BlockCommit, height: int) -> None:
        record = commit.record
        parts = (
            record.block.header,
            record.certificate,
            queries.pack(record.block.offsets),
            queries.pack([len(receipt) for receipt in record.receipts]),
            b"".join(record.receipts),
            record.block.body,
        )
        writer.execute(
            "INSERT INTO blocks (height, header_hash, checksum, header, certificate, offsets, receipt_lengths, "
            "receipts, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (height, record.header_hash, checksum(*parts), *parts),
        )
        places = [(envelope_id, height, position) for position, envelope_id in enumerate(commit.envelope_ids)]
        write_rows(writer, "envelopes_young", places)
        written = [change for change in commit.changes if change[1] is not None]
        write_rows(writer, "state", written, "ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        delete_rows(writer, "state", "key", [key for key, value in commit.changes if value is None])
        self._write_rows(writer, commit.rows)
        sort_in(writer)
        self._pending_rows().drop(writer, commit.drop_pending)
        if commit.next_set:
            writer.execute("INSERT INTO sets VALUES (?, ?)", (height, commit.next_set))
        writer.execute("UPDATE meta SET head_height = ?", (height,))

    def write(self, jobs: Sequence[Job]) -> None:
        """Do several small jobs in one transaction, in order."""
        with self._transaction() as writer:
            for job in jobs:
                if isinstance(job, SavePending):
                    self._pending_rows().save(writer, job.envelopes)
                elif isinstance(job, DropPending):
                    self._pending_rows().drop(writer, job.ids)
                else:
                    writer.execute("UPDATE meta SET probes = probes + 1")

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query on a reader of its own."""
        reader = self._readers.get()
        try:
            with translated(self.path):
                return query(reader)
        except queries.ChecksumMismatch as error:
            raise corrupt(self.path, str(error)) from error
        finally:
            self._readers.put(reader)

    def _pending_rows(self) -> PendingRows:
        if self._pending is None:
            self._pending = PendingRows(self._writer)
        return self._pending

    def _write_rows(self, writer: sqlite3.Connection, rows: Sequence[Row]) -> None:
        by_table: dict[str, list[tuple[int | str | None, ...]]] = {}
        for row in rows:
            check_row(row)
            by_table.setdefault(row.table, []).append(row.values)
        for table, values in by_table.items():
            target, conflict = row_target(table)
            write_rows(writer, target, values, conflict)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self.broken is not None:
            raise StorageError(self.broken.code, self.broken.message, self.broken.expected)
        try:
            with translated(self.path):
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    yield self._writer
                    self._writer.execute("COMMIT")
                except BaseException:
                    self._pending = None  # whatever was done is undone: read again which rows there are
                    # SQLite has rolled back by itself after some failures (a full disk).
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    raise
        except StorageError as error:
            if lost_writes(error):
                self.broken = error
            raise

    def _start(self, version: int) -> None:
        """Note that the file is in use, and return once all that was found in it is durable, in today's form."""
        with self._transaction() as writer:
            settle(self.path)
            if version in CONVERTIBLE:
                convert(writer, version)
            # After a crash `running` is 1 already, and SQLite neither writes nor syncs what stays as it was.
            writer.execute("UPDATE meta SET running = 1, probes = probes + 1")

    def _connect(self, mode: str, cache_kib: int) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_SECONDS_MAX,
        )
        self._opened.append(connection)
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        return connection

    def _release(self) -> None:
        try:
            # The writer last: the last connection removes the log, and a reader may not.
            for connection in reversed(self._opened):
                connection.close()
        finally:
            self._lock.release()
