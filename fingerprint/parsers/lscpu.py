"""`lscpu` and `cpufreq-info`: what people send along with /proc/cpuinfo, used where /sys was not captured.

Source: util-linux sys-utils/lscpu.c; cpufrequtils and linux-tools' cpupower.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from metanode.fingerprint.parsers.cache import CACHE_TYPES, Cache
from metanode.fingerprint.parsers.text import bounded_lines, clean, clock_khz, count_cpu_list, decimal, pairs, size_kib

_CACHES = (
    ("L1d cache", 1, "Data"), ("L1i cache", 1, "Instruction"), ("L2d cache", 2, "Data"),
    ("L2i cache", 2, "Instruction"), ("L2 cache", 2, "Unified"), ("L3 cache", 3, "Unified"), ("L4 cache", 4, "Unified"),
)  # fmt: skip
_MEGAHERTZ = re.compile(r"([0-9]{1,6})(?:[.,]([0-9]{1,4}))?")


@dataclass(frozen=True)
class Lscpu:
    """The lines used.  0 or "" where it is silent."""

    threads: int = 0
    online: int = 0
    """Those that run now, which is what /proc/cpuinfo lists."""
    threads_per_core: int = 0
    cores_per_socket: int = 0
    sockets: int = 0
    max_khz: int = 0
    caches: tuple[Cache, ...] = ()
    hypervisor: str = ""


def parse_lscpu(text: str) -> Lscpu:
    """Read the command's output; never raises.  Decimal commas of other languages are understood, other words not."""
    fields = pairs(text, ":")

    def number(*names: str) -> int:
        return next((value for name in names if (value := decimal(fields.get(name, ""))) is not None), 0)

    caches = []
    for name, level, kind in _CACHES:
        # Since util-linux 2.36 sizes are sums over all instances: `256 KiB (4 instances)`.
        size, _, instances = fields.get(name, "").partition("(")
        kib = size_kib(size)
        many = decimal(instances.partition(" ")[0]) or 1
        if kib:
            caches.append(Cache(level, CACHE_TYPES[kind], kib // many, 0, 0, 0))
    return Lscpu(
        threads=number("CPU(s)"),
        online=count_cpu_list(fields.get("On-line CPU(s) list", "")) or 0,
        threads_per_core=number("Thread(s) per core"),
        cores_per_socket=number("Core(s) per socket"),
        sockets=number("Socket(s)"),
        max_khz=_khz(fields.get("CPU max MHz", "")),
        caches=tuple(sorted(caches)),
        hypervisor=clean(fields.get("Hypervisor", "") or fields.get("Hypervisor vendor", ""), chars_max=32),
    )


def cpufreq_limit_khz(text: str) -> int:
    """Return the highest clock of any `hardware limits: 200 MHz - 1.40 GHz` line, or 0."""
    highest = 0
    for line in bounded_lines(text):
        name, _, value = line.partition(":")
        if name.strip() == "hardware limits":
            highest = max(highest, clock_khz(value.rpartition(" - ")[2]))
    return highest


def _khz(text: str) -> int:
    match = _MEGAHERTZ.fullmatch(text.strip())
    return int(match.group(1)) * 1000 + int((match.group(2) or "").ljust(3, "0")[:3]) if match else 0
