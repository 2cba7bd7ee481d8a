"""What the sources of one platform say of a machine, in words that all platforms share.

0 or "" stands for what the sources leave open; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from metanode.fingerprint.parsers.cache import Cache
from metanode.fingerprint.parsers.dmi import Dmi

SYS_HYPERVISOR, FIRMWARE_VIRTUAL, OTHER_CPU = 3, 4, 32
"""Codes of the signs that a platform's own parser finds; see `virtual.SIGNS`."""


@dataclass(frozen=True)
class Processor:
    """The processor, in the numbers of its own architecture."""

    vendor: str = ""
    """`GenuineIntel`, `AuthenticAMD`, ...; on ARM the implementer as `0x41`, also where the platform says `Apple`."""
    name: str = ""
    family: int = 0
    """x86 family; on ARM the architecture version."""
    model: int = 0
    """x86 model; on ARM the part number; on s390 the machine type."""
    stepping: int = 0
    pvr: int = 0
    """PowerPC processor version register; on ARM the main id register."""
    stated_khz: int = 0
    """The highest clock that a name, a driver or the firmware states."""
    now_khz: int = 0
    """The clock as read now."""
    sockets: int = 0
    cores: int = 0
    threads: int = 0
    flags: frozenset[str] = frozenset()
    """Features by Linux's names, whatever the platform calls them."""


@dataclass(frozen=True)
class Reading:
    """All that the sources say."""

    machine: str
    """The architecture by its kernel's name, without the name of a port: `powerpc` for OpenBSD's `macppc`."""
    processor: Processor
    caches: tuple[Cache, ...] = ()
    total_kib: int = 0
    firmware: Dmi = field(default_factory=Dmi)
    model: str = ""
    """The board's or machine's model: device tree, /proc/cpuinfo, `hw.model`."""
    os_name: str = ""
    sources: frozenset[str] = frozenset()
    """Names of `inventory.SOURCES` that answered."""
    pci: tuple[tuple[int, int], ...] = ()
    """(vendor, device) of PCI functions, where the platform is not Linux."""
    signs: tuple[tuple[int, str], ...] = ()
    """(code of `virtual.SIGNS`, evidence) that this platform's own sources show."""
    identifiers: tuple[tuple[str, str], ...] = ()
    """(kind of `identifiers.Identifier`, value) beyond those that Linux keeps in /sys."""
    disagreements: tuple[str, ...] = ()
    """Two sources of one machine that cannot both be true, in a few words each."""
    details: Mapping[str, str] = field(default_factory=dict)
    """For people: chip, board revision, what is only known roughly."""
    problems: tuple[str, ...] = ()
