"""Linux beyond a PC's own /proc and /sys: boards, threads of other architectures, `lscpu` that came along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from metanode.fingerprint.parsers.architectures.arm_names import FIRST_PART_OF_VERSION_8
from metanode.fingerprint.parsers.cache import CACHE_TYPES, Cache
from metanode.fingerprint.parsers.cpuinfo import CpuInfo
from metanode.fingerprint.parsers.disagreement import linux_disagreements
from metanode.fingerprint.parsers.lscpu import Lscpu, cpufreq_limit_khz, parse_lscpu
from metanode.fingerprint.parsers.raspberry_pi import PiBoard, decode_revision, is_raspberry_pi
from metanode.fingerprint.parsers.reading import OTHER_CPU, SYS_HYPERVISOR, Processor, Reading
from metanode.fingerprint.parsers.text import clean, hexadecimal, pairs
from metanode.platforms.captured import ProcessFacts

LSCPU = "cmd:lscpu"
CPUFREQ_INFO = "cmd:cpufreq-info"
_TREE_REVISION = "hex:proc/device-tree/system/linux,revision"
_TREE_CPUS = "hex:proc/device-tree/cpus/"
_MACHINES: dict[str, tuple[str, ...]] = {
    "x86": ("x86_64", "amd64", "i386", "i486", "i586", "i686"), "arm": ("arm", "aarch64"),
    "powerpc": ("ppc", "powerpc", "Power"), "s390": ("s390",), "mips": ("mips",), "riscv": ("riscv",),
    "sparc": ("sparc",), "m68k": ("m68k",), "alpha": ("alpha",), "ia64": ("ia64",), "parisc": ("parisc", "hppa"),
    "loongarch": ("loongarch",), "superh": ("sh",),
}
"""Architecture of /proc/cpuinfo to how the kernel's name of the machine begins."""
_32_BIT_MACHINES = ("armv6", "armv7", "armv8l", "arm")


def complete(reading: Reading, info: CpuInfo, files: Mapping[str, str], facts: ProcessFacts) -> Reading:
    """Return the reading with what these sources add, and where they contradict each other."""
    lscpu = parse_lscpu(files.get(LSCPU, ""))
    if not info.revision:  # kernels since 6.6 leave the board's code to the device tree
        info = replace(info, revision=files.get(_TREE_REVISION, "").strip()[:16])
    board = _board(info, reading.model)
    details = {**reading.details, **_details(info, board, files, facts)}
    # Only PCs have SMBIOS as a rule; that others lack it is no problem.
    problems = [text for text in reading.problems if info.kind in ("x86", "") or not text.startswith("dmi:")]
    processor = _topology(reading.processor, info, lscpu, files)
    limit_khz = cpufreq_limit_khz(files.get(CPUFREQ_INFO, "")) or lscpu.max_khz
    if limit_khz and not info.name_khz:
        processor = replace(processor, stated_khz=limit_khz)
    if not processor.stated_khz:
        problems.append("clock: no source states it")
    if not processor.cores and processor.threads:
        problems.append("cores: threads cannot be told from cores")
    serial = _serial(files.get("proc/device-tree/serial-number", ""), info)
    return replace(
        reading,
        processor=processor,
        caches=reading.caches or info.caches or _tree_caches(files) or lscpu.caches,
        model=_model(reading.model, board, files),
        signs=tuple(_signs(info, lscpu, files, facts.machine)),
        identifiers=(("soc_serial", serial),) if serial else (),
        disagreements=linux_disagreements(info, facts.machine, board, reading.total_kib, lscpu, files),
        details=details,
        problems=tuple(problems),
    )


def _board(info: CpuInfo, model: str) -> PiBoard | None:
    """Return the Raspberry Pi that a revision code names; other boards use codes of their own."""
    named = is_raspberry_pi(model) or is_raspberry_pi(info.machine)
    return decode_revision(info.revision) if named and info.kind == "arm" else None


def _model(model: str, board: PiBoard | None, files: Mapping[str, str]) -> str:
    """Return the machine's model; m68k kernels keep it in /proc/hardware, old Raspberry Pis only as a code."""
    hardware = clean(pairs(files.get("proc/hardware", ""), ":").get("Model", ""))
    if hardware:
        return hardware
    return board.model if board and not model.startswith("Raspberry Pi") else model


