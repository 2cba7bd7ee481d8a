"""docs/fingerprint.md tells what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from metanode.core.model.errors import ERROR_CODES
from metanode.fingerprint.checks import REASONS
from metanode.fingerprint.inventory import FEATURES, SOURCES
from metanode.fingerprint.multipliers import load_table
from metanode.fingerprint.rotation import ROTATING
from metanode.fingerprint.samples import PROBE_KINDS
from metanode.fingerprint.scoring import CAPS
from metanode.fingerprint.virtual import SIGNS

TEXT = (Path(__file__).parents[2] / "docs" / "fingerprint.md").read_text("utf-8")


@pytest.mark.parametrize("name", [*REASONS, *CAPS, *(kind.name for kind in SIGNS.values()), *ROTATING, *SOURCES])
def test_every_reason_cap_sign_and_source_is_explained(name: str) -> None:
    """A word in a report can be looked up."""
    assert f"`{name}`" in TEXT


def test_words_in_the_documentation_are_those_of_the_code() -> None:
    """Tables are compared, not trusted."""
    for reason, words in REASONS.items():
        assert f"| `{reason}` | {words} |" in TEXT
    for cap, words in CAPS.items():
        assert f"| `{cap}` | {words} |" in TEXT
    for kind in SIGNS.values():
        assert f"| {kind.code} | `{kind.name}` | {kind.about} | {kind.severity} | {kind.words} |" in TEXT
    for probe in PROBE_KINDS:
        assert f"| {probe.number} | `{probe.name}` | {probe.unit} | {probe.words} |" in TEXT


def test_every_row_of_the_table_is_printed() -> None:
    """Class and both multipliers, in billionths as they are paid."""
    for row in load_table().rows.values():
        weights = " | ".join(str(row.multipliers[profile]) for profile in ("rustchain", "edge"))
        assert f"| {row.family} | {row.arch} | {row.klass} | {weights} |" in TEXT


def test_every_feature_is_listed() -> None:
    """The list is part of the inventory's format."""
    assert all(f"`{name}`" in TEXT for name in FEATURES)


def test_reasons_that_are_error_codes_mean_the_same() -> None:
    """One name, one meaning."""
    assert {"VM_DETECTED", "EMULATOR_DETECTED", "PROBE_MISMATCH"} == set(REASONS) & set(ERROR_CODES)
