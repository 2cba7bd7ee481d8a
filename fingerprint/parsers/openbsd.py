"""A dump of OpenBSD or NetBSD to a reading: sysctl and boot messages, above all of their macppc ports.

Source: sys/arch/macppc/macppc/cpu.c and sys/arch/amd64/amd64/identcpu.c of OpenBSD; sys/arch/powerpc/oea/cpu_subr.c
and sys/arch/x86/x86/identcpu.c of NetBSD.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from metanode.fingerprint.parsers.cache import CACHE_TYPES, Cache
from metanode.fingerprint.parsers.dmi import Dmi
from metanode.fingerprint.parsers.feature_names import linux_features
from metanode.fingerprint.parsers.ifconfig import hardware_addresses
from metanode.fingerprint.parsers.reading import OTHER_CPU, SYS_HYPERVISOR, Processor, Reading
from metanode.fingerprint.parsers.sysctl import boot_lines, number, sysctl_values
from metanode.fingerprint.parsers.text import clean, clock_khz
from metanode.platforms.captured import ProcessFacts

_PORTS: dict[str, str] = {
    "macppc": "powerpc", "ofppc": "powerpc", "prep": "powerpc", "bebox": "powerpc", "amigappc": "powerpc",
    "evbppc": "powerpc", "socppc": "powerpc", "sgi": "mips64", "sgimips": "mips", "pmax": "mips", "loongson": "mips64",
    "octeon": "mips64", "evbmips": "mips", "cobalt": "mips", "amiga": "m68k", "atari": "m68k", "mac68k": "m68k",
    "hp300": "m68k", "sun3": "m68k", "next68k": "m68k", "x68k": "m68k", "mvme68k": "m68k", "luna68k": "m68k",
    "armv7": "arm", "evbarm": "arm", "zaurus": "arm", "arm64": "aarch64", "landisk": "sh3", "dreamcast": "sh3",
    "hppa": "parisc",
}
"""A port's name to its architecture, where the two differ."""
_KERNEL_CPU = re.compile(r"^cpu0 at mainbus0(?: apid [0-9]{1,3}| addr \S{1,10})?: (.{1,120})$", re.MULTILINE)
_REVISION = re.compile(r"\(Revision (?:0x([0-9a-f]{1,4})|([0-9]{1,3})\.([0-9]{1,3}))\)")
_L2 = re.compile(r"([0-9]{1,5}) ?KB (?:L2|backside) cache")
_X86 = re.compile(r"^cpu0: (.{1,80}?), ([0-9]{1,6}(?:\.[0-9]{1,3})?) ?MHz, ([0-9a-f]{2})-([0-9a-f]{2})-([0-9a-f]{2})")
_TOPOLOGY = re.compile(r"^cpu([0-9]{1,4}): smt ([0-9]{1,3}), core ([0-9]{1,4}), package ([0-9]{1,3})")
_ANY_CPU = re.compile(r"^cpu([0-9]{1,4}) at (?:mainbus|cpus)0")
_MEMORY = re.compile(r"^(?:real mem *= *([0-9]{1,18})\b|total memory = ([0-9]{1,9}) ([KM])B)")
_PARAVIRTUAL = re.compile(r"^pvbus0 at mainbus0: (.{1,40})$", re.MULTILINE)
_BIOS = re.compile(r"^bios0: vendor (.{1,64}?) version", re.MULTILINE)
_PRODUCT = re.compile(r"^mainbus0 at root: model (\S{1,32})$|^Model: (.{1,48})$", re.MULTILINE)


def read_openbsd(files: Mapping[str, str], facts: ProcessFacts) -> Reading:
    """Read a dump.  Pure, and never raises on strange text."""
    values, lines = sysctl_values(files), boot_lines(files)
    text = "\n".join(lines)
    port = clean(values.get("hw.machine", "") or facts.machine)
    machine = _PORTS.get(port, port)
    problems: list[str] = []
    caches: tuple[Cache, ...] = ()
    if machine == "powerpc":
        processor, caches = _powerpc(text, lines, values)
    else:
        processor = _other(text, lines, values)
    if not processor.name:
        problems.append("processor: not named")
    if not processor.stated_khz:
        problems.append("clock: no source states it")
    model = _model(text, values, machine)
    firmware = _firmware(text, values)
    signs = [(SYS_HYPERVISOR, clean(match.group(1), chars_max=32)) for match in [_PARAVIRTUAL.search(text)] if match]
    if machine not in ("amd64", "i386") and re.search(r"Intel|AMD", processor.name):
        signs.append((OTHER_CPU, f"x86 under {machine}"))
    answered = {
        "cpuinfo": bool(processor.name), "cache": bool(caches), "dmi": bool(firmware.sys_vendor or model),
        "devices": "cmd:ifconfig -a" in files, "process": bool(values.get("hw.model")),
    }  # fmt: skip
    identifiers = list(hardware_addresses(files.get("cmd:ifconfig -a", "")))
    serial_kind = "soc_serial" if machine == "powerpc" else "dmi_serial"
    for kind, name in (("dmi_uuid", "hw.uuid"), (serial_kind, "hw.serialno")):
        identifiers.append((kind, clean(values.get(name, "")).lower()))
    return Reading(
        machine=machine,
        processor=processor,
        caches=caches,
        total_kib=_memory_kib(lines, values),
        firmware=firmware,
        model=model,
        os_name=clean(f"{values.get('kern.ostype', facts.system)} {values.get('kern.osrelease', '')}"),
        sources=frozenset(name for name, answer in answered.items() if answer),
        signs=tuple(signs),
        identifiers=tuple(identifiers),
        problems=tuple(problems),
    )


