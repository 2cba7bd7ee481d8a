"""What measuring leaves behind: nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from metanode.fingerprint.probes.memory import LARGE_BYTES

MEASURE = """
from metanode.fingerprint.probes import measure
from metanode.platforms.process import rss_bytes
measure()
before = rss_bytes()
for _ in range(3):
    measure()
print(rss_bytes() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc: only the peak could be read")
def test_the_buffers_of_the_probes_go_back_to_the_system() -> None:
    """Every time: an allocator that keeps them would take 8 MiB from a machine of 64 until the next attestation."""
    run = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    assert int(run.stdout) < LARGE_BYTES // 8
