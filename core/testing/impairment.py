"""Links that delay, lose, reorder and cut, for packets of any kind: what becomes of each, without clock or socket.

The fate of the k-th packet of a path depends on seed, path and k alone, so a test knows beforehand which will be lost.
What carries real packets by these rules between real processes is `impaired_net`.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from random import Random

QUEUED_MAX = 4096
"""Packets under way on one path; a further one is lost, as in a router whose queue is full."""


@dataclass(frozen=True)
class Impairment:
    """How bad one direction of a link is."""

    delay_ms: float = 0.0
    """How long every packet takes at least."""
    jitter_ms: float = 0.0
    """Up to so much more, drawn anew for each packet; the order stays."""
    loss: float = 0.0
    """Share of packets that never arrive."""
    late: float = 0.0
    """Share of packets that take `late_ms` more and are overtaken meanwhile."""
    late_ms: float = 10.0


class Fates:
    """Draws what becomes of the packets of one path."""

    def __init__(self, seed: int, source: int, target: int) -> None:
        self._chance = Random(f"{seed}/{source}/{target}")

    def draw(self, impairment: Impairment) -> tuple[float, bool] | None:
        """Return the next packet's delay in seconds and whether others may overtake it; None when it is lost."""
        lost, late, jitter = (self._chance.random() for _ in range(3))  # as many for each, whatever its fate
        if lost < impairment.loss:
            return None
        delay_ms = impairment.delay_ms + jitter * impairment.jitter_ms
        if late < impairment.late:
            return (delay_ms + impairment.late_ms) / 1000, True
        return delay_ms / 1000, False


@dataclass
class Counts:
    """What happened to the packets of one path."""

    delivered: int = 0
    lost: int = 0
    cut: int = 0
    overflowed: int = 0


class _Path:
    def __init__(self, seed: int, source: int, target: int, impairment: Impairment) -> None:
        self.fates = Fates(seed, source, target)
        self.impairment = impairment
        self.cut = False
        self.last_due = 0.0
        self.queued = 0
        self.counts = Counts()


class Paths:
    """Every direction between numbered ports, each with a queue of its own."""

    def __init__(self, seed: int, ports: int, impairment: Impairment) -> None:
        self._paths = {
            (source, target): _Path(seed, source, target, impairment)
            for source in range(ports)
            for target in range(ports)
            if source != target
        }
        self._under_way: list[tuple[float, int, _Path, int, bytes]] = []
        self._taken = 0

    def impair(self, impairment: Impairment, *, source: int | None = None, target: int | None = None) -> None:
        """Set how bad paths are, for packets from now on: those from `source`, to `target`, or all."""
        for path in self._chosen(source, target):
            path.impairment = impairment

    def cut(self, *, source: int | None = None, target: int | None = None) -> None:
        """Let nothing pass from `source`, to `target`, or at all; what is under way still arrives."""
        for path in self._chosen(source, target):
            path.cut = True

    def heal(self) -> None:
        """Undo every cut."""
        for path in self._paths.values():
            path.cut = False

    def counts(self, source: int, target: int) -> Counts:
        """Return what happened on one path."""
        return self._paths[source, target].counts

    @property
    def next_due(self) -> float | None:
        """When the next packet arrives; None when none is under way."""
        return self._under_way[0][0] if self._under_way else None

    def take(self, source: int, target: int, packet: bytes, now: float) -> None:
        """Take a packet at its source."""
        path = self._paths.get((source, target))
        if path is None:  # no such port, or to itself: no network would carry it
            return
        fate = path.fates.draw(path.impairment)
        if path.cut:
            path.counts.cut += 1
        elif fate is None:
            path.counts.lost += 1
        elif path.queued >= QUEUED_MAX:
            path.counts.overflowed += 1
        else:
            delay_s, overtaken = fate
            due = now + delay_s
            if not overtaken:
                due = path.last_due = max(due, path.last_due)
            path.queued += 1
            self._taken += 1  # equal times keep their order
            heapq.heappush(self._under_way, (due, self._taken, path, target, packet))

    def due(self, now: float) -> list[tuple[int, bytes]]:
        """Return (target, packet) of all that have arrived, in order."""
        arrived = []
        while self._under_way and self._under_way[0][0] <= now:
            _, _, path, target, packet = heapq.heappop(self._under_way)
            path.queued -= 1
            path.counts.delivered += 1
            arrived.append((target, packet))
        return arrived

    def _chosen(self, source: int | None, target: int | None) -> list[_Path]:
        return [
            path for (start, end), path in self._paths.items() if source in (None, start) and target in (None, end)
        ]
