"""When a block is due: soon when envelopes wait, else often enough that challenges stay fresh (protocol.md 3)."""

from __future__ import annotations

from metanode.core.model.params import Params


def due_in_ms(params: Params, now_ms: int, parent_ms: int, *, waiting: bool) -> int:
    """Return how long until the block after the parent is due, milliseconds.

    A clock that was set back must not stop the chain: never longer than one interval.

    :param waiting: whether envelopes wait for it.
    """
    interval_ms = params.block_ms if waiting else params.empty_block_ms
    return max(0, interval_ms - max(0, now_ms - parent_ms))