def _powerpc(text: str, lines: list[str], values: Mapping[str, str]) -> tuple[Processor, tuple[Cache, ...]]:
    from metanode.fingerprint.parsers.architectures.powerpc_names import WITH_ALTIVEC, version_of

    match = _KERNEL_CPU.search(text)
    described = match.group(1) if match else values.get("hw.model", "")
    name = clean(described.partition(" (")[0].partition(":")[0].partition(",")[0])
    version = version_of(name)
    revision = _REVISION.search(described) or _REVISION.search(values.get("hw.model", ""))
    low = 0
    if revision:
        low = int(revision.group(1), 16) if revision.group(1) else int(revision.group(2)) << 8 | int(revision.group(3))
    # NetBSD prints the clock on a line of its own.
    clock = clock_khz(described) or next((clock_khz(line) for line in lines if _is_clock_line(line)), 0)
    khz = clock or number(values, "hw.cpuspeed") * 1000
    count = number(values, "hw.ncpufound", "hw.ncpu") or _count(lines)
    level_2 = _L2.search(text)
    caches = (Cache(2, CACHE_TYPES["Unified"], int(level_2.group(1)), 0, 0, 1),) if level_2 else ()
    stated = values.get("machdep.altivec", "")
    altivec = stated == "1" if stated else version in WITH_ALTIVEC
    return Processor(
        name=f"PowerPC {name}" if version else name,
        pvr=version << 16 | low & 0xFFFF if version else 0,
        stated_khz=khz,
        now_khz=number(values, "hw.cpuspeed") * 1000 or khz,
        sockets=1 if count == 1 else 0,
        cores=count,
        threads=count,
        flags=frozenset({"altivec"}) if altivec else frozenset(),
    ), caches


def _is_clock_line(line: str) -> bool:
    return line.startswith("cpu0: ") and "MHz" in line[:40]


def _other(text: str, lines: list[str], values: Mapping[str, str]) -> Processor:
    match = re.search(_X86.pattern, text, re.MULTILINE)
    name = clean(match.group(1) if match else values.get("machdep.cpu_brand", "") or values.get("hw.model", ""))
    flags = next((line[6:].split(",") for line in lines if line.startswith("cpu0: FPU,")), [])
    places = [found.groups() for line in lines if (found := _TOPOLOGY.match(line))]
    threads = number(values, "hw.ncpufound", "hw.ncpu") or _count(lines)
    now = clock_khz(f"{match.group(2)} MHz") if match else number(values, "hw.cpuspeed") * 1000
    return Processor(
        vendor=_maker(name),
        name=name,
        family=int(match.group(3), 16) if match else 0,
        model=int(match.group(4), 16) if match else 0,
        stepping=int(match.group(5), 16) if match else 0,
        stated_khz=clock_khz(name) or now,
        now_khz=now,
        sockets=len({place[3] for place in places}) or (1 if threads == 1 else 0),
        cores=len({(place[3], place[2]) for place in places}) or (1 if threads == 1 else 0),
        threads=threads,
        flags=linux_features(flags),
    )


def _maker(name: str) -> str:
    return "GenuineIntel" if "Intel" in name else "AuthenticAMD" if "AMD" in name else ""


def _count(lines: list[str]) -> int:
    return len({match.group(1) for line in lines if (match := _ANY_CPU.match(line))})


def _memory_kib(lines: list[str], values: Mapping[str, str]) -> int:
    for line in lines:
        match = _MEMORY.match(line)
        if match:
            if match.group(1):
                return int(match.group(1)) >> 10
            return int(match.group(2)) * (1024 if match.group(3) == "M" else 1)
    return number(values, "hw.physmem64", "hw.physmem") >> 10


def _model(text: str, values: Mapping[str, str], machine: str) -> str:
    """Return `PowerBook6,8`: OpenBSD's hw.product, NetBSD's machdep.model, or the boot messages of either."""
    match = _PRODUCT.search(text)
    printed = (match.group(1) or match.group(2)) if match else ""
    named = values.get("hw.product", "") or values.get("machdep.model", "") if machine == "powerpc" else ""
    return clean(named or printed)


def _firmware(text: str, values: Mapping[str, str]) -> Dmi:
    bios = _BIOS.search(text)
    return Dmi(
        sys_vendor=clean(values.get("hw.vendor", "") or values.get("machdep.dmi.system-vendor", "")),
        product_name=clean(values.get("hw.product", "") or values.get("machdep.dmi.system-product", "")),
        bios_vendor=clean(bios.group(1) if bios else values.get("machdep.dmi.bios-vendor", "")),
    )
