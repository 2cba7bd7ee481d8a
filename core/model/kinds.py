"""Kinds of envelope: the numbers that are taken, and the registry a node fills from its plugins.

A kind says what an envelope's body means.  Its number is on the wire and never reused;
the whole table, with what is not built yet, is in docs/wire_format.md.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from metanode.core.model.errors import PluginError, Rejection

TRANSFER = 1
MACHINE_COMMIT = 2
MACHINE_REVEAL = 3
ATTEST = 4
MACHINE_UNBIND = 5
BOND = 6
UNBOND = 7
GOVERN = 8
EVIDENCE = 9

KIND_NAMES: dict[int, str] = {
    TRANSFER: "transfer",
    MACHINE_COMMIT: "machine_commit",
    MACHINE_REVEAL: "machine_reveal",
    ATTEST: "attest",
    MACHINE_UNBIND: "machine_unbind",
    BOND: "bond",
    UNBOND: "unbond",
    GOVERN: "govern",
    EVIDENCE: "evidence",
    10: "seal",
    11: "seal_reveal",
    12: "attest_foreign",
    13: "transfer_foreign",
    14: "record",
    15: "logblock_root",
    16: "anchor_receipt",
}
"""Names of the taken numbers; a plugin may register one of them under this name only."""

PLUGIN_KIND_MIN = 32
"""The first number that a plugin may choose for a kind of its own; 17 to 31 are kept for later rules."""


class Lane(enum.Enum):
    """Where a waiting envelope queues.

    Each lane has its own bounds, so a flood in one cannot starve another.  Kinds that
    carry a nonce all share TRANSACTION: an account's order cannot be split between lanes.
    """

    CONSENSUS = "consensus"
    ATTESTATION = "attestation"
    TRANSACTION = "transaction"


@dataclass(frozen=True)
class Kind:
    """What a node must know of a kind before it looks at any state."""

    number: int
    name: str
    nonceless: bool
    """True: nonce and fee are 0 and the kind brings its own replay key."""
    lane: Lane
    decode_body: Callable[[bytes], object]
    """Decode and check the body alone; raises CodecError or Rejection."""


class KindRegistry:
    """The kinds one node accepts, filled once from its plugins."""

    def __init__(self) -> None:
        self._kinds: dict[int, Kind] = {}

    def register(self, kind: Kind) -> None:
        """Add a kind.

        :raises PluginError: the number or name is taken, kept for later rules, or the lane does not fit.
        """
        name_kept = KIND_NAMES.get(kind.number)
        if name_kept is None and kind.number < PLUGIN_KIND_MIN:
            raise PluginError(
                "PLUGIN_BROKEN", f"kind {kind.number} ({kind.name}) is not a free number", f"{PLUGIN_KIND_MIN} or above"
            )
        if name_kept is not None and kind.name != name_kept:
            raise PluginError(
                "PLUGIN_BROKEN", f"kind {kind.number} is named {kind.name}", f"{name_kept}, as in docs/wire_format.md"
            )
        for known in self._kinds.values():
            if known.number == kind.number or known.name == kind.name:
                raise PluginError(
                    "PLUGIN_BROKEN",
                    f"kind {kind.number} ({kind.name}) clashes with {known.number} ({known.name})",
                    "one registration per kind",
                )
        if kind.nonceless == (kind.lane is Lane.TRANSACTION):
            raise PluginError(
                "PLUGIN_BROKEN",
                f"kind {kind.name} (nonceless: {kind.nonceless}) asks for lane {kind.lane.value}",
                "lane transaction for kinds with a nonce, another for kinds without",
            )
        self._kinds[kind.number] = kind

    def get(self, number: int) -> Kind:
        """Return a kind.

        :raises Rejection: UNKNOWN_KIND.
        """
        kind = self._kinds.get(number)
        if kind is None:
            name = KIND_NAMES.get(number, "no name")
            known = ", ".join(f"{k.number} {k.name}" for k in self.all()) or "none"
            raise Rejection("UNKNOWN_KIND", f"kind {number} ({name}) is not registered", f"one of: {known}")
        return kind

    def all(self) -> tuple[Kind, ...]:
        """Return the registered kinds by rising number."""
        return tuple(self._kinds[number] for number in sorted(self._kinds))
