"""A lane of kinds that pay nothing: a fair share per sender, an order nobody can buy or foresee.

Whoever has most waiting loses its newest when the lane is full and somebody with less comes,
so a flood displaces itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from metanode.plugins.mempool.fifo.entry import Entry, Gone, LaneLimits, Usage
from metanode.plugins.mempool.fifo.heap import LazyHeap

Rank = Callable[[Sequence[bytes]], Sequence[bytes]]
"""Gives the sort key of each envelope id."""


class FreeLane:
    """Envelopes without nonce and fee."""

    def __init__(self, limits: LaneLimits) -> None:
        self.usage = Usage(limits)
        self._senders: dict[bytes, list[Entry]] = {}
        self._durable: set[Entry] = set()
        self._heaviest: LazyHeap[bytes] = LazyHeap(lambda key, sender: self._share(sender) == -key)

    @property
    def has_ready(self) -> bool:
        """True while a block could take something."""
        return bool(self._durable)

    def entries(self) -> Iterator[Entry]:
        """Yield all entries."""
        for waiting in self._senders.values():
            yield from waiting

    def admit(self, entry: Entry) -> list[Entry]:
        """Queue an entry and return those that had to leave for it.

        :raises Rejection: POOL_FULL.
        """
        left: list[Entry] = []
        while not self.usage.fits(entry):
            heaviest = self._heaviest.smallest()
            if heaviest is None or self._share(heaviest) <= self._share(entry.envelope.sender) + 1:
                for back in reversed(left):
                    self._put(back)
                raise self.usage.full("a later time")
            newest = self._senders[heaviest][-1]
            self.remove(newest, Gone.EVICTED)
            left.append(newest)
        self._put(entry)
        return left

    def confirm(self, entry: Entry) -> None:
        """Let blocks take a saved entry."""
        entry.durable = True
        self._durable.add(entry)

    def remove(self, entry: Entry, why: Gone) -> None:
        """Take out an entry."""
        entry.gone = why
        sender = entry.envelope.sender
        self._senders[sender].remove(entry)
        self._durable.discard(entry)
        self.usage.take(entry)
        if self._senders[sender]:
            self._heaviest.push(-self._share(sender), sender, true_items=len(self._senders))
        else:
            del self._senders[sender]

    def select(self, count_max: int, bytes_max: int, rank: Rank) -> list[Entry]:
        """Return entries by rising rank that fit."""
        waiting = list(self._durable)
        keys = rank([entry.envelope.id for entry in waiting])
        chosen: list[Entry] = []
        for _, entry in sorted(zip(keys, waiting, strict=True), key=lambda pair: (pair[0], pair[1].envelope.id)):
            if len(chosen) == count_max:
                break
            if entry.size <= bytes_max:
                bytes_max -= entry.size
                chosen.append(entry)
        return chosen

    def _put(self, entry: Entry) -> None:
        entry.gone = None
        sender = entry.envelope.sender
        self._senders.setdefault(sender, []).append(entry)
        if entry.durable:
            self._durable.add(entry)
        self.usage.add(entry)
        self._heaviest.push(-self._share(sender), sender, true_items=len(self._senders))

    def _share(self, sender: bytes) -> int:
        return len(self._senders.get(sender, ()))
