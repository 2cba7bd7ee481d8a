"""Names of PowerPC processors by the upper half of the processor version register, and back.

Source: arch/powerpc/kernel/cputable.c of the Linux sources; IBM's and Freescale's user manuals.
"""

from __future__ import annotations

NAMES: dict[int, str] = {
    0x0001: "601", 0x0003: "603", 0x0004: "604", 0x0006: "603e", 0x0007: "603ev", 0x0008: "750", 0x0009: "604e",
    0x000A: "604r", 0x000C: "7400", 0x0014: "620", 0x0033: "RS64-II", 0x0034: "RS64-III", 0x0035: "POWER4",
    0x0036: "RS64-IV", 0x0037: "RS64-IV", 0x0038: "POWER4+", 0x0039: "970", 0x003A: "POWER5", 0x003B: "POWER5+",
    0x003C: "970FX", 0x003E: "POWER6", 0x003F: "POWER7", 0x0040: "POWER3", 0x0041: "POWER3-II", 0x0044: "970MP",
    0x0045: "970GX", 0x004A: "POWER7+", 0x004B: "POWER8E", 0x004C: "POWER8NVL", 0x004D: "POWER8", 0x004E: "POWER9",
    0x0050: "8xx", 0x0070: "Cell Broadband Engine", 0x0080: "POWER10", 0x0081: "603e (82xx)", 0x0082: "POWER11",
    0x0083: "e300c1", 0x0084: "e300c2", 0x0085: "e300c3", 0x0086: "e300c4", 0x0090: "PA6T", 0x4011: "405GP",
    0x4222: "440EP", 0x7000: "750FX", 0x7002: "750GX", 0x8000: "7450", 0x8001: "7455", 0x8002: "7457",
    0x8003: "7447A", 0x8004: "7448", 0x800C: "7410", 0x8020: "e500", 0x8021: "e500v2", 0x8023: "e500mc",
    0x8024: "e5500", 0x8040: "e6500",
}
_THREADED = {0x3A, 0x3B, 0x3E, 0x3F, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x70, 0x80, 0x82, 0x8040}
"""Processors that run several threads on a core."""
WITH_ALTIVEC = {0x0C, 0x39, 0x3C, 0x44, 0x45, 0x8000, 0x8001, 0x8002, 0x8003, 0x8004, 0x800C}
"""Those of Apple's machines that have AltiVec."""


def pvr_name(pvr: int) -> str:
    """Return a processor's name, or "" when it is not listed."""
    return NAMES.get(pvr >> 16, "")


def is_threaded(pvr: int) -> bool:
    """Whether one core shows as several processors."""
    return pvr >> 16 in _THREADED


def version_of(name: str) -> int:
    """Return the upper half of the version register for a name as the BSDs print it (`7447A`, `PowerPC 750`); or 0."""
    words = name.replace("-", " ").upper().split()
    for version, known in NAMES.items():
        if known.upper() in words:
            return version
    return {"7451": 0x8000, "7441": 0x8000, "7445": 0x8001, "7447": 0x8002, "740": 0x0008}.get(
        next((word for word in words if word in ("7451", "7441", "7445", "7447", "740")), ""), 0
    )
