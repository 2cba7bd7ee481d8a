"""The model database: what is known of processors and boards, from the files below data/models.

A fact that is not in an entry is not known and contradicts nothing.  Entries of a processor go from the general to the
particular (`x86 GenuineIntel`, `x86 GenuineIntel 6 8`), and all that fit count.  Every file cites its sources, and
every entry says which of them it rests on; docs/models.md explains the fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from metanode.core.model.codec import encode
from metanode.core.model.errors import SettingsError
from metanode.core.model.hashing import H
from metanode.fingerprint.classes import X86_MACHINES, processor_key
from metanode.fingerprint.inventory import Inventory

CACHES = {"l1d_kib": (1, 1), "l1i_kib": (1, 2), "l2_kib": (2, 3), "l3_kib": (3, 3)}
"""Field of an entry to (level, type) of the caches of an inventory."""

_FOLDER = Path(__file__).parent / "data" / "models"
_KIND_BITS = 0xFFFF
"""A version register whose lower half is zero names a kind of processor: Mac OS X tells no more."""


@dataclass(frozen=True)
class Architecture:
    """What a kernel's name of the machine says."""

    machines: frozenset[str]
    family: str = ""
    byte_order: str = ""
    word_bits_max: int = 0
    kernel_bits: int = 0


@dataclass(frozen=True, eq=False)
class Facts:
    """What processors and boards have alike: limits; 0 or empty where not known."""

    name: str
    clock_mhz_max: int
    memory_mib_max: int
    threads_max: int
    caches: Mapping[tuple[int, int], tuple[int, ...]]
    """(level, type) to the sizes in KiB that occur."""
    timebase_hz: tuple[int, int]
    """Lowest and highest timebase; (0, 0) where not known."""
    year: int
    """Of release."""
    sources: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Processor(Facts):
    """One processor, or a group of them."""

    keys: tuple[str, ...]
    members: frozenset[str] = frozenset()
    """Keys of those that this one may be, where only a kind is known."""
    without: tuple[str, ...] = ()
    """Features that none of them has."""
    has: tuple[str, ...] = ()
    """Features that all of them have and nobody can switch off."""
    word_bits_max: int = 0
    byte_order: str = ""
    """The only one that a system runs it in."""
    never_named: frozenset[str] = frozenset()
    """Words that its name never holds."""


@dataclass(frozen=True, eq=False)
class Board(Facts):
    """One board, or several that are alike."""

    names: tuple[str, ...]
    """As firmware gives them; a star at the end stands for anything."""
    cpus: frozenset[str]
    """Keys of the processors that it was sold with, and of those that people put in."""
    pluggable: bool
    """Whether upgrade cards were made for it."""


@dataclass(frozen=True, eq=False)
class Models:
    """All files together."""

    architectures: tuple[Architecture, ...] = ()
    only_here: Mapping[str, str] = field(default_factory=dict)
    """Feature to the one family of architectures that has it."""
    needs: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """Family to feature to the features without which it never comes."""
    processors: Mapping[str, Processor] = field(default_factory=dict)
    boards: Mapping[str, Board] = field(default_factory=dict)
    """By name, a star included."""

    def entries(self, inventory: Inventory) -> tuple[Processor, ...]:
        """Return what is known of a machine's processor, from the general to the particular."""
        found = (self.processors.get(key) for key in self.keys(inventory))
        return tuple(dict.fromkeys(entry for entry in found if entry is not None))

    def keys(self, inventory: Inventory) -> tuple[str, ...]:
        """Return the keys under which a processor may stand; none where it is not named."""
        cpu = inventory.cpu
        key = processor_key(inventory)
        if inventory.machine in X86_MACHINES:
            vendor = f"x86 {cpu.vendor}"
            numbered = (f"x86 family {cpu.family}", vendor, f"{vendor} {cpu.family}")
            return (*numbered, f"{vendor} {cpu.family} {cpu.model}") if cpu.family else (vendor,)
        if key.startswith("ppc "):
            kind = key.replace("pvr", "kind")
            return () if not cpu.pvr else (kind,) if not cpu.pvr & _KIND_BITS and kind in self.processors else (key,)
        if key.startswith("arm "):
            return (key,) if cpu.model else ()
        return ()

    def board(self, inventory: Inventory) -> Board | None:
        """Return what is known of a machine's board; a whole name goes before a beginning, a longer one before."""
        for name in (inventory.board.model, inventory.board.product_name):
            exact = self.boards.get(name)
            if exact is not None and name:
                return exact
            begun = (at for at in range(len(name), 0, -1) if f"{name[:at]}*" in self.boards)
            length = next(begun, 0)
            if length:
                return self.boards[f"{name[:length]}*"]
        return None


