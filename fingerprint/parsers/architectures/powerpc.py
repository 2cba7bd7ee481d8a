"""PowerPC and POWER: PowerMacs, pSeries, OpenPOWER, Cell, Amiga and embedded boards.

One PVR is printed as revision 1.1 or 0.1 depending on the kernel, bogomips are about the clock or about the
timebase, and a scaled clock is below the stated one; so nothing here is derived from those.
Source: arch/powerpc/kernel/setup-common.c and arch/powerpc/platforms of the Linux sources.
"""

from __future__ import annotations

import re

from metanode.fingerprint.parsers.architectures.powerpc_names import is_threaded, pvr_name
from metanode.fingerprint.parsers.cache import CACHE_TYPES, Cache
from metanode.fingerprint.parsers.cpuinfo import CpuInfo, Lines, numbered
from metanode.fingerprint.parsers.text import clean, megahertz_to_khz, size_kib


def read(lines: Lines) -> CpuInfo:
    """Read a file of a PowerPC machine."""
    first, rest = lines.first, lines.rest
    pvr = _pvr(first.get("revision", ""))
    name = lines.value("cpu") or pvr_name(pvr)
    altivec = all("altivec supported" in block.get("cpu", "") for block in lines.blocks or [first])
    processors, highest = numbered(lines)
    if not pvr:
        lines.problems.append("cpuinfo: no processor version register")
    elif not pvr_name(pvr):
        lines.problems.append(f"cpuinfo: processor version {pvr >> 16:04x} is not known")
    details = {
        "version": pvr_name(pvr),
        "timebase": clean(rest.get("timebase", ""), chars_max=20),
        "platform": clean(rest.get("platform", "")),
        "detected as": clean(rest.get("detected as", "")),
        "motherboard": clean(rest.get("motherboard", "")),
    }
    # Embedded boards print their name under `model` or `Machine`, PowerMacs and pSeries under `machine`.
    machine = next((found for key in ("machine", "Machine", "model", "platform") if (found := first.get(key, ""))), "")
    return CpuInfo(
        kind="powerpc",
        name=name,
        pvr=pvr,
        khz=megahertz_to_khz(first.get("clock", "")) or megahertz_to_khz(first.get("cpu clock", "")) or 0,
        flags=frozenset({"altivec"}) if altivec else frozenset(),
        processors=processors,
        highest=highest,
        sockets=1 if processors == 1 else 0,  # the file does not tell sockets, cores and threads apart
        cores=0 if is_threaded(pvr) else processors,
        threads_are_cores=not is_threaded(pvr),
        caches=_l2(rest.get("L2 cache", "")),
        machine=clean(machine),
        details=tuple((key, value) for key, value in details.items() if value),
        problems=tuple(lines.problems),
    )


def _pvr(revision: str) -> int:
    """Return the PVR from `1.2 (pvr 8003 0102)`, 0 when there is none."""
    match = re.search(r"pvr ([0-9a-f]{4}) ([0-9a-f]{4})", revision)
    return int(match.group(1) + match.group(2), 16) if match else 0


def _l2(text: str) -> tuple[Cache, ...]:
    """Return the second level from `512K unified` or `1024K unified pipelined-syncro-burst`."""
    size = size_kib(text.partition(" ")[0])
    return (Cache(2, CACHE_TYPES["Unified"], size, 0, 0, 1),) if size else ()
