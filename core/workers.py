"""Where blocking work runs: a few threads shared by a node, or inline on a virtual clock.

A plugin never starts threads of its own accord: it asks `PluginContext.workers`, so that a node's
threads are bounded in one place and a test on a virtual clock can run the same code without any
(docs/decisions/0005-workers.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import trio

WORKER_THREADS_MAX = 4
"""Threads of one node that run at the same time, whatever asks for them.  Each keeps memory of its own after a
burst, which a small host does not have."""

_T = TypeVar("_T")


class Workers(Protocol):
    """Runs blocking work away from the event loop."""

    async def run(self, work: Callable[[], _T], *, limiter: trio.CapacityLimiter | None = None) -> _T:
        """Return what `work` returns, once it has.

        Not cancelled half-way: when the caller is cancelled, the work still ends first.

        :param limiter: the caller's own bound, e.g. 1 for a resource that is not shared.
        """


class ThreadWorkers:
    """Workers in threads, at most `WORKER_THREADS_MAX` at a time."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(WORKER_THREADS_MAX)

    async def run(self, work: Callable[[], _T], *, limiter: trio.CapacityLimiter | None = None) -> _T:
        """Run `work` in a thread; a caller with a limiter of its own waits for that one first."""
        if limiter is None:
            return await trio.to_thread.run_sync(work, limiter=self._limiter)
        async with limiter:
            return await trio.to_thread.run_sync(work, limiter=self._limiter)
