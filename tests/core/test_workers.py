"""Threads of a node are bounded by its workers, and by nothing that others share."""

from __future__ import annotations

import threading

import pytest
import trio

from metanode.core.cli import run
from metanode.core.workers import WORKER_THREADS_MAX, ThreadWorkers


async def test_no_more_threads_work_at_once_than_a_node_may_have() -> None:
    """Whatever asks for them; the others wait."""
    workers, lock, go = ThreadWorkers(), threading.Lock(), threading.Event()
    running, most = 0, 0

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == WORKER_THREADS_MAX:
                go.set()
        assert go.wait(30)
        with lock:
            running -= 1

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for _ in range(3 * WORKER_THREADS_MAX):
                nursery.start_soon(workers.run, work)
    assert most == WORKER_THREADS_MAX


async def test_running_a_node_leaves_the_process_wide_limit_of_threads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one bound, that of the workers: a program that embeds the verb keeps its own."""
    served: list[float] = []

    async def serve(*_: object) -> None:
        served.append(trio.to_thread.current_default_thread_limiter().total_tokens)

    monkeypatch.setattr(run, "_serve", serve)
    before = trio.to_thread.current_default_thread_limiter().total_tokens
    await run._run(None, None, None)  # type: ignore[arg-type]  # nothing of them is used before `_serve`
    assert served == [before]
