"""Checks of many callers in one batch: whoever finds the ledger free takes along what waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import trio

from metanode.core.model.envelope import Envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.roles import Head, Ledger
from metanode.core.workers import Workers

BATCH_ENVELOPES_MAX = 100
"""Envelopes checked in one call: long enough to be worth a thread, short enough to wait for."""


@dataclass
class _Ticket:
    envelopes: Sequence[Envelope]
    errors: list[MetanodeError | None] | None = None


class CheckQueue:
    """Runs `Ledger.check` in one worker thread at a time."""

    def __init__(self, ledger: Callable[[], Ledger], workers: Workers) -> None:
        self._ledger = ledger
        self._workers = workers
        self._turn = trio.Lock()
        self._queue: deque[_Ticket] = deque()

    async def check(self, head: Callable[[], Head], envelopes: Sequence[Envelope]) -> list[MetanodeError | None]:
        """Check at most BATCH_ENVELOPES_MAX envelopes on top of the head of the moment the check begins."""
        ticket = _Ticket(envelopes)
        self._queue.append(ticket)
        try:
            async with self._turn:
                while ticket.errors is None:
                    await self._check_group(head())
        finally:
            if ticket.errors is None:  # cancelled before its turn, or the ledger failed
                self._queue.remove(ticket)
        return ticket.errors

    async def _check_group(self, head: Head) -> None:
        group: list[_Ticket] = []
        batch: list[Envelope] = []
        for ticket in self._queue:
            if len(batch) + len(ticket.envelopes) > BATCH_ENVELOPES_MAX and group:
                break
            group.append(ticket)
            batch += ticket.envelopes
        errors = await self._workers.run(partial(self._ledger().check, head, batch))
        for ticket in group:
            count = len(ticket.envelopes)
            ticket.errors, errors = errors[:count], errors[count:]
        while self._queue and self._queue[0].errors is not None:
            self._queue.popleft()
