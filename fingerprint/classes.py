"""From an inventory to the row of the multiplier table, and to the name of its processor model.

Pure and integer-only: every validator must reach the same row.  x86 is told by vendor,
family and model, never by marketing names, except where Intel reused numbers.
Source of the numbers: Intel SDM volume 4 table 2-1 and arch/x86/include/asm/intel-family.h of
the Linux sources; AMD revision guides; PVRs from arch/powerpc/kernel/cputable.c; ARM
part numbers from arch/arm/include/asm/cputype.h and util-linux sys-utils/lscpu-arm.c.
"""

from __future__ import annotations

from metanode.fingerprint.inventory import Cpu, Inventory
from metanode.fingerprint.multipliers import UNKNOWN

MODEL_BYTES_MAX = 64
"""Longest name of a processor's model, bytes of ASCII."""
X86_MACHINES = ("x86_64", "amd64", "i386", "i486", "i586", "i686")
_ARM_MACHINES = ("arm", "aarch64")
_POWERPC_MACHINES = ("ppc", "powerpc", "Power Macintosh")
_OLD_X86_VENDORS = (
    "CyrixInstead", "CentaurHauls", "GenuineTMx86", "NexGenDriven", "RiseRiseRise", "UMC UMC UMC", "Geode by NSC",
)

_INTEL_FAMILY_6: dict[int, str] = {
    1: "Pentium Pro", 3: "Pentium II", 5: "Pentium II", 6: "Pentium II", 7: "Pentium III", 8: "Pentium III",
    10: "Pentium III", 11: "Pentium III", 9: "Pentium M", 13: "Dothan", 14: "Yonah",
    **dict.fromkeys((15, 22, 23, 29), "Core 2"),
    **dict.fromkeys((26, 30, 31, 46, 37, 44, 47), "Nehalem"),
    **dict.fromkeys((42, 45, 58, 62), "Sandy Bridge"),
    **dict.fromkeys((60, 63, 69, 70, 61, 71, 79, 86), "Haswell"),
    # Bonnell, Silvermont, Airmont, Goldmont, Goldmont Plus, Tremont, and the Gracemont-only N series.
    **dict.fromkeys((28, 38, 39, 53, 54, 55, 74, 77, 90, 93), "low-power"),
    **dict.fromkeys((76, 117, 92, 95, 122, 134, 138, 150, 156, 190), "low-power"),
}
_ARM_PARTS: dict[tuple[str, int], str] = {
    ("0x41", 0x200): "ARM2", ("0x41", 0x210): "ARM2", ("0x41", 0x250): "ARM2", ("0x41", 0x300): "ARM3",
    **dict.fromkeys((("0x41", part) for part in (0x600, 0x610, 0x620)), "ARM6"),
    **dict.fromkeys((("0x41", part) for part in (0x700, 0x710, 0x720)), "ARM7"),
    **dict.fromkeys((("0x41", part) for part in (0x920, 0x922, 0x926, 0x940, 0x946, 0x966, 0x968)), "ARM9"),
    **dict.fromkeys((("0x41", part) for part in (0xB02, 0xB36, 0xB56, 0xB76)), "ARM11"),
    ("0x41", 0xC08): "Cortex-A8", ("0x41", 0xC09): "Cortex-A9",
    ("0x44", 0xA10): "StrongARM", ("0x44", 0xA11): "SA-1100", ("0x69", 0xB11): "SA-1100",
}
_APPLE_PARTS: dict[int, str] = {
    **dict.fromkeys((0x022, 0x023, 0x024, 0x025, 0x028, 0x029), "M1"),
    **dict.fromkeys((0x032, 0x033, 0x034, 0x035, 0x038, 0x039), "M2"),
}
_APPLE_CHIPS = ("M1", "M2", "M3", "M4")
_POWERPC_PVR: dict[int, str] = {
    **dict.fromkeys((0x0008, 0x7000, 0x7002), "G3"),
    **dict.fromkeys((0x000C, 0x8000, 0x8001, 0x8002, 0x8003, 0x8004, 0x800C), "G4"),
    **dict.fromkeys((0x0039, 0x003C, 0x0044, 0x0045), "G5"),
    **dict.fromkeys((0x004B, 0x004C, 0x004D), "POWER8"),
    0x004E: "POWER9",
}


