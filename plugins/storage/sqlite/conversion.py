"""Databases of an older schema version, made into today's in one transaction."""

from __future__ import annotations

import sqlite3

from metanode.plugins.storage.sqlite.schema import SCHEMA_VERSION, objects

CONVERTIBLE = (2, 3)
"""Schema versions that `convert` takes."""

_MOVED = {
    "envelopes": "envelopes_rows",
    "state": "state",
    "wallets_rows": "wallets_rows",
    "transfers_rows": "transfers_rows",
}
"""Tables of version 2 whose form has changed, and where their rows belong."""


def convert(writer: sqlite3.Connection, version: int) -> None:
    """Convert a database.  Call inside a transaction; version 2 costs a copy of what it moves, 3 lacks two tables."""
    moved = _MOVED if version == 2 else {}
    for (view,) in writer.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
        writer.execute(f"DROP VIEW {view}")
    for table in moved:
        writer.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
        own = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
        for (index,) in writer.execute(own, (f"{table}_before",)).fetchall():
            writer.execute(f"DROP INDEX {index}")
    present = {name for (name,) in writer.execute("SELECT name FROM sqlite_master")}
    for name, statement in objects().items():
        if name not in present:
            writer.execute(statement)
    for before, table in moved.items():
        order = "rowid" if table == "transfers_rows" else "1"
        writer.execute(f"INSERT OR FAIL INTO {table} SELECT * FROM {before}_before ORDER BY {order}")
        writer.execute(f"DROP TABLE {before}_before")
    writer.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
