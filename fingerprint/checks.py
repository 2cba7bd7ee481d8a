"""A check: one question about a machine, its three-valued answer, a reason and the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass

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
    def words(self) -> str:
        """The reason in plain words."""
        return REASONS[self.reason]
