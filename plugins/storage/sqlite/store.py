"""The role object: roles.Storage on trio, over the blocking `Database`.

Group commit without a task of its own: writers queue in front of one lock, and whoever gets it
carries out everything that waits in one transaction.  While one transaction is being
synced, the next group gathers.  One worker thread writes at a time; reads have their own.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import trio

from metanode.core.model.errors import StorageError
from metanode.core.model.header import decode_header
from metanode.core.roles import BlockCommit, BlockRecord, Row, Snapshot
from metanode.core.workers import Workers
from metanode.plugins.storage._shared.views import check_query
from metanode.plugins.storage.sqlite import queries
from metanode.plugins.storage.sqlite.database import Database, DropPending, Job, Options, Probe, SavePending

T = TypeVar("T")

GROUP_JOBS_MAX = 1024
"""Waiting jobs that one transaction takes."""


@dataclass
class _Ticket:
    """A job in the queue and how it ended."""

    job: Job
    done: bool = False
    error: StorageError | None = None


class SqliteStorage:
    """The chain in one SQLite file."""

    def __init__(self, path: Path, options: Options, *, workers: Workers, log: logging.Logger) -> None:
        self.path = path
        self._options = options
        self._workers = workers
        self._log = log
        self._database: Database | None = None
        self._broken = trio.Event()
        self._turn = trio.Lock()
        self._queue: deque[_Ticket] = deque()
        self._write_threads = trio.CapacityLimiter(1)
        self._read_threads = trio.CapacityLimiter(options.read_threads)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hold the database open; close it cleanly when cancelled.

        :raises StorageError: the disk lost what it was given: going on would build on what may not be there.
        """
        try:
            task_status.started()
            await self._broken.wait()
            broken = self._opened().broken
            assert broken is not None, "only a broken database ends its holder"
            raise StorageError(broken.code, broken.message, broken.expected)
        finally:
            await self.aclose()

    async def open(self, genesis_hash: bytes) -> None:
        """Open and check the file; see `roles.Storage.open`."""
        if self._database is not None:
            raise StorageError("STORAGE_LOCKED", f"{self.path} is open already")
        self._database = await self._in_writer(partial(Database, self.path, genesis_hash, self._options, self._log))
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
        except trio.Cancelled:
            await self.aclose()  # nobody will call `run` any more
            raise

    async def aclose(self) -> None:
        """Finish what was begun and close the file.  Bounded by the transactions under way; no effect when closed."""
        with trio.CancelScope(shield=True):
            async with self._turn:
                database, self._database = self._database, None
                if database is None:
                    return
                readers = [object() for _ in range(self._options.read_threads)]
                for reader in readers:
                    await self._read_threads.acquire_on_behalf_of(reader)
                try:
                    await self._in_writer(database.close)
                finally:
                    for reader in readers:
                        self._read_threads.release_on_behalf_of(reader)

    async def put_genesis(self, entries: Sequence[tuple[bytes, bytes]], rows: Sequence[Row]) -> None:
        """Write the state before block 1, once."""
        async with self._turn:
            await self._in_writer(partial(self._opened().put_genesis, entries, rows))

    async def commit(self, commit: BlockCommit) -> None:
        """Make one block durable, in a transaction of its own."""
        height = decode_header(commit.record.block.header).height
        async with self._turn:
            await self._in_writer(partial(self._opened().commit, commit, height))

    async def put_snapshot(self, snapshot: Snapshot) -> None:
        """Begin at a later block, in a transaction of its own."""
        height = decode_header(snapshot.commit.record.block.header).height
        async with self._turn:
            await self._in_writer(partial(self._opened().put_snapshot, snapshot, height))

    async def save_pending(self, envelopes: Sequence[tuple[bytes, bytes]]) -> None:
        """Make envelopes durable, together with what else waits."""
        await self._enqueue(SavePending(envelopes))

    async def drop_pending(self, ids: Sequence[bytes]) -> None:
        """Forget pending envelopes, together with what else waits."""
        await self._enqueue(DropPending(ids))

    async def load_state(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Return (head height, state entries by rising key)."""
        return await self._read(queries.load_state)

    async def origin(self) -> tuple[int, list[tuple[bytes, int]]]:
        """Return the height of the first block and (header hash, time) of those before it that are known."""
        return await self._read(queries.origin)

    async def set_changes(self, after: int) -> list[tuple[int, bytes]]:
        """Return (height, set) of the blocks above `after` that changed the set."""
        return await self._read(lambda reader: queries.set_changes(reader, after))

    async def block(self, height: int) -> BlockRecord | None:
        """Return a block, byte for byte as it was committed."""
        return await self._read(lambda reader: queries.block(reader, height))

    async def headers(self, first: int, last: int) -> list[tuple[int, bytes, bytes]]:
        """Return (height, header, certificate) of a closed range."""
        return await self._read(lambda reader: queries.headers(reader, first, last))

    async def find_height(self, header_hash: bytes) -> int | None:
        """Return the height of a header hash."""
        return await self._read(lambda reader: queries.find_height(reader, header_hash))

    async def find_envelope(self, envelope_id: bytes) -> tuple[int, int] | None:
        """Return (height, index in block) of an included envelope."""
        return await self._read(lambda reader: queries.find_envelope(reader, envelope_id))

    async def load_pending(self) -> list[tuple[bytes, bytes]]:
        """Return pending (id, bytes) in the order they were saved."""
        return await self._read(queries.load_pending)

    async def rows(
        self, table: str, *, where: Mapping[str, int | str], limit: int, offset: int
    ) -> list[dict[str, Any]]:
        """Return one page of a view, newest first, at most ROWS_PER_READ_MAX rows."""
        limit = check_query(table, where, limit, offset)
        return await self._read(lambda reader: queries.rows(reader, table, where, limit, offset))

    async def health(self) -> Mapping[str, bool | int | float]:
        """Write one number and say whether that worked."""
        try:
            await self._enqueue(Probe())
        except StorageError as error:
            self._log.error("%s", error.line())
            return {"db_rw": False, "backup_age_hours": -1}
        return {"db_rw": True, "backup_age_hours": -1}

    async def _enqueue(self, job: Job) -> None:
        ticket = _Ticket(job)
        self._queue.append(ticket)
        try:
            async with self._turn:
                while not ticket.done:
                    await self._write_group(list(islice(self._queue, GROUP_JOBS_MAX)))
        finally:
            if not ticket.done:  # cancelled before its turn, or a mistake in its own arguments
                self._queue.remove(ticket)
        if ticket.error is not None:
            raise ticket.error

    async def _write_group(self, group: Sequence[_Ticket]) -> None:
        refused: StorageError | None = None
        try:
            await self._in_writer(partial(self._opened().write, [ticket.job for ticket in group]))
        except StorageError as error:
            refused = error
        for ticket in group:
            ticket.done = True
            if refused is not None:
                # One exception raised in several tasks would collect the tracebacks of all.
                ticket.error = StorageError(refused.code, refused.message, refused.expected)
        # Not one removal per ticket: a cancelled task has taken its own out meanwhile.
        while self._queue and self._queue[0].done:
            self._queue.popleft()

    async def _in_writer(self, work: Callable[[], T]) -> T:
        # What was begun is finished: a half-known outcome would be worse than a late cancellation.
        with trio.CancelScope(shield=True):
            try:
                return await self._workers.run(work, limiter=self._write_threads)
            finally:
                if self._database is not None and self._database.broken is not None:
                    self._broken.set()
        raise AssertionError("a scope that nobody cancels swallowed an exception")

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        return await self._workers.run(partial(self._opened().read, query), limiter=self._read_threads)

    def _opened(self) -> Database:
        if self._database is None:
            raise StorageError("NOT_READY", f"{self.path} is not open")
        return self._database
