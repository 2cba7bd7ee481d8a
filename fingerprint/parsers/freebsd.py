"""A dump of FreeBSD to a reading: sysctl, boot messages, pciconf, kenv.

Source: sys/x86/x86/identcpu.c, sys/powerpc/powerpc/cpu.c, sys/arm64/arm64/identcpu.c and sys/kern/subr_smp.c of
FreeBSD.  `Id` is the processor's own signature, so family and model come from it; older kernels print no others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from metanode.fingerprint.parsers.dmi import Dmi
from metanode.fingerprint.parsers.feature_names import linux_features
from metanode.fingerprint.parsers.ifconfig import hardware_addresses
from metanode.fingerprint.parsers.reading import OTHER_CPU, SYS_HYPERVISOR, Processor, Reading
from metanode.fingerprint.parsers.sysctl import boot_lines, number, sysctl_values
from metanode.fingerprint.parsers.text import SOURCE_CHARS_MAX, bounded_lines, clean, clock_khz, hexadecimal, pairs
from metanode.fingerprint.parsers.x86_signature import family_model_stepping
from metanode.platforms.captured import ProcessFacts

_CPU_CLOCK = re.compile(r"\(([0-9]{1,6}\.[0-9]{1,3})-MHz ")
_ORIGIN = re.compile(r"Origin ?= ?\"(.{1,16})\" +Id ?= ?0x([0-9a-fA-F]{1,8})\b")
_FIELD = re.compile(r"\b(Family|Model|Stepping) ?= ?(0x)?([0-9a-fA-F]{1,4})\b")
_FEATURES = re.compile(r"[A-Za-z ]{0,40}Features[0-9]?=0x[0-9a-f]{1,16}<([^>]{1,2000})>")
_POWERPC = re.compile(r"cpu0: (.{0,20}PowerPC (\S{1,16})) revision ([0-9]{1,3})\.([0-9]{1,3})(?:, ([0-9.]{1,12}) MHz)?")
_ARM64 = re.compile(r"CPU +0: (\S{1,16}) (.{1,32}?) r([0-9]{1,2})p([0-9]{1,2})\b")
_PCI = re.compile(r"vendor=0x([0-9a-f]{4}) device=0x([0-9a-f]{4})|chip=0x([0-9a-f]{4})([0-9a-f]{4})")
_SMP = re.compile(r"FreeBSD/SMP: ([0-9]{1,4}) package\(s\)((?: x [0-9]{1,4} [A-Za-z ]{1,24}(?:\(s\))?){0,8})")
_LEVEL = re.compile(r"x ([0-9]{1,4}) ([A-Za-z ]{1,24})")
_DISK_IDENT = re.compile(r"^\s+(descr|ident): (.{1,80})$")


def read_freebsd(files: Mapping[str, str], facts: ProcessFacts) -> Reading:
    """Read a dump.  Pure, and never raises on strange text."""
    values, lines = sysctl_values(files), boot_lines(files)
    problems: list[str] = []
    disagreements: list[str] = []
    machine = clean(values.get("hw.machine_arch", "") or facts.machine)
    text = "\n".join(lines)
    if machine.startswith("powerpc"):
        processor = _powerpc(text, values)
    elif machine in ("aarch64", "arm64") or machine.startswith("arm"):
        processor = _arm(text, values)
    else:
        processor = _x86(lines, text, values, disagreements)
    if not processor.name:
        problems.append("processor: not named")
    if not processor.stated_khz:
        problems.append("clock: no source states it")
    kernel_environment = pairs(files.get("cmd:kenv", ""), "=")
    firmware = _firmware(kernel_environment)
    pci = _pci(files.get("cmd:pciconf -lv", ""))
    answered = {
        "cpuinfo": bool(processor.name),
        "dmi": bool(firmware.sys_vendor or firmware.product_name),
        "pci": bool(pci),
        "devices": "cmd:ifconfig -a" in files,
        "process": bool(values.get("hw.model")),
    }
    return Reading(
        machine=machine,
        processor=processor,
        total_kib=_memory_kib(lines, values),
        firmware=firmware,
        model=clean(values.get("hw.fdt.model", "")),
        os_name=clean(f"{values.get('kern.ostype', 'FreeBSD')} {values.get('kern.osrelease', '')}"),
        sources=frozenset(name for name, answer in answered.items() if answer),
        pci=pci,
        signs=tuple(_signs(text, values, machine)),
        identifiers=_identifiers(files, kernel_environment),
        disagreements=tuple(disagreements),
        problems=tuple(problems),
    )


def _x86(
    lines: list[str], text: str, values: Mapping[str, str], disagreements: list[str]
) -> Processor:
    # `CPU: Intel(R) Core(TM) i5-4440 CPU @ 3.10GHz (2993.39-MHz K8-class CPU)`
    printed_name, _, rest = next((line[5:] for line in lines if line.startswith("CPU: ")), "").rpartition("(")
    head, origin = _CPU_CLOCK.match("(" + rest), _ORIGIN.search(text)
    name = clean(printed_name if head else values.get("hw.model", ""))
    now = clock_khz(head.group(1) + "MHz") if head else number(values, "hw.clockrate") * 1000
    family, model, stepping = family_model_stepping(hexadecimal(origin.group(2)) or 0) if origin else (0, 0, 0)
    if origin:
        end = text.find("\n", origin.start())
        for field, prefix, digits in _FIELD.findall(text[origin.end() : end if end > 0 else None]):
            # Family and model are printed in hexadecimal, stepping in decimal.
            printed = int(digits, 16) if field != "Stepping" or prefix else int(digits) if digits.isdecimal() else -1
            if printed != {"Family": family, "Model": model, "Stepping": stepping}[field]:
                disagreements.append(f"{field.lower()} {digits} beside signature {origin.group(2)}")
    found = (match.group(1) for line in lines if (match := _FEATURES.match(line.strip())))
    sockets, cores, threads = _counts(text)
    return Processor(
        vendor=clean(origin.group(1), chars_max=16) if origin else "",
        name=name,
        family=family,
        model=model,
        stepping=stepping,
        stated_khz=clock_khz(name) or now,
        now_khz=now,
        sockets=sockets,
        cores=cores,
        threads=number(values, "hw.ncpu") or threads,
        flags=linux_features(word for listed in found for word in listed.split(",")),
    )


def _powerpc(text: str, values: Mapping[str, str]) -> Processor:
    from metanode.fingerprint.parsers.architectures.powerpc_names import version_of

    match = _POWERPC.search(text)
    name = clean(match.group(1) if match else values.get("hw.model", ""))
    revision = int(match.group(3)) << 8 | int(match.group(4)) if match else 0
    khz = clock_khz(f"{match.group(5)}MHz") if match and match.group(5) else number(values, "hw.clockrate") * 1000
    sockets, cores, threads = _counts(text)
    threads = number(values, "hw.ncpu") or threads
    altivec = number(values, "hw.altivec") or re.search(r"^cpu0: Features [0-9a-f]{1,8}<[^>]{0,400}ALTIVEC", text, re.M)
    return Processor(
        name=name,
        pvr=version_of(name) << 16 | revision & 0xFFFF if version_of(name) else 0,
        stated_khz=khz,
        now_khz=khz,
        sockets=sockets,
        cores=cores or (1 if threads == 1 else 0),
        threads=threads,
        flags=frozenset({"altivec"}) if altivec else frozenset(),
    )


def _arm(text: str, values: Mapping[str, str]) -> Processor:
    from metanode.fingerprint.parsers.architectures.arm_names import IMPLEMENTERS, midr, part_of

    match = _ARM64.search(text)
    maker, core = match.group(1, 2) if match else ("", clean(values.get("hw.model", "")).removeprefix("ARM "))
    part = part_of(core)
    implementer = next((number for number, name in IMPLEMENTERS.items() if name == (maker or "ARM")), 0)
    sockets, cores, threads = _counts(text)
    threads = number(values, "hw.ncpu") or threads
    khz = number(values, "dev.cpu.0.freq") * 1000
    levels = values.get("dev.cpu.0.freq_levels", "").partition("/")[0]
    return Processor(
        vendor=f"{implementer:#04x}" if part else "",
        name=clean(core),
        family=8 if part >= 0xD00 else 7 if part >= 0xC00 else 6 if part >= 0xB00 else 0,
        model=part,
        stepping=int(match.group(4)) if match else 0,
        pvr=midr(implementer, int(match.group(3)), part, int(match.group(4))) if match and part else 0,
        stated_khz=(int(levels) * 1000 if levels.isdecimal() and len(levels) < 7 else 0) or khz,
        now_khz=khz,
        sockets=sockets,
        cores=cores or threads,
        threads=threads,
    )


def _counts(text: str) -> tuple[int, int, int]:
    """Return (sockets, cores, threads) of `FreeBSD/SMP: 1 package(s) x 4 core(s) x 2 hardware threads`; 0 unknown."""
    match = _SMP.search(text)
    if match is None:
        total = re.search(r"Multiprocessor System Detected: ([0-9]{1,4}) CPUs", text)
        return 0, 0, int(total.group(1)) if total else 0
    cores = threads = int(match.group(1))
    for count, what in _LEVEL.findall(match.group(2)):
        threads *= int(count)
        if "thread" not in what:
            cores *= int(count)
    return int(match.group(1)), cores, threads


def _memory_kib(lines: list[str], values: Mapping[str, str]) -> int:
    total = number(values, "hw.realmem", "hw.physmem")
    if not total:
        line = next((line for line in lines if line.startswith("real memory")), "")
        match = re.match(r"real memory +=? *([0-9]{1,18})\b", line)
        total = int(match.group(1)) if match else 0
    return total >> 10


def _firmware(environment: Mapping[str, str]) -> Dmi:
    def text(name: str) -> str:
        return clean(environment.get(f"smbios.{name}", "").strip('"'))

    return Dmi(
        sys_vendor=text("system.maker"),
        product_name=text("system.product"),
        board_vendor=text("planar.maker"),
        board_name=text("planar.product"),
        bios_vendor=text("bios.vendor"),
        bios_version=text("bios.version"),
    )


def _pci(text: str) -> tuple[tuple[int, int], ...]:
    found = set()
    for vendor, device, old_device, old_vendor in _PCI.findall(text[:SOURCE_CHARS_MAX]):
        found.add((int(vendor or old_vendor, 16), int(device or old_device, 16)))
    return tuple(sorted(found))


def _signs(text: str, values: Mapping[str, str], machine: str) -> list[tuple[int, str]]:
    found = []
    guest = clean(values.get("kern.vm_guest", ""), chars_max=24)
    if guest and guest != "none":
        found.append((SYS_HYPERVISOR, f"kern.vm_guest={guest}"))
    origin = re.search(r"^Hypervisor: Origin = \"(.{1,16}?)\"", text, re.MULTILINE)
    if origin:
        found.append((SYS_HYPERVISOR, clean(origin.group(1), chars_max=24)))
    # User-mode emulators fake the machine's name and leave the processor's.
    if machine.startswith(("powerpc", "arm", "aarch64", "mips", "riscv", "sparc")) and re.search(
        r"Intel|AMD", values.get("hw.model", "")
    ):
        found.append((OTHER_CPU, f"x86 under {machine}"))
    return found


def _identifiers(files: Mapping[str, str], environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    found = list(hardware_addresses(files.get("cmd:ifconfig -a", "")))
    for kind, name in (("dmi_uuid", "system.uuid"), ("dmi_serial", "system.serial"), ("board_serial", "planar.serial")):
        found.append((kind, clean(environment.get(f"smbios.{name}", "").strip('"')).lower()))
    found += [("disk", ident) for ident in _disk_idents(files.get("cmd:geom disk list", ""))]
    return tuple(found)


def _disk_idents(text: str) -> list[str]:
    found, virtual = [], False
    for line in bounded_lines(text):
        match = _DISK_IDENT.match(line)
        if match and match.group(1) == "descr":
            virtual = any(word in match.group(2) for word in ("QEMU", "VBOX", "VMware", "Virtual", "VirtIO"))
        elif match and not virtual and match.group(2).strip() != "(null)":
            found.append(clean(match.group(2)))
    return found
