"""A check: one question about a machine, its three-valued answer, a reason and the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

PASS = "pass"
FAIL = "fail"
UNMEASURED = "unmeasured"
VERDICTS = (PASS, FAIL, UNMEASURED)

REASONS: dict[str, str] = {
    "NO_SIGN": "nothing on this machine says that it is a virtual machine",
    "VM_DETECTED": "the machine itself says that it is a virtual machine",
    "VM_HINTED": "something fits a virtual machine, but nothing says so outright",
    "NO_EMULATOR_SIGN": "nothing about this process looks like an emulator's work",
    "EMULATOR_DETECTED": "the process runs under an emulator of another processor",
    "EMULATOR_HINTED": "something fits an emulator, but nothing says so outright",
    "NO_CONTAINER_SIGN": "nothing on this machine says that it is a container",
    "CONTAINER_HINTED": "something fits a container, where hardware may be shared with others",
    "NOT_LOOKED_AT": "none of the places that would show a sign could be read",
    "CONSISTENT": "what was read fits together",
    "CONTRADICTION": "two facts cannot both be true of one real machine",
    "NO_MODEL_DATA": "there is no rule for this kind of processor yet",
    "BOUND_TO_HARDWARE": "the binding tag rests on identifiers burnt into hardware",
    "BOUND_TO_SOFTWARE": "the binding tag rests on the operating system's machine id, easily copied or changed",
    "NO_IDENTIFIER": "nothing readable tells this machine from another",
    "KEYED_RIGHT": "the workload drawn from the challenge was run to its end",
    "PROBE_MISMATCH": "a keyed probe's result is not what its challenge gives",
    "NOT_RUN": "the probe was not run",
    "TIMER_STEADY": "the timer never ran backwards and its steps are fine enough to time with",
    "TIMER_BACKWARDS": "the timer ran backwards",
    "TIMER_COARSE": "the timer's steps are too coarse to time anything with",
    "TOO_NOISY": "the samples differ too much from each other to judge",
    "WITHIN_CEILING": "memory is no faster than a machine of this class can be",
    "MEMORY_TOO_FAST": "memory is faster than any real machine of this class",
    "NO_ENVELOPE": "measured, but no calibrated range exists for this processor, so it is not judged",
    "NEEDS_COMPILED_PROBE": "the standard library cannot measure this; it needs the compiled probes",
    "WITHIN_ENVELOPE": "the timings fit this processor",
    "ONE_RATIO_OUTSIDE": "one timing does not fit this processor, and one alone decides nothing",
    "TOO_FEW_RATIOS": "too little could be measured to tell a processor from a program that imitates one",
    "AGREES": "a second tool says the same",
    "DISAGREES": "a second tool says something else",
    "NO_ANSWER": "the second tool gave no answer",
}
"""Every reason code, in words.  VM_DETECTED, EMULATOR_DETECTED and PROBE_MISMATCH are error codes as well."""


class Meaning(NamedTuple):
    """What people need to know of a check."""

    question: str
    worth: str
    """What its verdict does to the weight."""


_BONUS = "a fail holds the base at that of modern hardware"
_DISGUISE = "a fail leaves vm_weight of the base; without an answer the base is 1.0 at most"
_TOLD = "nothing: told to compare with, no range is known"
MEANINGS: dict[str, Meaning] = {
    "virtual_machine": Meaning("does the machine itself say that it is virtual?", _DISGUISE),
    "emulator": Meaning("does the process look like an emulator's work?", _DISGUISE),
    "consistency": Meaning("can all that was read be true of one real machine?", _BONUS),
    "container": Meaning("is this a container?", "nothing: a container is no virtual machine"),
    "binding": Meaning("what tells this machine from others?", "nothing by itself: each binding tag is paid once"),
    "keyed": Meaning("was the chain of steps run for this challenge?", "nothing by itself: a wrong one is refused"),
    "timer": Meaning("can this clock time anything?", _BONUS),
    "memory_speed": Meaning("can a machine of this class copy memory so fast?", _BONUS),
    "memory_latency": Meaning("how long does memory keep the processor waiting?", _TOLD),
    "float_int_add_ratio": Meaning("how do both kinds of addition compare in Python?", _TOLD),
    "float_mul_add_ratio": Meaning("how do products and sums compare here?", _TOLD),
    "keyed_active": Meaning(
        "were the compiled probes run for this challenge, enough of them to decide?",
        "without a pass the base is the legacy_cap at most"
    ),
    "execution_engine": Meaning(
        "do the timings fit the processor that is claimed?", "a fail makes it an emulator: vm_weight of the base"
    ),
    "memory_ceiling": Meaning("can the claimed processor's bus carry what was read?", _BONUS),
}
"""Every check that a weight is computed with, in the order of a report."""


@dataclass(frozen=True)
class Check:
    """One answered question."""

    name: str
    verdict: str
    """`pass`, `fail` or `unmeasured`; an unmeasured check neither pays nor punishes by itself."""
    reason: str
    """A key of `REASONS`."""
    numbers: tuple[tuple[str, int], ...] = ()
    """What the verdict was drawn from; the unit ends the name."""

    def __post_init__(self) -> None:
        assert self.verdict in VERDICTS, self.verdict
        assert self.reason in REASONS, self.reason

    @property
    def meaning(self) -> Meaning:
        """What it asks and what it is worth; for a second opinion, that it changes nothing."""
        return MEANINGS.get(self.name, Meaning("what does a second tool say?", "nothing: it is shown only"))

    @property
    def words(self) -> str:
        """The reason in plain words."""
        return REASONS[self.reason]