@cache
def _texts() -> tuple[tuple[str, bytes], ...]:
    try:
        texts = tuple((path.name, path.read_bytes()) for path in sorted(_FOLDER.glob("*.json")))
    except OSError as error:
        raise _bad(error) from error
    if not texts:
        raise _bad(FileNotFoundError())
    return texts


def _bad(error: Exception) -> SettingsError:
    message = f"data/models: the files cannot be read ({type(error).__name__})"
    return SettingsError("BAD_SETTING", message, "the files as shipped with metanode")


@cache
def digest() -> bytes:
    """Return H(params, CBOR array of [name, bytes] of each file by rising name): part of what a chain's rules are.

    :raises SettingsError: BAD_SETTING, a file is missing or damaged.
    """
    return H("params", encode([[name, raw] for name, raw in _texts()]))


@cache
def load_models() -> Models:
    """Return the database that ships with this version.

    :raises SettingsError: BAD_SETTING, a file is missing or damaged.
    """
    try:
        parts = [_read(json.loads(raw.decode("ascii"))) for _, raw in _texts()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _bad(error) from error
    return Models(
        tuple(item for part in parts for item in part.architectures),
        _merged(part.only_here for part in parts),
        _merged(part.needs for part in parts),
        _merged(part.processors for part in parts),
        _merged(part.boards for part in parts),
    )


_Value = TypeVar("_Value")


def _merged(parts: Any) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        assert not merged.keys() & part.keys(), "a key stands in one entry only"
        merged |= part
    return merged


def _read(file: Mapping[str, Any]) -> Models:
    """Read one file."""
    words: Mapping[str, list[str]] = file.get("words", {})
    groups: Mapping[str, list[str]] = file.get("groups", {})
    processors = [_processor(entry, words) for entry in file.get("cpus", ())]
    boards = [_board(entry, groups) for entry in file.get("boards", ())]
    needs: dict[str, dict[str, tuple[str, ...]]] = {}
    for entry in file.get("needs", ()):
        needs.setdefault(entry["family"], {})[entry["feature"]] = tuple(entry["needs"])
    return Models(
        tuple(
            Architecture(
                frozenset(entry["machines"]), entry.get("family", ""), entry.get("byte_order", ""),
                entry.get("word_bits_max", 0), entry.get("kernel_bits", 0),
            )
            for entry in file.get("architectures", ())
        ),
        {name: entry["family"] for entry in file.get("features", ()) for name in entry["only_here"]},
        needs,
        {key: entry for entry in processors for key in entry.keys},
        {name: entry for entry in boards for name in entry.names},
    )  # fmt: skip


def _processor(entry: Mapping[str, Any], words: Mapping[str, list[str]]) -> Processor:
    return Processor(
        **_facts(entry),
        keys=tuple(entry["keys"]),
        members=frozenset(entry.get("members", ())),
        without=tuple(entry.get("without", ())),
        has=tuple(entry.get("with", ())),
        word_bits_max=entry.get("word_bits_max", 0),
        byte_order=entry.get("byte_order", ""),
        never_named=frozenset(word for group in entry.get("never_named", ()) for word in words[group]),
    )


def _board(entry: Mapping[str, Any], groups: Mapping[str, list[str]]) -> Board:
    listed = (*entry["cpus"], *entry.get("upgrades", ()))
    keys = frozenset(key for item in listed for key in groups.get(item, (item,)))
    return Board(**_facts(entry), names=tuple(entry["names"]), cpus=keys, pluggable=bool(entry.get("upgrades")))


def _facts(entry: Mapping[str, Any]) -> dict[str, Any]:
    low, high = entry.get("timebase_hz", (0, 0))
    return {
        "name": entry["name"],
        "clock_mhz_max": entry.get("clock_mhz_max", 0),
        "memory_mib_max": entry.get("memory_mib_max", 0),
        "threads_max": entry.get("threads_max", 0),
        "caches": {place: tuple(entry[name]) for name, place in CACHES.items() if name in entry},
        "timebase_hz": (low, high),
        "year": entry.get("year", 0),
        "sources": tuple(entry["source"].split()),
    }
