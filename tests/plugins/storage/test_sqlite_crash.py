"""A writer that is killed loses nothing it acknowledged and keeps nothing by halves."""

from __future__ import annotations

import logging
import random
import sys
from pathlib import Path

import pytest
import trio

from metanode.core.testing.contracts.storage import opened
from metanode.core.workers import ThreadWorkers
from metanode.plugins.storage.sqlite.database import Options
from metanode.plugins.storage.sqlite.store import SqliteStorage

WRITER = Path(__file__).with_name("crash_writer.py")
KILLS = 4
"""Lives of one database; each ends by SIGKILL."""
STATEMENTS_MAX = 200
"""A life ends before at most this many statements: about twelve blocks."""


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(3))
async def test_a_killed_writer_loses_nothing_it_acknowledged(seed: int, tmp_path: Path) -> None:
    """Heights stay contiguous, state, rows and blocks agree, every acknowledged envelope waits or is included."""
    path = tmp_path / "chain.sqlite"
    draw = random.Random(seed)
    acknowledged: set[tuple[int, int]] = set()
    blocks = 0
    for _ in range(KILLS):
        statements = draw.randrange(STATEMENTS_MAX)
        print(f"seed {seed}: killed before statement {statements}")
        command = [sys.executable, str(WRITER), str(path), str(statements)]
        run = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
        assert run.returncode == -9, run.stderr.decode()
        for line in run.stdout.decode().splitlines():
            word, *numbers = line.split()
            if word == "block":
                blocks = int(numbers[0])
            else:
                acknowledged.add((int(numbers[0]), int(numbers[1])))

        async with opened(
            lambda: SqliteStorage(path, Options(), workers=ThreadWorkers(), log=logging.getLogger("test"))
        ) as storage:
            head, entries = await storage.load_state()
            assert head >= blocks
            # The kill may have come before genesis was written.
            assert entries == ([(b"height", b"%d" % head)] if entries or head else [])
            wallets = await storage.rows("wallets", where={}, limit=9, offset=0)
            assert [row["balance"] for row in wallets] == ([head] if head else [])
            assert [height for height, _, _ in await storage.headers(1, head)] == list(range(1, head + 1))
            waiting = {envelope_id for envelope_id, _ in await storage.load_pending()}
            for height, number in sorted(acknowledged):
                envelope_id = height.to_bytes(16, "big") + number.to_bytes(16, "big")
                place = await storage.find_envelope(envelope_id)
                assert (place is not None) != (envelope_id in waiting), f"seed {seed}: envelope {height}/{number}"
                assert place in (None, (height, number))
