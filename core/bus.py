"""The node's event bus: typed, bounded, and never a reason for its publisher to wait.

A publisher tells what happened and goes on; each subscriber has its own queue.  A subscriber
that falls behind loses its oldest events and can see how many: the chain is in storage, so
an event is a hint to look there, never the only copy of a fact.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio

from metanode.core.current import PLUGIN

CAPACITY_DEFAULT = 1024
"""Events that wait for one subscriber before the oldest is dropped."""
SUBSCRIBERS_MAX = 1024
"""Subscribers of one bus; more is a leak of subscriptions."""


@dataclass(frozen=True)
class BlockFinalized:
    """A block is final and durable."""

    height: int
    header_hash: bytes
    time_ms: int
    envelopes: int
    """How many envelopes the block holds."""


@dataclass(frozen=True)
class EnvelopeAdmitted:
    """The mempool took an envelope."""

    id: bytes
    kind: int
    sender: bytes


@dataclass(frozen=True)
class PluginStateChanged:
    """The kernel started, restarts, quarantined or stopped a plugin."""

    plugin: str
    state: str
    """starting, running, restarting, quarantined or stopped."""
    detail: str


class Subscription:
    """One subscriber's queue: iterate it with `async for`; ends when the bus is closed."""

    def __init__(self, types: tuple[type, ...], capacity: int, accept: Callable[[Any], bool] | None = None) -> None:
        self._types = types
        self._accept = accept
        self._queue: deque[Any] = deque(maxlen=capacity)
        self._news = trio.Event()
        self._closed = False
        self.dropped = 0
        """Events lost because this subscriber was too slow."""

    def _offer(self, event: object) -> bool:
        """Queue the event if it is of a wanted type; returns whether an older one was lost for it."""
        if self._types and not isinstance(event, self._types):
            return False
        if self._accept is not None and not self._accept(event):
            return False
        lost = len(self._queue) == self._queue.maxlen
        self.dropped += lost
        self._queue.append(event)
        self._news.set()
        return lost

    def _close(self) -> None:
        self._closed = True
        self._news.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Any:
        await trio.lowlevel.checkpoint()
        while not self._queue:
            if self._closed:
                raise StopAsyncIteration
            self._news = trio.Event()
            await self._news.wait()
        return self._queue.popleft()


class Bus:
    """Publish and subscribe within one node.  Use from trio's thread only."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._closed = False
        self.published: Counter[str] = Counter()
        """Events by the plugin that published them, "" for the kernel."""
        self.dropped: Counter[str] = Counter()
        """Events that slow subscribers lost, by the plugin whose event took the place."""

    def publish(self, event: object) -> None:
        """Tell every subscriber of the event's type.  Never blocks, never raises."""
        publisher = PLUGIN.get()
        self.published[publisher] += 1
        for subscription in self._subscriptions:
            if subscription._offer(event):
                self.dropped[publisher] += 1

    @asynccontextmanager
    async def subscribe(
        self, *types: type, capacity: int = CAPACITY_DEFAULT, accept: Callable[[Any], bool] | None = None
    ) -> AsyncIterator[Subscription]:
        """Receive events of these types (all when none is given) from now on.

        :param capacity: events kept while the subscriber is busy; beyond it the oldest is dropped.
        :param accept: looked at before an event is queued, so that what is not wanted pushes nothing out; must be
            quick and never raise.
        :raises RuntimeError: more than SUBSCRIBERS_MAX subscribers.
        """
        if len(self._subscriptions) >= SUBSCRIBERS_MAX:
            raise RuntimeError(f"{SUBSCRIBERS_MAX} subscribers already")
        subscription = Subscription(types, capacity, accept)
        if self._closed:
            subscription._close()
        self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)

    def close(self) -> None:
        """End every iteration once its queue is read."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription._close()
