"""The lane of kinds that pay: one queue by nonce per sender, best fee first among the queues' heads.

An envelope can only be included after every lower nonce of its sender, so what it is worth to
a full lane is the lowest fee up to its place.  The worst of all is therefore the *last* envelope
of the sender that has the lowest fee anywhere in its queue; that one is evicted.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping

from metanode.core.model.accounts import to_bech32m
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import NONCE_AHEAD_MAX
from metanode.plugins.mempool.fifo.entry import Entry, Gone, LaneLimits, Usage
from metanode.plugins.mempool.fifo.heap import LazyHeap

REPLACEMENT_PERCENT = 10
"""How much more an envelope must pay to take the nonce of a waiting one."""


class _Queue:
    """What one sender has waiting."""

    def __init__(self, base: int) -> None:
        self.base = base
        """The account's next nonce on chain."""
        self.entries: dict[int, Entry] = {}


class FeeLane:
    """Envelopes with nonces."""

    def __init__(self, limits: LaneLimits) -> None:
        self.usage = Usage(limits)
        self._queues: dict[bytes, _Queue] = {}
        self._ready: set[bytes] = set()
        self._by_fee: LazyHeap[Entry] | None = None
        """All entries, lowest fee first; made when the lane is full, gone when it is half empty again."""

    @property
    def has_ready(self) -> bool:
        """True while a block could take something."""
        return bool(self._ready)

    def senders(self) -> Collection[bytes]:
        """Return everyone who has something waiting."""
        return self._queues.keys()

    def entries(self) -> Iterator[Entry]:
        """Yield all entries."""
        for queue in self._queues.values():
            yield from queue.entries.values()

    def next_nonce(self, sender: bytes, base: int) -> int:
        """Return the first nonce from `base` on that nothing waits under."""
        queue = self._queues.get(sender)
        if queue is not None:
            while base in queue.entries:
                base += 1
        return base

    def admit(self, entry: Entry, base: int) -> list[Entry]:
        """Queue an entry and return those that had to leave for it.

        :param base: the sender's next nonce on chain.
        :raises Rejection: BAD_NONCE, FEE_TOO_LOW (does not beat the one it replaces), POOL_FULL.
        """
        envelope = entry.envelope
        if not base <= envelope.nonce <= base + NONCE_AHEAD_MAX:
            raise Rejection(
                "BAD_NONCE",
                f"nonce {envelope.nonce} of {to_bech32m(envelope.sender)}",
                f"a nonce from {base} to {base + NONCE_AHEAD_MAX}",
            )
        queue = self._queues.get(envelope.sender)
        if queue is None:
            queue = self._queues[envelope.sender] = _Queue(base)
        old = queue.entries.get(envelope.nonce)
        left: list[Entry] = []
        try:
            if old is not None:
                _check_replacement(old, entry)
                self._take(old, Gone.REPLACED)
                left.append(old)
            self._make_room(entry, left)
        except Rejection:
            for back in reversed(left):
                self._put(back)
            raise
        else:
            self._put(entry)
        finally:
            self._tidy([envelope.sender, *(gone.envelope.sender for gone in left)])
        return left

    def confirm(self, entry: Entry) -> None:
        """Let blocks take a saved entry."""
        entry.durable = True
        sender = entry.envelope.sender
        self._update_ready(sender, self._queues.get(sender))

    def remove(self, entries: Collection[Entry], why: Gone) -> None:
        """Take out entries."""
        for entry in entries:
            self._take(entry, why)
        self._tidy({entry.envelope.sender for entry in entries})

    def rebase(self, nonces: Mapping[bytes, int]) -> list[Entry]:
        """Learn next nonces on chain and return what they make impossible, already taken out."""
        stale = []
        for sender, base in nonces.items():
            queue = self._queues.get(sender)
            if queue is None:
                continue
            queue.base = base
            stale += [entry for nonce, entry in queue.entries.items() if nonce < base]
        for entry in stale:
            self._take(entry, Gone.STALE)
        self._tidy(nonces)
        return stale

    def select(self, count_max: int, bytes_max: int) -> list[Entry]:
        """Return entries by falling fee such that each sender's nonces follow one another from its base.

        A sender whose next envelope no longer fits is left out; smaller ones of others still enter.
        """
        heads = [self._queues[sender].entries[self._queues[sender].base] for sender in self._ready]
        heap = [(-entry.envelope.fee, entry.sequence, entry) for entry in heads]
        heapq.heapify(heap)
        chosen: list[Entry] = []
        while heap and len(chosen) < count_max:
            entry = heapq.heappop(heap)[2]
            if entry.size > bytes_max:
                continue
            bytes_max -= entry.size
            chosen.append(entry)
            following = self._queues[entry.envelope.sender].entries.get(entry.envelope.nonce + 1)
            if following is not None and following.durable:
                heapq.heappush(heap, (-following.envelope.fee, following.sequence, following))
        return chosen

    def _make_room(self, entry: Entry, left: list[Entry]) -> None:
        """Evict into `left` what is worth less than `entry`, until it fits."""
        if self.usage.is_half_empty:
            self._by_fee = None
        while not self.usage.fits(entry):
            worst = self._worst(entry)
            if worst is None:
                raise self.usage.full("a higher fee, or a later time")
            self._take(worst, Gone.EVICTED)
            left.append(worst)

    def _worst(self, newcomer: Entry) -> Entry | None:
        if self._by_fee is None:
            self._by_fee = LazyHeap(lambda _, held: held.gone is None)
            for waiting in self.entries():
                self._rank(self._by_fee, waiting)
        lowest = self._by_fee.smallest()
        if lowest is None or lowest.envelope.fee >= newcomer.envelope.fee:
            return None
        queue = self._queues[lowest.envelope.sender]
        last = queue.entries[max(queue.entries)]
        # The newcomer would be worth nothing without its own predecessors.
        own = last.envelope.sender == newcomer.envelope.sender and last.envelope.nonce < newcomer.envelope.nonce
        return None if own else last

    def _put(self, entry: Entry) -> None:
        entry.gone = None
        self._queues[entry.envelope.sender].entries[entry.envelope.nonce] = entry
        self.usage.add(entry)
        if self._by_fee is not None:
            self._rank(self._by_fee, entry)

    def _rank(self, heap: LazyHeap[Entry], entry: Entry) -> None:
        heap.push((entry.envelope.fee, -entry.sequence), entry, true_items=self.usage.entries)

    def _take(self, entry: Entry, why: Gone) -> None:
        entry.gone = why
        del self._queues[entry.envelope.sender].entries[entry.envelope.nonce]
        self.usage.take(entry)

    def _tidy(self, senders: Iterable[bytes]) -> None:
        """Forget empty queues and see who is ready, after a change is complete."""
        for sender in senders:
            queue = self._queues.get(sender)
            if queue is not None and not queue.entries:
                del self._queues[sender]
                queue = None
            self._update_ready(sender, queue)

    def _update_ready(self, sender: bytes, queue: _Queue | None) -> None:
        head = None if queue is None else queue.entries.get(queue.base)
        if head is not None and head.durable:
            self._ready.add(sender)
        else:
            self._ready.discard(sender)


def _check_replacement(old: Entry, new: Entry) -> None:
    fee = old.envelope.fee
    fee_min = max(fee + 1, -(-fee * (100 + REPLACEMENT_PERCENT) // 100))
    if new.envelope.fee < fee_min:
        raise Rejection(
            "FEE_TOO_LOW",
            f"fee {new.envelope.fee} does not beat {fee} of the envelope waiting with nonce {old.envelope.nonce}",
            f"a fee of at least {fee_min}, or the next free nonce",
        )
