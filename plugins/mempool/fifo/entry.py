"""What waits, and how much of it may."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from metanode.core.model.envelope import Envelope
from metanode.core.model.errors import Rejection
from metanode.core.model.kinds import Lane


class Gone(Enum):
    """Why an entry left the pool."""

    INCLUDED = "a block included it"
    DROPPED = "the ledger refused it at its place in a block"
    STALE = "its nonce was used by another envelope"
    EXPIRED = "no block took it in time"
    REPLACED = "a higher fee took its nonce"
    EVICTED = "the lane was full and others had the better claim"
    UNSAVED = "it could not be made durable"


@dataclass(eq=False)
class Entry:
    """One waiting envelope."""

    envelope: Envelope
    lane: Lane
    sequence: int
    """Order of arrival, unique."""
    expires_s: float
    """When it is forgotten, in the clock's monotonic seconds."""
    durable: bool = False
    """Saved; only then may a block take it."""
    gone: Gone | None = None
    size: int = field(init=False)
    """Encoded bytes."""

    def __post_init__(self) -> None:
        self.size = len(self.envelope.raw)


@dataclass(frozen=True)
class LaneLimits:
    """Bounds of one lane."""

    entries_max: int
    bytes_max: int


class Usage:
    """How full a lane is."""

    def __init__(self, limits: LaneLimits) -> None:
        self.limits = limits
        self.entries = 0
        self.bytes = 0

    def fits(self, entry: Entry) -> bool:
        """Tell whether one more entry stays within the bounds."""
        return self.entries < self.limits.entries_max and self.bytes + entry.size <= self.limits.bytes_max

    @property
    def is_half_empty(self) -> bool:
        """True while less than half of either bound is used."""
        return 2 * self.entries < self.limits.entries_max and 2 * self.bytes < self.limits.bytes_max

    def add(self, entry: Entry) -> None:
        """Count an entry in."""
        self.entries += 1
        self.bytes += entry.size

    def take(self, entry: Entry) -> None:
        """Count an entry out."""
        self.entries -= 1
        self.bytes -= entry.size

    def full(self, advice: str) -> Rejection:
        """Return the refusal of a full lane."""
        limits = self.limits
        return Rejection(
            "POOL_FULL",
            f"{self.entries} of {limits.entries_max} envelopes, {self.bytes} of {limits.bytes_max} bytes wait",
            advice,
        )
