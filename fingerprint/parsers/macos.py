"""A dump of a Mac to a reading: Intel, Apple Silicon, and PowerPC from Mac OS X 10.4 on.

Source: sysctl(3) and sysctl(8) of Mac OS X 10.4 and macOS 14; osfmk/mach/machine.h of XNU for the processor types.
"""

from __future__ import annotations

from collections.abc import Mapping

from metanode.fingerprint.parsers.cache import CACHE_TYPES, Cache
from metanode.fingerprint.parsers.dmi import Dmi
from metanode.fingerprint.parsers.feature_names import linux_features
from metanode.fingerprint.parsers.ifconfig import hardware_addresses
from metanode.fingerprint.parsers.macos_tools import hardware_overview, ioreg_values
from metanode.fingerprint.parsers.reading import FIRMWARE_VIRTUAL, OTHER_CPU, SYS_HYPERVISOR, Processor, Reading
from metanode.fingerprint.parsers.sysctl import number, sysctl_values
from metanode.fingerprint.parsers.text import clean, clock_khz, decimal, hexadecimal, pairs, size_kib
from metanode.platforms.captured import ProcessFacts

_POWERPC_TYPES: dict[int, int] = {
    1: 0x0001, 3: 0x0003, 4: 0x0006, 5: 0x0007, 6: 0x0004, 7: 0x0009, 9: 0x0008, 10: 0x000C, 11: 0x8000, 100: 0x0039,
}
"""hw.cpusubtype to the upper half of the processor version; 11 stands for every 744x and 745x, 100 for every 970."""
_KINDS = {11: "744x or 745x", 100: "970, some kind of"}
"""What the two subtypes that stand for several processors are called."""
_CPU_TYPE_POWERPC = 18
_APPLE_PARTS: dict[str, int] = {
    "M1": 0x022, "M1 Pro": 0x024, "M1 Max": 0x028, "M1 Ultra": 0x028, "M2": 0x032, "M2 Pro": 0x034, "M2 Max": 0x038,
    "M2 Ultra": 0x038,
}
"""The part number that the first core of such a chip shows on Linux, so one machine has one name on both."""
_VIRTUAL_MODELS = ("VMware", "VirtualMac", "Parallels", "VirtualBox", "QEMU")
_VIRTUAL_DISKS = ("QEMU HARDDISK", "VBOX HARDDISK", "VMware Virtual")


def read_macos(files: Mapping[str, str], facts: ProcessFacts) -> Reading:
    """Read a dump.  Pure, and never raises on strange text."""
    values, overview, tree = sysctl_values(files), hardware_overview(files), ioreg_values(files)
    brand = clean(values.get("machdep.cpu.brand_string", "") or overview.get("chip", ""))
    problems: list[str] = []
    details: dict[str, str] = {}
    if facts.machine == "Power Macintosh" or number(values, "hw.cputype") == _CPU_TYPE_POWERPC:
        machine, processor = "powerpc", _powerpc(values, overview, tree, problems, details)
    elif facts.machine.startswith("arm") or brand.startswith("Apple "):
        machine, processor = "arm64", _apple(values, brand, overview, problems)
    else:
        machine, processor = clean(facts.machine), _intel(values, brand, overview)
    if not values and not overview:
        problems.append("sysctl: no values")
    model = clean(values.get("hw.model", "") or overview.get("model", ""))
    total = number(values, "hw.memsize", "hw.physmem") >> 10 or size_kib(overview.get("memory", "")) or 0
    for key in ("name", "rom"):
        if overview.get(key):
            details[key] = clean(overview[key])
    answered = {"process"} if _rosetta_looked_for(values) else set()
    answered |= {"cpuinfo"} if processor.name or processor.pvr else set()
    answered |= {"dmi"} if model else set()
    answered |= {"devices"} if "cmd:ifconfig -a" in files else set()
    caches = _caches(values, overview)
    return Reading(
        machine=machine,
        processor=processor,
        caches=caches,
        total_kib=total,
        firmware=Dmi(sys_vendor="Apple" if model else "", product_name=model if machine != "powerpc" else ""),
        model=model,
        os_name=_os_name(files),
        sources=frozenset(answered | ({"cache"} if caches else set())),
        signs=tuple(_signs(values, model, files)),
        identifiers=_identifiers(files, overview, tree),
        details=details,
        problems=tuple(problems),
    )


