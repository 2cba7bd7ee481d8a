"""Architectures of few machines: SPARC, m68k, Alpha, ia64, PA-RISC, LoongArch, SuperH.

They are recognised and named by their own words; what the file leaves open stays unknown.
Source: the `show_cpuinfo` functions below arch/ of the Linux sources.
"""

from __future__ import annotations

from collections.abc import Callable

from metanode.fingerprint.parsers.cache import CACHE_TYPES, Cache
from metanode.fingerprint.parsers.cpuinfo import CpuInfo, Lines, distinct, numbered
from metanode.fingerprint.parsers.text import clean, clock_khz, decimal, hexadecimal, megahertz_to_khz, size_kib


def read(lines: Lines) -> CpuInfo:
    """Read a file whose keys are of one of these."""
    for key, sign, reader in _READERS:
        if sign in lines.first.get(key, "") and key in lines.first:
            return reader(lines)
    return CpuInfo(problems=("cpuinfo: of no known architecture",))


def _sparc(lines: Lines) -> CpuInfo:
    """Return what sparc64 and sparc32 kernels print: `cpu`, `ncpus active`, `Cpu0ClkTck` in hexadecimal hertz."""
    ticks = hexadecimal(lines.value("Cpu0ClkTck").lstrip("0")) or 0
    active = lines.number("ncpus active")
    if not ticks:
        lines.problems.append("cpuinfo: no clock")
    details = {"type": lines.value("type"), "prom": lines.value("prom")}
    return CpuInfo(
        kind="sparc",
        vendor="Sun" if "SPARC" in lines.value("cpu") else "",
        name=lines.value("cpu"),
        khz=ticks // 1000,
        name_khz=ticks // 1000,
        processors=active,
        highest=active - 1,
        cores=active if active == 1 else 0,  # strands of a T1 or later are counted like processors
        sockets=1 if active == 1 else 0,
        threads_are_cores=active == 1,
        details=_filled(details),
        problems=tuple(lines.problems),
    )


def _m68k(lines: Lines) -> CpuInfo:
    """Return what m68k kernels print: `CPU: 68040`, `Clocking: 24.8MHz`; the machine stands in /proc/hardware."""
    name = lines.value("CPU")
    khz = megahertz_to_khz(lines.value("Clocking")) or 0
    if not decimal(name):
        lines.problems.append("cpuinfo: the processor has no number")
    details = {"mmu": lines.value("MMU"), "fpu": lines.value("FPU")}
    return CpuInfo(
        kind="m68k",
        vendor="Motorola",
        name=name if name.startswith("MC") or not name else f"MC{name}",
        model=decimal(name) or 0,
        khz=khz,
        name_khz=khz,
        processors=1,
        highest=0,
        sockets=1,
        cores=1,
        details=_filled(details),
        problems=tuple(lines.problems),
    )


def _alpha(lines: Lines) -> CpuInfo:
    """Return what Alpha kernels print: `cpu model: EV67`, `cycle frequency [Hz]: 666666667 est.`."""
    hertz = decimal(lines.value("cycle frequency [Hz]").partition(" ")[0]) or 0
    active = lines.number("cpus active") or lines.number("cpus detected")
    if not hertz:
        lines.problems.append("cpuinfo: no clock")
    details = {"system": lines.value("system type"), "variation": lines.value("system variation")}
    return CpuInfo(
        kind="alpha",
        vendor="DEC",
        name=f"Alpha {lines.value('cpu model')}".strip(),
        model=0,
        stepping=lines.number("cpu revision"),
        khz=hertz // 1000,
        name_khz=hertz // 1000,
        processors=active,
        highest=active - 1,
        sockets=active,
        cores=active,  # no Alpha that was sold has two cores on a chip
        machine=lines.value("platform string") or lines.value("system type"),
        details=_filled(details),
        problems=tuple(lines.problems),
    )


