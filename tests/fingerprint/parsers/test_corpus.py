"""Every dump of the corpus says what a person read in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metanode.core.manifests import parse_toml
from metanode.fingerprint.capture import read_capture
from metanode.fingerprint.classes import classify
from metanode.fingerprint.collect import Report, read_machine
from metanode.fingerprint.consistency import check_consistency, contradictions
from metanode.fingerprint.declared import check_emulator, check_virtual_machine
from metanode.fingerprint.inventory import decode_inventory
from metanode.fingerprint.virtual import SIGNS

CORPUS = Path(__file__).parents[2] / "corpus"
EXPECTED: dict[str, dict[str, dict[str, Any]]] = parse_toml(
    (CORPUS / "expected.toml").read_bytes(), "expected.toml"
)  # type: ignore[assignment]
ROWS = [(folder, name) for folder, rows in EXPECTED.items() for name in rows]


def replay(folder: str, name: str) -> Report:
    """Read one dump."""
    return read_machine(*read_capture(CORPUS / folder / f"{name}.txt"))


def test_every_dump_has_an_expectation() -> None:
    """A dump that nobody read proves nothing."""
    for folder in ("py_cpuinfo", "composed", "forged"):
        assert {path.stem for path in (CORPUS / folder).glob("*.txt")} == set(EXPECTED[folder])
    assert len(EXPECTED["py_cpuinfo"]) == 33


@pytest.mark.parametrize(("folder", "name"), ROWS)
def test_a_dump_is_the_machine_that_a_person_read_in_it(folder: str, name: str) -> None:
    """Family, architecture, name, numbers, cores, clock and what else the row states."""
    row, report = EXPECTED[folder][name], replay(folder, name)
    inventory, cpu = report.inventory, report.inventory.cpu
    assert classify(inventory) == (row["family"], row["arch"])
    assert cpu.name == row["name"]
    assert [cpu.family, cpu.model, cpu.stepping] == row["numbers"]
    assert (cpu.cores, cpu.threads, cpu.clock_mhz) == (row["cores"], row["threads"], row["clock"])
    if "pvr" in row:
        assert f"{cpu.pvr:08x}" == row["pvr"]
    if "board" in row:
        assert inventory.board.model == row["board"]
    if "memory_mib" in row:
        assert inventory.memory_mib == row["memory_mib"]


@pytest.mark.parametrize(("folder", "name"), ROWS)
def test_what_is_wrong_with_a_dump_is_named(folder: str, name: str) -> None:
    """Virtual machines, emulators and spliced dumps by their signs; nothing on a machine that is what it says."""
    row, report = EXPECTED[folder][name], replay(folder, name)
    assert {SIGNS[sign.code].name for sign in report.inventory.signs} == set(row["signs"])
    assert bool(report.disagreements) == ("SOURCES_DISAGREE" in row["signs"])
    wrong = row["kind"] in ("virtual", "emulated", "spliced")
    assert wrong == bool(row["signs"]) or row["kind"] == "forged"
    if row["kind"] == "forged":
        assert sorted({item.code for item in contradictions(report.inventory)}) == row["contradictions"]
    elif not wrong:
        assert check_virtual_machine(report.inventory).verdict != "fail"
        assert check_emulator(report.inventory).verdict != "fail"
        assert check_consistency(report.inventory).verdict != "fail"


@pytest.mark.parametrize(("folder", "name"), ROWS)
def test_a_dump_gives_the_same_small_inventory_each_time(folder: str, name: str) -> None:
    """Canonical, read back as it was, within 4 KiB."""
    raw = replay(folder, name).inventory.encode()
    assert replay(folder, name).inventory.encode() == raw
    assert decode_inventory(raw) == replay(folder, name).inventory


def test_declared_guests_fail_the_check_for_virtual_machines() -> None:
    """Each dump of a machine that says it is virtual."""
    for folder, name in ROWS:
        row = EXPECTED[folder][name]
        declared = {sign.name for sign in SIGNS.values() if sign.about == "vm" and sign.severity == "declared"}
        if declared & set(row["signs"]):
            assert check_virtual_machine(replay(folder, name).inventory).verdict == "fail", name


def test_a_translated_process_is_emulated() -> None:
    """Rosetta shows another processor than the machine's."""
    assert check_emulator(replay("composed", "macos_m1_rosetta").inventory).reason == "EMULATOR_DETECTED"


@pytest.mark.parametrize(
    ("folder", "name", "words"),
    [
        ("py_cpuinfo", "linux_beagle_bone_arm", ("armv7l on ARM1176 (ARMv6)",)),
        ("py_cpuinfo", "bug_152_cpu_zero", ("1 listed, lscpu counts 2", "long mode in family 0")),
        ("py_cpuinfo", "linux_aarch64_64", ("6 listed, lscpu counts 96",)),
        ("py_cpuinfo", "linux_rhel_7_3_ppc64le", ("device tree POWER7, version POWER8E",)),
        ("py_cpuinfo", "linux_debian_8_7_1_ppc64le", ("device tree POWER8, version POWER7",)),
        (
            "composed", "linux_pi_1_claimed_on_pi_4",
            ("BCM2835 board with Cortex-A72", "3793 MiB on a board of 512"),
        ),
    ],
)  # fmt: skip
def test_a_contradiction_between_sources_is_told_in_words(folder: str, name: str, words: tuple[str, ...]) -> None:
    """Which two facts do not fit, so that the owner of the dump can look."""
    assert replay(folder, name).disagreements == words


def test_a_forgery_is_a_contradiction_and_nothing_else() -> None:
    """At least twenty-five, and each is caught by its facts: no sign of a virtual machine or an emulator helps."""
    assert len(EXPECTED["forged"]) >= 25
    for name, row in EXPECTED["forged"].items():
        inventory = replay("forged", name).inventory
        assert row["contradictions"], name
        assert check_consistency(inventory).reason == "CONTRADICTION", name
        assert check_virtual_machine(inventory).verdict != "fail", name
        assert check_emulator(inventory).verdict != "fail", name


@pytest.mark.parametrize(("folder", "name"), [row for row in ROWS if row[0] != "forged"])
def test_what_is_spliced_or_hidden_fails_the_check_of_consistency(folder: str, name: str) -> None:
    """A dump whose sources disagree or that hides features is a contradiction; one of hardware is none."""
    row = EXPECTED[folder][name]
    told = {"SOURCES_DISAGREE", "FEATURES_MASKED"} & set(row["signs"])
    check = check_consistency(replay(folder, name).inventory)
    if told:
        assert (check.verdict, check.reason) == ("fail", "CONTRADICTION")
        assert {code.lower() for code in told} <= set(dict(check.numbers))
    elif row["kind"] in ("real", "composed"):
        assert check.verdict != "fail"


def test_the_mac_that_is_none_contradicts_itself_too() -> None:
    """py-cpuinfo's OS X 10.9 has features that its model never had."""
    assert check_consistency(replay("py_cpuinfo", "osx_10_9_x86_64").inventory).reason == "CONTRADICTION"
