"""The wait between tries grows, is capped, and never collapses."""

from __future__ import annotations

from metanode.miner.backoff import BACKOFF_S_MAX, delay_s


def test_the_wait_doubles_up_to_its_cap() -> None:
    """The upper end of each range."""
    assert [delay_s(attempt, 2, lambda: 1.0) for attempt in (1, 2, 3, 20, 10_000)] == [
        2,
        4,
        8,
        BACKOFF_S_MAX,
        BACKOFF_S_MAX,
    ]


def test_jitter_stays_in_the_upper_half() -> None:
    """A herd spreads out, and no draw makes a miner hammer."""
    assert delay_s(3, 2, lambda: 0.0) == 4.0
