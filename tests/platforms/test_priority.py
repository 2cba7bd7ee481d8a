"""Lower priority: a process of its own, for it can never be raised again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from metanode.platforms.priority import NICENESS

LOWERED = """
import os
from metanode.platforms.priority import lower_priority
{before}
lower_priority()
print(os.getpriority(os.PRIO_PROCESS, 0))
"""


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="this system has no priorities")
@pytest.mark.parametrize(
    ("before", "priority"), [("", max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0))), ("os.nice(19)", 19)]
)
def test_a_guest_goes_last_and_never_ahead_of_where_it_was(before: str, priority: int) -> None:
    """Someone who started it with a lower priority keeps that."""
    done = subprocess.run(
        [sys.executable, "-c", LOWERED.format(before=before)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == priority


def test_a_system_without_priorities_is_left_alone() -> None:
    """Nothing to call, nothing to raise."""
    subprocess.run(
        [sys.executable, "-c", LOWERED.format(before="del os.setpriority")], capture_output=True, text=True, check=True
    )


def test_a_refusal_is_no_failure() -> None:
    """Some containers forbid it."""
    refuse = "def refuse(*_):\n    raise PermissionError\nos.setpriority = refuse"
    subprocess.run([sys.executable, "-c", LOWERED.format(before=refuse)], capture_output=True, text=True, check=True)
