"""Blocking work without threads, for tests on a virtual clock.

A virtual clock jumps to the next deadline whenever every task waits, and a task that waits for a
thread looks idle: its timeouts would strike while the thread still works.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

_T = TypeVar("_T")


class InlineWorkers:
    """Workers that do the work at once, in the caller's task."""

    async def run(self, work: Callable[[], _T], *, limiter: trio.CapacityLimiter | None = None) -> _T:
        """Return what `work` returns; other tasks get their turn before it, as they would with a thread."""
        await trio.lowlevel.checkpoint()
        if limiter is None:
            return work()
        async with limiter:
            return work()
