"""The workloads of the compiled probes once more, in Python integers: what a challenge asks for, and its result.

The second implementation that the vectors are held to, and what a validator without the extension recomputes by.
docs/fingerprint.md spells the workloads out; `platforms/shims/probes` times them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

INT_ADD, INT_MUL, INT_DIV, FP_ADD, FP_MUL, FP_DIV = range(16, 22)
SCALAR, SIMD, CALL, PATCH, STREAM, TIMER = range(22, 28)
CHASES = range(32, 43)
ACTIVE_PROBES = (*range(INT_ADD, TIMER + 1), *CHASES)

_ODD = 0x9E3779B97F4A7C15
_MASK64 = (1 << 64) - 1
_MASK32 = (1 << 32) - 1
_LANES = 16
_LINE_BYTES = 64
_CHASE_STEPS = 2048
_TIMER_READS = 512
_CODE_MASK = 0x7FFF
_STEPS: dict[int, tuple[int, int]] = {
    INT_ADD: (1024, 255), INT_MUL: (256, 63), FP_ADD: (256, 63), FP_MUL: (256, 63), SCALAR: (32, 7), PATCH: (3, 1),
    INT_DIV: (64, 15), FP_DIV: (64, 15), CALL: (64, 15),
}  # fmt: skip
"""Steps are 16 times (the first number + what the second, a mask, leaves of a draw)."""


class Work(NamedTuple):
    """What a challenge asks of one probe.  Which fields count depends on the probe."""

    steps: int
    start: int
    a: int
    b: int
    lanes: tuple[int, ...] = ()
    """Of the vector work; of a walk, its number of lines."""

    def size(self, probe: int) -> tuple[int, int]:
        """Return steps of one repetition and bytes of memory touched."""
        if probe == STREAM:
            return self.steps, 4 * self.steps
        return self.steps, self.lanes[0] * _LINE_BYTES if probe in CHASES else 0


def draw(challenge: bytes, probe: int) -> Work:
    """Return the work; the fields are those 64 bits that were drawn, cut by whoever uses them."""
    # The vectors do the same work as the plain registers.
    numbers = _draws(challenge, SCALAR if probe == SIMD else probe)
    if probe in CHASES:
        return _walk(numbers, probe - CHASES.start)
    lanes: tuple[int, ...] = ()
    if probe == TIMER:
        steps = 1
    elif probe == STREAM:
        steps = ((4 << 20) + (next(numbers) & 7) * (64 << 10)) // 4
    else:
        base, mask = _STEPS[SCALAR if probe == SIMD else probe]
        steps = 16 * (base + (next(numbers) & mask))
        if probe in (SCALAR, SIMD):
            lanes = tuple(next(numbers) & _MASK32 for _ in range(_LANES))
    return Work(steps, next(numbers), next(numbers), next(numbers), lanes)


def recompute(challenge: bytes, probe: int) -> int:
    """Return the 64-bit result that a probe must give for a challenge of 32 bytes."""
    work = draw(challenge, probe)
    return _mixed(_raw(probe, work) ^ probe << 56)


def _mixed(state: int) -> int:
    """One step of splitmix64 (Steele, Lea, Flood, 2014)."""
    z = (state + _ODD) & _MASK64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & _MASK64
    z = (z ^ z >> 27) * 0x94D049BB133111EB & _MASK64
    return z ^ z >> 31


def _stream_from(state: int) -> Iterator[int]:
    while True:
        yield _mixed(state)
        state = (state + _ODD) & _MASK64


def _draws(challenge: bytes, probe: int) -> Iterator[int]:
    state = probe
    for at in range(0, len(challenge), 8):
        state = _mixed(state ^ int.from_bytes(challenge[at : at + 8], "big"))
    return _stream_from(state)


def _walk(numbers: Iterator[int], index: int) -> Work:
    q = 8 + (next(numbers) & 3)
    lines = q << (3 + index)
    odd = q if q % 2 else q // (q & -q)
    a = 1 + 4 * odd * (next(numbers) % (lines // (4 * odd) - 1) | 1)
    b = 1 + 2 * odd * (next(numbers) % (lines // (2 * odd)))
    return Work(_CHASE_STEPS, next(numbers) % lines, a, b, (lines,))


def _raw(probe: int, work: Work) -> int:
    if probe in CHASES:
        x, (lines,) = work.start, work.lanes
        for _ in range(work.steps):
            x = (work.a * x + work.b) % lines
        return lines << 32 | x
    if probe in (FP_ADD, FP_MUL, FP_DIV):
        return _floating(probe, work)
    if probe == PATCH:
        return _patched(work)
    # Odd, so that no product becomes zero.
    x, a, b = ((number | 1) & _MASK32 for number in (work.start, work.a, work.b))
    if probe in (SCALAR, SIMD):
        return _vectors(work, a, b)
    if probe == STREAM:
        return (work.steps * a + work.steps * (work.steps - 1) // 2 * b) & _MASK32
    if probe == TIMER:
        return (x + _TIMER_READS * (a + b)) & _MASK32
    if probe == INT_ADD:
        return (x + work.steps // 2 * (a + b)) & _MASK32
    pair = (a, b)
    if probe == INT_DIV:
        pair, x = (a | 1 << 31, b | 1 << 31), x | 1 << 15
    for step in range(work.steps):
        if probe == INT_MUL:
            x = x * pair[step & 1] & _MASK32
        elif probe == INT_DIV:
            x = pair[step & 1] // x | 1 << 15
        else:
            x = (x + (b & _CODE_MASK) & _MASK32) ^ a & _CODE_MASK
    return x


def _vectors(work: Work, a: int, b: int) -> int:
    state = 0
    for x in work.lanes:
        for _ in range(work.steps):
            x = x + a & _MASK32
            x = (x << 16 & _MASK32 | x >> 16) ^ b
        state = _mixed(state ^ x)
    return state


def _patched(work: Work) -> int:
    x, constants = (work.start | 1) & _MASK32, _stream_from(work.start)
    for _ in range(work.steps):
        drawn = next(constants)
        x = (x + (drawn >> 32 & _CODE_MASK) & _MASK32) ^ drawn & _CODE_MASK
    return x


def _floating(probe: int, work: Work) -> int:
    """Binary64 with integers, rounded to nearest and ties to even: Python's own depends on how it was built."""
    if probe == FP_ADD:
        start, a, b = (number & (1 << 36) - 1 for number in (work.start, work.a, work.b))
        return start + work.steps // 2 * (a + b)
    hidden = 1 << 52
    mantissa, exponent = hidden | work.start & hidden - 1, 0
    pair = tuple(hidden | number & (1 << 42) - 1 for number in (work.a, work.b))
    for step in range(work.steps):
        operand = pair[step & 1]
        if probe == FP_MUL:
            exact, sticky = mantissa * operand, 0
            exponent -= 52
        else:
            exact, sticky = divmod(mantissa << 56, operand)
            exponent -= 4
        below = exact.bit_length() - 53
        half, rest = 1 << below - 1, exact & (1 << below) - 1
        mantissa = exact >> below
        mantissa += rest > half or (rest == half and bool(sticky or mantissa & 1))
        exponent += below
        if mantissa == 2 * hidden:
            mantissa, exponent = hidden, exponent + 1
    return exponent + 1023 << 52 | mantissa & hidden - 1
