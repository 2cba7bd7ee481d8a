"""Memory size from /proc/meminfo.  Source: proc_meminfo(5)."""

from __future__ import annotations

import re

SMALL_MEMORY_MIB = 4_096
"""From here on sizes are rounded to whole GiB, below it to 64 MiB."""


def parse_total_kib(text: str) -> int | None:
    """Return MemTotal in KiB, or None when the text has no such line."""
    match = re.search(r"^MemTotal:\s*([0-9]{1,15}) kB\s*$", text, re.MULTILINE)
    return int(match.group(1)) if match else None


def rounded_mib(total_kib: int) -> int:
    """Return the memory in MiB, rounded up to a step of 64 MiB, or of 1 GiB from 4 GiB on.

    MemTotal leaves out what firmware and kernel keep for themselves and moves by a few MiB
    with every kernel; an inventory must not change with an update.
    """
    mib = -(-total_kib // 1024)
    step = 64 if mib <= SMALL_MEMORY_MIB else 1024
    return -(-mib // step) * step
