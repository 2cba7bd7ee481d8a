"""/proc/cpuinfo of Linux on x86, ARM and PowerPC.

The file has no grammar: each architecture prints `key : value` lines of its own, once per
processor or once per file.  Source: arch/x86/kernel/cpu/proc.c, arch/arm64/kernel/cpuinfo.c,
arch/arm/kernel/setup.c and arch/powerpc/kernel/setup-common.c of the Linux sources.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from metanode.fingerprint.parsers.text import clean, decimal, hexadecimal, megahertz_to_khz

PROCESSORS_MAX = 4_096
"""Most processor blocks looked at."""


@dataclass(frozen=True)
class CpuInfo:
    """What the kernel says of its processors.  0 or "" where the file is silent."""

    vendor: str = ""
    """`GenuineIntel`, `AuthenticAMD`, ...; on ARM the implementer as `0x41`."""
    name: str = ""
    family: int = 0
    model: int = 0
    """x86 model; on ARM the part number."""
    stepping: int = 0
    pvr: int = 0
    """PowerPC processor version register."""
    khz: int = 0
    """`cpu MHz` or `clock` of the first processor; the present speed where the clock scales."""
    name_khz: int = 0
    """The clock that the processor's name states (`@ 2.60GHz`)."""
    flags: frozenset[str] = frozenset()
    """Features that every processor has."""
    processors: int = 0
    """Processor blocks, which is what is online."""
    sockets: int = 0
    cores: int = 0
    """Physical cores over all sockets."""
    machine: str = ""
    """Board or machine line (`Raspberry Pi 4 Model B Rev 1.4`, `PowerMac3,1`)."""
    serial: str = ""
    """Serial number printed on ARM boards: an identifier, never to be shown."""
    problems: tuple[str, ...] = ()


def parse_cpuinfo(text: str) -> CpuInfo:
    """Read the file; never raises."""
    blocks, rest = _blocks(text)
    if not blocks and not rest:
        return CpuInfo(problems=("cpuinfo: no `key : value` line",))
    # Old 32-bit ARM kernels print what all processors share outside of their blocks.
    first = {**rest, **blocks[0]} if blocks else rest
    problems: list[str] = []

    def number(*keys: str, base: int = 10) -> int:
        for key in keys:
            if key in first:
                value = decimal(first[key]) if base == 10 else hexadecimal(first[key])
                if value is not None:
                    return value
                if first[key].lower() != "unknown":
                    problems.append(f"cpuinfo: {key} is not a number")
        return 0

    vendor = clean(first.get("vendor_id", "") or first.get("CPU implementer", ""), chars_max=16)
    name = clean(first.get("model name", "") or first.get("cpu", "") or rest.get("Processor", ""))
    arm = "CPU implementer" in first
    flags = _common_flags(blocks) or _common_flags([rest])
    powerpc = "pvr" in first.get("revision", "")
    if not flags and not powerpc:
        problems.append("cpuinfo: no feature flags")
    if not vendor and not name:
        problems.append("cpuinfo: neither vendor nor name")
    sockets, cores = _topology(blocks)
    khz = megahertz_to_khz(first.get("cpu MHz", "") or first.get("clock", "")) or 0
    return CpuInfo(
        vendor=vendor,
        name=name,
        family=number("CPU architecture") if arm else number("cpu family"),
        model=number("CPU part", base=16) if arm else 0 if powerpc else number("model"),
        stepping=number("CPU revision") if arm else number("stepping"),
        pvr=_pvr(first.get("revision", "")),
        khz=khz,
        name_khz=_name_khz(name),
        flags=flags,
        processors=len(blocks),
        sockets=sockets,
        cores=cores,
        machine=clean(rest.get("Model", "") or rest.get("machine", "") or rest.get("Hardware", "")),
        serial=clean(rest.get("Serial", "")),
        problems=tuple(problems),
    )


def _blocks(text: str) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Split into one map per processor and the lines that belong to none."""
    blocks: list[dict[str, str]] = []
    rest: dict[str, str] = {}
    current: dict[str, str] | None = None
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        key = key.strip()
        if not line.strip():
            current = None
        elif not colon or not key:
            continue
        elif key == "processor" and decimal(value) is not None:
            if len(blocks) == PROCESSORS_MAX:
                break
            current = {}
            blocks.append(current)
        elif current is not None:
            current.setdefault(key, value.strip())
        else:
            rest.setdefault(key, value.strip())
    # Some kernels print machine lines right after the last processor, without a blank line.
    for key in ("Hardware", "Model", "Serial", "machine"):
        if blocks and key in blocks[-1]:
            rest.setdefault(key, blocks[-1][key])
    return blocks, rest


def _common_flags(blocks: list[dict[str, str]]) -> frozenset[str]:
    common: frozenset[str] | None = None
    for block in blocks:
        text = block.get("flags") or block.get("Features") or block.get("features") or ""
        if "altivec supported" in block.get("cpu", ""):
            text += " altivec"
        flags = frozenset(word for word in text.split() if word.isascii() and word.isprintable())
        common = flags if common is None else common & flags
    return common or frozenset()


def _topology(blocks: list[dict[str, str]]) -> tuple[int, int]:
    """Return (sockets, cores): distinct `physical id`, and distinct (`physical id`, `core id`)."""
    packages = {block["physical id"] for block in blocks if "physical id" in block}
    pairs = {(block.get("physical id", "0"), block["core id"]) for block in blocks if "core id" in block}
    if not blocks:
        return 0, 0
    return max(1, len(packages)), len(pairs) or len(blocks)


def _pvr(revision: str) -> int:
    """Return the PVR from `1.2 (pvr 8003 0102)`, 0 when there is none."""
    match = re.search(r"pvr ([0-9a-f]{4}) ([0-9a-f]{4})", revision)
    return int(match.group(1) + match.group(2), 16) if match else 0


def _name_khz(name: str) -> int:
    """Return the clock a processor's name states, exactly, in kHz; 0 when it states none."""
    match = re.search(r"([0-9]{1,5})(?:\.([0-9]{1,3}))?\s?([GM])Hz", name)
    if match is None:
        return 0
    thousandths = int(match.group(1)) * 1000 + int((match.group(2) or "").ljust(3, "0"))
    return thousandths * (1000 if match.group(3) == "G" else 1)
