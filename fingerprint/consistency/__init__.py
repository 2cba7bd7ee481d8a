"""Consistency: contradictions within an inventory, by the model database.  Pure and integer-only.

Real machines vary, so a rule holds only what none of them can show: an upgrade card, a clock scaled down or
overclocked, a kernel's way of counting must pass.  What the database does not know is not held against anyone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from metanode.fingerprint.checks import FAIL, PASS, UNMEASURED, Check
from metanode.fingerprint.consistency.board import of_board, timebase_contradiction
from metanode.fingerprint.consistency.contradiction import CODES, Contradiction
from metanode.fingerprint.consistency.processor import of_architecture, of_caches, of_limits, of_processor
from metanode.fingerprint.inventory import Inventory
from metanode.fingerprint.models import Facts, Models, load_models
from metanode.fingerprint.virtual import FEATURES_MASKED, SOURCES_DISAGREE

__all__ = ["CODES", "Contradiction", "check_consistency", "contradictions", "timebase_disagreement"]

_TOLD = {SOURCES_DISAGREE: "SOURCES_DISAGREE", FEATURES_MASKED: "FEATURES_MASKED"}
"""Signs by which the machine's own miner says that its sources do not fit together."""


def contradictions(inventory: Inventory, models: Models | None = None) -> tuple[Contradiction, ...]:
    """Return each contradiction once, in the order of `CODES`; empty when everything fits.

    :param models: the database; the shipped one when None.
    """
    found = set(_all(inventory, models or load_models()))
    order = list(CODES)
    return tuple(sorted(found, key=lambda item: (order.index(item.code), item)))


def _all(inventory: Inventory, models: Models) -> Iterator[Contradiction]:
    entries, board = models.entries(inventory), models.board(inventory)
    places: tuple[Facts, ...] = (*entries, board) if board else entries
    yield from of_architecture(inventory, models)
    yield from of_processor(inventory, entries, models)
    yield from of_limits(inventory, places)
    yield from of_caches(inventory, places)
    if board:
        yield from of_board(inventory, board, entries, models)
    for sign in inventory.signs:
        if sign.code in _TOLD:
            yield Contradiction(_TOLD[sign.code], sign.evidence)


def check_consistency(inventory: Inventory) -> Check:
    """Return the check over all rules: unmeasured where the database knows neither processor nor board.

    The numbers are how many contradictions there are, then each code with how often it was found and the numbers of
    the first of its kind.
    """
    found, models = contradictions(inventory), load_models()
    if found:
        return Check("consistency", FAIL, "CONTRADICTION", (("contradictions", len(found)), *_numbers(found)))
    if not models.entries(inventory) and models.board(inventory) is None:
        return Check("consistency", UNMEASURED, "NO_MODEL_DATA")
    return Check("consistency", PASS, "CONSISTENT", (("contradictions", 0),))


def _numbers(found: Iterable[Contradiction]) -> Iterator[tuple[str, int]]:
    by_code: dict[str, list[Contradiction]] = {}
    for item in found:
        by_code.setdefault(item.code, []).append(item)
    told: set[str] = set()
    for code, items in by_code.items():
        yield code.lower(), len(items)
        for name, number in items[0].numbers:
            if name not in told:
                told.add(name)
                yield name, number


def timebase_disagreement(inventory: Inventory, hertz: int) -> str:
    """Return in words that a timebase fits neither processor nor board, "" when it may; inventories do not carry it."""
    models = load_models()
    board = models.board(inventory)
    return timebase_contradiction((*models.entries(inventory), *((board,) if board else ())), hertz)
