"""Slots, epochs and intervals: how block time is cut up.  Integers only, milliseconds throughout."""

from __future__ import annotations

from dataclasses import dataclass

from metanode.core.model.genesis import Genesis

DAY_MS = 86_400_000


@dataclass(frozen=True)
class Schedule:
    """The calendar of one chain.  Slots, intervals and epochs are all counted from genesis as 0."""

    genesis_ms: int
    slot_ms: int
    slots_per_epoch: int
    attest_every_slots: int
    """Slots in an interval; divides `slots_per_epoch` (a rule of `Params`), so no interval spans two epochs."""

    @classmethod
    def of(cls, genesis: Genesis) -> Schedule:
        """Return the calendar that a genesis fixes."""
        params = genesis.params
        return cls(genesis.genesis_ms, params.slot_ms, params.slots_per_epoch, params.attest_every_slots)

    @property
    def intervals_per_epoch(self) -> int:
        """How often a machine can count in one epoch."""
        return self.slots_per_epoch // self.attest_every_slots

    @property
    def epoch_ms(self) -> int:
        """Length of an epoch."""
        return self.slot_ms * self.slots_per_epoch

    def slot(self, time_ms: int) -> int:
        """Return the slot of a block time, which is never before genesis."""
        return (time_ms - self.genesis_ms) // self.slot_ms

    def epoch(self, time_ms: int) -> int:
        """Return the epoch of a block time."""
        return self.slot(time_ms) // self.slots_per_epoch

    def interval(self, slot: int) -> int:
        """Return the interval that a slot lies in."""
        return slot // self.attest_every_slots

    def epoch_of_interval(self, interval: int) -> int:
        """Return the epoch that an interval lies in."""
        return interval // self.intervals_per_epoch

    def interval_bit(self, interval: int) -> int:
        """Return the bit of an interval in the bitmap of its epoch."""
        return 1 << interval % self.intervals_per_epoch

    def interval_start_ms(self, interval: int) -> int:
        """Return when an interval begins."""
        return self.genesis_ms + interval * self.attest_every_slots * self.slot_ms

    def epoch_start_ms(self, epoch: int) -> int:
        """Return when an epoch begins."""
        return self.genesis_ms + epoch * self.epoch_ms

    def days(self, epoch: int) -> int:
        """Return the whole days from genesis to the start of an epoch: what decay counts."""
        return epoch * self.epoch_ms // DAY_MS
