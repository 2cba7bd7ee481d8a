"""A persistent sorted map from bytes to bytes: every version stays valid and shares what did not change.

Entries lie in chunks of at most `CHUNK_MAX`, in rising key order.  An update copies only the
chunks it touches and the short list of chunks, so old versions cost next to nothing to keep.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence

CHUNK_MAX = 128
"""Most entries in one chunk; larger ones are split."""
CHUNK_MIN = CHUNK_MAX // 4
"""A chunk that shrinks below this joins its left neighbour."""

_Chunk = tuple[tuple[bytes, ...], tuple[bytes, ...]]
"""Keys, and the value of each."""


class SortedMap:
    """Entries by rising key.  Immutable: `update` returns the next version."""

    __slots__ = ("_chunks", "_count", "_firsts")

    def __init__(self, chunks: Sequence[_Chunk] = ()) -> None:
        self._chunks = tuple(chunks)
        self._firsts = [keys[0] for keys, _ in self._chunks]
        self._count = sum(len(keys) for keys, _ in self._chunks)

    def __len__(self) -> int:
        return self._count

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""
        place = bisect_right(self._firsts, key) - 1
        if place < 0:
            return None
        keys, values = self._chunks[place]
        at = bisect_left(keys, key)
        return values[at] if at < len(keys) and keys[at] == key else None

    def items_from(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) by rising key from the first key at or after `start`."""
        place = max(bisect_right(self._firsts, start) - 1, 0)
        for keys, values in self._chunks[place:]:
            at = bisect_left(keys, start)
            yield from zip(keys[at:], values[at:], strict=True)

    def update(self, changes: Mapping[bytes, bytes | None]) -> SortedMap:
        """Return this map with `changes` applied; None removes a key, absent ones too."""
        pending = sorted(changes)
        chunks: list[_Chunk] = []
        at = done = 0
        while at < len(pending):
            place = max(bisect_right(self._firsts, pending[at]) - 1, 0)
            chunks += self._chunks[done:place]
            after = place + 1
            end = bisect_left(pending, self._firsts[after], at) if after < len(self._firsts) else len(pending)
            chunk = self._chunks[place] if self._chunks else ((), ())
            _append(chunks, *_changed(chunk, pending[at:end], changes))
            at, done = end, after
        chunks += self._chunks[done:]
        return SortedMap(chunks)


def _changed(
    chunk: _Chunk, pending: Sequence[bytes], changes: Mapping[bytes, bytes | None]
) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Return keys and values of a chunk after its changes; the keys themselves when only values change."""
    keys: Sequence[bytes] = chunk[0]
    values = list(chunk[1])
    for key in pending:
        value = changes[key]
        at = bisect_left(keys, key)
        present = at < len(keys) and keys[at] == key
        if present and value is not None:
            values[at] = value
        elif present or value is not None:
            written = keys if isinstance(keys, list) else list(keys)
            if value is None:
                del written[at], values[at]
            else:
                written.insert(at, key)
                values.insert(at, value)
            keys = written
    return keys, values


def _append(chunks: list[_Chunk], keys: Sequence[bytes], values: Sequence[bytes]) -> None:
    """Add entries that follow all of `chunks`, cut to size."""
    if chunks and len(keys) < CHUNK_MIN:
        left_keys, left_values = chunks.pop()
        keys, values = [*left_keys, *keys], [*left_values, *values]
    # Equal parts of about half the limit, so that a growing chunk is not split at every insertion.
    parts = 1 if len(keys) <= CHUNK_MAX else -(-2 * len(keys) // CHUNK_MAX)
    size = max(-(-len(keys) // parts), 1)
    for begin in range(0, len(keys), size):
        chunks.append((tuple(keys[begin : begin + size]), tuple(values[begin : begin + size])))
