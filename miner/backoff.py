"""How long to wait before trying again: exponential, capped, jittered, so that a herd spreads out."""

from __future__ import annotations

from collections.abc import Callable

BACKOFF_S_MAX = 300.0
"""Longest wait between two tries."""


def delay_s(attempt: int, base: int, draw: Callable[[], float]) -> float:
    """Return the wait before try number `attempt` + 1, in seconds.

    :param attempt: how many tries have failed, from 1.
    :param base: `backoff_base`, seconds.
    :param draw: a uniform draw from [0, 1); the wait lies in the upper half of its range, so that it
        neither collapses to nothing nor meets everyone else's.

    Source: Brooker, "Exponential Backoff And Jitter", 2015 ("equal jitter").
    """
    ceiling = min(BACKOFF_S_MAX, base * 2.0 ** min(attempt - 1, 32))
    return ceiling * (0.5 + draw() / 2)
