"""Keyed probes: a small workload drawn from the challenge, with a result anyone can recompute.

The result shows that the workload was run for this very challenge, so neither a recording
nor an invented number passes; it says nothing about how fast or on what it ran.  Pure
integers, well below a millisecond in Python.  docs/fingerprint.md spells the algorithm out
for other languages.
"""

from __future__ import annotations

from collections.abc import Sequence

from metanode.core.model.errors import Rejection
from metanode.fingerprint.checks import FAIL, PASS, UNMEASURED, Check
from metanode.fingerprint.probes.workload import ACTIVE_PROBES, recompute
from metanode.platforms.shims import probes

PROBE_CHAIN = 1
"""A chain of dependent 64-bit integer steps."""
PROBES = (PROBE_CHAIN,)
KEYED, KEYED_ACTIVE = "keyed", "keyed_active"
"""The checks of both kinds of keyed probes."""
CHALLENGE_BYTES = 32
CHAIN_STEPS_MIN = 512
"""Fewest steps; the challenge adds 0 to 255."""

_MASK = (1 << 64) - 1
_ODD = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: odd, bits well spread


def run_keyed(challenge: bytes, probe: int) -> int:
    """Run a probe's workload and return its 64-bit result.

    :param challenge: 32 bytes.
    :raises Rejection: BAD_SHAPE, another length, or a probe this version does not know.
    """
    if len(challenge) != CHALLENGE_BYTES:
        raise Rejection("BAD_SHAPE", f"a challenge of {len(challenge)} bytes", f"{CHALLENGE_BYTES} bytes")
    if probe != PROBE_CHAIN:
        raise Rejection("BAD_SHAPE", f"keyed probe {probe} is unknown", f"one of {', '.join(map(str, PROBES))}")
    return _chain(challenge)


def _chain(challenge: bytes) -> int:
    """x starts as word 0; each step's operation is chosen by x itself, so no step can be skipped."""
    words = [int.from_bytes(challenge[at : at + 8], "big") for at in range(0, CHALLENGE_BYTES, 8)]
    x = words[0] ^ PROBE_CHAIN
    for step in range(CHAIN_STEPS_MIN + (words[3] & 0xFF)):
        choice = x & 3
        if choice == 0:
            x = x * (words[1] | 1)
        elif choice == 1:
            x = x + words[2]
        elif choice == 2:
            x = x ^ words[step & 3]
        else:
            x = (x << 13) | ((x & _MASK) >> 51)
        x = (x * _ODD + step) & _MASK
        x ^= x >> 29
    return x


def check_keyed(challenge: bytes, results: Sequence[tuple[int, int]]) -> Check:
    """Recompute every (probe, result) pair: pass when all are right, fail on the first wrong one.

    An empty list is unmeasured.  A probe that this version does not know fails.
    """
    if not results:
        return Check(KEYED, UNMEASURED, "NOT_RUN")
    for probe, result in results:
        if probe not in PROBES or run_keyed(challenge, probe) != result:
            return Check(KEYED, FAIL, "PROBE_MISMATCH", (("probe", probe),))
    return Check(KEYED, PASS, "KEYED_RIGHT", (("probes", len(results)),))


def check_active(challenge: bytes, results: Sequence[tuple[int, int]]) -> Check:
    """The same for the compiled probes: recomputed in C where that is built, else in Python, to the same verdict.

    At most one result of each probe, by rising number: less than 1 ms in C, 30 ms in Python.
    """
    if not results:
        return Check(KEYED_ACTIVE, UNMEASURED, "NOT_RUN")
    if len(challenge) != CHALLENGE_BYTES:
        raise Rejection("BAD_SHAPE", f"a challenge of {len(challenge)} bytes", f"{CHALLENGE_BYTES} bytes")
    shim, before = probes.load(), 0
    for probe, result in results:
        if probe not in ACTIVE_PROBES or probe <= before:
            return Check(KEYED_ACTIVE, FAIL, "PROBE_MISMATCH", (("probe", probe),))
        right = shim.recompute(probe, challenge) if shim else recompute(challenge, probe)
        if result != right:
            return Check(KEYED_ACTIVE, FAIL, "PROBE_MISMATCH", (("probe", probe),))
        before = probe
    return Check(KEYED_ACTIVE, PASS, "KEYED_RIGHT", (("probes", len(results)),))
