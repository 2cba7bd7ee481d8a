"""Every storage plugin keeps the contract of the role."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from metanode.core.testing.contracts import storage
from metanode.core.workers import ThreadWorkers
from metanode.plugins.storage.memory.store import MemoryStorage
from metanode.plugins.storage.sqlite.database import Options
from metanode.plugins.storage.sqlite.store import SqliteStorage

Check = Callable[[storage.Factory], Awaitable[None]]


def _name(check: Check) -> str:
    return getattr(check, "__name__", "check")


@pytest.mark.parametrize("check", storage.CHECKS, ids=_name)
async def test_memory_keeps_the_contract(check: Check) -> None:
    """The same object opened again stands for a restart."""
    kept = MemoryStorage()
    await check(lambda: kept)


@pytest.mark.parametrize("check", storage.CHECKS, ids=_name)
async def test_sqlite_keeps_the_contract(check: Check, tmp_path: Path) -> None:
    """A new object on the same file stands for a restart."""
    log = logging.getLogger("test")
    await check(lambda: SqliteStorage(tmp_path / "data" / "chain.sqlite", Options(), workers=ThreadWorkers(), log=log))
