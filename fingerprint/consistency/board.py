"""Contradictions between a board and its processor, and the one fact that stays off chain: the timebase."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from metanode.fingerprint.consistency.contradiction import Contradiction
from metanode.fingerprint.inventory import Inventory
from metanode.fingerprint.models import Board, Facts, Models, Processor


def of_board(
    inventory: Inventory, board: Board, entries: tuple[Processor, ...], models: Models
) -> Iterator[Contradiction]:
    """Yield a processor that is none of the board's, upgrade cards included."""
    keys = models.keys(inventory)
    possible = {*keys, *(member for entry in entries for member in entry.members)}
    if keys and not possible & board.cpus:
        name = inventory.board.model or inventory.board.product_name
        yield Contradiction("CPU_NOT_ON_BOARD", f"{inventory.cpu.name or keys[-1]} on {name}")


def timebase_contradiction(places: Iterable[Facts], hertz: int) -> str:
    """Return in words that a timebase is none of this board's or processor's; "" when it may be.

    It ticks at a quarter of the bus on most PowerMacs, at a rate of its own on others.
    """
    for place in places:
        low, high = place.timebase_hz
        if high and hertz and not low <= hertz <= high:
            return f"timebase {hertz // 1000} kHz, not {low // 1000}-{high // 1000}"
    return ""