def _ia64(lines: Lines) -> CpuInfo:
    """Return what ia64 kernels print: numbers as on x86, and a name since 2.6.16."""
    family, model = lines.number("family"), lines.number("model")
    processors, highest = numbered(lines)
    packages, pairs = distinct(lines.blocks, "physical id", "core id")
    names = {(7, 0): "Merced", (31, 0): "McKinley", (31, 1): "Madison", (31, 2): "Madison 9M", (32, 0): "Montecito",
             (32, 1): "Montvale", (32, 2): "Tukwila", (33, 0): "Poulson"}  # fmt: skip
    name = lines.value("model name") or f"Itanium {names.get((family, model), '')}".strip()
    if (family, model) not in names:
        lines.problems.append(f"cpuinfo: ia64 family {family} model {model} is not known")
    return CpuInfo(
        kind="ia64",
        vendor=lines.value("vendor", chars_max=16),
        name=name,
        family=family,
        model=model,
        stepping=lines.number("revision"),
        khz=megahertz_to_khz(lines.value("cpu MHz")) or 0,
        name_khz=clock_khz(name),
        flags=frozenset(),
        processors=processors,
        highest=highest,
        sockets=packages,
        cores=pairs or (processors if family < 32 else 0),  # two threads a core from Montecito on
        threads_are_cores=bool(pairs) or family < 32,
        details=_filled({"features": lines.value("features")}),
        problems=tuple(lines.problems),
    )


def _parisc(lines: Lines) -> CpuInfo:
    """Return what PA-RISC kernels print: `cpu : PA8700 (PCX-W2)`, `model name`, caches in KB."""
    processors, highest = numbered(lines)
    caches = []
    for key, kind in (("I-cache", "Instruction"), ("D-cache", "Data")):
        size = size_kib(" ".join(lines.value(key).split()[:2]))
        if size:
            caches.append(Cache(1, CACHE_TYPES[kind], size, 0, 0, 1))
    details = {"architecture": lines.value("cpu family"), "capabilities": lines.value("capabilities")}
    return CpuInfo(
        kind="parisc",
        vendor="HP",
        name=lines.value("cpu"),
        khz=megahertz_to_khz(lines.value("cpu MHz")) or 0,
        processors=processors,
        highest=highest,
        sockets=1 if processors == 1 else 0,
        cores=processors,  # two cores share a socket on PA8800, but no threads share a core
        caches=tuple(sorted(caches)),
        machine=lines.value("model name") or lines.value("model"),
        details=_filled(details),
        problems=tuple(lines.problems),
    )


def _loongarch(lines: Lines) -> CpuInfo:
    """Return what LoongArch kernels print: `Model Name : Loongson-3A5000`."""
    processors, highest = numbered(lines)
    packages, pairs = distinct(lines.blocks, "package", "core")
    khz = megahertz_to_khz(lines.value("CPU MHz")) or 0
    return CpuInfo(
        kind="loongarch",
        vendor="Loongson",
        name=lines.value("Model Name"),
        stepping=lines.number("CPU Revision", base=16),
        khz=khz,
        name_khz=khz,
        flags=lines.flags("Features"),
        processors=processors,
        highest=highest,
        sockets=packages,
        cores=pairs or processors,
        machine=clean(lines.rest.get("system type", "")),
        details=_filled({"isa": lines.value("ISA")}),
        problems=tuple(lines.problems),
    )


def _superh(lines: Lines) -> CpuInfo:
    """Return what SuperH kernels print: `cpu type : SH7750`, `machine : Dreamcast`."""
    processors, highest = numbered(lines)
    return CpuInfo(
        kind="superh",
        vendor="Hitachi",
        name=lines.value("cpu type"),
        flags=lines.flags("cpu flags"),
        processors=processors or 1,
        highest=highest,
        sockets=1,
        cores=processors or 1,
        machine=lines.value("machine"),
        details=_filled({"family": lines.value("cpu family"), "cut": lines.value("cut")}),
        problems=(*lines.problems, "cpuinfo: no clock of the processor"),
    )


def _filled(details: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in details.items() if value)


_READERS: tuple[tuple[str, str, Callable[[Lines], CpuInfo]], ...] = (
    ("arch", "IA-64", _ia64),
    ("CPU Family", "Loongson", _loongarch),
    ("cpu family", "PA-RISC", _parisc),
    ("cpu family", "sh", _superh),
    ("cpu", "Alpha", _alpha),
    ("ncpus active", "", _sparc),
    ("MMU", "", _m68k),
)