def classify(inventory: Inventory) -> tuple[str, str]:
    """Return (family, arch), a key of the multiplier table."""
    machine, cpu = inventory.machine, inventory.cpu
    if machine in X86_MACHINES:
        return "x86", _x86(cpu)
    if machine.startswith(_ARM_MACHINES):
        return _arm(inventory)
    if machine.startswith(_POWERPC_MACHINES):
        return "PowerPC", _POWERPC_PVR.get(cpu.pvr >> 16, "other")
    return next(((family, "any") for prefix, family in _BY_MACHINE if machine.startswith(prefix)), UNKNOWN)


_BY_MACHINE = (
    ("sparc", "SPARC"), ("mips", "MIPS"), ("m68k", "68K"), ("riscv", "RISC-V"), ("vax", "VAX"), ("s390", "S/390"),
    ("alpha", "Alpha"), ("ia64", "Itanium"), ("parisc", "PA-RISC"), ("hppa", "PA-RISC"), ("loongarch", "LoongArch"),
    ("sh", "SuperH"),
)
"""Families whose architectures are not told apart: the kernel's name of the machine begins so."""


def processor_key(inventory: Inventory) -> str:
    """Return the name of the processor's model: what envelopes, the model database and calibrations go by.

    At most MODEL_BYTES_MAX bytes; a longer name, which no real processor has, is cut.
    """
    machine, cpu = inventory.machine, inventory.cpu
    if machine in X86_MACHINES:
        width = "x86_64" if machine in ("x86_64", "amd64") else "i386"
        key = f"{width} {cpu.vendor} {cpu.family} {cpu.model}"
    elif machine.startswith(_ARM_MACHINES):
        key = f"arm {cpu.vendor} {cpu.model:#x}"
    elif machine.startswith(_POWERPC_MACHINES):
        key = f"ppc pvr {cpu.pvr >> 16:04x}"
    else:
        key = machine
    return key[:MODEL_BYTES_MAX]


def _x86(cpu: Cpu) -> str:
    if cpu.family == 3:
        return "386"
    if cpu.family == 4:
        return "486"
    if cpu.vendor == "GenuineIntel":
        if cpu.family == 5:
            return "Pentium MMX" if cpu.model in (4, 8) else "Pentium"
        if cpu.family == 6:
            # Unlisted numbers are later designs: the table ends where "modern" begins.
            return _INTEL_FAMILY_6.get(cpu.model, "modern")
        return "Pentium 4" if cpu.family == 15 else "modern"
    if cpu.vendor == "AuthenticAMD":
        if cpu.family in (5, 6, 15):  # K5 and K6, K7, K8
            return "retro"
        return "low-power" if cpu.family in (20, 22) else "modern"  # Bobcat, Jaguar and Puma
    if cpu.vendor in _OLD_X86_VENDORS and cpu.family <= 6:
        return "retro"
    return "modern"


def _arm(inventory: Inventory) -> tuple[str, str]:
    vendor, part = inventory.cpu.vendor, inventory.cpu.model
    if vendor == "0x61":
        # macOS names the chip, not its part; the Linux sources list no part after M2.  An unlisted one goes by name.
        words = inventory.cpu.name.split()
        named = words[1] if words[:1] == ["Apple"] and len(words) > 1 and words[1] in _APPLE_CHIPS else ""
        chip = _APPLE_PARTS.get(part, named)
        return ("Apple Silicon", chip) if chip else ("ARM", "modern")
    if vendor == "0x69" and part >> 8 in (2, 4, 6):
        return "ARM", "XScale"
    arch = _ARM_PARTS.get((vendor, part))
    if arch is not None:
        return "ARM", arch
    return "ARM", "board" if inventory.board.model else "modern"
