"""The model database: every file reads, every fact has a source, and nothing in it contradicts itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metanode.core.model.codec import encode
from metanode.core.model.errors import SettingsError
from metanode.core.model.hashing import H
from metanode.fingerprint import models
from metanode.fingerprint.inventory import FEATURES, Board, Cpu, Inventory
from metanode.fingerprint.models import CACHES, digest, load_models
from metanode.fingerprint.parsers.architectures.powerpc_names import NAMES, WITH_ALTIVEC

FOLDER = Path(models.__file__).parent / "data" / "models"
FILES: dict[str, dict[str, Any]] = {path.name: json.loads(path.read_text("ascii")) for path in FOLDER.glob("*.json")}
ENTRIES = [
    (name, entry)
    for name, file in FILES.items()
    for part in ("architectures", "features", "needs", "cpus", "boards")
    for entry in file.get(part, ())
]
FIELDS = {
    "architectures": {"machines", "family", "byte_order", "word_bits_max", "kernel_bits", "source"},
    "features": {"family", "only_here", "source"},
    "needs": {"family", "feature", "needs", "source"},
    "cpus": {
        "keys", "name", "members", "without", "with", "word_bits_max", "byte_order", "never_named", "clock_mhz_max",
        "memory_mib_max", "threads_max", "timebase_hz", "year", "source", *CACHES,
    },
    "boards": {
        "names", "name", "cpus", "upgrades", "clock_mhz_max", "memory_mib_max", "threads_max", "timebase_hz", "year",
        "source", *CACHES,
    },
}  # fmt: skip
PC = Inventory(
    platform="linux", machine="x86_64", word_bits=64, byte_order="little",
    cpu=Cpu("GenuineIntel", "", 6, 58, 9, 0, 0, 1, 4, 8), features=(), caches=(), memory_mib=0,
    board=Board("", "", "", "", "", "", 0), signs=(), binding="none", sources=0,
)  # fmt: skip


def test_every_entry_cites_a_source_of_its_file() -> None:
    """A fact whose origin nobody can look up is not in."""
    assert len(ENTRIES) > 150
    for name, entry in ENTRIES:
        cited = entry["source"].split()
        assert cited, entry
        assert set(cited) <= set(FILES[name]["sources"]), entry
    for file in FILES.values():
        assert file["note"]
        assert all(len(text) > 20 for text in file["sources"].values())


@pytest.mark.parametrize("part", FIELDS)
def test_no_entry_has_a_field_that_nobody_reads(part: str) -> None:
    """A misspelt fact would be no fact."""
    for file in FILES.values():
        for entry in file.get(part, ()):
            assert set(entry) <= FIELDS[part], entry


def test_every_number_is_a_whole_one_above_zero() -> None:
    """No float gets into what validators compute with."""

    def numbers(value: Any) -> list[Any]:
        if isinstance(value, (list, dict)):
            return [found for item in (value.values() if isinstance(value, dict) else value) for found in numbers(item)]
        return [] if isinstance(value, str) else [value]

    for file in FILES.values():
        assert all(type(number) is int and number > 0 for number in numbers(file))


def test_features_are_those_that_an_inventory_keeps() -> None:
    """A rule about another one would never hold."""
    for _, entry in ENTRIES:
        for field in ("without", "with", "only_here", "needs"):
            assert set(entry.get(field, ())) <= set(FEATURES), entry
        assert not set(entry.get("without", ())) & set(entry.get("with", ())), entry


def test_every_processor_of_a_board_is_one_of_the_database() -> None:
    """A misspelt key would make every machine of that board a contradiction."""
    known = load_models()
    for board in known.boards.values():
        assert board.cpus
        assert all(key in known.processors for key in board.cpus), board.names
    for entry in known.processors.values():
        assert all(member in known.processors for member in entry.members), entry.keys


def test_a_machine_at_the_limits_of_its_entries_is_possible() -> None:
    """The clock, caches and year of a board never contradict those of the processors it was sold with."""
    known = load_models()
    for board in known.boards.values():
        processors = [known.processors[key] for key in board.cpus]
        for place, sizes in board.caches.items():
            assert any(set(sizes) & set(entry.caches.get(place, sizes)) for entry in processors), board.names
        if board.year and not board.pluggable:
            assert min(entry.year for entry in processors) <= board.year, board.names


def test_powerpc_entries_agree_with_the_names_of_the_parsers() -> None:
    """AltiVec and byte order by version register, from two lists that were written apart."""
    for key, entry in load_models().processors.items():
        kind, _, version = key.rpartition(" ")
        if kind != "ppc pvr":
            continue
        assert int(version, 16) in NAMES, key
        if int(version, 16) in WITH_ALTIVEC:
            assert "altivec" not in entry.without, key


@pytest.mark.parametrize(
    ("machine", "cpu", "keys"),
    [
        ("x86_64", PC.cpu, ("x86 family 6", "x86 GenuineIntel", "x86 GenuineIntel 6", "x86 GenuineIntel 6 58")),
        ("i686", replace(PC.cpu, family=0), ("x86 GenuineIntel",)),
        ("ppc", Cpu("", "", 0, 0, 0, 0x80030102, 0, 1, 1, 1), ("ppc pvr 8003",)),
        ("powerpc", Cpu("", "", 0, 0, 0, 0x80000000, 0, 1, 1, 1), ("ppc kind 8000",)),
        ("powerpc", Cpu("", "", 0, 0, 0, 0x80030000, 0, 1, 1, 1), ("ppc pvr 8003",)),
        ("ppc64", Cpu("", "", 0, 0, 0, 0, 0, 1, 1, 1), ()),
        ("armv7l", Cpu("0x41", "", 7, 0xB76, 7, 0x410FB767, 0, 1, 1, 1), ("arm 0x41 0xb76",)),
        ("arm64", Cpu("0x61", "Apple M4", 8, 0, 0, 0, 0, 1, 10, 10), ()),
        ("sparc64", Cpu("Sun", "", 0, 0, 0, 0, 0, 1, 1, 1), ()),
    ],
)
def test_a_processor_is_looked_up_from_the_general_to_the_particular(
    machine: str, cpu: Cpu, keys: tuple[str, ...]
) -> None:
    """One that is not named has no key, and so no facts."""
    assert load_models().keys(replace(PC, machine=machine, cpu=cpu)) == keys


@pytest.mark.parametrize(
    ("model", "product", "name"),
    [
        ("PowerBook5,6", "", "PowerBook5,6"), ("", "Macmini6,2", "Macmini6,2"), ("", "", ""), ("PowerBook5,66", "", ""),
        ("Raspberry Pi 3 Model B Rev 1.2", "", "Raspberry Pi 3 Model B*"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "", "Raspberry Pi 3 Model B*"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "", "Raspberry Pi Zero 2 W*"), ("a new board", "Macmini6,2", "Macmini6,2"),
        ("PowerNV T2P9S01 REV 1.01", "", "PowerNV T2P9*"), ("*", "", ""), ("Raspberry Pi", "", ""),
    ],
)  # fmt: skip
def test_a_board_is_found_by_its_name_or_the_longest_beginning(model: str, product: str, name: str) -> None:
    """As firmware gives it."""
    found = load_models().board(replace(PC, board=replace(PC.board, model=model, product_name=product)))
    assert (found is None) == (name == "")
    assert found is None or name in found.names


def test_the_digest_is_over_names_and_bytes_of_all_files() -> None:
    """A changed fact is another network's rules."""
    files = sorted(FOLDER.glob("*.json"))
    assert digest() == H("params", encode([[path.name, path.read_bytes()] for path in files]))


