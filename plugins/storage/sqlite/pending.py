"""Which row holds which pending envelope: what the table has no index for.

Ids are random.  An index over them would dirty a page of its own for each envelope when it is saved and again
when a block takes it; the one writer of the file remembers the rows instead.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from metanode.plugins.storage.sqlite.batches import delete_rows, write_rows


class PendingRows:
    """The rows of the table `pending`, those of the transaction under way included.

    Used inside the writer's transactions; after one that failed, a fresh object reads the table again.
    """

    def __init__(self, writer: sqlite3.Connection) -> None:
        self._sequences: dict[bytes, int] = dict(writer.execute("SELECT id, sequence FROM pending"))
        self._last = max(self._sequences.values(), default=0)

    def save(self, writer: sqlite3.Connection, envelopes: Sequence[tuple[bytes, bytes]]) -> None:
        """Insert (id, bytes) in order, except what has its row already."""
        rows = []
        for envelope_id, raw in envelopes:
            if envelope_id not in self._sequences:
                self._last += 1
                self._sequences[envelope_id] = self._last
                rows.append((self._last, envelope_id, raw))
        write_rows(writer, "pending (sequence, id, envelope)", rows)

    def drop(self, writer: sqlite3.Connection, ids: Sequence[bytes]) -> None:
        """Delete the rows of these ids; unknown ones have none."""
        known = [self._sequences.pop(envelope_id, None) for envelope_id in ids]
        delete_rows(writer, "pending", "sequence", [sequence for sequence in known if sequence is not None])
