"""Envelopes of many callers admitted as one group: one check, one save, one wake-up each.

Without a task of its own: the caller who finds nobody leading leads the next group, and passes the
lead on as soon as that group is checked and placed, so that one group is checked while the one
before it is being synced to disk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import trio

from metanode.core.model.envelope import Envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.roles import Admission

GROUP_ENVELOPES_MAX = 100
"""Envelopes checked in one call: long enough to be worth a thread, short enough to wait for."""

Batch = Sequence[Envelope]
_C = TypeVar("_C")
_P = TypeVar("_P")


@dataclass(eq=False)
class _Ticket:
    envelopes: Sequence[Envelope]
    answers: Sequence[Admission] | None = None
    leads: bool = False
    taken: bool = False
    woken: trio.Event = field(default_factory=trio.Event)


class Groups(Generic[_C, _P]):
    """Gathers what waits, in the order of its arrival.

    :param check: finds out which may be admitted.
    :param place: gives places to those that passed; done before the next group is checked.
    :param save: makes the placed ones durable and answers for each envelope of the batch.
    """

    def __init__(
        self,
        check: Callable[[Batch], Awaitable[_C]],
        place: Callable[[Batch, _C], _P],
        save: Callable[[_P], Awaitable[Sequence[Admission]]],
    ) -> None:
        self._check = check
        self._place = place
        self._save = save
        self._waiting: deque[_Ticket] = deque()
        self._led = False

    async def admit(self, envelopes: Sequence[Envelope]) -> Sequence[Admission]:
        """Return an answer for each envelope; at most GROUP_ENVELOPES_MAX of them.

        A caller that is cancelled after its group was taken does not stop the others of it.
        """
        ticket = _Ticket(envelopes)
        self._waiting.append(ticket)
        try:
            if self._led:
                await ticket.woken.wait()
            else:
                self._led = ticket.leads = True
            if ticket.leads:
                # Shielded: others' answers are in this caller's hands.
                with trio.CancelScope(shield=True):
                    await self._lead(ticket)
        finally:
            if not ticket.taken:
                self._waiting.remove(ticket)
            self._pass_on(ticket)
        if ticket.answers is None:
            raise MetanodeError("INTERNAL", "the group of this envelope could not be admitted")
        return ticket.answers

    async def _lead(self, leader: _Ticket) -> None:
        group = self._take()
        batch = [envelope for ticket in group for envelope in ticket.envelopes]
        try:
            placed = self._place(batch, await self._check(batch))
            self._pass_on(leader)
            answers = await self._save(placed)
            start = 0
            for ticket in group:
                ticket.answers = answers[start : start + len(ticket.envelopes)]
                start += len(ticket.envelopes)
        finally:
            for ticket in group:
                ticket.woken.set()

    def _take(self) -> list[_Ticket]:
        group: list[_Ticket] = []
        room = GROUP_ENVELOPES_MAX
        while self._waiting and (not group or len(self._waiting[0].envelopes) <= room):
            ticket = self._waiting.popleft()
            ticket.taken = True
            room -= len(ticket.envelopes)
            group.append(ticket)
        return group

    def _pass_on(self, ticket: _Ticket) -> None:
        """Let the next caller lead, if this one does."""
        if not ticket.leads:
            return
        ticket.leads = False
        if self._waiting:
            self._waiting[0].leads = True
            self._waiting[0].woken.set()
        else:
            self._led = False