def test_a_damaged_file_is_an_error_of_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is a folder without any: a validator does not start without its rules."""
    for content in (None, "{", '{"cpus": [{"keys": []}]}', "[]"):
        if content is not None:
            (tmp_path / "x86.json").write_text(content, "ascii")
        monkeypatch.setattr(models, "_FOLDER", tmp_path)
        models._texts.cache_clear()
        load_models.cache_clear()
        with pytest.raises(SettingsError) as caught:
            load_models()
        assert caught.value.code == "BAD_SETTING"
    monkeypatch.undo()
    models._texts.cache_clear()
    load_models.cache_clear()
    assert load_models().processors


def test_families_of_the_multiplier_table_have_entries() -> None:
    """Every processor class that is paid more than modern hardware and that a kernel can name."""
    keys = set(load_models().processors)
    assert {"x86 family 3", "x86 family 4", "x86 GenuineIntel 5", "x86 GenuineIntel 6 8", "x86 AuthenticAMD 6"} <= keys
    assert {f"ppc pvr {pvr}" for pvr in ("0008", "7000", "000c", "8003", "0039", "0044", "004d", "004e")} <= keys
    assert {f"arm 0x41 {part}" for part in ("0x926", "0xb76", "0xc08", "0xc09", "0xd03", "0xd08")} <= keys
