"""Which row a machine is paid by, and what its processor's model is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from metanode.fingerprint.capture import read_capture
from metanode.fingerprint.classes import MODEL_BYTES_MAX, classify, processor_key
from metanode.fingerprint.collect import Report, read_machine
from metanode.fingerprint.inventory import Inventory
from metanode.fingerprint.multipliers import SCALE, UNKNOWN, load_table

Replay = Callable[[str], Report]
CORPUS = Path(__file__).parents[1] / "corpus" / "composed"


def changed(inventory: Inventory, machine: str, **cpu: object) -> Inventory:
    """The same machine with another processor."""
    return replace(inventory, machine=machine, cpu=replace(inventory.cpu, **cpu))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "part", "chip"),
    [
        ("Apple M1", 0, "M1"),
        ("Apple M2 Max", 0, "M2"),
        ("Apple M3 Pro", 0, "M3"),
        ("Apple M4", 0, "M4"),
        ("Apple M3", 0x22, "M1"),
        ("Apple M5", 0, None),
        ("Apple M33", 0, None),
        ("VirtualApple M3", 0, None),
        ("M3", 0, None),
        ("", 0, None),
    ],
)
def test_an_apple_chip_goes_by_its_part_and_else_by_the_name_that_macos_gives(
    replay: Replay, name: str, part: int, chip: str | None
) -> None:
    """The Linux sources list parts up to M2; M3 and M4 are told by macOS alone, which states no part."""
    mac = changed(replay("raspberry-pi-4").inventory, "arm64", vendor="0x61", name=name, model=part)
    assert classify(mac) == (("Apple Silicon", chip) if chip else ("ARM", "modern"))


@pytest.mark.parametrize(
    ("dump", "family"),
    [
        ("linux_alpha_ds20", "Alpha"),
        ("linux_ia64_madison", "Itanium"),
        ("linux_parisc_c8000", "PA-RISC"),
        ("linux_loongarch_3a5000", "LoongArch"),
    ],
)
def test_a_machine_that_upstream_does_not_list_is_named_and_paid_as_one(dump: str, family: str) -> None:
    """1.0 in both profiles, and the row says that upstream has no value of its own for it."""
    found = classify(read_machine(*read_capture(CORPUS / f"{dump}.txt")).inventory)
    row = load_table().row(*found)
    assert found == (family, "any")
    assert (set(row.multipliers.values()), row.listed) == ({SCALE}, False)


@pytest.mark.parametrize(
    ("machine", "family"), [("s390x", "S/390"), ("hppa", "PA-RISC"), ("sh4", "SuperH"), ("vax", "VAX"), ("z80", "")]
)
def test_a_family_goes_by_how_the_kernels_name_begins(replay: Replay, machine: str, family: str) -> None:
    """What no rule knows is unknown."""
    inventory = changed(replay("raspberry-pi-4").inventory, machine)
    assert classify(inventory) == ((family, "any") if family else UNKNOWN)
    assert processor_key(inventory) == machine


@pytest.mark.parametrize(
    ("machine", "cpu", "key"),
    [
        ("x86_64", {"vendor": "GenuineIntel", "family": 6, "model": 60}, "x86_64 GenuineIntel 6 60"),
        ("amd64", {"vendor": "AuthenticAMD", "family": 26, "model": 2}, "x86_64 AuthenticAMD 26 2"),
        ("i686", {"vendor": "GenuineIntel", "family": 6, "model": 8}, "i386 GenuineIntel 6 8"),
        ("aarch64", {"vendor": "0x41", "model": 0xD08}, "arm 0x41 0xd08"),
        ("armv6l", {"vendor": "0x41", "model": 0xB76}, "arm 0x41 0xb76"),
        ("ppc", {"pvr": 0x80030101}, "ppc pvr 8003"),
        ("Power Macintosh", {"pvr": 0x00083311}, "ppc pvr 0008"),
        ("x86_64", {"vendor": "v" * 64, "family": 6, "model": 1}, "x86_64 " + "v" * 57),
    ],
)
def test_a_processors_model_has_one_name(replay: Replay, machine: str, cpu: dict[str, object], key: str) -> None:
    """The same on every system, by numbers; never longer than fits into the state."""
    inventory = changed(replay("raspberry-pi-4").inventory, machine, **cpu)
    assert processor_key(inventory) == key
    assert len(key) <= MODEL_BYTES_MAX
