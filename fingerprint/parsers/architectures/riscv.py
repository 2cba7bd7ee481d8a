"""RISC-V: harts, the instruction set they name, and since Linux 6.0 the maker's registers.

Source: arch/riscv/kernel/cpu.c of the Linux sources; the JEDEC numbers of mvendorid.
"""

from __future__ import annotations

from metanode.fingerprint.parsers.cpuinfo import CpuInfo, Lines, numbered
from metanode.fingerprint.parsers.text import hexadecimal

_VENDORS: dict[int, str] = {0x489: "SiFive", 0x5B7: "T-Head", 0x31E: "Andes", 0x710: "SpacemiT", 0x61F: "StarFive"}
_EXTENSIONS_MAX = 64


def read(lines: Lines) -> CpuInfo:
    """Read a file of a RISC-V machine.  A hart is a core: no such processor runs several on one."""
    processors, highest = numbered(lines)
    vendor = hexadecimal(lines.value("mvendorid")) or 0
    isa = lines.value("isa", chars_max=256)
    name = lines.value("uarch") or lines.value("model name")
    if not name:
        lines.problems.append("cpuinfo: no name of the core")
    if not isa:
        lines.problems.append("cpuinfo: no instruction set")
    details = {"isa": isa[:64], "mmu": lines.value("mmu"), "marchid": lines.value("marchid")}
    return CpuInfo(
        kind="riscv",
        vendor=_VENDORS.get(vendor, f"{vendor:#x}" if vendor else ""),
        name=name,
        flags=_extensions(isa),
        processors=processors,
        highest=highest,
        sockets=1 if processors else 0,
        cores=processors,
        details=tuple((key, value) for key, value in details.items() if value),
        problems=tuple(lines.problems),
    )


def _extensions(isa: str) -> frozenset[str]:
    """Return `i`, `m`, `zicsr`, ... from `rv64imafdc_zicsr_zifencei`."""
    first, *longer = isa.lower().split("_", _EXTENSIONS_MAX)[:_EXTENSIONS_MAX]
    single = first[4:] if first.startswith(("rv32", "rv64")) else ""
    return frozenset(single) | {word for word in longer if word.isascii() and word.isalnum()}
