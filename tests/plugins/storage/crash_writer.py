"""Run by test_sqlite_crash.py: writes blocks and pending envelopes until it kills itself.

Arguments: the database, and the number of the SQL statement before which it dies.
Prints one line for every acknowledgement, after it was given.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

import trio

from metanode.core.roles import Row
from metanode.core.testing.contracts import running
from metanode.core.testing.contracts.storage import GENESIS_HASH, sample_commit
from metanode.core.workers import ThreadWorkers
from metanode.plugins.storage.sqlite.database import Options
from metanode.plugins.storage.sqlite.store import SqliteStorage


def envelope(height: int, number: int) -> tuple[bytes, bytes]:
    """The envelopes of a height; the last of each is never included."""
    return height.to_bytes(16, "big") + number.to_bytes(16, "big"), b"%d/%d " % (height, number) * 400


async def write(path: Path, statements: int) -> None:
    """Save three envelopes at once, include two of them, again and again."""
    storage = SqliteStorage(
        path, Options(wal_autocheckpoint_pages=20), workers=ThreadWorkers(), log=logging.getLogger("crash")
    )
    await storage.open(GENESIS_HASH)
    left = statements

    def count(_: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    assert storage._database is not None
    storage._database._writer.set_trace_callback(count)

    async def save(height: int, number: int) -> None:
        await storage.save_pending([envelope(height, number)])
        print("pending", height, number, flush=True)

    async with running(storage):
        await storage.put_genesis([(b"height", b"0")], [])
        head, _ = await storage.load_state()
        while True:
            head += 1
            async with trio.open_nursery() as nursery:
                for number in range(3):
                    nursery.start_soon(save, head, number)
            included = [envelope(head, 0), envelope(head, 1)]
            await storage.commit(
                sample_commit(
                    head,
                    envelopes=included,
                    changes=[(b"height", b"%d" % head)],
                    rows=[Row("wallets", ("mn1a", head, 0, head))],
                    drop_pending=[envelope_id for envelope_id, _ in included],
                )
            )
            print("block", head, flush=True)


if __name__ == "__main__":
    trio.run(write, Path(sys.argv[1]), int(sys.argv[2]))
