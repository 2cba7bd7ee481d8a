"""The probes of the extension: one call takes some samples, and another recomputes what the result must be.

A call takes some milliseconds and lets go of the interpreter lock.  Order, repetitions and time budget are the
caller's (`fingerprint.probes.compiled`).
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

CHALLENGE_BYTES = 32
"""Length of a challenge."""

NAMES: dict[int, str] = {
    16: "int_add", 17: "int_mul", 18: "int_div", 19: "fp_add", 20: "fp_mul", 21: "fp_div",
    22: "scalar", 23: "simd", 24: "call", 25: "patch", 26: "stream", 27: "timer",
    **{32 + index: f"chase_{index}" for index in range(11)},
}  # fmt: skip
"""Probes by number, as in probes.h."""
CHASES = range(32, 43)
"""The walks through memory, by rising size: 4 to 5.5 KiB, then each twice that."""
STATUSES = ("ok", "null", "range", "unsupported", "refused", "wrong")
"""Words for the status codes of probes.h."""

_CHALLENGE = bytes(range(CHALLENGE_BYTES))
_RIGHT = {
    16: 0x04D6454CCA675448, 17: 0xCB9D3735A4D203A5, 18: 0xD46F86988980B3DA, 19: 0x207146B18B8102A6,
    20: 0x0736FDB2D8784035, 21: 0x11917C4640D25637, 22: 0x8BB077714883FE72, 23: 0x57AB86E4B72DF679,
    24: 0xD3467BE06BD56CC3, 25: 0x3B41DC96E0AC498C, 26: 0x63EC7927546C2290, 27: 0x1268FD44CF5AB25A,
    32: 0x83DC1027A9C92A92, 42: 0x85DF3E89DA9339A0,
}  # fmt: skip
"""Results for the challenge 00 01 ... 1f; docs/fingerprint.md publishes them."""


class Taken(NamedTuple):
    """What one call gave."""

    status: str
    """One of STATUSES; without `ok` there is nothing else."""
    ns: tuple[int, ...]
    """Samples in the order taken, nanoseconds for all repetitions."""
    result: int
    """64 bits; the same for any count and repetition."""


class ProbeShim:
    """The probes of this machine.  Safe from any thread."""

    def __init__(self, module: Any) -> None:
        """Take the compiled extension.

        :raises ValueError: it recomputes other results than those published.
        """
        self._ffi = module.ffi
        self._lib = module.lib
        for probe, right in _RIGHT.items():
            if self.recompute(probe, _CHALLENGE) != right:
                raise ValueError(f"probe {probe} ({NAMES[probe]}) is recomputed wrong")

    def supported(self, probe: int) -> bool:
        """Whether this processor and build have what the probe needs."""
        status: int = self._lib.mn_probe_supported(probe)
        return STATUSES[status] == "ok"

    def size(self, probe: int, challenge: bytes) -> tuple[int, int]:
        """Return the steps of one repetition, and the bytes of memory it touches.

        :raises ValueError: no such probe, or a challenge of another length.
        """
        steps, size = self._ffi.new("uint32_t *"), self._ffi.new("uint32_t *")
        self._check(self._lib.mn_probe_size(probe, challenge, len(challenge), steps, size), probe)
        return int(steps[0]), int(size[0])

    def run(self, probe: int, challenge: bytes, *, repeat: int = 1, count: int = 1) -> Taken:
        """Take `count` samples of `repeat` repetitions each.

        :raises ValueError: no such probe, a challenge of another length, or a number out of its range.
        """
        if not 1 <= count <= self._lib.MN_SAMPLES_MAX or not 1 <= repeat <= self._lib.MN_REPEAT_MAX:
            raise ValueError(f"{count} samples of {repeat} repetitions")
        samples, result = self._ffi.new("int64_t[]", count), self._ffi.new("uint64_t *")
        status = self._lib.mn_probe_run(probe, challenge, len(challenge), repeat, samples, count, result)
        word = STATUSES[status]
        if word in ("unsupported", "refused", "wrong"):
            return Taken(word, (), 0)
        self._check(status, probe)
        return Taken(word, tuple(map(int, samples)), int(result[0]))

    def recompute(self, probe: int, challenge: bytes) -> int:
        """Return the result that a probe must give; well below 1 ms.

        :raises ValueError: no such probe, or a challenge of another length.
        """
        result = self._ffi.new("uint64_t *")
        self._check(self._lib.mn_probe_recompute(probe, challenge, len(challenge), result), probe)
        return int(result[0])

    def _check(self, status: int, probe: int) -> None:
        if status != self._lib.MN_OK:
            raise ValueError(f"probe {probe} was refused: {STATUSES[status]}")


def load() -> ProbeShim | None:
    """Return the probes, or None; `problem()` then says why."""
    return _load()[0]


def problem() -> str:
    """Return why `load` answers None, in one line; empty when it does not."""
    return _load()[1]


def _load() -> tuple[ProbeShim | None, str]:
    try:
        module = importlib.import_module("metanode.platforms.shims._probes")
    except ImportError as error:
        reason = "is not built" if isinstance(error, ModuleNotFoundError) else "does not fit this Python"
        return None, f"the probes' extension {reason}: {error}"
    try:
        return ProbeShim(module), ""
    except (AttributeError, ValueError) as error:  # an extension of another version lacks functions
        return None, f"the probes' extension cannot be used: {error}; rebuild it"