def _powerpc(
    values: Mapping[str, str], overview: Mapping[str, str], tree: Mapping[str, str], problems: list[str],
    details: dict[str, str],
) -> Processor:  # fmt: skip
    from metanode.fingerprint.parsers.architectures.powerpc_names import pvr_name

    pvr, subtype = hexadecimal(tree.get("cpu-version", "")[-8:]) or 0, number(values, "hw.cpusubtype")
    name = pvr_name(pvr)
    if not name:
        pvr = _POWERPC_TYPES.get(subtype, 0) << 16
        name = _KINDS.get(subtype, pvr_name(pvr))
        problems.append("processor: only the kind is known, not the version" if pvr else "processor: not named")
        # `PowerPC G4  (1.2)`: a word that people know, and a revision.
        details["named"] = clean(overview.get("processor", ""))
    hertz = number(values, "hw.cpufrequency_max", "hw.cpufrequency")
    count = number(values, "hw.physicalcpu", "hw.ncpu") or decimal(overview.get("processors", "")) or 0
    flags = {"altivec"} if number(values, "hw.optional.altivec") or number(values, "hw.vectorunit") else set()
    timebase = number(values, "hw.tbfrequency")
    if timebase:
        details["timebase"] = str(timebase)
    return Processor(
        vendor="",
        name=f"PowerPC {name}" if name else "",
        pvr=pvr,
        stated_khz=hertz // 1000 or clock_khz(overview.get("speed", "")),
        now_khz=number(values, "hw.cpufrequency") // 1000,
        sockets=count if count == 1 else 0,  # both cores of a 970MP share a socket, two 7455 do not
        cores=count,
        threads=number(values, "hw.logicalcpu", "hw.ncpu") or count,
        flags=frozenset(flags),
    )


def _apple(
    values: Mapping[str, str], brand: str, overview: Mapping[str, str], problems: list[str]
) -> Processor:
    chip = brand.removeprefix("Apple ")
    if chip not in _APPLE_PARTS:
        problems.append("processor: no part number is known for this chip")
    problems.append("clock: this system does not state it")
    cores = number(values, "hw.physicalcpu", "machdep.cpu.core_count") or _cores_stated(overview)
    return Processor(
        vendor="0x61",
        name=brand,
        family=8,
        model=_APPLE_PARTS.get(chip, 0),
        sockets=number(values, "hw.packages") or (1 if cores else 0),
        cores=cores,
        threads=number(values, "hw.logicalcpu", "machdep.cpu.thread_count", "hw.ncpu") or cores,
        flags=frozenset(
            ours for ours, theirs in (
                ("asimd", "hw.optional.neon"), ("asimd", "hw.optional.AdvSIMD"), ("aes", "hw.optional.arm.FEAT_AES"),
                ("fp", "hw.optional.floatingpoint"), ("sha2", "hw.optional.arm.FEAT_SHA256"),
            ) if number(values, theirs)
        ),
    )  # fmt: skip


