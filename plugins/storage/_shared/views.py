"""The views every storage offers: what a row must look like, what may be asked, what comes first."""

from __future__ import annotations

from collections.abc import Mapping

from metanode.core.model.errors import PluginError, Rejection
from metanode.core.roles import VIEW_COLUMNS, Row

ROWS_PER_READ_MAX = 1000
"""Rows one read returns at most; a larger `limit` is cut to this."""

OFFSET_MAX = 2**63 - 1
"""The largest offset a database understands."""

TEXT_COLUMNS = frozenset({
    "account", "machine", "envelope_id", "kind", "sender", "receiver",
    "owner", "sponsor", "device_family", "device_arch", "class",
})
"""Columns that hold text; every other column holds a whole number.  Either may be empty (None)."""

VIEW_ORDER: dict[str, tuple[str, ...]] = {
    "wallets": ("updated_height", "account"),
    "attestations": ("height", "machine", "interval"),
    "transfers": ("height", "position", "envelope_id"),
    "epochs": ("epoch",),
    "miners": ("registered_height", "machine_index", "machine"),
}
"""What a read is ordered by, all falling: newest first, and never two rows that compare equal."""
assert VIEW_ORDER.keys() == VIEW_COLUMNS.keys()


_TYPES = {
    view: tuple(str if column in TEXT_COLUMNS else int for column in columns) for view, columns in VIEW_COLUMNS.items()
}


def check_row(row: Row) -> None:
    """Check that a row fits its view.

    :raises PluginError: the ledger that made the row broke the contract of `Row`.
    """
    columns = VIEW_COLUMNS.get(row.table)
    if columns is None:
        raise PluginError("PLUGIN_BROKEN", f"a row for the unknown view {row.table!r}", ", ".join(VIEW_COLUMNS))
    if len(row.values) != len(columns):
        raise PluginError(
            "PLUGIN_BROKEN", f"a row of {len(row.values)} values for the view {row.table}", f"{len(columns)} values"
        )
    if tuple(map(type, row.values)) == _TYPES[row.table]:
        return
    for column, value in zip(columns, row.values, strict=True):
        if value is not None and type(value) is not _type_of(column):
            raise PluginError("PLUGIN_BROKEN", f"{row.table}.{column} was given {value!r}", _words(column))


def check_query(table: str, where: Mapping[str, int | str], limit: int, offset: int) -> int:
    """Check what is asked of a view and return the limit that holds.

    :raises Rejection: there is no such view or column, or a value has the wrong type.
    """
    columns = VIEW_COLUMNS.get(table)
    if columns is None:
        raise Rejection("BAD_REQUEST", f"there is no view {table!r}", ", ".join(VIEW_COLUMNS))
    for column, value in where.items():
        if column not in columns:
            raise Rejection("BAD_REQUEST", f"the view {table} has no column {column!r}", ", ".join(columns))
        if type(value) is not _type_of(column):
            raise Rejection("BAD_REQUEST", f"{table}.{column} compared with {value!r}", _words(column))
    if limit < 0 or not 0 <= offset <= OFFSET_MAX:
        raise Rejection("BAD_REQUEST", f"limit {limit}, offset {offset}", "whole numbers from 0")
    return min(limit, ROWS_PER_READ_MAX)


def _type_of(column: str) -> type:
    return str if column in TEXT_COLUMNS else int


def _words(column: str) -> str:
    return "text" if column in TEXT_COLUMNS else "a whole number"
