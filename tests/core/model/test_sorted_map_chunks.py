"""How the sorted map keeps its chunks: few enough to search, small enough to copy."""

from __future__ import annotations

import pytest

from metanode.core.model.sorted_map import CHUNK_MAX, CHUNK_MIN, SortedMap


def entries(begin: int, end: int) -> dict[bytes, bytes | None]:
    """Return entries with rising keys."""
    return {number.to_bytes(4, "big"): b"v" for number in range(begin, end)}


def sizes(version: SortedMap) -> list[int]:
    """Return how many entries each chunk holds."""
    return [len(keys) for keys, _ in version._chunks]


@pytest.mark.parametrize("count", [1, 2, CHUNK_MAX - 1, CHUNK_MAX])
def test_what_fits_one_chunk_is_one_chunk(count: int) -> None:
    """Up to the limit itself."""
    assert sizes(SortedMap().update(entries(0, count))) == [count]


@pytest.mark.parametrize("count", [CHUNK_MAX + 1, 2 * CHUNK_MAX, 2 * CHUNK_MAX + 1, 1_000, 5_000])
def test_what_does_not_fit_is_cut_into_equal_parts_of_at_most_half_the_limit(count: int) -> None:
    """So that the next insertions do not split again."""
    found = sizes(SortedMap().update(entries(0, count)))
    assert sum(found) == count
    assert max(found) <= CHUNK_MAX // 2
    assert len(set(found[:-1])) == 1
    assert found[0] > CHUNK_MIN


def test_a_chunk_joins_its_left_neighbour_only_below_the_minimum() -> None:
    """At the minimum it stands alone."""
    full = SortedMap().update(entries(0, CHUNK_MAX + 1))
    first, second, third = sizes(full)
    begin = first + second
    removed = entries(begin, begin + third - CHUNK_MIN)
    at_minimum = full.update(dict.fromkeys(removed))
    assert sizes(at_minimum) == [first, second, CHUNK_MIN]
    below = at_minimum.update({(CHUNK_MAX).to_bytes(4, "big"): None})
    assert sizes(below) == [first, second + CHUNK_MIN - 1]


def test_a_map_is_small_in_memory() -> None:
    """A node keeps hundreds of versions, so an instance has no dictionary."""
    assert not hasattr(SortedMap(), "__dict__")
    assert CHUNK_MAX // 8 < CHUNK_MIN < CHUNK_MAX // 2
