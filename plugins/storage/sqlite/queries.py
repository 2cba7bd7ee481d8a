"""Reads: plain functions of a connection, bounded by an index or a limit."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from metanode.core.model.block import Block
from metanode.core.model.limits import HEADERS_PER_READ_MAX, SET_CHANGES_MAX
from metanode.core.roles import VIEW_COLUMNS, BlockRecord
from metanode.plugins.storage.sqlite.checks import checksum
from metanode.plugins.storage.sqlite.schema import INTEGER_MAX, from_column, select_rows, to_column


class ChecksumMismatch(Exception):
    """A stored block is not what was stored."""

    def __init__(self, height: int) -> None:
        super().__init__(f"block {height} does not match its checksum")


def load_state(connection: sqlite3.Connection) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Return the head height and every state entry by rising key, as of one moment."""
    # Two statements see one snapshot only inside a transaction.
    connection.execute("BEGIN")
    try:
        (head,) = connection.execute("SELECT head_height FROM meta").fetchone()
        # Sorting here beats walking the key index with a random read of the table for each entry.
        entries = sorted(connection.execute("SELECT key, value FROM state"))
    finally:
        connection.execute("COMMIT")
    return head, entries


def block(connection: sqlite3.Connection, height: int) -> BlockRecord | None:
    """Return the block of a height.

    :raises ChecksumMismatch: its row is damaged.
    """
    if not 0 < height <= INTEGER_MAX:
        return None
    row = connection.execute(
        "SELECT header, certificate, offsets, receipt_lengths, receipts, body, checksum, header_hash FROM blocks "
        "WHERE height = ?",
        (height,),
    ).fetchone()
    if row is None:
        return None
    header, certificate, offsets, receipt_lengths, receipts, body, stored, header_hash = row
    if checksum(header, certificate, offsets, receipt_lengths, receipts, body) != stored:
        raise ChecksumMismatch(height)
    bounds = accumulate(_unpack(receipt_lengths), initial=0)
    return BlockRecord(
        block=Block(header=header, body=body, offsets=_unpack(offsets)),
        header_hash=header_hash,
        certificate=certificate,
        receipts=[receipts[start:end] for start, end in pairwise(bounds)],
    )


def headers(connection: sqlite3.Connection, first: int, last: int) -> list[tuple[int, bytes, bytes]]:
    """Return (height, header, certificate) of a closed range, rising, at most HEADERS_PER_READ_MAX."""
    first = max(first, 1)
    last = min(last, first + HEADERS_PER_READ_MAX - 1)
    if first > INTEGER_MAX or last < first:
        return []
    found = connection.execute(
        "SELECT height, header, certificate FROM blocks WHERE height BETWEEN ? AND ? ORDER BY height",
        (first, min(last, INTEGER_MAX)),
    )
    return found.fetchall()


def origin(connection: sqlite3.Connection) -> tuple[int, list[tuple[bytes, int]]]:
    """Return the height of the first block and (header hash, time) of those before it that are known."""
    row = connection.execute("SELECT height, ancestors FROM origin").fetchone()
    if row is None:
        return 1, []
    height, packed = row
    return height, list(struct.iter_unpack(">32sQ", packed))


def set_changes(connection: sqlite3.Connection, after: int) -> list[tuple[int, bytes]]:
    """Return (height, set) of the blocks above `after` that changed the set, rising."""
    query = "SELECT height, members FROM sets WHERE height > ? ORDER BY height LIMIT ?"
    return connection.execute(query, (min(after, INTEGER_MAX), SET_CHANGES_MAX)).fetchall()


def find_height(connection: sqlite3.Connection, header_hash: bytes) -> int | None:
    """Return the height of a header hash."""
    row = connection.execute("SELECT height FROM blocks WHERE header_hash = ?", (header_hash,)).fetchone()
    return row[0] if row else None


def find_envelope(connection: sqlite3.Connection, envelope_id: bytes) -> tuple[int, int] | None:
    """Return (height, position) of an included envelope."""
    row = connection.execute("SELECT height, position FROM envelopes WHERE id = ?", (envelope_id,)).fetchone()
    return (row[0], row[1]) if row else None


def load_pending(connection: sqlite3.Connection) -> list[tuple[bytes, bytes]]:
    """Return pending (id, bytes) in the order they were saved."""
    return connection.execute("SELECT id, envelope FROM pending ORDER BY sequence").fetchall()


def rows(
    connection: sqlite3.Connection, table: str, where: Mapping[str, int | str], limit: int, offset: int
) -> list[dict[str, Any]]:
    """Return one page of a view; the arguments are checked already (`check_query`)."""
    columns = VIEW_COLUMNS[table]
    asked = (*map(to_column, where.values()), limit, offset)
    found = connection.execute(select_rows(table, tuple(where)), asked)
    return [dict(zip(columns, map(from_column, columns, row), strict=True)) for row in found]


def pack(numbers: Sequence[int]) -> bytes:
    """Return numbers as u32 big-endian, the form of a block's offsets on the wire."""
    return struct.pack(f">{len(numbers)}I", *numbers)


def _unpack(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(data) // 4}I", data)
