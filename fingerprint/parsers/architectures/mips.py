"""MIPS: SGI, DECstation, Loongson, Octeon and the many routers.

Source: arch/mips/kernel/proc.c of the Linux sources.
"""

from __future__ import annotations

from metanode.fingerprint.parsers.cpuinfo import CpuInfo, Lines, distinct, numbered
from metanode.fingerprint.parsers.text import clock_khz, megahertz_to_khz

_SILENT = ("unknown",)


def read(lines: Lines) -> CpuInfo:
    """Read a file of a MIPS machine."""
    processors, highest = numbered(lines)
    packages, cores = distinct(lines.blocks, "package", "core")
    model = lines.value("model name", "cpu model")
    system, machine = lines.value("system type"), lines.value("machine")
    board = machine if machine and machine.lower() not in _SILENT else system
    flags = lines.flags("ASEs implemented")
    if "VPE" in lines.first and not cores:
        lines.problems.append("cpuinfo: threads cannot be told from cores")
    if not model:
        lines.problems.append("cpuinfo: no `cpu model`")
    details = {"system": system, "core": lines.value("cpu model"), "isa": lines.value("isa")}
    return CpuInfo(
        kind="mips",
        name=model,
        khz=megahertz_to_khz(lines.value("cpu MHz", "CPUClock")) or 0,
        name_khz=clock_khz(model),
        flags=flags,
        processors=processors,
        highest=highest,
        sockets=packages or (1 if processors == 1 else 0),
        cores=cores or ("VPE" not in lines.first and processors) or 0,
        threads_are_cores=bool(cores) or "VPE" not in lines.first,
        machine=board,
        details=tuple((key, value) for key, value in details.items() if value),
        problems=tuple(lines.problems),
    )
