"""Cache sizes of the first processor, from sysfs.

Source: Documentation/ABI/testing/sysfs-devices-system-cpu of the Linux sources.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from metanode.fingerprint.parsers.text import count_cpu_list, decimal

CACHE_DIRECTORY = "sys/devices/system/cpu/cpu0/cache/"
CACHE_TYPES = {"Data": 1, "Instruction": 2, "Unified": 3}
"""Kernel word to the number stored in an inventory."""
CACHES_MAX = 16
"""Most caches of one processor."""

_UNITS = {"": 1, "K": 1, "M": 1024}


@dataclass(frozen=True, order=True)
class Cache:
    """One cache as the first processor sees it.  0 where the kernel is silent."""

    level: int
    type: int
    """A value of `CACHE_TYPES`."""
    size_kib: int
    line_bytes: int
    ways: int
    shared_by: int
    """Logical processors that share it."""


def parse_caches(files: Mapping[str, str]) -> tuple[tuple[Cache, ...], tuple[str, ...]]:
    """Return (caches by level and type, problems) from a dump."""
    indexes: dict[str, dict[str, str]] = {}
    for path, text in files.items():
        if path.startswith(CACHE_DIRECTORY):
            index, _, field = path[len(CACHE_DIRECTORY) :].partition("/")
            indexes.setdefault(index, {})[field] = text.strip()
    caches, problems = [], []
    for index, fields in sorted(indexes.items()):
        level = decimal(fields.get("level", ""))
        kind = CACHE_TYPES.get(fields.get("type", ""))
        size = _size_kib(fields.get("size", ""))
        if level is None or kind is None or size is None:
            problems.append(f"cache {index[:16]}: level, type or size not understood")
            continue
        caches.append(
            Cache(
                level,
                kind,
                size,
                decimal(fields.get("coherency_line_size", "")) or 0,
                decimal(fields.get("ways_of_associativity", "")) or 0,
                count_cpu_list(fields.get("shared_cpu_list", "")) or 0,
            )
        )
    if not indexes:
        problems.append("cache: sysfs shows none")
    return tuple(sorted(caches)[:CACHES_MAX]), tuple(problems)


def _size_kib(text: str) -> int | None:
    match = re.fullmatch(r"([0-9]{1,9})([KM]?)", text)
    return int(match.group(1)) * _UNITS[match.group(2)] if match else None
