"""Envelopes of many callers admitted as one group: one check, one save, one wake-up each.

Without a task of its own: one of the callers leads each group through check, places and save.  The
next group is checked while this one is being synced to disk, and no further one begins before that is
done: what arrives meanwhile gathers instead of going through in groups of one.
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

SAVING_MAX = 2
"""Groups that may be on their way to the disk, the one being synced and one behind it."""

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
        self._checking = False
        self._saving = 0

    async def admit(self, envelopes: Sequence[Envelope]) -> Sequence[Admission]:
        """Return an answer for each envelope; at most GROUP_ENVELOPES_MAX of them.

        A caller that is cancelled after its group was taken does not stop the others of it.
        """
        ticket = _Ticket(envelopes)
        self._waiting.append(ticket)
        self._choose_leader()
        try:
            await ticket.woken.wait()
            if ticket.leads:
                # Shielded: others' answers are in this caller's hands.
                with trio.CancelScope(shield=True):
                    await self._lead()
        finally:
            if not ticket.taken:
                self._waiting.remove(ticket)
                if ticket.leads:
                    self._checking = False
                    self._choose_leader()
        if ticket.answers is None:
            raise MetanodeError("INTERNAL", "the group of this envelope could not be admitted")
        return ticket.answers

    async def _lead(self) -> None:
        group = self._take()
        batch = [envelope for ticket in group for envelope in ticket.envelopes]
        try:
            try:
                placed = self._place(batch, await self._check(batch))
            finally:
                self._checking = False
            self._saving += 1
            self._choose_leader()
            try:
                answers = await self._save(placed)
            finally:
                self._saving -= 1
            start = 0
            for ticket in group:
                ticket.answers = answers[start : start + len(ticket.envelopes)]
                start += len(ticket.envelopes)
        finally:
            self._choose_leader()
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

    def _choose_leader(self) -> None:
        """Let the caller who waits longest lead, when it is time for a group."""
        if self._waiting and not self._checking and self._saving < SAVING_MAX:
            self._checking = self._waiting[0].leads = True
            self._waiting[0].woken.set()
