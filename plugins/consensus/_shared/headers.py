"""The recent finalised headers that consensus rules may look back to.

An attestation names the height of its challenge, and the ledger asks for the header hash and time
there.  A plain lookup: what is too old to be used is the ledger's rule; here it only decides what
is kept in memory, 40 bytes a header.
"""

from __future__ import annotations

HASH_BYTES = 32
ENTRY_BYTES = HASH_BYTES + 8
TRIM_ENTRIES = 1024
"""Trim in steps: moving the whole window for every block would cost more than it frees."""


class HeaderIndex:
    """An append-only window of (header_hash, time_ms) by height, trimmed at its old end.

    One thread appends; any thread may read meanwhile.
    """

    def __init__(self, genesis_hash: bytes, genesis_ms: int, window_ms: int) -> None:
        """:param window_ms: at least what lies this far before the newest header is kept."""
        self._genesis = (genesis_hash, genesis_ms)
        self._window_ms = window_ms
        # One attribute, replaced as a whole: a reader never sees a height counted from another start.
        self._held: tuple[int, bytearray] = (1, bytearray())

    @property
    def last_height(self) -> int:
        """The newest height held; 0 when only genesis is known."""
        first, entries = self._held
        return first + len(entries) // ENTRY_BYTES - 1

    def start_at(self, height: int) -> None:
        """Begin the window at `height`; only before the first `append`."""
        assert not self._held[1], "the window already holds headers"
        self._held = (height, self._held[1])

    def append(self, header_hash: bytes, time_ms: int) -> None:
        """Add the next header and forget old ones in steps.

        `TRIM_ENTRIES` too old for the newest header stay, so that a reader who still judges by an
        earlier head finds what that head may look back to.
        """
        first, entries = self._held
        entries += header_hash + time_ms.to_bytes(8, "big")
        newest_stale = 2 * TRIM_ENTRIES - 1
        if len(entries) // ENTRY_BYTES > newest_stale and _time(entries, newest_stale) < time_ms - self._window_ms:
            self._held = (first + TRIM_ENTRIES, entries[TRIM_ENTRIES * ENTRY_BYTES :])

    def at(self, height: int) -> tuple[bytes, int] | None:
        """Return (header_hash, time_ms) at `height`, genesis as 0; None when it is not held."""
        if height == 0:
            return self._genesis
        first, entries = self._held
        index = height - first
        if not 0 <= index < len(entries) // ENTRY_BYTES:
            return None
        start = index * ENTRY_BYTES
        return bytes(entries[start : start + HASH_BYTES]), _time(entries, index)


def _time(entries: bytearray, index: int) -> int:
    start = index * ENTRY_BYTES + HASH_BYTES
    return int.from_bytes(entries[start : start + 8], "big")
