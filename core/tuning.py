"""How the interpreter shares its time in a node: one event loop that must answer, and workers that compute.

Only a program that owns its process calls `tune`; an embedded node uses what its host has set.
Measured in docs/decisions/0007-the-door.md.
"""

from __future__ import annotations

import gc
import sys

SWITCH_INTERVAL_S = 0.0005
"""Longest a computing worker keeps the interpreter from the event loop.  Python's own 5 ms would be paid at
every read and write of a socket while a block is being executed."""
COLLECT_AFTER = 40_000
"""New objects between two runs of the cycle collector.  A full pool and a state of many accounts are few cycles and
many objects: Python's own 700 spends a tenth of the time on looking at them again."""


def tune() -> None:
    """Set both for this process."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(COLLECT_AFTER, 20, 20)