def _serial(text: str, info: CpuInfo) -> str:
    """Return the board's serial number as every system of that machine spells it.

    A PowerMac's Open Firmware keeps the last three characters first and the rest from the fourteenth byte on.
    Source: IODTPlatformExpert::createSystemSerialNumberString of XNU.
    """
    words = text.split()
    if info.kind == "powerpc" and len(words) == 2 and len(words[0]) == 3:
        return clean(words[1][:8] + words[0]).lower()
    return clean(text).lower()


def _details(
    info: CpuInfo, board: PiBoard | None, files: Mapping[str, str], facts: ProcessFacts
) -> dict[str, str]:
    found = {}
    if board is not None:
        found["revision code"] = f"{board.model}, {board.memory_mib} MiB, {board.chip} ({info.revision})"
    chip = clean(files.get("sys/devices/soc0/soc_id", "") or files.get("sys/devices/soc0/family", ""))
    if chip:
        found["chip"] = chip
    if info.kind == "arm" and info.model >= FIRST_PART_OF_VERSION_8 and facts.word_bits == 32:
        kernel = "kernel" if facts.machine.startswith(_32_BIT_MACHINES) else "process"
        found["width"] = f"a 64-bit processor seen by a 32-bit {kernel}"
    midr = hexadecimal(files.get("sys/devices/system/cpu/cpu0/regs/identification/midr_el1", "").strip())
    if midr:
        found["midr"] = f"{midr:08x}"
    return found


def _topology(processor: Processor, info: CpuInfo, lscpu: Lscpu, files: Mapping[str, str]) -> Processor:
    """Tell cores from threads by /sys, else by lscpu, and never by counting on it."""
    threads = max(processor.threads, lscpu.threads)
    sockets, cores = processor.sockets, processor.cores
    if info.kind not in ("x86", "", "riscv", "parisc"):
        siblings = {text.strip() for path, text in files.items() if path.endswith("/topology/thread_siblings_list")}
        if siblings:
            cores = len(siblings)
        elif lscpu.threads and cores in (0, info.processors):
            cores = threads // max(1, lscpu.threads_per_core)
        sockets = sockets or lscpu.sockets
    if info.processors < lscpu.threads and lscpu.sockets:  # the file was cut
        sockets = lscpu.sockets
        cores = lscpu.cores_per_socket * sockets if info.kind == "x86" else cores
    return replace(processor, threads=threads, sockets=sockets, cores=cores)


def _tree_caches(files: Mapping[str, str]) -> tuple[Cache, ...]:
    """Return the caches that Open Firmware keeps for the first processor."""
    found: dict[tuple[int, str], Cache] = {}
    for path, digits in sorted(files.items()):
        if path.startswith(_TREE_CPUS):
            level, kind = {
                "i-cache-size": (1, "Instruction"),
                "d-cache-size": (1, "Data"),
                "l2-cache/d-cache-size": (2, "Unified"),
            }.get(path.split("/", 4)[4] if path.count("/") > 3 else "", (0, ""))
            size = hexadecimal(digits) or 0
            if level and size >> 10:
                found.setdefault((level, kind), Cache(level, CACHE_TYPES[kind], size >> 10, 0, 0, 1))
    return tuple(sorted(found.values()))


def _signs(info: CpuInfo, lscpu: Lscpu, files: Mapping[str, str], machine: str) -> list[tuple[int, str]]:
    found = []
    if info.kind and machine and not machine.startswith(_MACHINES[info.kind]):
        found.append((OTHER_CPU, f"{info.kind} under {machine}"))
    if lscpu.hypervisor:
        found.append((SYS_HYPERVISOR, f"lscpu: {lscpu.hypervisor}"))
    if info.kind == "s390":
        # Every machine of this kind runs in a partition (LPAR); only what runs above that is a virtual machine.
        program = clean(pairs(files.get("proc/sysinfo", ""), ":").get("VM00 Control Program", ""), chars_max=32)
        if program:
            found.append((SYS_HYPERVISOR, program))
        elif dict(info.details).get("guest version"):
            found.append((SYS_HYPERVISOR, "cpu version FF"))
    return found
