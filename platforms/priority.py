"""A program that is a guest on its machine lets everyone else go first."""

from __future__ import annotations

import os
from contextlib import suppress

NICENESS = 10
"""Well behind whoever works here, ahead of what only runs on an idle machine (19)."""


def lower_priority() -> None:
    """Give this process a lower priority for good: an ordinary user may lower it and never raise it again.

    So it is called once, as a program starts, and not around what measures.  Where the system has no priorities, or
    refuses, everything goes on as before.
    """
    if hasattr(os, "setpriority"):
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
