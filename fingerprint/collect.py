"""From the machine to a report: platform readers, parsers, signs and identifiers put together.

`collect` looks at this machine; `read_machine` is its pure half and works on any dump.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from metanode.core.model.errors import MetanodeError
from metanode.fingerprint.classes import X86_MACHINES
from metanode.fingerprint.identifiers import Identifier, binding_basis, find_identifiers
from metanode.fingerprint.inventory import FEATURES, SOURCES, Board, Cpu, Inventory
from metanode.fingerprint.parsers.cache import parse_caches
from metanode.fingerprint.parsers.cpuinfo import CpuInfo, parse_cpuinfo
from metanode.fingerprint.parsers.dmi import parse_dmi
from metanode.fingerprint.parsers.meminfo import parse_total_kib, rounded_mib
from metanode.fingerprint.parsers.osrelease import pretty_name
from metanode.fingerprint.parsers.text import clean, count_cpu_list, decimal
from metanode.fingerprint.virtual import find_signs

if TYPE_CHECKING:
    from metanode.platforms.linux.dump import Dump
    from metanode.platforms.linux.process import ProcessFacts

CPUFREQ = "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"
CLOCK_STEP_MHZ = 100
"""Clocks are rounded to this: calibration at boot moves them by a fraction of a percent."""


@dataclass(frozen=True)
class Report:
    """All that was found out about a machine without timing anything."""

    inventory: Inventory
    """What may go on chain."""
    identifiers: tuple[Identifier, ...]
    """What must not: only hashes of these are ever shown."""
    os_name: str
    total_kib: int
    """MemTotal as the kernel says it; 0 unknown."""
    clock_khz: int
    """The clock as read now; 0 unknown."""
    flags: frozenset[str]
    """All features the kernel lists, beyond the few kept in the inventory."""
    unread: Mapping[str, str]
    """Source to the reason why it gave nothing."""
    problems: tuple[str, ...]
    """What was read but not understood."""


def collect(root: Path = Path("/")) -> Report:
    """Look at this machine.

    :raises MetanodeError: UNSUPPORTED_PLATFORM with the reason in words.
    """
    reason = unsupported_reason(sys.platform)
    if reason:
        raise MetanodeError("UNSUPPORTED_PLATFORM", reason)
    from metanode.platforms.linux.dump import read_dump  # only where the platform is Linux
    from metanode.platforms.linux.process import read_process

    facts = read_process()
    reason = unsupported_reason(facts.system, facts.machine)
    if reason:
        raise MetanodeError("UNSUPPORTED_PLATFORM", reason)
    return read_machine(read_dump(root), facts)


def unsupported_reason(system: str, machine: str = "x86_64") -> str:
    """Return why a platform has no collector, "" when it has one."""
    if system != "linux":
        return f"there is no collector for {system} yet; Linux on x86 has one"
    if machine not in X86_MACHINES:
        return f"the collector for Linux on {machine} is not finished; Linux on x86 has one"
    return ""


def read_machine(dump: Dump, facts: ProcessFacts) -> Report:
    """Turn captured text into a report.  Pure, and never raises on strange text."""
    files = dump.files
    cpu_info = parse_cpuinfo(files.get("proc/cpuinfo", ""))
    caches, cache_problems = parse_caches(files)
    dmi = parse_dmi(files)
    board = Board(
        sys_vendor=dmi.sys_vendor,
        product_name=dmi.product_name,
        board_vendor=dmi.board_vendor,
        board_name=dmi.board_name,
        bios_vendor=dmi.bios_vendor,
        model=clean(files.get("proc/device-tree/model", "")) or cpu_info.machine,
        chassis_type=dmi.chassis_type,
    )
    features = tuple(name for name in FEATURES if name in cpu_info.flags)
    total_kib = parse_total_kib(files.get("proc/meminfo", "")) or 0
    identifiers = find_identifiers(files)
    max_khz = decimal(files.get(CPUFREQ, "")) or 0
    inventory = Inventory(
        platform=clean(facts.system),
        machine=clean(facts.machine),
        word_bits=facts.word_bits,
        byte_order=facts.byte_order,
        cpu=_cpu(cpu_info, max_khz, files),
        features=features,
        caches=caches,
        memory_mib=rounded_mib(total_kib),
        board=board,
        signs=find_signs(
            files,
            cpu_name=cpu_info.name,
            features=features,
            board=board,
            machine=facts.machine,
            has_vdso=facts.has_vdso,
        ),
        binding=binding_basis(identifiers)[0],
        sources=_sources(files, facts),
    )
    problems = [*cpu_info.problems, *cache_problems, *dmi.problems]
    if not total_kib:
        problems.append("meminfo: no MemTotal line")
    return Report(
        inventory=inventory,
        identifiers=identifiers,
        os_name=pretty_name(files.get("etc/os-release", "")),
        total_kib=total_kib,
        clock_khz=cpu_info.khz,
        flags=cpu_info.flags,
        unread=dict(dump.unread),
        problems=tuple(problems),
    )


def _cpu(info: CpuInfo, max_khz: int, files: Mapping[str, str]) -> Cpu:
    # The clock now only counts where nothing can change it; the name's own figure is the most stable.
    khz = info.name_khz or max_khz or info.khz
    present = count_cpu_list(files.get("sys/devices/system/cpu/present", ""))
    return Cpu(
        vendor=info.vendor,
        name=info.name,
        family=info.family,
        model=info.model,
        stepping=info.stepping,
        pvr=info.pvr,
        clock_mhz=(khz // 1000 + CLOCK_STEP_MHZ // 2) // CLOCK_STEP_MHZ * CLOCK_STEP_MHZ,
        sockets=info.sockets,
        cores=info.cores,
        threads=max(present or 0, info.processors),
    )


def _sources(files: Mapping[str, str], facts: ProcessFacts) -> int:
    """Return the bit set of the sources that answered."""

    def any_below(*beginnings: str) -> bool:
        return any(path.startswith(beginnings) for path in files)

    answered = {
        "cpuinfo": "flags" in files.get("proc/cpuinfo", ""),
        "cache": any_below("sys/devices/system/cpu/cpu0/cache/"),
        "dmi": any_below("sys/class/dmi/id/"),
        "pci": any_below("sys/bus/pci/devices/"),
        "devices": any_below("link:sys/class/net/", "link:sys/block/"),
        "clocksource": any_below("sys/devices/system/clocksource/"),
        "device_tree": any_below("proc/device-tree/"),
        "process": facts.has_vdso is not None and "proc/self/stat" in files,
    }
    return sum(1 << bit for bit, name in enumerate(SOURCES) if answered[name])
