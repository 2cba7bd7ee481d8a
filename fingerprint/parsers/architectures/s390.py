"""IBM S/390 and z: the machine type names the model; z/VM and KVM guests say so themselves.

Source: arch/s390/kernel/processor.c of the Linux sources; IBM's list of machine types.
"""

from __future__ import annotations

import re

from metanode.fingerprint.parsers.cache import CACHE_TYPES, CACHES_MAX, Cache
from metanode.fingerprint.parsers.cpuinfo import CpuInfo, Lines
from metanode.fingerprint.parsers.text import decimal, megahertz_to_khz, size_kib

_MODELS: dict[int, str] = {
    9672: "S/390 G5 or G6", 2064: "z900", 2066: "z800", 2084: "z990", 2086: "z890", 2094: "z9 EC", 2096: "z9 BC",
    2097: "z10 EC", 2098: "z10 BC", 2817: "z196", 2818: "z114", 2827: "zEC12", 2828: "zBC12", 2964: "z13", 2965: "z13s",
    3906: "z14", 3907: "z14 ZR1", 8561: "z15", 8562: "z15 T02", 3931: "z16", 3932: "z16 A02", 9175: "z17",
}
_CPU = re.compile(r"version = ([0-9A-F]{2}),\s+identification = \S{1,32},\s+machine = ([0-9]{4})")
_CACHE = re.compile(
    r"level=([0-9]{1,2}) type=(Data|Instruction|Unified) scope=\w{1,16} size=([0-9]{1,9}K) "
    r"line_size=([0-9]{1,6}) associativity=([0-9]{1,6})"
)
GUEST_VERSION = "FF"
"""The version that the hypervisors of these machines give to their guests."""


def read(lines: Lines) -> CpuInfo:
    """Read a file of an s390 machine."""
    cpus = [match for key, value in lines.rest.items() if key.startswith("processor ") if (match := _CPU.search(value))]
    machine = int(cpus[0].group(2)) if cpus else 0
    count = lines.number("# processors") or len(cpus)
    threaded = lines.number("max thread id") > 0
    model = _MODELS.get(machine, "")
    if not machine:
        lines.problems.append("cpuinfo: no machine type")
    elif not model:
        lines.problems.append(f"cpuinfo: machine type {machine} is not known")
    details = {"guest version": GUEST_VERSION} if cpus and cpus[0].group(1) == GUEST_VERSION else {}
    static = megahertz_to_khz(lines.value("cpu MHz static")) or 0
    return CpuInfo(
        kind="s390",
        vendor=lines.value("vendor_id", chars_max=16),
        name=f"IBM {model} ({machine})" if model else f"IBM {machine}" if machine else "",
        model=machine,
        khz=megahertz_to_khz(lines.value("cpu MHz dynamic")) or static,
        name_khz=static,
        flags=lines.flags("features"),
        processors=count,
        highest=count - 1,
        sockets=0,  # books and drawers: the file does not say
        cores=0 if threaded else count,
        threads_are_cores=not threaded,
        caches=_caches(lines.rest),
        details=tuple(details.items()),
        problems=tuple(lines.problems),
    )


def _caches(rest: dict[str, str]) -> tuple[Cache, ...]:
    found = []
    for key, value in rest.items():
        match = _CACHE.match(value) if key.startswith("cache") else None
        if match:
            level, kind, size, line, ways = match.groups()
            sizes = (size_kib(size) or 0, decimal(line) or 0, decimal(ways) or 0)
            found.append(Cache(int(level), CACHE_TYPES[kind], *sizes, shared_by=0))
    return tuple(sorted(found)[:CACHES_MAX])
