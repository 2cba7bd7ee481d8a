"""The table of multipliers and the rules that pick a row."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import metanode.fingerprint
from metanode.core.model.errors import SettingsError
from metanode.fingerprint.classes import classify
from metanode.fingerprint.collect import Report
from metanode.fingerprint.multipliers import PROFILES, SCALE, load_table, parse_table

Replay = Callable[[str], Report]
TABLE = Path(metanode.fingerprint.__file__).parent / "data" / "multipliers.json"

UPSTREAM = {
    "PowerPC": {"G4": 2500, "G5": 2000, "G3": 1800, "POWER8": 2000, "POWER9": 1500, "other": 1500},
    "Apple Silicon": {"M1": 1200, "M2": 1200, "M3": 1100, "M4": 1050},
    "ARM": {
        "ARM2": 4000,
        "ARM3": 3800,
        "ARM6": 3500,
        "ARM7": 3000,
        "StrongARM": 2800,
        "SA-1100": 2700,
        "XScale": 2500,
        "ARM9": 2300,
        "ARM11": 2000,
        "Cortex-A8": 1800,
        "Cortex-A9": 1500,
    },
    "x86": {
        "386": 2500,
        "486": 2000,
        "Pentium": 1500,
        "Pentium MMX": 2400,
        "Pentium Pro": 2300,
        "Pentium II": 2200,
        "Pentium III": 2000,
        "Pentium M": 1900,
        "Dothan": 1800,
        "Yonah": 1600,
        "Pentium 4": 1500,
        "retro": 1400,
        "Core 2": 1300,
        "Nehalem": 1200,
        "Sandy Bridge": 1100,
        "Haswell": 1050,
        "modern": 800,
    },
    "console": {
        "NES": 2800,
        "PS1": 2800,
        "SNES": 2700,
        "Game Boy": 2600,
        "Saturn": 2600,
        "N64": 2500,
        "Genesis": 2500,
        "GBA": 2300,
    },
    "8-bit": {"6502": 2500, "65C816": 2400, "Z80": 2300},
    **{family: {"any": 1000} for family in ("SPARC", "MIPS", "68K", "RISC-V", "VAX")},
    "unknown": {"unknown": 1000},
}
"""What upstream pays, in thousandths."""


def test_the_rustchain_profile_holds_every_paid_value_of_upstream() -> None:
    """Each listed row with its value, and no listed row beyond them."""
    listed = {key: row for key, row in load_table().rows.items() if row.listed}
    expected = {(family, arch): value * 1_000_000 for family, rows in UPSTREAM.items() for arch, value in rows.items()}
    expected["ARM", "modern"] = 500_000
    assert {key: row.multipliers["rustchain"] for key, row in listed.items()} == expected


def test_boards_and_low_power_machines_start_at_one_in_the_edge_profile() -> None:
    """Everything vintage keeps upstream's value; only what that profile is for differs."""
    for row in load_table().rows.values():
        if row.klass in ("board", "low-power"):
            assert row.multipliers["edge"] == SCALE
        elif (row.family, row.arch) != ("ARM", "modern"):
            assert row.multipliers["edge"] == row.multipliers["rustchain"]


def test_every_row_has_every_profile_as_integers() -> None:
    """No float ever enters a weight."""
    for row in load_table().rows.values():
        assert set(row.multipliers) == set(PROFILES)
        assert all(type(value) is int for value in row.multipliers.values())
    assert "." not in "".join(json.dumps(row["edge"]) for row in json.loads(TABLE.read_text())["rows"])


def test_an_unlisted_pair_is_the_unknown_row() -> None:
    """A row is always found."""
    assert load_table().row("no", "such").family == "unknown"


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.update(scale=1),
        lambda d: d.pop("version"),
        lambda d: d.update(rows=5),
        lambda d: d["rows"].append(d["rows"][0]),
        lambda d: d["rows"][0].pop("edge"),
        lambda d: d["rows"][0].update(edge=1.5),
        lambda d: d["rows"][0].update(edge=-1),
        lambda d: d["rows"][0].update({"class": "best"}),
        lambda d: d["rows"].pop(),
        lambda d: d["rows"].insert(0, "row"),
    ],
)
def test_a_damaged_table_is_refused_with_its_name(damage: Callable[[dict[str, object]], object]) -> None:
    """A wrong multiplier must stop the node, not pay wrongly."""
    document = json.loads(TABLE.read_text())
    damage(document)
    with pytest.raises(SettingsError) as caught:
        parse_table(json.dumps(document))
    assert "multipliers.json" in caught.value.message


def test_text_that_is_no_json_is_refused() -> None:
    """One line, not a traceback."""
    with pytest.raises(SettingsError):
        parse_table("{")


