"""Young rows beside old ones: what a block writes goes where nothing is sorted, and is sorted in later, by thousands.

Ids and accounts are random.  Sorted in at once, each transfer dirtied a page of its own in each of four indexes once
these had outgrown a block, and a dirty page costs about 10 us by the time it is in the database.  Thousands at a time
share those pages.  Both steps are part of a block's transaction and the views show both tables, so nobody sees a
difference.
"""

from __future__ import annotations

import sqlite3

YOUNG_ROWS_MAX = 8192
"""Rows that wait to be sorted in.  A read of a view looks through them; the block that brings one more takes longer
(100 ms for 100,000 transfers of history)."""

_AGEING = (
    # young, old, order of the way over, how many there are
    ("envelopes_young", "envelopes_rows", "id", "count(*)"),
    ("transfers_young", "transfers_rows", "sender", "max(rowid)"),
)


def sort_in(writer: sqlite3.Connection) -> None:
    """Move the young rows of one table to the old ones where there are many.  Call inside each block's transaction."""
    for young, old, order, count in _AGEING:
        (rows,) = writer.execute(f"SELECT {count} FROM {young}").fetchone()
        if rows is not None and rows >= YOUNG_ROWS_MAX:
            writer.execute(f"INSERT OR FAIL INTO {old} SELECT * FROM {young} ORDER BY {order}")
            writer.execute(f"DELETE FROM {young}")
            return  # the other table with the next block: two short waits for whoever saves instead of a long one
