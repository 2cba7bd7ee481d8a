"""From the machine to a report: platform readers, parsers, signs and identifiers put together.

`collect` looks at this machine; `read_machine` is its pure half and works on any dump.  Only the reader
and the parser of the platform at hand are imported: a resting miner must stay small.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

from metanode.core.model.errors import MetanodeError
from metanode.fingerprint.consistency import timebase_disagreement
from metanode.fingerprint.identifiers import Identifier, binding_basis, find_identifiers
from metanode.fingerprint.inventory import FEATURES, SOURCES, Board, Cpu, Inventory
from metanode.fingerprint.parsers.masked import masked_features
from metanode.fingerprint.parsers.meminfo import rounded_mib
from metanode.fingerprint.parsers.reading import Processor, Reading
from metanode.fingerprint.parsers.text import clean, decimal
from metanode.fingerprint.virtual import FEATURES_MASKED, SOURCES_DISAGREE, find_signs
from metanode.platforms.captured import Dump, ProcessFacts, own_process

CLOCK_STEP_MHZ = 100
"""Clocks from here on are rounded to this: calibration at boot moves them by a fraction of a percent."""
DISAGREEMENTS_MAX = 4
"""Most contradictions between sources that stand in an inventory."""

_PARSERS: dict[str, str] = {
    "linux": "linux", "darwin": "macos", "freebsd": "freebsd", "openbsd": "openbsd", "netbsd": "openbsd",
    "haiku": "haiku", "sunos": "solaris", "win32": "windows",
}
"""Platform to the module of `parsers` that reads its dumps, by the function `read_` and the module's name."""
COLLECTED = {"linux": "Linux", "darwin": "macOS", "freebsd": "FreeBSD", "openbsd": "OpenBSD", "netbsd": "NetBSD"}
"""Platforms that also have a collector."""


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
    details: Mapping[str, str] = field(default_factory=dict)
    """For people: chip, board revision, timebase."""
    disagreements: tuple[str, ...] = ()
    """Two sources that cannot both be true."""


def collect(root: Path = Path("/")) -> Report:
    """Look at this machine.

    :raises MetanodeError: UNSUPPORTED_PLATFORM with the reason in words.
    """
    return read_machine(*look(root))


def look(root: Path = Path("/")) -> tuple[Dump, ProcessFacts]:
    """Return everything that is read from this machine, uninterpreted.

    :raises MetanodeError: UNSUPPORTED_PLATFORM with the reason in words.
    """
    reason = unsupported_reason(sys.platform)
    if reason:
        raise MetanodeError("UNSUPPORTED_PLATFORM", reason)
    system = platform_of(sys.platform)
    if system == "linux":
        from metanode.platforms.linux.dump import read_dump as read_linux_dump
        from metanode.platforms.linux.process import read_process

        return read_linux_dump(root), read_process()
    if system == "darwin":
        from metanode.platforms.macos.dump import read_dump as read_mac_dump

        return read_mac_dump(), own_process()
    if system == "freebsd":
        from metanode.platforms.freebsd.dump import read_dump as read_freebsd_dump

        return read_freebsd_dump(root), own_process()
    from metanode.platforms.openbsd.dump import read_dump as read_openbsd_dump

    return read_openbsd_dump(root), own_process()


def platform_of(system: str) -> str:
    """Return `sys.platform` without the version that some systems append: `freebsd14` is `freebsd`."""
    return system if system in _PARSERS else system.rstrip("0123456789")


def unsupported_reason(system: str) -> str:
    """Return why a platform has no collector, "" when it has one."""
    if platform_of(system) in COLLECTED:
        return ""
    *most, last = COLLECTED.values()
    return f"there is no collector for {system} yet; {', '.join(most)} and {last} have one"


def read_machine(dump: Dump, facts: ProcessFacts) -> Report:
    """Turn captured text into a report.  Pure, and never raises on strange text."""
    files = dump.files
    reading = _parser(facts.system)(files, facts)
    cpu, firmware = reading.processor, reading.firmware
    board = Board(
        sys_vendor=firmware.sys_vendor,
        product_name=firmware.product_name,
        board_vendor=firmware.board_vendor,
        board_name=firmware.board_name,
        bios_vendor=firmware.bios_vendor,
        model=clean(reading.model),
        chassis_type=firmware.chassis_type,
    )
    features = tuple(name for name in FEATURES if name in cpu.flags)
    identifiers = find_identifiers(files, reading.identifiers)
    masked = masked_features(cpu.vendor, cpu.family, cpu.model, cpu.flags)
    inventory = Inventory(
        platform=clean(platform_of(facts.system)),
        machine=clean(reading.machine),
        word_bits=facts.word_bits,
        byte_order=facts.byte_order,
        cpu=_cpu(cpu),
        features=features,
        caches=reading.caches,
        memory_mib=rounded_mib(reading.total_kib),
        board=board,
        signs=(),
        binding=binding_basis(identifiers)[0],
        sources=sum(1 << bit for bit, name in enumerate(SOURCES) if name in reading.sources),
    )
    timebase = timebase_disagreement(inventory, decimal(reading.details.get("timebase", "")) or 0)
    disagreements = (*reading.disagreements, *((timebase,) if timebase else ()))
    own = {*reading.signs, *((SOURCES_DISAGREE, text) for text in disagreements[:DISAGREEMENTS_MAX])}
    if masked:
        own.add((FEATURES_MASKED, masked))
    signs = find_signs(
        files,
        cpu_name=cpu.name,
        features=features,
        board=board,
        machine=reading.machine,
        has_vdso=facts.has_vdso,
        pci=reading.pci,
        macs=[item.value for item in identifiers if item.kind in ("mac", "weak_mac")],
        own=own,
    )
    return Report(
        inventory=replace(inventory, signs=signs),
        identifiers=identifiers,
        os_name=reading.os_name,
        total_kib=reading.total_kib,
        clock_khz=cpu.now_khz,
        flags=cpu.flags,
        unread=dict(dump.unread),
        problems=reading.problems,
        details=dict(reading.details),
        disagreements=disagreements,
    )


def _parser(system: str) -> Callable[[Mapping[str, str], ProcessFacts], Reading]:
    """Return the parser of a platform's dumps; an unknown platform's are read like Linux's, whatever is in them."""
    name = _PARSERS.get(platform_of(system), "linux")
    parser: Callable[[Mapping[str, str], ProcessFacts], Reading] = getattr(
        import_module(f"metanode.fingerprint.parsers.{name}"), f"read_{name}"
    )
    return parser


def _cpu(cpu: Processor) -> Cpu:
    return Cpu(
        vendor=clean(cpu.vendor),
        name=clean(cpu.name),  # some are put together of a clean name and a word of ours
        family=cpu.family,
        model=cpu.model,
        stepping=cpu.stepping,
        pvr=cpu.pvr,
        clock_mhz=_rounded_mhz(cpu.stated_khz),
        sockets=cpu.sockets,
        cores=cpu.cores,
        threads=cpu.threads,
    )


def _rounded_mhz(khz: int) -> int:
    """Round to 100 MHz, and to one below: a 33 MHz machine must not become one without a clock."""
    if khz < CLOCK_STEP_MHZ * 1000:
        return (khz + 500) // 1000
    return (khz // 1000 + CLOCK_STEP_MHZ // 2) // CLOCK_STEP_MHZ * CLOCK_STEP_MHZ