@pytest.mark.parametrize(
    ("machine", "vendor", "family", "model", "expected"),
    [
        ("i686", "GenuineIntel", 3, 0, "386"),
        ("i486", "GenuineIntel", 4, 8, "486"),
        ("i586", "GenuineIntel", 5, 2, "Pentium"),
        ("i586", "GenuineIntel", 5, 4, "Pentium MMX"),
        ("i686", "GenuineIntel", 6, 1, "Pentium Pro"),
        ("i686", "GenuineIntel", 6, 5, "Pentium II"),
        ("i686", "GenuineIntel", 6, 11, "Pentium III"),
        ("i686", "GenuineIntel", 6, 9, "Pentium M"),
        ("i686", "GenuineIntel", 6, 13, "Dothan"),
        ("i686", "GenuineIntel", 6, 14, "Yonah"),
        ("x86_64", "GenuineIntel", 15, 6, "Pentium 4"),
        ("x86_64", "GenuineIntel", 6, 23, "Core 2"),
        ("x86_64", "GenuineIntel", 6, 44, "Nehalem"),
        ("x86_64", "GenuineIntel", 6, 42, "Sandy Bridge"),
        ("x86_64", "GenuineIntel", 6, 58, "Sandy Bridge"),
        ("x86_64", "GenuineIntel", 6, 60, "Haswell"),
        ("x86_64", "GenuineIntel", 6, 61, "Haswell"),
        ("x86_64", "GenuineIntel", 6, 158, "modern"),
        ("x86_64", "GenuineIntel", 6, 28, "low-power"),
        ("x86_64", "GenuineIntel", 6, 190, "low-power"),
        ("x86_64", "GenuineIntel", 18, 1, "modern"),
        ("i686", "AuthenticAMD", 6, 10, "retro"),
        ("x86_64", "AuthenticAMD", 15, 107, "retro"),
        ("x86_64", "AuthenticAMD", 16, 4, "modern"),
        ("x86_64", "AuthenticAMD", 22, 0, "low-power"),
        ("x86_64", "AuthenticAMD", 26, 2, "modern"),
        ("i686", "CentaurHauls", 6, 9, "retro"),
        ("x86_64", "", 0, 0, "modern"),
    ],
)
def test_x86_is_told_by_vendor_family_and_model(
    replay: Replay, machine: str, vendor: str, family: int, model: int, expected: str
) -> None:
    """Never by what the name says."""
    inventory = replay("pentium-iii").inventory
    changed = replace(inventory, machine=machine, cpu=replace(inventory.cpu, vendor=vendor, family=family, model=model))
    assert classify(changed) == ("x86", expected)


@pytest.mark.parametrize(
    ("machine", "vendor", "model", "pvr", "board", "expected"),
    [
        ("ppc", "", 0, 0x80030102, "", ("PowerPC", "G4")),
        ("ppc64", "", 0, 0x003C0300, "", ("PowerPC", "G5")),
        ("ppc", "", 0, 0x00080301, "", ("PowerPC", "G3")),
        ("ppc64le", "", 0, 0x004E1202, "", ("PowerPC", "POWER9")),
        ("ppc", "", 0, 0, "", ("PowerPC", "other")),
        ("armv6l", "0x41", 0xB76, 0, "", ("ARM", "ARM11")),
        ("armv7l", "0x41", 0xC09, 0, "x", ("ARM", "Cortex-A9")),
        ("aarch64", "0x41", 0xD08, 0, "", ("ARM", "modern")),
        ("aarch64", "0x41", 0xD08, 0, "Rock 4", ("ARM", "board")),
        ("aarch64", "0x61", 0x023, 0, "", ("Apple Silicon", "M1")),
        ("armv5tel", "0x69", 0x212, 0, "", ("ARM", "XScale")),
        ("sparc64", "", 0, 0, "", ("SPARC", "any")),
        ("m68k", "", 0, 0, "", ("68K", "any")),
        ("toaster", "", 0, 0, "", ("unknown", "unknown")),
    ],
)
def test_other_architectures_find_their_rows(
    replay: Replay, machine: str, vendor: str, model: int, pvr: int, board: str, expected: tuple[str, str]
) -> None:
    """By processor version on PowerPC, by implementer and part on ARM, by machine name elsewhere."""
    inventory = replay("raspberry-pi-4").inventory
    cpu = replace(inventory.cpu, vendor=vendor, model=model, pvr=pvr)
    changed = replace(inventory, machine=machine, cpu=cpu, board=replace(inventory.board, model=board))
    assert classify(changed) == expected
    assert expected in load_table().rows


def test_every_architecture_that_rules_can_name_has_a_row() -> None:
    """A rule that names a row nobody wrote would silently pay 1.0."""
    from metanode.fingerprint import classes

    named = {("x86", arch) for arch in classes._INTEL_FAMILY_6.values()}
    named |= {("ARM", arch) for arch in (*classes._ARM_PARTS.values(), "XScale", "board", "modern")}
    named |= {("Apple Silicon", arch) for arch in classes._APPLE_PARTS.values()}
    named |= {("PowerPC", arch) for arch in (*classes._POWERPC_PVR.values(), "other")}
    assert named <= set(load_table().rows)
