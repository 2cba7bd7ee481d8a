"""ARM, 32 and 64 bit, also the 32-bit view of a 64-bit processor.

Source: arch/arm/kernel/setup.c and arch/arm64/kernel/cpuinfo.c of the Linux sources.
"""

from __future__ import annotations

from metanode.fingerprint.parsers.architectures.arm_names import IMPLEMENTERS, midr, part_name
from metanode.fingerprint.parsers.cpuinfo import CpuInfo, Lines, numbered
from metanode.fingerprint.parsers.text import clean, decimal, hexadecimal


def read(lines: Lines) -> CpuInfo:
    """Read a file of an ARM machine.  Machines of unlike cores are named by all of them."""
    first, rest = lines.first, lines.rest
    vendor = clean(first.get("CPU implementer", ""), chars_max=16).lower()
    implementer = hexadecimal(vendor)
    part = lines.number("CPU part", base=16)
    kernel_name = lines.value("model name", "Processor")
    parts = tuple(dict.fromkeys(name for name in map(_part, lines.blocks or [first]) if name))
    processors, highest = numbered(lines)
    flags = lines.flags("Features", "features")
    family = _architecture(lines)
    stepping = lines.number("CPU revision")
    variant = lines.number("CPU variant", base=16)
    if not flags:
        lines.problems.append("cpuinfo: no feature flags")
    if implementer is None:
        lines.problems.append("cpuinfo: no implementer, so the core cannot be named")
    elif not parts:
        lines.problems.append(f"cpuinfo: part {part:#05x} of {IMPLEMENTERS.get(implementer, vendor)} is not known")
    if not processors and kernel_name:
        processors = 1  # kernels before 3.8 number the processors only where there are several
    code, machine = rest.get("Revision", ""), rest.get("Model", "") or rest.get("Hardware", "")
    return CpuInfo(
        kind="arm",
        vendor=vendor,
        name=clean(" + ".join(parts)) or kernel_name,
        family=family,
        model=part,
        stepping=stepping,
        pvr=midr(implementer or 0, variant, part, stepping),
        flags=flags,
        processors=processors,
        highest=highest,
        sockets=1 if processors else 0,
        cores=processors,
        parts=parts,
        machine=clean(machine),
        revision=clean(code, chars_max=16),
        serial=clean(rest.get("Serial", "")),
        details=(("kernel's name", kernel_name),) if kernel_name and parts else (),
        problems=tuple(lines.problems),
    )


def _part(block: dict[str, str]) -> str:
    implementer, part = hexadecimal(block.get("CPU implementer", "")), hexadecimal(block.get("CPU part", ""))
    return "" if implementer is None or part is None else part_name(implementer, part)


def _architecture(lines: Lines) -> int:
    """Return the architecture version: `7`, `8`, `AArch64`, `5TEJ`, or 0."""
    text = lines.first.get("CPU architecture", "").strip()
    if text == "AArch64":
        return 8
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    value = decimal(digits)
    if value is None and text:
        lines.problems.append("cpuinfo: CPU architecture is not a number")
    return value or 0
