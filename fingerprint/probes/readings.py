"""What the compiled probes gave, and what follows from it without judging: ratios, speeds, the latency curve.

Ratios are made of the summaries that a validator sees, so that every one of them reaches the same number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd
from typing import Any, NamedTuple

from metanode.fingerprint.probes import summaries
from metanode.fingerprint.probes.summaries import KIND_BASE, RATIOS
from metanode.fingerprint.probes.workload import ACTIVE_PROBES, CHASES, TIMER, draw
from metanode.fingerprint.samples import SAMPLES_MIN, Measurement
from metanode.platforms.shims.probes import NAMES, STATUSES

KNEE_PERMILLE = 1500
"""A rise from one ring to the next, twice as large, that a cache's end explains."""

class Reading(NamedTuple):
    """All samples of one probe, in the order taken."""

    probe: int
    status: str
    """`ok`, or why there are no samples: `unsupported`, `refused`, `wrong` or `not_run`."""
    repeat: int
    """Repetitions of the workload within one sample."""
    result: int
    """64 bits; right when `workload.recompute` gives the same."""
    ns: tuple[int, ...]

    @property
    def name(self) -> str:
        """The probe's name."""
        return NAMES[self.probe]

    @property
    def least_ns(self) -> int:
        """The fastest sample; 0 without enough of them."""
        return min(self.ns) if len(self.ns) >= SAMPLES_MIN else 0

    @property
    def spread_permille(self) -> int:
        """How far the median lies above the fastest sample, in thousandths."""
        ordered = sorted(self.ns)
        return (ordered[len(ordered) // 2] - ordered[0]) * 1000 // ordered[0] if ordered and ordered[0] else 0


class Readings(NamedTuple):
    """All probes of one run."""

    challenge: bytes
    by_probe: Mapping[int, Reading]

    def results(self) -> tuple[tuple[int, int], ...]:
        """Return (probe, result) of every probe that ran, by rising number: what a validator recomputes."""
        return tuple((probe, reading.result) for probe, reading in sorted(self.by_probe.items()) if reading.ns)

    def measurements(self) -> tuple[Measurement, ...]:
        """Return in picoseconds per step what may go on chain, by rising kind: every probe but the timer."""
        return tuple(
            Measurement(KIND_BASE + probe, tuple(ns * 1000 // self._steps(reading) for ns in reading.ns))
            for probe, reading in sorted(self.by_probe.items())
            if reading.ns and probe != TIMER
        )

    def ratios(self) -> dict[str, int]:
        """Return in thousandths each of RATIOS that was measured."""
        return summaries.ratios(item.summary for item in self.measurements())

    def missing(self) -> dict[str, str]:
        """Return why each other one of RATIOS was not measured, as the status of the probe in its way."""
        why: dict[str, str] = {}
        measured = self.ratios()
        for name, pair in RATIOS.items():
            if name not in measured:
                states = (self.by_probe[probe].status if probe in self.by_probe else "not_run" for probe in pair)
                why[name] = next((state for state in states if state != "ok"), "not_run")
        return why

    def read_mb_s(self) -> int:
        """Return how fast memory was read in order, in MB/s of 10^6 bytes; 0 when not measured."""
        return summaries.read_mb_s(item.summary for item in self.measurements())

    def latency_curve(self) -> tuple[tuple[int, int], ...]:
        """Return (bytes of the ring, picoseconds per step) of each walk, by rising size."""
        least = summaries.fastest_ps(item.summary for item in self.measurements())
        return tuple((draw(self.challenge, probe).size(probe)[1], least[probe]) for probe in CHASES if probe in least)

    def knees(self) -> tuple[int, ...]:
        """Return the largest ring, in bytes, before each steep rise of the curve: at most as large as a cache.

        Under an emulator they are the host's.
        """
        curve = self.latency_curve()
        return tuple(
            size
            for (size, before), (_, after) in zip(curve, curve[1:], strict=False)
            if after * 1000 >= before * KNEE_PERMILLE
        )

    def timer_ns(self) -> tuple[int, int]:
        """Return the smallest step of the clock that is not zero, and the largest number that divides all steps."""
        reading = self.by_probe.get(TIMER)
        steps = [step for step in reading.ns if step > 0] if reading else []
        return min(steps, default=0), gcd(*steps)

    def _steps(self, reading: Reading) -> int:
        """Return the steps that one sample holds."""
        return draw(self.challenge, reading.probe).steps * reading.repeat


def to_json(readings: Readings) -> dict[str, Any]:
    """Return what a capture file holds of one run."""
    return {
        "challenge": readings.challenge.hex(),
        "probes": {
            reading.name: {
                "status": reading.status, "repeat": reading.repeat, "result": f"{reading.result:016x}",
                "ns": list(reading.ns),
            }
            for _, reading in sorted(readings.by_probe.items())
        },
    }  # fmt: skip


def from_json(data: Mapping[str, Any]) -> Readings:
    """Read one run of a capture file.

    :raises ValueError: a probe that is not known.
    """
    numbers = {name: number for number, name in NAMES.items()}
    if strangers := set(data["probes"]) - set(numbers):
        raise ValueError(f"unknown probes {', '.join(sorted(strangers))}")
    return Readings(
        bytes.fromhex(data["challenge"]),
        {
            numbers[name]: Reading(
                numbers[name], entry["status"], entry["repeat"], int(entry["result"], 16), tuple(entry["ns"])
            )
            for name, entry in data["probes"].items()
        },
    )


def from_program(challenge: bytes, text: str) -> Readings:
    """Read what the program contrib/arch/probes.c printed.

    :raises ValueError: a line is not of its form.
    """
    found = {}
    for line in text.splitlines():
        probe, status, steps, size, repeat, result, right, *samples = line.split()
        number = int(probe)
        if (int(steps), int(size)) != draw(challenge, number).size(number) or number not in ACTIVE_PROBES:
            raise ValueError(f"probe {number} did another work: {line[:80]}")
        word = "wrong" if right == "wrong" else STATUSES[int(status)]
        ns: Sequence[int] = tuple(map(int, samples)) if word == "ok" else ()
        found[number] = Reading(number, word, int(repeat), int(result, 16), tuple(ns))
    return Readings(challenge, found)
