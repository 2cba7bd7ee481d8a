"""The recent finalised headers that consensus rules may look back to.

An attestation names the height of its challenge; every validator must find the same header
hash and time there, or find that it is too old.  What lies within `look_back_ms` of block time
stays in memory: 40 bytes a header.
"""

from __future__ import annotations

from metanode.core.model.params import Params

LOOK_BACK_EPOCHS = 2
"""How far back a rule may look, in epochs: a late attestation's slot lies in this epoch or the one before."""
HASH_BYTES = 32
ENTRY_BYTES = HASH_BYTES + 8


def look_back_ms(params: Params) -> int:
    """Return how far before the head's time rules may look, ms: two epochs, or as long as a challenge is fresh.

    The longer of both, so that a slow machine's fresh challenge is known where epochs are short.
    """
    return max(LOOK_BACK_EPOCHS * params.slot_ms * params.slots_per_epoch, params.challenge_fresh_ms)


class HeaderIndex:
    """An append-only window of (header_hash, time_ms) by height, trimmed at its old end."""

    def __init__(self, genesis_hash: bytes, genesis_ms: int, window_ms: int) -> None:
        self._genesis = (genesis_hash, genesis_ms)
        self._window_ms = window_ms
        self._first = 1
        self._entries = bytearray()

    @property
    def last_height(self) -> int:
        """The newest height held; 0 when only genesis is known."""
        return self._first + len(self._entries) // ENTRY_BYTES - 1

    def start_at(self, height: int) -> None:
        """Begin the window at `height`; only before the first `append`."""
        assert not self._entries, "the window already holds headers"
        self._first = height

    def append(self, header_hash: bytes, time_ms: int) -> None:
        """Add the next header and forget what no rule may look at any more."""
        self._entries += header_hash + time_ms.to_bytes(8, "big")
        floor = time_ms - self._window_ms
        stale = 0
        while self._time(stale) < floor:
            stale += 1
        if stale >= TRIM_ENTRIES:
            del self._entries[: stale * ENTRY_BYTES]
            self._first += stale

    def at(self, height: int) -> tuple[bytes, int] | None:
        """Return (header_hash, time_ms) at `height`, genesis as 0; None when unknown or outside the window.

        The window is a rule, not a cache: a header older than it is None on every node,
        whether or not this one still happens to hold it.
        """
        if height == 0:
            entry = self._genesis
        elif self._first <= height <= self.last_height:
            index = height - self._first
            start = index * ENTRY_BYTES
            entry = (bytes(self._entries[start : start + HASH_BYTES]), self._time(index))
        else:
            return None
        newest_ms = self._time(self.last_height - self._first) if self._entries else self._genesis[1]
        return entry if entry[1] >= newest_ms - self._window_ms else None

    def _time(self, index: int) -> int:
        start = index * ENTRY_BYTES + HASH_BYTES
        return int.from_bytes(self._entries[start : start + 8], "big")


TRIM_ENTRIES = 1024
"""Trim in steps: moving the whole window for every block would cost more than it frees."""
