"""Runs the compiled probes within a time budget, in turns, and keeps every sample.

About 0.1 s on a PC, 1 s on a 400 MHz G4.  Without the extension there is nothing here: interpreted code costs more
than what these probes look for, so their questions stay unmeasured.
"""

from __future__ import annotations

from collections.abc import Collection

from metanode.fingerprint.probes import Progress
from metanode.fingerprint.probes.budget import Budget
from metanode.fingerprint.probes.readings import Reading, Readings
from metanode.fingerprint.probes.workload import ACTIVE_PROBES, CHASES, INT_ADD, PATCH, STREAM, TIMER, draw
from metanode.platforms.shims.probes import NAMES, ProbeShim, load

ROUNDS = 45
"""Samples of each short probe."""
ROUNDS_BETWEEN = 4
"""Rounds between two walks through memory, so that they spread over the whole time."""
MEMORY_SAMPLES = 9
"""Samples of each walk and of the stream; their memory is mapped once."""
TIMER_SAMPLES = 64
"""Steps of the clock that are looked at."""
MEMORY_BYTES_MAX = 6 << 20
"""Most memory that a probe may touch; the largest ring and the stream fit."""
TICKS_MIN = 50
"""A sample lasts at least so many steps of the clock, or it would measure the clock."""
REPEAT_MAX = 4096
"""Most repetitions within one sample, as in probes.h."""

_SHORT = range(INT_ADD, PATCH + 1)
_MEMORY = (STREAM, *CHASES)


def measure_compiled(
    challenge: bytes,
    *,
    budget: Budget | None = None,
    probes: Collection[int] = ACTIVE_PROBES,
    memory_bytes_max: int = MEMORY_BYTES_MAX,
    rounds: int = ROUNDS,
    progress: Progress | None = None,
    shim: ProbeShim | None = None,
) -> Readings | None:
    """Run the probes that this machine has; None where the extension is not built.

    :param probes: only these are run, and the timer, which the others are measured by.
    :param memory_bytes_max: probes that touch more are not run.
    :param rounds: samples of each short probe.

    A probe whose turn did not come within the budget has few samples or none; a result that is not what the challenge
    asks for makes its probe `wrong`: arithmetic here is not what it must be.
    """
    shim = shim or load()
    if shim is None:
        return None
    small = [probe for probe in probes if draw(challenge, probe).size(probe)[1] <= memory_bytes_max]
    return _Run(shim, challenge, budget or Budget(), small, rounds, progress).readings()


class _Run:
    """One pass over all probes."""

    def __init__(
        self,
        shim: ProbeShim,
        challenge: bytes,
        budget: Budget,
        probes: Collection[int],
        rounds: int,
        progress: Progress | None,
    ) -> None:
        self._shim = shim
        self._challenge = challenge
        self._budget = budget
        self._progress = progress
        self._rounds = rounds
        self._short = [probe for probe in _SHORT if probe in probes]
        self._memory = [probe for probe in _MEMORY if probe in probes]
        self._samples: dict[int, list[int]] = {probe: [] for probe in ACTIVE_PROBES}
        self._repeat = dict.fromkeys(self._samples, 1)
        self._result = dict.fromkeys(self._samples, 0)
        self._status = dict.fromkeys(self._samples, "ok")
        self._done, self._total = 0, (rounds + 1) * len(self._short) + len(self._memory) + 1

    def readings(self) -> Readings:
        """Take all samples."""
        self._take(TIMER, TIMER_SAMPLES)
        tick = min((step for step in self._samples[TIMER] if step > 0), default=1)
        for probe in self._short:
            self._warm_up(probe, tick)
        memory = iter(self._memory)
        for number in range(self._rounds):
            for probe in self._short:
                self._take(probe, 1)
            if number % ROUNDS_BETWEEN == 0 and (probe := next(memory, 0)):
                self._take(probe, MEMORY_SAMPLES)
        for probe in memory:
            self._take(probe, MEMORY_SAMPLES)
        if self._progress is not None:
            self._progress(self._total, self._total, "")
        return Readings(self._challenge, {probe: self._reading(probe) for probe in self._samples})

    def _take(self, probe: int, count: int) -> None:
        if self._progress is not None:
            self._progress(self._done, self._total, NAMES[probe].replace("_", " "))
        self._done += 1
        if self._status[probe] != "ok" or self._budget.over(len(self._samples[probe])):
            return
        taken = self._shim.run(probe, self._challenge, repeat=self._repeat[probe], count=count)
        if taken.status == "ok" and self._samples[probe] and taken.result != self._result[probe]:
            self._status[probe] = "wrong"
        elif taken.status != "ok":
            self._status[probe] = taken.status
        self._result[probe] = taken.result
        self._samples[probe] += taken.ns

    def _warm_up(self, probe: int, tick: int) -> None:
        """Run once unseen, and learn how many repetitions make a sample long enough for the clock."""
        self._take(probe, 1)
        once = self._samples[probe].pop() if self._samples[probe] else 0
        self._repeat[probe] = min(REPEAT_MAX, 1 + TICKS_MIN * tick // once if once > 0 else REPEAT_MAX)

    def _reading(self, probe: int) -> Reading:
        status, samples = self._status[probe], tuple(self._samples[probe])
        if status == "ok" and not samples:
            status = "not_run"
        elif status == "ok" and self._result[probe] != self._shim.recompute(probe, self._challenge):
            status = "wrong"
        return Reading(probe, status, self._repeat[probe], self._result[probe], samples if status == "ok" else ())
