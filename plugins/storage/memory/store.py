"""roles.Storage in dicts.  Every method checkpoints, so a task sees the same switches as on a real disk.

Closing keeps the data: the same object can be opened again, which is how tests restart a node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import trio

from metanode.core.model.errors import StorageError
from metanode.core.model.header import decode_header
from metanode.core.model.limits import HEADERS_PER_READ_MAX, SET_CHANGES_MAX
from metanode.core.roles import VIEW_COLUMNS, VIEW_KEYS, BlockCommit, BlockRecord, Row, Snapshot
from metanode.plugins.storage._shared.views import VIEW_ORDER, check_query, check_row

Values = tuple[int | str | None, ...]


class MemoryStorage:
    """The chain in dicts."""

    def __init__(self) -> None:
        self._genesis_hash: bytes | None = None
        self._open = False
        self._genesis_written = False
        self._blocks: list[BlockRecord] = []
        self._first = 1
        self._ancestors: list[tuple[bytes, int]] = []
        self._sets: dict[int, bytes] = {}
        self._heights: dict[bytes, int] = {}
        self._envelopes: dict[bytes, tuple[int, int]] = {}
        self._state: dict[bytes, bytes] = {}
        self._pending: dict[bytes, bytes] = {}
        self._rows: dict[str, dict[Values, Values]] = {view: {} for view in VIEW_COLUMNS}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Stay open until cancelled."""
        try:
            task_status.started()
            await trio.sleep_forever()
        finally:
            self._open = False

    async def open(self, genesis_hash: bytes) -> None:
        """Remember the genesis hash, or compare it with the one remembered."""
        await trio.lowlevel.checkpoint()
        if self._open:
            raise StorageError("STORAGE_LOCKED", "this memory storage is open already")
        if self._genesis_hash not in (None, genesis_hash):
            raise StorageError("WRONG_CHAIN", f"this memory storage was not opened for genesis {genesis_hash.hex()}")
        self._genesis_hash = genesis_hash
        self._open = True

    async def put_genesis(self, entries: Sequence[tuple[bytes, bytes]], rows: Sequence[Row]) -> None:
        """Write the state before block 1, once."""
        await self._enter()
        if not self._genesis_written:
            self._write_rows(rows)
            self._state.update(entries)
            self._genesis_written = True

    async def load_state(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Return (head height, state entries by rising key)."""
        await self._enter()
        return self._head, sorted(self._state.items())

    async def commit(self, commit: BlockCommit) -> None:
        """Add one block; nothing changes when it is refused."""
        height = decode_header(commit.record.block.header).height
        await self._enter()
        if height != self._head + 1:
            raise StorageError("BAD_HEADER", f"block {height} on top of {self._head}", f"height {self._head + 1}")
        self._write(commit, height)

    async def put_snapshot(self, snapshot: Snapshot) -> None:
        """Begin at a later block; nothing changes when it is refused."""
        height = decode_header(snapshot.commit.record.block.header).height
        await self._enter()
        if self._blocks:
            raise StorageError("BAD_HEADER", f"a snapshot of block {height} on top of {self._head}", "no block yet")
        for row in snapshot.commit.rows:
            check_row(row)
        self._state = {}
        self._rows = {view: {} for view in VIEW_COLUMNS}
        self._first, self._ancestors, self._genesis_written = height, list(snapshot.ancestors), True
        self._write(snapshot.commit, height)

    async def origin(self) -> tuple[int, list[tuple[bytes, int]]]:
        """Return the height of the first block and what is known of those before it."""
        await self._enter()
        return self._first, list(self._ancestors)

    async def set_changes(self, after: int) -> list[tuple[int, bytes]]:
        """Return (height, set) of the blocks above `after` that changed the set."""
        await self._enter()
        return sorted((height, members) for height, members in self._sets.items() if height > after)[:SET_CHANGES_MAX]

    @property
    def _head(self) -> int:
        return self._first - 1 + len(self._blocks) if self._blocks else 0

    def _at(self, height: int) -> BlockRecord | None:
        index = height - self._first
        return self._blocks[index] if 0 <= index < len(self._blocks) else None

    def _write(self, commit: BlockCommit, height: int) -> None:
        self._write_rows(commit.rows)
        if commit.next_set:
            self._sets[height] = commit.next_set
        self._blocks.append(commit.record)
        self._heights[commit.record.header_hash] = height
        for position, envelope_id in enumerate(commit.envelope_ids):
            self._envelopes[envelope_id] = (height, position)
        for key, value in commit.changes:
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value
        for dropped in commit.drop_pending:
            self._pending.pop(dropped, None)

    async def block(self, height: int) -> BlockRecord | None:
        """Return a block by height."""
        await self._enter()
        return self._at(height)

    async def headers(self, first: int, last: int) -> list[tuple[int, bytes, bytes]]:
        """Return (height, header, certificate) of a closed range."""
        await self._enter()
        first = max(first, self._first)
        last = min(last, first + HEADERS_PER_READ_MAX - 1, self._head)
        found = ((height, self._blocks[height - self._first]) for height in range(first, last + 1))
        return [(height, record.block.header, record.certificate) for height, record in found]

    async def find_height(self, header_hash: bytes) -> int | None:
        """Return the height of a header hash."""
        await self._enter()
        return self._heights.get(header_hash)

    async def find_envelope(self, envelope_id: bytes) -> tuple[int, int] | None:
        """Return (height, index in block) of an included envelope."""
        await self._enter()
        return self._envelopes.get(envelope_id)

    async def save_pending(self, envelopes: Sequence[tuple[bytes, bytes]]) -> None:
        """Keep envelopes, each at the place where it was first saved."""
        await self._enter()
        for envelope_id, raw in envelopes:
            self._pending.setdefault(envelope_id, raw)

    async def drop_pending(self, ids: Sequence[bytes]) -> None:
        """Forget pending envelopes."""
        await self._enter()
        for envelope_id in ids:
            self._pending.pop(envelope_id, None)

    async def load_pending(self) -> list[tuple[bytes, bytes]]:
        """Return pending (id, bytes) in the order they were saved."""
        await self._enter()
        return list(self._pending.items())

    async def rows(
        self, table: str, *, where: Mapping[str, int | str], limit: int, offset: int
    ) -> list[dict[str, Any]]:
        """Return one page of a view, newest first, at most ROWS_PER_READ_MAX rows."""
        limit = check_query(table, where, limit, offset)
        await self._enter()
        columns = VIEW_COLUMNS[table]
        found = [dict(zip(columns, values, strict=True)) for values in self._rows[table].values()]
        found = [row for row in found if all(row[column] == value for column, value in where.items())]
        # None sorts below everything, as in SQL.
        found.sort(key=lambda row: [(row[c] is not None, row[c]) for c in VIEW_ORDER[table]], reverse=True)
        return found[offset : offset + limit]

    async def health(self) -> Mapping[str, bool | int | float]:
        """Writing works while the store is open."""
        await trio.lowlevel.checkpoint()
        return {"db_rw": self._open, "backup_age_hours": -1}

    async def _enter(self) -> None:
        await trio.lowlevel.checkpoint()
        if not self._open:
            raise StorageError("NOT_READY", "this memory storage is not open")

    def _write_rows(self, rows: Sequence[Row]) -> None:
        for row in rows:
            check_row(row)
        for row in rows:
            self._rows[row.table][row.values[: VIEW_KEYS[row.table]]] = row.values
