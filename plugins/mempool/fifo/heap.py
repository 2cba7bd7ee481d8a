"""A heap whose items may have become untrue: they are discarded when they surface."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

SLACK = 64
"""Untrue items tolerated beyond as many as there are true ones."""


class LazyHeap(Generic[T]):
    """Smallest key first.  `holds(key, item)` tells whether a pushed pair is still true.

    Among equal keys the one pushed first comes first; items are never compared.
    """

    def __init__(self, holds: Callable[[Any, T], bool]) -> None:
        self._holds = holds
        self._items: list[tuple[Any, int, T]] = []
        self._pushed = 0

    def push(self, key: Any, item: T, *, true_items: int) -> None:
        """Add a pair.

        :param true_items: how many true pairs there are about; keeps the heap's size in proportion.
        """
        self._pushed += 1
        heapq.heappush(self._items, (key, self._pushed, item))
        if len(self._items) > 2 * true_items + SLACK:
            self._items = [held for held in self._items if self._holds(held[0], held[2])]
            heapq.heapify(self._items)

    def smallest(self) -> T | None:
        """Return the true item of the smallest key, which stays in the heap."""
        while self._items and not self._holds(self._items[0][0], self._items[0][2]):
            heapq.heappop(self._items)
        return self._items[0][2] if self._items else None
