"""Names of ARM cores by implementer and part number.

Source: the Main ID Register in ARM's and the makers' technical reference manuals;
arch/arm64/include/asm/cputype.h and arch/arm/include/asm/cputype.h of the Linux sources.
"""

from __future__ import annotations

IMPLEMENTERS: dict[int, str] = {
    0x41: "ARM", 0x42: "Broadcom", 0x43: "Cavium", 0x44: "DEC", 0x46: "Fujitsu", 0x48: "HiSilicon", 0x4E: "NVIDIA",
    0x50: "APM", 0x51: "Qualcomm", 0x53: "Samsung", 0x56: "Marvell", 0x61: "Apple", 0x66: "Faraday", 0x69: "Intel",
    0x70: "Phytium", 0xC0: "Ampere",
}

_PARTS: dict[int, str] = {
    0x41: "200 ARM2|210 ARM250|250 ARM250|300 ARM3|600 ARM600|610 ARM610|620 ARM620|700 ARM700|710 ARM710|720 ARM720T|"
    "810 ARM810|920 ARM920T|922 ARM922T|926 ARM926EJ-S|940 ARM940T|946 ARM946E-S|966 ARM966E-S|968 ARM968E-S|"
    "a20 ARM1020T|a22 ARM1022E|a26 ARM1026EJ-S|b02 ARM11 MPCore|b36 ARM1136|b56 ARM1156|b76 ARM1176|c05 Cortex-A5|"
    "c07 Cortex-A7|c08 Cortex-A8|c09 Cortex-A9|c0d Cortex-A12|c0e Cortex-A17|c0f Cortex-A15|d01 Cortex-A32|"
    "d02 Cortex-A34|d03 Cortex-A53|d04 Cortex-A35|d05 Cortex-A55|d06 Cortex-A65|d07 Cortex-A57|d08 Cortex-A72|"
    "d09 Cortex-A73|d0a Cortex-A75|d0b Cortex-A76|d0c Neoverse N1|d0d Cortex-A77|d0e Cortex-A76AE|d40 Neoverse V1|"
    "d41 Cortex-A78|d42 Cortex-A78AE|d43 Cortex-A65AE|d44 Cortex-X1|d46 Cortex-A510|d47 Cortex-A710|d48 Cortex-X2|"
    "d49 Neoverse N2|d4a Neoverse E1|d4b Cortex-A78C|d4c Cortex-X1C|d4d Cortex-A715|d4e Cortex-X3|d4f Neoverse V2|"
    "d80 Cortex-A520|d81 Cortex-A720|d82 Cortex-X4|d84 Neoverse V3|d85 Cortex-X925|d87 Cortex-A725|d8e Neoverse N3",
    0x42: "00f Brahma-B15|100 Brahma-B53|516 ThunderX2",
    0x43: "0a0 ThunderX|0a1 ThunderX 88XX|0a2 ThunderX 81XX|0a3 ThunderX 83XX|0af ThunderX2 99xx|0b8 ThunderX3",
    0x44: "a10 StrongARM SA-110|a11 StrongARM SA-1100",
    0x46: "001 A64FX",
    0x48: "d01 TaiShan v110|d02 TaiShan v120",
    0x4E: "000 Denver|003 Denver 2|004 Carmel",
    0x50: "000 X-Gene",
    0x51: "00f Scorpion|02d Scorpion|04d Krait|06f Krait|201 Kryo|205 Kryo|211 Kryo|800 Kryo 2xx Gold|"
    "801 Kryo 2xx Silver|802 Kryo 3xx Gold|803 Kryo 3xx Silver|804 Kryo 4xx Gold|805 Kryo 4xx Silver|001 Oryon|"
    "c00 Falkor|c01 Saphira",
    0x53: "001 Exynos M1|002 Exynos M3|003 Exynos M4|004 Exynos M5",
    0x56: "131 Feroceon 88FR131|581 PJ4|584 PJ4B-MP",
    0x61: "022 Icestorm (M1)|023 Firestorm (M1)|024 Icestorm (M1 Pro)|025 Firestorm (M1 Pro)|028 Icestorm (M1 Max)|"
    "029 Firestorm (M1 Max)|032 Blizzard (M2)|033 Avalanche (M2)|034 Blizzard (M2 Pro)|035 Avalanche (M2 Pro)|"
    "038 Blizzard (M2 Max)|039 Avalanche (M2 Max)",
    0x66: "526 FA526|626 FA626",
    0x69: "200 XScale 80200|210 XScale PXA250|212 XScale PXA210|242 XScale IOP321|290 XScale PXA250|2d0 XScale PXA255|"
    "2d2 XScale PXA210|411 XScale PXA27x|41d XScale IXP425|682 XScale PXA32x|688 XScale PXA30x|689 XScale PXA31x|"
    "b11 StrongARM SA-1110",
    0x70: "660 FTC660|661 FTC661|662 FTC662|663 FTC663|664 FTC664",
    0xC0: "ac3 Ampere-1|ac4 Ampere-1A",
}

FIRST_PART_OF_VERSION_7 = 0xC00
"""ARM's own parts from here on are of architecture 7 or later; the ARM11 family below is 6."""
FIRST_PART_OF_VERSION_8 = 0xD00
ARM11_PARTS = range(0xB00, 0xC00)
ARM_LTD = 0x41
APPLE = 0x61


def part_name(implementer: int, part: int) -> str:
    """Return a core's name, or "" when it is not listed."""
    sought = f"{part:03x} "
    for row in _PARTS.get(implementer, "").split("|"):
        if row.startswith(sought):
            return row[len(sought) :]
    return ""


def part_of(name: str) -> int:
    """Return the part number of a core of ARM's own by its name; 0 when it is not listed."""
    for row in _PARTS[ARM_LTD].split("|"):
        number, _, known = row.partition(" ")
        if known == name or known.replace(" ", "-") == name:
            return int(number, 16)
    return 0


def midr(implementer: int, variant: int, part: int, revision: int) -> int:
    """Put the main id register together again; the architecture field is 0xF where features are listed elsewhere."""
    if not implementer or not part:
        return 0
    return (implementer & 0xFF) << 24 | (variant & 0xF) << 20 | 0xF << 16 | (part & 0xFFF) << 4 | revision & 0xF