def _intel(values: Mapping[str, str], brand: str, overview: Mapping[str, str]) -> Processor:
    listed = (values.get(f"machdep.cpu.{name}", "") for name in ("features", "extfeatures", "leaf7_features"))
    packages = number(values, "hw.packages") or decimal(overview.get("processors", "")) or 1
    cores = number(values, "hw.physicalcpu") or number(values, "machdep.cpu.core_count") * packages
    threads = number(values, "hw.logicalcpu", "hw.ncpu") or number(values, "machdep.cpu.thread_count") * packages
    hertz = number(values, "hw.cpufrequency_max", "hw.cpufrequency")
    return Processor(
        vendor=clean(values.get("machdep.cpu.vendor", ""), chars_max=16),
        name=brand or clean(overview.get("processor", "")),
        family=number(values, "machdep.cpu.family"),
        model=number(values, "machdep.cpu.model"),
        stepping=number(values, "machdep.cpu.stepping"),
        stated_khz=clock_khz(brand) or hertz // 1000 or clock_khz(overview.get("speed", "")),
        now_khz=number(values, "hw.cpufrequency") // 1000,
        sockets=packages if cores or values else 0,
        cores=cores or _cores_stated(overview),
        threads=threads,
        flags=linux_features(word for text in listed for word in text.split()),
    )


def _cores_stated(overview: Mapping[str, str]) -> int:
    """Return the cores of `8 (4 performance and 4 efficiency)` or `proc 8:4:4`."""
    text = overview.get("cores", "") or overview.get("processors", "").removeprefix("proc ")
    return decimal(text.partition(" ")[0].partition(":")[0]) or 0


def _caches(values: Mapping[str, str], overview: Mapping[str, str]) -> tuple[Cache, ...]:
    line = number(values, "hw.cachelinesize")
    found = []
    for names, level, kind in (
        (("hw.perflevel0.l1dcachesize", "hw.l1dcachesize"), 1, "Data"),
        (("hw.perflevel0.l1icachesize", "hw.l1icachesize"), 1, "Instruction"),
        (("hw.perflevel0.l2cachesize", "hw.l2cachesize"), 2, "Unified"),
        (("hw.l3cachesize",), 3, "Unified"),
    ):
        kib = number(values, *names) >> 10
        if not kib and level > 1:
            kib = size_kib(overview.get(f"l{level}", "")) or 0
        if kib:
            found.append(Cache(level, CACHE_TYPES[kind], kib, line, 0, 0))
    return tuple(sorted(found))


def _signs(values: Mapping[str, str], model: str, files: Mapping[str, str]) -> list[tuple[int, str]]:
    found = []
    if number(values, "kern.hv_vmm_present"):
        found.append((SYS_HYPERVISOR, "kern.hv_vmm_present"))
    if model.startswith(_VIRTUAL_MODELS):
        found.append((FIRMWARE_VIRTUAL, f"hw.model={model}"))
    # Rosetta: the processor is another one than this process sees; a native Python lifts it.
    if number(values, "sysctl.proc_translated"):
        found.append((OTHER_CPU, "translated: sysctl.proc_translated"))
    if values.get("sysctl.proc_native", "") == "0":
        found.append((OTHER_CPU, "translated: sysctl.proc_native"))
    tools = " ".join(text for key, text in files.items() if key.startswith(("cmd:system_profiler", "cmd:ioreg")))
    found += [(FIRMWARE_VIRTUAL, f"disk {disk}") for disk in _VIRTUAL_DISKS if disk in tools]
    return found


def _rosetta_looked_for(values: Mapping[str, str]) -> bool:
    """Whether a translated process would have shown: a kernel that answers tells of translation if it knows it."""
    return any(name.startswith("hw.") for name in values)


def _os_name(files: Mapping[str, str]) -> str:
    fields = pairs(files.get("cmd:sw_vers", ""), ":")
    return clean(f"{fields.get('ProductName', '')} {fields.get('ProductVersion', '')}")


def _identifiers(
    files: Mapping[str, str], overview: Mapping[str, str], tree: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    found = list(hardware_addresses(files.get("cmd:ifconfig -a", ""), ("en0",)))
    serial = clean(tree.get("IOPlatformSerialNumber", "") or overview.get("serial", "")).lower()
    uuid = clean(tree.get("IOPlatformUUID", "") or overview.get("uuid", "")).lower()
    found += [("soc_serial", serial)] if serial else []
    found += [("dmi_uuid", uuid)] if uuid else []
    return tuple(found)
