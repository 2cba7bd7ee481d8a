"""One forgery: how it is done, what became of it, and what that is worth; and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from standing import Told

from metanode.fingerprint.scoring import CAP_FAILED_PROBE

if TYPE_CHECKING:
    from scene import Scene

EMULATED = "EMULATOR_DETECTED"
REFUSED, UNPAID, LOWERED, NOT_CAUGHT = "refused", "unpaid", "lowered", "NOT CAUGHT"
VERDICTS = {
    REFUSED: "the node refuses it, with this code; nothing comes on chain",
    UNPAID: "it comes on chain and earns nothing",
    LOWERED: "it is caught, and still earns what a modern computer does: less than what it claims to be would",
    NOT_CAUGHT: "nothing tells it from an honest machine; only caps and limits bound what it earns",
}
"""How a forgery can end, from good to bad."""


@dataclass(frozen=True)
class Outcome:
    """What became of a forgery.  Nothing here depends on time or on how fast a machine is."""

    accepted: bool
    klass: str = ""
    weight: int = 0
    payable: int = 0
    """Of one machine, in billionths."""
    machines: int = 1
    """How many the cheater got on chain with it."""
    codes: tuple[str, ...] = ()
    """What it was refused with, or the reasons of the checks that failed."""
    caps: tuple[str, ...] = ()
    note: str = ""
    """What else was seen, in words."""

    @property
    def verdict(self) -> str:
        """One of VERDICTS."""
        if not self.accepted:
            return REFUSED
        if not self.payable * self.machines:
            return UNPAID
        return LOWERED if self.codes else NOT_CAUGHT


def came_to(told: Told, *, machines: int = 1, note: str = "") -> Outcome:
    """Return the outcome of a forgery that stands on chain.

    An emulator's memory is as fast as its host's, so what that shows beside the emulator itself is left out.
    """
    codes, caps = told.failed, told.caps
    if EMULATED in codes:
        codes = tuple(code for code in codes if code != "MEMORY_TOO_FAST")
        caps = tuple(cap for cap in caps if cap != CAP_FAILED_PROBE)
    return Outcome(True, told.klass, told.weight, told.payable, machines, codes, caps, note)


def without_gain(note: str, *codes: str) -> Outcome:
    """Return the outcome of a forgery that was taken and brings its author nothing."""
    return Outcome(True, codes=codes, note=note)


@dataclass(frozen=True)
class Forgery:
    """One way to cheat."""

    name: str
    title: str
    how: str
    """What the cheater does, in a sentence or two."""
    answer: str
    """What stops it, or what bounds it where nothing does."""
    run: Callable[[Scene], Outcome]
    """Does it; a MetanodeError is its refusal."""


MODULES = ("invented", "replayed", "emulated", "identities", "calibrated")
"""Where forgeries stand, in the order of their numbers."""
_found: list[Forgery] = []


def all_forgeries() -> list[Forgery]:
    """Return all of them: a forgery's number is its place."""
    for name in MODULES:
        import_module(name)
    return _found


def forgery(name: str, title: str, *, how: str, answer: str) -> Callable[[Callable[[Scene], Outcome]], None]:
    """Add a forgery to the list."""

    def register(run: Callable[[Scene], Outcome]) -> None:
        assert all(other.name != name for other in _found), name
        _found.append(Forgery(name, title, how, answer, run))

    return register
