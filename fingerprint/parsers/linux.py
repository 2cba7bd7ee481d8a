"""A dump of Linux to a reading: /proc, /sys, the device tree, and what people send along.

What only other architectures or other people's dumps need stands in `linux_more` and is loaded then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from metanode.fingerprint.parsers.cache import parse_caches
from metanode.fingerprint.parsers.cpuinfo import CpuInfo, parse_cpuinfo
from metanode.fingerprint.parsers.dmi import parse_dmi
from metanode.fingerprint.parsers.meminfo import parse_total_kib
from metanode.fingerprint.parsers.osrelease import pretty_name
from metanode.fingerprint.parsers.reading import Processor, Reading
from metanode.fingerprint.parsers.text import clean, count_cpu_list, decimal
from metanode.platforms.captured import COMMAND, ProcessFacts

CPU = "sys/devices/system/cpu/"
CPUFREQ = CPU + "cpu0/cpufreq/cpuinfo_max_freq"
_POLICIES = CPU + "cpufreq/policy"
_X86 = ("x86", "")


def read_linux(files: Mapping[str, str], facts: ProcessFacts) -> Reading:
    """Read a dump.  Pure, and never raises on strange text."""
    info = parse_cpuinfo(files.get("proc/cpuinfo", ""))
    caches, cache_problems = parse_caches(files)
    dmi = parse_dmi(files)
    total_kib = parse_total_kib(files.get("proc/meminfo", "")) or 0
    reading = Reading(
        machine=clean(facts.machine),
        processor=_processor(info, files),
        caches=caches,
        total_kib=total_kib,
        firmware=dmi,
        model=clean(files.get("proc/device-tree/model", "")) or info.machine,
        os_name=pretty_name(files.get("etc/os-release", "")),
        sources=_sources(files, facts, info),
        details=dict(info.details),
        problems=(*info.problems, *dmi.problems),
    )
    ordinary = info.kind == "x86" and info.family >= 3 and _is_pc(facts.machine)
    if not ordinary or any(path.startswith(COMMAND) for path in files):
        from metanode.fingerprint.parsers.linux_more import complete

        reading = complete(reading, info, files, facts)
    problems = list(reading.problems)
    if not reading.caches:
        problems += cache_problems
    if not total_kib:
        problems.append("meminfo: no MemTotal line")
    return replace(reading, problems=tuple(problems))


def _is_pc(machine: str) -> bool:
    return machine in ("x86_64", "amd64") or (machine[:1] == "i" and machine[2:] == "86")


def _processor(info: CpuInfo, files: Mapping[str, str]) -> Processor:
    # The clock now only counts where nothing can change it; the name's own figure is the most stable.
    highest = decimal(files.get(CPUFREQ, "")) or 0
    if info.kind not in _X86:
        # Where cores are unlike, the first one is mostly a small one.
        policies = (text for path, text in files.items() if path.startswith(_POLICIES))
        highest = max((decimal(text) or 0 for text in policies), default=highest)
    present = count_cpu_list(files.get(CPU + "present", ""))
    return Processor(
        vendor=info.vendor,
        name=info.name,
        family=info.family,
        model=info.model,
        stepping=info.stepping,
        pvr=info.pvr,
        stated_khz=info.name_khz or highest or info.khz,
        now_khz=info.khz,
        sockets=info.sockets,
        cores=info.cores,
        threads=max(present or 0, info.processors),
        flags=info.flags,
    )


def _sources(files: Mapping[str, str], facts: ProcessFacts, info: CpuInfo) -> frozenset[str]:
    """Return which sources answered."""

    def any_below(*beginnings: str) -> bool:
        return any(path.startswith(beginnings) for path in files)

    answered = {
        "cpuinfo": "flags" in files.get("proc/cpuinfo", "") or info.kind not in _X86,
        "cache": any_below(CPU + "cpu0/cache/") or bool(info.caches),
        "dmi": any_below("sys/class/dmi/id/"),
        "pci": any_below("sys/bus/pci/devices/"),
        "devices": any_below("link:sys/class/net/", "link:sys/block/"),
        "clocksource": any_below("sys/devices/system/clocksource/"),
        "device_tree": any_below("proc/device-tree/"),
        "process": facts.has_vdso is not None and "proc/self/stat" in files,
    }
    return frozenset(name for name, answer in answered.items() if answer)
