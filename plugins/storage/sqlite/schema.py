"""What is on disk: tables, indexes and views of one chain.

A block is one row of opaque blobs plus three small indexes, since inserting its envelopes as
rows would cost a hundred times more.  State is a plain key-value table.  Pending envelopes have no
index by id: ids are random, so each would cost a page of its own, twice; the writer knows their rows
(`database.py`).  The rows behind the views live in `<view>_rows`; the views themselves cannot be written.

SQLite integers are signed and 64 bits wide, amounts are unsigned: a number from 2^63 on is kept
as text of exactly 20 digits, which sorts after every integer and in its own right order.
"""

from __future__ import annotations

import sqlite3

from metanode.core.roles import VIEW_COLUMNS, VIEW_KEYS
from metanode.plugins.storage._shared.views import TEXT_COLUMNS, VIEW_ORDER

APPLICATION_ID = 0x6D6E6F64
"""`mnod`, in the file's header: what `file chain.sqlite` shows."""

SCHEMA_VERSION = 2
"""`user_version` of the file; another number is refused, never converted silently."""

INTEGER_MAX = 2**63 - 1
"""The largest integer SQLite stores as one."""

_STRICT = sqlite3.sqlite_version_info >= (3, 37, 0)
"""Older libraries do not know STRICT; there the types are declared and our own code keeps them."""
_END = " STRICT" if _STRICT else ""
_NUMBER = "ANY" if _STRICT else ""
"""A number that may need the 20-digit form: no affinity, so that the text stays text."""

_TABLES = f"""
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    genesis_hash BLOB NOT NULL,
    genesis_written INTEGER NOT NULL,
    head_height INTEGER NOT NULL,
    running INTEGER NOT NULL,
    probes INTEGER NOT NULL
){_END};
CREATE TABLE blocks (
    height INTEGER PRIMARY KEY,
    header_hash BLOB NOT NULL UNIQUE,
    checksum INTEGER NOT NULL,
    header BLOB NOT NULL,
    certificate BLOB NOT NULL,
    offsets BLOB NOT NULL,
    receipt_lengths BLOB NOT NULL,
    receipts BLOB NOT NULL,
    body BLOB NOT NULL
){_END};
CREATE TABLE envelopes (
    id BLOB PRIMARY KEY NOT NULL,
    height INTEGER NOT NULL,
    position INTEGER NOT NULL
){_END};
CREATE TABLE state (
    key BLOB PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
){_END};
CREATE TABLE pending (
    sequence INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    envelope BLOB NOT NULL
){_END};
"""

_INDEXES: dict[str, tuple[tuple[str, ...], ...]] = {
    "wallets": (),
    "attestations": (("machine",), ("epoch",)),
    "transfers": (("sender",), ("receiver",)),
    "epochs": (),
    "miners": (("owner",), ("sponsor",)),
}
"""Columns people ask by; each index continues with the view's order, so a page is read, not sorted."""
_TIES = {"transfers": "envelope_id"}
"""Last columns of an order that are long and decide seldom (among the rewards of one block): left out of indexes."""


def statements() -> list[str]:
    """Return the statements that make an empty file a chain database."""
    made = [part for part in _TABLES.split(";") if part.strip()]
    for view, columns in VIEW_COLUMNS.items():
        typed = ", ".join(f'"{name}" TEXT' if name in TEXT_COLUMNS else f'"{name}" {_NUMBER}' for name in columns)
        key = _names(columns[: VIEW_KEYS[view]])
        made.append(f'CREATE TABLE "{view}_rows" ({typed}, PRIMARY KEY ({key})){_END}')
        for asked in ((), *_INDEXES[view]):
            name = "_".join((view, "by", *(asked or ("age",))))
            order = tuple(column for column in VIEW_ORDER[view] if column not in (*asked, _TIES.get(view)))
            made.append(f'CREATE INDEX "{name}" ON "{view}_rows" ({_names((*asked, *order))})')
        made.append(f'CREATE VIEW "{view}" AS SELECT {_names(columns)} FROM "{view}_rows"')
    made.append(f"PRAGMA application_id = {APPLICATION_ID}")
    made.append(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return made


def upsert_row(view: str) -> str:
    """Return the statement that writes one row of a view, replacing the row with its key."""
    columns = VIEW_COLUMNS[view]
    marks = ", ".join("?" * len(columns))
    key, rest = columns[: VIEW_KEYS[view]], columns[VIEW_KEYS[view] :]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in rest)
    return (
        f'INSERT INTO "{view}_rows" ({_names(columns)}) VALUES ({marks}) '
        f"ON CONFLICT ({_names(key)}) DO UPDATE SET {changes}"
    )


def select_rows(view: str, where: tuple[str, ...]) -> str:
    """Return the statement that reads one page of a view, newest first.

    Its parameters are the compared values, the limit and the offset.
    """
    condition = " AND ".join(f'"{name}" = ?' for name in where)
    order = ", ".join(f'"{name}" DESC' for name in VIEW_ORDER[view])
    return (
        f'SELECT {_names(VIEW_COLUMNS[view])} FROM "{view}_rows" '
        f"{'WHERE ' + condition if condition else ''} ORDER BY {order} LIMIT ? OFFSET ?"
    )


def to_column(value: int | str | None) -> int | str | None:
    """Return a value as SQLite can hold it."""
    if isinstance(value, int) and value > INTEGER_MAX:
        return f"{value:020d}"
    return value


def from_column(column: str, value: int | str | None) -> int | str | None:
    """Undo `to_column`."""
    if isinstance(value, str) and column not in TEXT_COLUMNS:
        return int(value)
    return value


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
