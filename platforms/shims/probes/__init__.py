"""Timings in C that tell a processor from a program that imitates one, each keyed by a challenge.

`load()` gives a `ProbeShim`, or None where the extension is not built or gives wrong results; `problem()` then says
why.  Read `probes.h` first: what each probe does and what C promises; then `runner.py`: how Python reaches it.
"""

from metanode.platforms.shims.probes.runner import (
    CHALLENGE_BYTES,
    CHASES,
    NAMES,
    STATUSES,
    ProbeShim,
    Taken,
    load,
    problem,
)

__all__ = ["CHALLENGE_BYTES", "CHASES", "NAMES", "STATUSES", "ProbeShim", "Taken", "load", "problem"]
