"""A network in memory that delays, loses, corrupts and cuts off: for tests, on trio's clock and by a seed.

Each direction of each link draws from dice of its own, so the order in which tasks run changes nothing.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import trio

from metanode.plugins.transport._shared.link import BATCH_MAX, Place


@dataclass(frozen=True)
class Conditions:
    """What happens to a datagram on its way."""

    delay_s: float = 0.02
    """One way."""
    loss: float = 0.0
    """Share of the datagrams that never arrive."""
    corruption: float = 0.0
    """Share of the datagrams with one bit turned over."""
    reorder: float = 0.0
    """Share of the datagrams that take twice as long."""
    bytes_per_s: float = 0.0
    """How much passes in a second; 0 for any amount."""
    queue_bytes: int = 64 * 1024
    """What may wait where `bytes_per_s` is the limit; more is lost."""


class LossyNet:
    """Links that reach each other by their places."""

    def __init__(self, seed: int, conditions: Conditions | None = None) -> None:
        self._seed = seed
        self._links: dict[Place, MemoryLink] = {}
        self.conditions = conditions or Conditions()
        self.drops: Callable[[bytes, Place, Place], bool] | None = None
        """Asked of each datagram, its sender and its receiver: whether it is lost, whatever the dice say."""
        self.sent: dict[Place, int] = {}
        """Bytes sent from each place."""
        self.log: list[tuple[Place, Place, bytes]] | None = None
        """Set to a list to keep (sender, receiver, datagram) of all that is sent."""

    def link(self, host: str = "10.0.0.1", port: int = 4433) -> MemoryLink:
        """Return a new link at a place nobody else has."""
        return MemoryLink(self, (host, port), random.Random(f"{self._seed} {host} {port}"))

    def attach(self, link: MemoryLink) -> None:
        """Let datagrams for its place go to this link."""
        assert link.place not in self._links, f"{link.place} is taken"
        self._links[link.place] = link

    def detach(self, place: Place) -> None:
        """Let datagrams for a place go nowhere."""
        self._links.pop(place, None)

    def carry(self, data: bytes, sender: MemoryLink, target: Place) -> None:
        """Take one datagram on its way."""
        now, how, dice = trio.current_time(), self.conditions, sender.dice
        self.sent[sender.place] = self.sent.get(sender.place, 0) + len(data)
        if self.log is not None:
            self.log.append((sender.place, target, data))
        # Always as many throws, so that a changed condition changes nothing else.
        lost, corrupted, late = dice.random() < how.loss, dice.random() < how.corruption, dice.random() < how.reorder
        bit = dice.randrange(8 * max(1, len(data)))
        if lost or (self.drops is not None and self.drops(data, sender.place, target)):
            return
        leaves = now
        if how.bytes_per_s:
            leaves = max(now, sender.busy_until)
            if (leaves - now) * how.bytes_per_s > how.queue_bytes:
                return
            leaves = sender.busy_until = leaves + len(data) / how.bytes_per_s
        if corrupted and data:
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            data = bytes(changed)
        receiver = self._links.get(target)
        if receiver is not None:
            receiver.deliver(leaves + how.delay_s * (2 if late else 1), data, sender.place)


class MemoryLink:
    """A `link.Link` of a `LossyNet`."""

    def __init__(self, net: LossyNet, place: Place, dice: random.Random) -> None:
        self._net = net
        self._place = place
        self.dice = dice
        self.busy_until = 0.0
        self._arrivals: list[tuple[float, int, bytes, Place]] = []
        self._number = 0
        self._news = trio.Event()
        self._closed = False
        net.attach(self)

    @property
    def place(self) -> Place:
        """Where this link is now."""
        return self._place

    def move(self, host: str, port: int) -> None:
        """Take another place, as behind a NAT that forgot; what was under way to the old one is lost."""
        self._net.detach(self._place)
        self._place = (host, port)
        self._net.attach(self)

    def send(self, datagrams: Iterable[tuple[bytes, Place]]) -> None:
        """Give datagrams to the network."""
        for data, target in datagrams:
            self._net.carry(data, self, target)

    def deliver(self, when: float, data: bytes, sender: Place) -> None:
        """Let a datagram arrive at a time."""
        self._number += 1
        heapq.heappush(self._arrivals, (when, self._number, data, sender))
        self._news.set()

    async def wait(self) -> None:
        """Wait for the next arrival."""
        await trio.lowlevel.checkpoint()
        while not self._closed:
            when = self._arrivals[0][0] if self._arrivals else float("inf")
            if when <= trio.current_time():
                return
            self._news = trio.Event()
            with trio.move_on_at(when):
                await self._news.wait()
        raise trio.ClosedResourceError

    def receive_many(self) -> list[tuple[bytes, Place]]:
        """Return what has arrived by now."""
        now, taken = trio.current_time(), list[tuple[bytes, Place]]()
        while len(taken) < BATCH_MAX and self._arrivals and self._arrivals[0][0] <= now:
            _, _, data, sender = heapq.heappop(self._arrivals)
            taken.append((data, sender))
        return taken

    def unreachable(self) -> list[Place]:
        """Return nothing: this network has no ICMP."""
        return []

    def close(self) -> None:
        """Leave the network."""
        self._closed = True
        self._net.detach(self._place)
        self._arrivals.clear()
        self._news.set()
