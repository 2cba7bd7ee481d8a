"""Every processor number that decides about pay, written down a second time, and what lies between them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from metanode.fingerprint.classes import classify
from metanode.fingerprint.inventory import Board, Cpu, Inventory

NO_BOARD = Board("", "", "", "", "", "", 0)
INTEL_FAMILY_6 = {
    "Pentium Pro": "1", "Pentium II": "3 5 6", "Pentium III": "7 8 10 11", "Pentium M": "9", "Dothan": "13",
    "Yonah": "14", "Core 2": "15 22 23 29", "Nehalem": "26 30 31 37 44 46 47", "Sandy Bridge": "42 45 58 62",
    "Haswell": "60 61 63 69 70 71 79 86",
    "low-power": "28 38 39 53 54 55 74 76 77 90 92 93 95 117 122 134 138 150 156 190",
}  # fmt: skip
"""Model numbers by generation: Intel SDM volume 4, table 2-1; every other one is `modern`."""
ARM = {
    "0x41": {
        "ARM2": "200 210 250", "ARM3": "300", "ARM6": "600 610 620", "ARM7": "700 710 720",
        "ARM9": "920 922 926 940 946 966 968", "ARM11": "b02 b36 b56 b76", "Cortex-A8": "c08", "Cortex-A9": "c09",
    },
    "0x44": {"StrongARM": "a10", "SA-1100": "a11"},
    "0x69": {"SA-1100": "b11", "XScale": "200 2ff 400 4ff 600 6ff"},
    "0x61": {"M1": "022 023 024 025 028 029", "M2": "032 033 034 035 038 039"},
}  # fmt: skip
"""Part numbers in hex by implementer."""
POWERPC = {
    "G3": "0008 7000 7002", "G4": "000c 8000 8001 8002 8003 8004 800c", "G5": "0039 003c 0044 0045",
    "POWER8": "004b 004c 004d", "POWER9": "004e",
}  # fmt: skip
"""Upper halves of processor version registers."""


def inventory(machine: str, vendor: str = "", family: int = 0, model: int = 0, pvr: int = 0) -> Inventory:
    """Return a machine of which only the processor is known."""
    return Inventory(
        platform="linux", machine=machine, word_bits=32, byte_order="little",
        cpu=Cpu(vendor, "", family, model, 0, pvr, 0, 1, 1, 1), features=(), caches=(), memory_mib=64,
        board=NO_BOARD, signs=(), binding="none", sources=0,
    )  # fmt: skip


def numbers(words: str, base: int = 10) -> set[int]:
    """Return the numbers in a text."""
    return {int(word, base) for word in words.split()}


def test_every_intel_model_of_family_6_has_its_generation() -> None:
    """All 256 numbers that the field can hold, and one beyond."""
    listed = {model: name for name, models in INTEL_FAMILY_6.items() for model in numbers(models)}
    for model in range(257):
        found = classify(inventory("i686", "GenuineIntel", 6, model))
        assert found == ("x86", listed.get(model, "modern")), f"model {model}"


@pytest.mark.parametrize("vendor", ["GenuineIntel", "AuthenticAMD", "CyrixInstead", "HygonGenuine", ""])
def test_every_x86_family_has_its_generation(vendor: str) -> None:
    """Family 0 to 31 of each kind of maker."""
    special = {
        "GenuineIntel": {5: "Pentium", 6: "modern", 15: "Pentium 4"},
        "AuthenticAMD": {5: "retro", 6: "retro", 15: "retro", 20: "low-power", 22: "low-power"},
        "CyrixInstead": dict.fromkeys((0, 1, 2, 5, 6), "retro"),
    }.get(vendor, {})
    for family in range(32):
        expected = {3: "386", 4: "486", **special}.get(family, "modern")
        assert classify(inventory("i486", vendor, family)) == ("x86", expected), f"family {family}"


def test_a_pentium_with_mmx_is_told_by_its_model() -> None:
    """P55C and Tillamook."""
    for model in range(16):
        expected = "Pentium MMX" if model in (4, 8) else "Pentium"
        assert classify(inventory("i586", "GenuineIntel", 5, model)) == ("x86", expected)


@pytest.mark.parametrize("vendor", ARM)
def test_every_arm_part_has_its_core(vendor: str) -> None:
    """All 4096 part numbers of each implementer; a board makes the unlisted ones worth more."""
    listed = {part: name for name, parts in ARM[vendor].items() for part in numbers(parts, 16)}
    board = replace(NO_BOARD, model="Some Board")
    for part in range(4_096):
        machine = inventory("armv7l", vendor, 7, part)
        if vendor == "0x61":
            expected = ("Apple Silicon", listed[part]) if part in listed else ("ARM", "modern")
        elif vendor == "0x69" and part >> 8 in (2, 4, 6):
            expected = ("ARM", "XScale")
        else:
            expected = ("ARM", listed.get(part, "modern"))
        assert classify(machine) == expected, f"part {part:#x}"
        if expected == ("ARM", "modern") and vendor != "0x61":
            assert classify(replace(machine, board=board)) == ("ARM", "board")


def test_every_powerpc_version_has_its_generation() -> None:
    """The listed upper halves of the register, their neighbours and some others; the lower half is the revision."""
    listed = {version: name for name, versions in POWERPC.items() for version in numbers(versions, 16)}
    machine = inventory("ppc")
    near = {version + step for version in listed for step in (-1, 0, 1)}
    for version in sorted(near | set(range(0, 65_536, 97))):
        found = classify(replace(machine, cpu=replace(machine.cpu, pvr=version << 16 | version)))
        assert found == ("PowerPC", listed.get(version, "other")), f"version {version:#x}"
