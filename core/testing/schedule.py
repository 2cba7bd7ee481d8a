"""Virtual time for simulations without trio: what happens next, in an order that a seed alone decides."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Schedule:
    """A queue of things to do at a time, in milliseconds; ties go by the order of asking."""

    def __init__(self, start_ms: int = 0) -> None:
        self.now_ms = start_ms
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._asked = 0

    def after(self, ms: int, what: Callable[[], None]) -> None:
        """Do `what` so many milliseconds from now."""
        self._asked += 1
        heapq.heappush(self._queue, (self.now_ms + max(0, ms), self._asked, what))

    def run(self, until_ms: int, done: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass until `done` or until `until_ms`; tells whether `done` came first."""
        while not done():
            if not self._queue or self._queue[0][0] > until_ms:
                self.now_ms = max(self.now_ms, until_ms)
                return False
            self.now_ms, _, what = heapq.heappop(self._queue)
            what()
        return True
