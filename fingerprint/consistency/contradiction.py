"""What a contradiction is: a code that never changes its meaning, words, and the numbers behind it."""

from __future__ import annotations

from typing import NamedTuple

CODES: dict[str, str] = {
    "BYTE_ORDER_IMPOSSIBLE": "this machine or processor never runs in this byte order",
    "WORD_SIZE_IMPOSSIBLE": "the processor or the kernel is too narrow for this width",
    "IDENTITY_IMPOSSIBLE": "the processor is numbered in the way of another architecture",
    "NAME_IMPOSSIBLE": "the processor's name is that of another one than its numbers are",
    "FEATURE_IMPOSSIBLE": "a feature is listed that this processor cannot have",
    "FEATURE_MISSING": "a feature is missing that every processor of this kind has",
    "CLOCK_IMPOSSIBLE": "the clock is higher than any such processor or board ever ran at",
    "CACHE_IMPOSSIBLE": "a cache has a size that this processor was never made with",
    "THREADS_IMPOSSIBLE": "there are more processors than the board holds, or more cores than threads",
    "MEMORY_IMPOSSIBLE": "there is more memory than the board or the processor can address",
    "CPU_NOT_ON_BOARD": "this board was never made or upgraded with this processor",
    "SOURCES_DISAGREE": "two sources that the machine itself read do not fit together",
    "FEATURES_MASKED": "features are hidden that every processor of this kind has, as hypervisors do",
}
"""Every code, in words.  They stand in checks by their lower case."""


class Contradiction(NamedTuple):
    """Facts that no one real machine shows together."""

    code: str
    """A key of `CODES`."""
    words: str
    """What does not fit, for the owner of the machine."""
    numbers: tuple[tuple[str, int], ...] = ()
    """What was found and what is possible; the unit ends the name."""
