"""x86, 32 and 64 bit, from the 386 on: Intel, AMD, Cyrix, VIA and Centaur, Transmeta, NexGen, Rise, UMC, Hygon.

Source: arch/x86/kernel/cpu/proc.c of the Linux sources; kernels before 2.2 print `cpu : 586` and a name under `model`.
"""

from __future__ import annotations

import re

from metanode.fingerprint.parsers.cpuinfo import CpuInfo, Lines, distinct, numbered
from metanode.fingerprint.parsers.text import clean, decimal, megahertz_to_khz

_OLD_FAMILY = re.compile(r"([3-6])86")


def read(lines: Lines) -> CpuInfo:
    """Read a file of an x86 machine, or of an unknown one that looks like it."""
    first = lines.first
    vendor = clean(first.get("vendor_id", ""), chars_max=16)
    name = clean(first.get("model name", "") or first.get("cpu", "") or lines.rest.get("Processor", ""))
    flags = lines.flags("flags", "Features", "features")
    family, model = lines.number("cpu family"), 0
    old = _OLD_FAMILY.fullmatch(first.get("cpu", "").strip())
    if "cpu family" not in first and old:
        family = int(old.group(1))
    if old and decimal(first.get("model", "")) is None:
        name = clean(first.get("model", "") or first["cpu"])
    else:
        model = lines.number("model")
    processors, highest = numbered(lines)
    packages, pairs = distinct(lines.blocks, "physical id", "core id")
    stepping = lines.number("stepping")
    if not flags:
        lines.problems.append("cpuinfo: no feature flags")
    if not vendor and not name:
        lines.problems.append("cpuinfo: neither vendor nor name")
    return CpuInfo(
        kind="x86" if "cpu family" in first or "vendor_id" in first or old else "",
        vendor=vendor,
        name=name,
        family=family,
        model=model,
        stepping=stepping,
        khz=megahertz_to_khz(first.get("cpu MHz", "") or first.get("clock", "")) or 0,
        name_khz=_name_khz(name),
        flags=flags,
        processors=processors,
        highest=highest,
        sockets=max(1, packages) if processors else 0,
        cores=pairs or processors,
        machine=clean(lines.rest.get("Model", "") or lines.rest.get("machine", "") or lines.rest.get("Hardware", "")),
        serial=clean(lines.rest.get("Serial", "")),
        problems=tuple(lines.problems),
    )


def _name_khz(name: str) -> int:
    """Return the clock a processor's name states, exactly, in kHz; 0 when it states none."""
    match = re.search(r"([0-9]{1,5})(?:\.([0-9]{1,3}))?\s?([GM])Hz", name)
    if match is None:
        return 0
    thousandths = int(match.group(1)) * 1000 + int((match.group(2) or "").ljust(3, "0"))
    return thousandths * (1000 if match.group(3) == "G" else 1)
