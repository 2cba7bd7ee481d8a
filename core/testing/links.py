"""Links that lose, delay, repeat and reorder, and partitions: one seed decides every fate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from metanode.core.testing.schedule import Schedule


@dataclass(frozen=True)
class LinkFaults:
    """How bad the links are."""

    loss: float = 0.0
    """Share of messages that never arrive."""
    duplicated: float = 0.0
    """Share of messages that arrive twice."""
    delay_ms: tuple[int, int] = (1, 20)
    """Shortest and longest delay; a wide span also reorders."""
    slow: float = 0.0
    """Share of messages that take up to `slow_ms`."""
    slow_ms: int = 2_000


class FaultyLinks:
    """Carries messages between numbered nodes."""

    def __init__(self, schedule: Schedule, chance: Random, faults: LinkFaults) -> None:
        self._schedule = schedule
        self._chance = chance
        self.faults = faults
        self._islands: list[frozenset[int]] = []
        self._mute: set[tuple[int, int]] = set()

    def partition(self, islands: Iterable[Iterable[int]]) -> None:
        """Let messages pass only within an island; a node in none is alone."""
        self._islands = [frozenset(island) for island in islands]

    def cut(self, source: int, target: int) -> None:
        """Cut one direction of one link."""
        self._mute.add((source, target))

    def heal(self, faults: LinkFaults | None = None) -> None:
        """Join everything again; from now on with these faults, without any when None."""
        self._islands, self._mute = [], set()
        self.faults = faults or LinkFaults()

    def send(self, source: int, target: int, deliver: Callable[[], None]) -> None:
        """Carry one message, or lose it."""
        apart = self._islands and not any(source in island and target in island for island in self._islands)
        if apart or (source, target) in self._mute or self._chance.random() < self.faults.loss:
            return
        for _ in range(2 if self._chance.random() < self.faults.duplicated else 1):
            delay_ms = self._chance.randint(*self.faults.delay_ms)
            if self._chance.random() < self.faults.slow:
                delay_ms += self._chance.randint(0, self.faults.slow_ms)
            self._schedule.after(delay_ms, deliver)
