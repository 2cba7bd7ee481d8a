"""Which instruction set hashes: what is built, what this processor has, what METANODE_SIMD allows, what is right.

At load every path that may run hashes the same inputs as the portable one.  One that differs is dropped, loudly: a
wrong digest would fork this node from its network.  The best of the rest stays selected.
"""

from __future__ import annotations

import os
import warnings
from array import array
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, NamedTuple

from metanode.platforms.shims.blake3.provider import ShimProvider

PORTABLE = "portable"
PATHS = (PORTABLE, "sse41", "avx2", "avx512", "neon", "altivec")
"""Names in the order of the bits in blake3.h."""
BEST_FIRST = ("avx512", "avx2", "sse41", "neon", "altivec", PORTABLE)
VARIABLE = "METANODE_SIMD"
"""`none` for the portable path alone, or the paths that are allowed, with commas between; portable always is."""


class PathState(NamedTuple):
    """What there is to say of one path."""

    name: str
    built: bool
    supported: bool
    """By this processor and its operating system."""
    enabled: bool
    """By METANODE_SIMD."""
    dropped: str
    """Why a path that could run does not; empty when nothing is wrong with it."""

    @property
    def usable(self) -> bool:
        """Whether it may be selected."""
        return self.built and self.supported and self.enabled and not self.dropped


def allowed(environ: Mapping[str, str]) -> tuple[frozenset[str], str]:
    """Return the paths that METANODE_SIMD allows, and what is wrong with its value, if anything."""
    value = environ.get(VARIABLE, "").strip().lower()
    if not value:
        return frozenset(PATHS), ""
    names = {name.strip() for name in value.split(",")} - {"", "none"}
    unknown = sorted(names - set(PATHS))
    problem = ""
    if unknown:
        problem = f"{VARIABLE} names {', '.join(unknown)}, which is no path; there are none, {', '.join(PATHS)}"
    return frozenset(names & set(PATHS)) | {PORTABLE}, problem


def choose(provider: ShimProvider, lib: Any) -> tuple[PathState, ...]:
    """Check every path that may run and leave the best of those that are right selected.

    :raises ValueError: the portable path itself is wrong; nothing of this extension may be used.
    """
    names, problem = allowed(os.environ)
    if problem:
        warnings.warn(problem, RuntimeWarning, stacklevel=2)
    built, supported = lib.mn_blake3_paths_built(), lib.mn_blake3_paths_supported()
    lib.mn_blake3_select(PATHS.index(PORTABLE))
    expected = transcript(provider)
    if provider.digest(expected).hex() != TRANSCRIPT_DIGEST:
        raise ValueError("the portable path gives wrong digests")
    states = []
    for bit, name in enumerate(PATHS):
        state = PathState(name, bool(built >> bit & 1), bool(supported >> bit & 1), name in names, "")
        if state.usable and name != PORTABLE:
            reason = _wrong(provider, lib, bit, expected)
            if reason:
                warnings.warn(f"BLAKE3 path {name} is dropped: {reason}", RuntimeWarning, stacklevel=2)
                state = state._replace(dropped=reason)
        states.append(state)
    select(lib, next(name for name in BEST_FIRST for state in states if state.name == name and state.usable))
    return tuple(states)


def select(lib: Any, name: str) -> None:
    """Let a path hash from now on, in the whole process.

    :raises ValueError: it is not built or this processor cannot run it.
    """
    if lib.mn_blake3_select(PATHS.index(name)) != lib.MN_OK:
        raise ValueError(f"this machine cannot run the BLAKE3 path {name}")


def selected(lib: Any) -> str:
    """Return the name of the path that hashes now."""
    return PATHS[lib.mn_blake3_selected()]


def _wrong(provider: ShimProvider, lib: Any, bit: int, expected: bytes) -> str:
    if lib.mn_blake3_select(bit) != lib.MN_OK:
        return "it cannot be selected although it is built and supported"
    try:
        got = transcript(provider)
    except ValueError as error:
        return f"its self-test was refused: {error}"
    return "" if got == expected else "it gives other digests than the portable path"


_CONTEXT = "metanode/v1/self-test"
_SINGLES = (1, 64, 65, 640, 1024, 1025, 5121, 20000)
"""One block, many, one chunk, several, and more chunks than the widest path takes at once."""
_LENGTHS = (*(i * 29 % 259 for i in range(150)), 1024, 1025, 3000)
"""Of the messages of a batch: each count of blocks often enough to fill all lanes, and some that are trees."""
TRANSCRIPT_DIGEST = "4234971cafbb7b2f2fb92513aeaf3078e1cfded3bd6d1ce8810b418bfaf05c99"
"""What the portable path's answers hash to; tests compute it with the Python reference."""


def transcript(provider: ShimProvider) -> bytes:
    """Return the answers of the selected path to everything that is asked of it, end to end."""
    data = bytes(range(251)) * 100
    offsets = array("Q", accumulate(_LENGTHS, initial=0))
    answers = [provider.digest(data[:length]) for length in _SINGLES]
    answers.append(provider.keyed(data[:32], data[:3000], 131))
    answers.append(provider.derive_key(_CONTEXT, data[:3000]))
    answers.append(bytes(provider.digest_packed(data, offsets)))
    answers.append(bytes(provider.derive_key_packed(_CONTEXT, data, offsets)))
    answers.append(provider.list_tree(_CONTEXT, _CONTEXT, _CONTEXT).root_packed(data, offsets))
    return b"".join(answers)
