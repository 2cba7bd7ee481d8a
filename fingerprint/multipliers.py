"""The one versioned table of multipliers: display, preview and settlement read nothing else.

The rows stand in `data/multipliers.json`: per family and architecture the class, the
multiplier of each profile as an integer scaled by 1e9, and where physics gives one, a
ceiling of memory copy speed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from metanode.core.model.errors import SettingsError
from metanode.core.model.hashing import H

SCALE = 1_000_000_000
"""One times, in the unit of every multiplier and weight."""
PROFILES = ("rustchain", "edge")
CLASSES = ("vintage", "board", "low-power", "modern", "unknown")
UNKNOWN = ("unknown", "unknown")
"""The row of a machine that no rule recognises."""

_FILE = Path(__file__).parent / "data" / "multipliers.json"


@dataclass(frozen=True)
class Row:
    """One architecture of the table."""

    family: str
    arch: str
    name: str
    """What to show to people."""
    klass: str
    multipliers: Mapping[str, int]
    """Profile name to multiplier, scaled by `SCALE`."""
    copy_mb_s_max: int
    """No machine of this class copies memory faster, in 10^6 bytes per second; 0 where no ceiling is known."""
    listed: bool
    """Whether upstream pays this row under this very name."""


@dataclass(frozen=True)
class Table:
    """All rows of one version."""

    version: int
    rows: Mapping[tuple[str, str], Row]
    digest: bytes
    """H(params, the file's bytes): what a chain's genesis names, see `scoring.scoring_name`."""

    def row(self, family: str, arch: str) -> Row:
        """Return a row; the unknown one when the pair is not listed."""
        return self.rows.get((family, arch), self.rows[UNKNOWN])


def parse_table(text: str) -> Table:
    """Read the table's JSON.

    :raises SettingsError: BAD_SETTING, naming the row at fault.
    """
    try:
        document: Any = json.loads(text)
        version, scale, rows = document["version"], document["scale"], document["rows"]
    except (ValueError, KeyError, TypeError) as error:
        raise _bad(f"the table cannot be read ({type(error).__name__})") from error
    if scale != SCALE or not isinstance(version, int) or not isinstance(rows, list):
        raise _bad("version, scale or rows are not what this code knows")
    table: dict[tuple[str, str], Row] = {}
    for number, entry in enumerate(rows):
        row = _row(entry, number)
        if (row.family, row.arch) in table:
            raise _bad(f"row {number} repeats {row.family} {row.arch}")
        table[row.family, row.arch] = row
    if UNKNOWN not in table:
        raise _bad("there is no row unknown/unknown")
    return Table(version, table, H("params", text.encode()))


def _row(entry: Any, number: int) -> Row:
    try:
        row = Row(
            family=entry["family"],
            arch=entry["arch"],
            name=entry["name"],
            klass=entry["class"],
            multipliers={profile: entry[profile] for profile in PROFILES},
            copy_mb_s_max=entry.get("copy_mb_s_max", 0),
            listed=entry.get("listed", 1) == 1,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise _bad(f"row {number} lacks {error}") from error
    integers = (*row.multipliers.values(), row.copy_mb_s_max)
    if not all(type(value) is int and 0 <= value < 1 << 63 for value in integers) or row.klass not in CLASSES:
        raise _bad(f"row {number} ({row.family} {row.arch}) holds a wrong class or number")
    return row


@lru_cache(maxsize=1)
def load_table() -> Table:
    """Return the table that ships with this version.

    :raises SettingsError: BAD_SETTING, the file is missing or damaged.
    """
    try:
        text = _FILE.read_bytes().decode("ascii")  # not read_text, which would change line ends: every byte counts
    except (OSError, ValueError) as error:
        raise _bad(f"the table cannot be read ({type(error).__name__})") from error
    return parse_table(text)


def _bad(message: str) -> SettingsError:
    return SettingsError("BAD_SETTING", f"multipliers.json: {message}", "the table as shipped with metanode")
