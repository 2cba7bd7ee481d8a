"""Queues between a node and its peers, bounded per peer and lane, so that nobody's load costs another's votes."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

import trio

from metanode.core.wire.frames import Lane

KIB = 1024


class Bounds(NamedTuple):
    """How much of one peer waits in one lane."""

    messages_max: int
    bytes_max: int
    """An empty queue takes a message of any size."""
    drop_oldest: bool
    """What gives way when the queue is full: the oldest, or the new one."""


QUEUE_BOUNDS: dict[Lane, Bounds] = {
    Lane.CONTROL: Bounds(64, 64 * KIB, drop_oldest=False),
    Lane.VOTES: Bounds(256, 1024 * KIB, drop_oldest=True),  # a newer round makes the older one worthless
    Lane.BLOCKS: Bounds(64, 2048 * KIB, drop_oldest=False),
    Lane.SYNC: Bounds(64, 2048 * KIB, drop_oldest=False),
    Lane.TRANSACTIONS: Bounds(256, 1024 * KIB, drop_oldest=False),
}
"""Bounds of every queue of one peer, by lane: for what it sends us, and for what we send it."""


class Waiting:
    """The messages of one peer that wait in one lane."""

    def __init__(self, lane: Lane) -> None:
        self._bounds = QUEUE_BOUNDS[lane]
        self._messages: deque[bytes] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: bytes) -> tuple[bool, int]:
        """Queue a message; return whether it is queued, and how many were dropped for it (or it itself)."""
        bounds, messages = self._bounds, self._messages
        if not bounds.drop_oldest and self._full_with(message):
            return False, 1
        dropped = 0
        while self._full_with(message):
            self._bytes -= len(messages.popleft())
            dropped += 1
        messages.append(message)
        self._bytes += len(message)
        return True, dropped

    def put_back(self, message: bytes) -> None:
        """Queue what was taken but not sent, in front."""
        self._messages.appendleft(message)
        self._bytes += len(message)

    def pop(self) -> bytes:
        """Take the oldest message."""
        message = self._messages.popleft()
        self._bytes -= len(message)
        return message

    def _full_with(self, message: bytes) -> bool:
        waiting = len(self._messages)
        return waiting > 0 and (
            waiting >= self._bounds.messages_max or self._bytes + len(message) > self._bounds.bytes_max
        )


class PeerChannel(trio.abc.ReceiveChannel[tuple[bytes, bytes]]):
    """What arrives in one lane, as (peer's node key, message); peers take turns, each in its own order.

    :param closed: is told when the subscriber closes it.
    """

    def __init__(self, lane: Lane, closed: Callable[[PeerChannel], None]) -> None:
        self._lane = lane
        self._told_closed = closed
        self._waiting: OrderedDict[bytes, Waiting] = OrderedDict()
        self._receivers = trio.lowlevel.ParkingLot()
        self._closed = False

    def offer(self, peer: bytes, message: bytes) -> int:
        """Queue a message of a peer; return how many were dropped for it."""
        waiting = self._waiting.get(peer)
        if waiting is None:
            waiting = self._waiting[peer] = Waiting(self._lane)
        _, dropped = waiting.put(message)
        self._receivers.unpark()
        return dropped

    def receive_nowait(self) -> tuple[bytes, bytes]:
        """Return the next message.

        :raises trio.WouldBlock: nothing waits.
        """
        if self._closed:
            raise trio.ClosedResourceError
        if not self._waiting:
            raise trio.WouldBlock
        peer, waiting = self._waiting.popitem(last=False)
        message = waiting.pop()
        if waiting:
            self._waiting[peer] = waiting  # at the end: the other peers' turn first
        return peer, message

    async def receive(self) -> tuple[bytes, bytes]:
        """Return the next message."""
        await trio.lowlevel.checkpoint()
        while True:
            try:
                return self.receive_nowait()
            except trio.WouldBlock:
                await self._receivers.park()

    def close(self) -> None:
        """Want no more; wakes who waits."""
        if not self._closed:
            self._closed = True
            self._waiting.clear()
            self._receivers.unpark_all()
            self._told_closed(self)

    async def aclose(self) -> None:
        """Want no more."""
        self.close()
        await trio.lowlevel.checkpoint()
