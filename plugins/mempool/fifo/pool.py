"""The rules of the pool, pure: no clock, no disk, no tasks.

An envelope enters by `admit`, may be taken by a block after `confirm` (it is durable), and leaves
with a reason (`Entry.gone`).  Bounds hold after every call.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from metanode.core.model.envelope import Envelope
from metanode.core.model.errors import Rejection
from metanode.core.model.kinds import Lane
from metanode.plugins.mempool.fifo.entry import Entry, Gone, LaneLimits
from metanode.plugins.mempool.fifo.fee_lane import FeeLane
from metanode.plugins.mempool.fifo.free_lane import FreeLane, Rank

LANE_PERCENT = {Lane.CONSENSUS: 5, Lane.ATTESTATION: 25, Lane.TRANSACTION: 70}
"""Each lane's part of the pool's places and bytes; nothing is lent, so a flood in one costs no other."""
assert sum(LANE_PERCENT.values()) == 100
assert LANE_PERCENT.keys() == set(Lane)
_PAYS = Lane.TRANSACTION


class Pool:
    """Waiting envelopes in their lanes."""

    def __init__(self, *, entries_max: int, bytes_max: int) -> None:
        limits = {
            lane: LaneLimits(entries_max * percent // 100, bytes_max * percent // 100)
            for lane, percent in LANE_PERCENT.items()
        }
        self._by_id: dict[bytes, Entry] = {}
        self._paying = FeeLane(limits[Lane.TRANSACTION])
        self._free = {lane: FreeLane(limits[lane]) for lane in (Lane.CONSENSUS, Lane.ATTESTATION)}
        self._sequence = 0

    @property
    def has_ready(self) -> bool:
        """True while a block could take something."""
        return self._paying.has_ready or any(lane.has_ready for lane in self._free.values())

    def get(self, envelope_id: bytes) -> Entry | None:
        """Return a waiting entry."""
        return self._by_id.get(envelope_id)

    def entries(self) -> Iterator[Entry]:
        """Yield all entries."""
        yield from self._by_id.values()

    def senders(self) -> Collection[bytes]:
        """Return everyone who has an envelope with a nonce waiting."""
        return self._paying.senders()

    def next_nonce(self, sender: bytes, base: int) -> int:
        """Return the nonce a sender's next envelope should carry, given its next one on chain."""
        return self._paying.next_nonce(sender, base)

    def admit(self, envelope: Envelope, lane: Lane, *, base: int, expires_s: float) -> tuple[Entry, list[Entry]]:
        """Queue a checked envelope; return its entry and those that had to leave for it.

        :param base: the sender's next nonce on chain; of no meaning outside Lane.TRANSACTION.
        :raises Rejection: REPLAYED (the same id waits), BAD_NONCE, FEE_TOO_LOW, POOL_FULL; then nothing changed.
        """
        if envelope.id in self._by_id:
            raise Rejection("REPLAYED", f"envelope {envelope.id.hex()} is waiting already")
        self._sequence += 1
        entry = Entry(envelope, lane, self._sequence, expires_s)
        left = self._paying.admit(entry, base) if lane is _PAYS else self._free[lane].admit(entry)
        for gone in left:
            self._forget(gone)
        self._by_id[envelope.id] = entry
        return entry, left

    def confirm(self, entry: Entry) -> None:
        """Let blocks take an entry that is durable now and has not left meanwhile."""
        self._lane(entry).confirm(entry)

    def include(self, envelope_ids: Sequence[bytes]) -> tuple[list[Entry], bool]:
        """Take out what a block included; return the entries, and whether all of it waited here."""
        found = [entry for entry in map(self._by_id.get, envelope_ids) if entry is not None]
        self._paying.remove([entry for entry in found if entry.lane is _PAYS], Gone.INCLUDED)
        for entry in found:
            if entry.lane is not _PAYS:
                self._free[entry.lane].remove(entry, Gone.INCLUDED)
            self._forget(entry)
        return found, len(found) == len(envelope_ids)

    def remove(self, envelope_id: bytes, why: Gone) -> Entry | None:
        """Take out an entry and return it, if it waits."""
        entry = self._by_id.get(envelope_id)
        if entry is not None:
            if entry.lane is _PAYS:
                self._paying.remove([entry], why)
            else:
                self._free[entry.lane].remove(entry, why)
            self._forget(entry)
        return entry

    def rebase(self, nonces: Mapping[bytes, int]) -> list[Entry]:
        """Learn next nonces on chain; return the entries this takes out."""
        stale = self._paying.rebase(nonces)
        for entry in stale:
            self._forget(entry)
        return stale

    def expire(self, *, height: int, now_s: float) -> list[Entry]:
        """Take out what may not stand in block `height` or has waited too long; return it."""
        late = [e for e in self._by_id.values() if e.envelope.valid_until < height or e.expires_s <= now_s]
        for entry in late:
            self.remove(entry.envelope.id, Gone.EXPIRED)
        return late

    def select(self, *, count_max: int, bytes_max: int, attests_max: int, rank: Rank) -> list[Envelope]:
        """Return durable envelopes for a block: consensus, attestations, then those that pay.

        Attestations fill at most half of the bytes, so that they and those that pay always both move.
        """
        chosen = self._free[Lane.CONSENSUS].select(count_max, bytes_max, rank)
        room = min(count_max - len(chosen), attests_max)
        bytes_left = bytes_max - sum(entry.size for entry in chosen)
        chosen += self._free[Lane.ATTESTATION].select(room, min(bytes_left, bytes_max // 2), rank)
        bytes_left = bytes_max - sum(entry.size for entry in chosen)
        chosen += self._paying.select(count_max - len(chosen), bytes_left)
        return [entry.envelope for entry in chosen]

    def stats(self) -> dict[str, int]:
        """Return counts and bytes, whole and per lane."""
        usages = {lane: self._free[lane].usage for lane in self._free} | {Lane.TRANSACTION: self._paying.usage}
        stats = {
            "entries": sum(usage.entries for usage in usages.values()),
            "bytes": sum(usage.bytes for usage in usages.values()),
        }
        for lane, usage in usages.items():
            stats[f"{lane.value}_entries"] = usage.entries
            stats[f"{lane.value}_bytes"] = usage.bytes
        return stats

    def _lane(self, entry: Entry) -> FeeLane | FreeLane:
        return self._paying if entry.lane is _PAYS else self._free[entry.lane]

    def _forget(self, entry: Entry) -> None:
        del self._by_id[entry.envelope.id]
