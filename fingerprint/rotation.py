"""Which of the active checks an attestation answers: four of them in each epoch, drawn by the chain.

The draw depends on randomness that no one knew when the epoch before began, and is the same for every machine, so a
node can name the checks with its challenge and every validator finds the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable

from metanode.core.model.hashing import H
from metanode.fingerprint.probes.summaries import ratios, read_mb_s
from metanode.fingerprint.probes.workload import FP_ADD, FP_DIV, FP_MUL, INT_ADD, PATCH, SCALAR, SIMD, STREAM
from metanode.fingerprint.samples import Summary

READ_SPEED = "read_speed"
_PROBES: dict[str, tuple[int, ...]] = {
    "fp_add": (INT_ADD, FP_ADD),
    "fp_div_mul": (FP_MUL, FP_DIV),
    "simd_scalar": (SCALAR, SIMD),
    "patch": (INT_ADD, PATCH),
    READ_SPEED: (STREAM,),
}
ROTATING = tuple(_PROBES)
"""Every check that a verdict rests on: the four judged ratios, and the speed of reading memory."""
PER_EPOCH = 4
"""How many of them are asked for in an epoch."""


def selected(beta: bytes, epoch: int) -> tuple[str, ...]:
    """Return the checks of an epoch, in the order of ROTATING.

    :param beta: the VRF output of the parent of the epoch's first block; that of the genesis for the first epoch.
    """
    seed = beta + epoch.to_bytes(8, "big")
    ranked = sorted(ROTATING, key=lambda name: H("probe", seed + name.encode()))
    return tuple(name for name in ROTATING if name in ranked[:PER_EPOCH])


def measured(summaries: Iterable[Summary]) -> tuple[str, ...]:
    """Return the checks that these timings answer, in the order of ROTATING."""
    given = tuple(summaries)
    found = {*ratios(given), *((READ_SPEED,) if read_mb_s(given) else ())}
    return tuple(name for name in ROTATING if name in found)


def to_bits(checks: Iterable[str]) -> int:
    """Return checks as a machine's record in the state holds them: bit i is check i of ROTATING."""
    return sum(1 << ROTATING.index(name) for name in checks)


def from_bits(bits: int) -> tuple[str, ...]:
    """Return the checks of a record in the state."""
    return tuple(name for at, name in enumerate(ROTATING) if bits >> at & 1)


def probes_of(checks: Iterable[str]) -> tuple[int, ...]:
    """Return the compiled probes that these checks are made of, by rising number."""
    return tuple(sorted({probe for name in checks for probe in _PROBES[name]}))
