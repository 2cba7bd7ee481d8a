"""Many rows in few statements.

Python gives the interpreter up and takes it again for every statement it steps: row by row, a block of a thousand
transfers would ask a busy event loop for it six thousand times, while saved envelopes wait behind the block.

`OR FAIL`, since SQLite would keep a copy of every page that a statement of several rows changes, to undo that
statement alone.  Nobody goes on after a failure here: the whole transaction is rolled back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, TypeVar

from metanode.plugins.storage.sqlite.schema import to_column

PARAMETERS_MAX = 999
"""Parameters of one statement that every SQLite takes (SQLITE_MAX_VARIABLE_NUMBER before 3.32)."""

_T = TypeVar("_T")


def write_rows(writer: sqlite3.Connection, target: str, rows: Sequence[Sequence[Any]], conflict: str = "") -> None:
    """Insert rows of equal length, in their order.

    :param target: the table and its columns.
    :param conflict: what to do about a row that is there already; empty: fail.
    """
    if not rows:
        return
    marks = f"({', '.join('?' * len(rows[0]))})"
    for part in _parts(rows, PARAMETERS_MAX // len(rows[0])):
        statement = f"INSERT OR FAIL INTO {target} VALUES {', '.join([marks] * len(part))} {conflict}"
        values = [*chain.from_iterable(part)]
        try:
            writer.execute(statement, values)
        except OverflowError:  # a number from 2^63 on among them, which hardly any chain ever has; nothing is written
            writer.execute(statement, [*map(to_column, values)])


def delete_rows(writer: sqlite3.Connection, table: str, column: str, values: Sequence[Any]) -> None:
    """Delete the rows that have one of these values."""
    for part in _parts(values, PARAMETERS_MAX):
        writer.execute(f"DELETE FROM {table} WHERE {column} IN ({', '.join('?' * len(part))})", part)


def _parts(items: Sequence[_T], size_max: int) -> Iterator[Sequence[_T]]:
    """Cut into pieces whose lengths are powers of two, long ones first: few different statements to prepare."""
    size = 1 << size_max.bit_length() - 1
    start = 0
    while start < len(items):
        while size > len(items) - start:
            size >>= 1
        yield items[start : start + size]
        start += size
