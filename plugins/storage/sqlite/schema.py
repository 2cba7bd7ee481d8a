"""What is on disk: tables, indexes and views of one chain.

A block is one row of opaque blobs plus three small indexes, since inserting its envelopes as
rows would cost a hundred times more.  State is a plain key-value table.  Pending envelopes have no
index by id: ids are random, so each would cost a page of its own, twice; the writer knows their rows
(`database.py`).  `sets` holds the validator sets that blocks changed to; `origin` has a row when the chain begins at
a snapshot.  The rows behind the views live in `<view>_rows`; the views themselves cannot be written.
What every envelope adds, its place and its row of `transfers`, is first written to `<view>_young` (`ageing.py`).

SQLite integers are signed and 64 bits wide, amounts are unsigned: a number from 2^63 on is kept
as text of exactly 20 digits, which sorts after every integer and in its own right order.
"""

from __future__ import annotations

import sqlite3

from metanode.core.roles import VIEW_COLUMNS, VIEW_KEYS
from metanode.plugins.storage._shared.views import TEXT_COLUMNS, VIEW_ORDER

APPLICATION_ID = 0x6D6E6F64
"""`mnod`, in the file's header: what `file chain.sqlite` shows."""

SCHEMA_VERSION = 4
"""`user_version` of the file.  `conversion.py` says which older ones are converted; any other is refused."""

INTEGER_MAX = 2**63 - 1
"""The largest integer SQLite stores as one."""

_STRICT = sqlite3.sqlite_version_info >= (3, 37, 0)
"""Older libraries do not know STRICT; there the types are declared and our own code keeps them."""
_END = " STRICT" if _STRICT else ""
_KEYED = " STRICT, WITHOUT ROWID" if _STRICT else " WITHOUT ROWID"
"""One tree instead of a table and an index, for short rows that are found by their key."""
_NUMBER = "ANY" if _STRICT else ""
"""A number that may need the 20-digit form: no affinity, so that the text stays text."""

_PLACES = """
    id BLOB PRIMARY KEY NOT NULL,
    height INTEGER NOT NULL,
    position INTEGER NOT NULL"""

_TABLES = {
    "meta": f"""(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    genesis_hash BLOB NOT NULL,
    genesis_written INTEGER NOT NULL,
    head_height INTEGER NOT NULL,
    running INTEGER NOT NULL,
    probes INTEGER NOT NULL
){_END}""",
    "blocks": f"""(
    height INTEGER PRIMARY KEY,
    header_hash BLOB NOT NULL UNIQUE,
    checksum INTEGER NOT NULL,
    header BLOB NOT NULL,
    certificate BLOB NOT NULL,
    offsets BLOB NOT NULL,
    receipt_lengths BLOB NOT NULL,
    receipts BLOB NOT NULL,
    body BLOB NOT NULL
){_END}""",
    "envelopes_rows": f"({_PLACES}\n){_KEYED}",
    "envelopes_young": f"({_PLACES}\n){_KEYED}",
    "state": f"""(
    key BLOB PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
){_KEYED}""",
    "sets": f"""(
    height INTEGER PRIMARY KEY,
    members BLOB NOT NULL
){_END}""",
    "origin": f"""(
    height INTEGER PRIMARY KEY,
    ancestors BLOB NOT NULL
){_END}""",
    "pending": f"""(
    sequence INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    envelope BLOB NOT NULL
){_END}""",
}

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


_YOUNG = frozenset({"transfers"})
"""Views whose rows are only ever added, many a block, and so begin in a table without any index."""
_ID_TAIL = 10
"""Characters of an envelope's id in the index of `transfers`: few enough for small pages, enough to tell all apart."""


def objects() -> dict[str, str]:
    """Return the statements that make the tables, indexes and views, by name, in an order that works."""
    made = {name: f"CREATE TABLE {name} {columns}" for name, columns in _TABLES.items()}
    made["envelopes"] = _union("envelopes", ("id", "height", "position"))
    for view, columns in VIEW_COLUMNS.items():
        typed = ", ".join(f'"{name}" TEXT' if name in TEXT_COLUMNS else f'"{name}" {_NUMBER}' for name in columns)
        key = _names(columns[: VIEW_KEYS[view]])
        if view in _YOUNG:
            made[f"{view}_young"] = f"CREATE TABLE {view}_young ({typed}){_END}"
            made[f"{view}_rows"] = f"CREATE TABLE {view}_rows ({typed}){_END}"
            made[f"{view}_by_id"] = f"CREATE INDEX {view}_by_id ON {view}_rows (substr(envelope_id, -{_ID_TAIL}))"
            made[view] = _union(view, columns)
        else:
            end = _KEYED if view == "wallets" else _END
            made[f"{view}_rows"] = f"CREATE TABLE {view}_rows ({typed}, PRIMARY KEY ({key})){end}"
            made[view] = f"CREATE VIEW {view} AS SELECT {_names(columns)} FROM {view}_rows"
        for asked in ((), *_INDEXES[view]):
            name = "_".join((view, "by", *(asked or ("age",))))
            order = tuple(column for column in VIEW_ORDER[view] if column not in (*asked, _TIES.get(view)))
            made[name] = f"CREATE INDEX {name} ON {view}_rows ({_names((*asked, *order))})"
    return made


def statements() -> list[str]:
    """Return the statements that make an empty file a chain database."""
    pragmas = [f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {SCHEMA_VERSION}"]
    return [*objects().values(), *pragmas]


def row_target(view: str) -> tuple[str, str]:
    """Return where rows of a view are written, and what replaces the row that has the same key."""
    columns = VIEW_COLUMNS[view]
    if view in _YOUNG:
        return f"{view}_young ({_names(columns)})", ""
    key, rest = columns[: VIEW_KEYS[view]], columns[VIEW_KEYS[view] :]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in rest)
    return f"{view}_rows ({_names(columns)})", f"ON CONFLICT ({_names(key)}) DO UPDATE SET {changes}"


def select_rows(view: str, where: tuple[str, ...]) -> str:
    """Return the statement that reads one page of a view, newest first.

    Its parameters are the compared values, the limit and the offset.
    """
    conditions = [f'"{name}" = ?{number}' for number, name in enumerate(where, 1)]
    if view in _YOUNG and "envelope_id" in where:
        place = where.index("envelope_id")
        # With a bare column SQLite would put the value into the other condition, and not see its index.
        conditions[place] = f'+"envelope_id" = ?{place + 1}'
        conditions.append(f"substr(envelope_id, -{_ID_TAIL}) = substr(?{place + 1}, -{_ID_TAIL})")
    order = ", ".join(f'"{name}" DESC' for name in VIEW_ORDER[view])
    return (
        f"SELECT {_names(VIEW_COLUMNS[view])} FROM {view} {'WHERE ' if where else ''}{' AND '.join(conditions)} "
        f"ORDER BY {order} LIMIT ?{len(where) + 1} OFFSET ?{len(where) + 2}"
    )


def to_column(value: int | str | bytes | None) -> int | str | bytes | None:
    """Return a value as SQLite can hold it."""
    if isinstance(value, int) and value > INTEGER_MAX:
        return f"{value:020d}"
    return value


def from_column(column: str, value: int | str | None) -> int | str | None:
    """Undo `to_column`."""
    if isinstance(value, str) and column not in TEXT_COLUMNS:
        return int(value)
    return value


def _union(view: str, columns: tuple[str, ...]) -> str:
    parts = (f"SELECT {_names(columns)} FROM {view}_{age}" for age in ("young", "rows"))
    return f"CREATE VIEW {view} AS {' UNION ALL '.join(parts)}"


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
