"""docs/wire_format.md is what others build from: what it lists is what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from metanode.core.model import bodies, limits, merkle
from metanode.core.model.errors import ERROR_CODES
from metanode.core.model.genesis import network
from metanode.core.model.hashing import PURPOSES, H
from metanode.core.model.kinds import KIND_NAMES, PLUGIN_KIND_MIN
from metanode.core.model.params import PARAM_NAMES, PARAM_RANGES
from metanode.core.model.receipt import EventNumber
from metanode.core.model.state_map import StateMap
from metanode.core.model.state_tables import Table
from metanode.fingerprint import inventory
from metanode.fingerprint.keyed import PROBE_CHAIN, run_keyed
from metanode.fingerprint.multipliers import load_table
from metanode.fingerprint.parsers.cache import CACHES_MAX
from metanode.fingerprint.virtual import SIGNS
from metanode.plugins.ledger.attested.tables import Global

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "wire_format.md").read_text()
VECTOR_FILES = sorted(path.name for path in (ROOT / "tests" / "vectors").glob("*.json"))


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table rows below a heading, up to the next heading of its level."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_purpose_is_listed() -> None:
    """A purpose that is not published cannot be computed by anyone else."""
    section = PAGE.split("\n## 3. Hashing\n")[1].split("\n## ")[0]
    listed = re.findall(r"`([a-z]+)`", section)
    assert set(PURPOSES) <= set(listed)
    assert H("tx", b"").hex() in section


def test_every_error_is_listed_with_its_number() -> None:
    """A receipt of a failed envelope says a number, and every implementation must say the same one."""
    marked = PAGE.split("<!-- numbers of errors")[1].split("<!-- end -->")[0].partition("-->")[2]
    listed = re.findall(r"(\d+) `([A-Z_]+)`", marked)
    assert listed == [(str(row.number), row.code) for row in ERROR_CODES.values()]


def test_every_kind_is_listed_with_its_number() -> None:
    """Built kinds stand in the table, kept ones under the reserved numbers."""
    table = {row[0]: row[1] for row in rows("11. Kinds and bodies")}
    reserved = " ".join(PAGE.split("\n## 24. Reserved, not built\n")[1].split())
    built = {kind.number for kind in bodies.KINDS}
    for number, name in KIND_NAMES.items():
        if number in built:
            assert table[str(number)] == name
        else:
            assert f"{number} {name}" in reserved
    assert f"{PLUGIN_KIND_MIN} and up" in table


def test_every_parameter_is_listed_with_its_key_values_and_range() -> None:
    """The published table is the data file and the code."""
    text = (ROOT / "core" / "model" / "data" / "networks.json").read_text()
    names = ("devnet", "testnet", "mainnet")
    values = [network(text, name).params.to_json() for name in names]
    table = {row[1]: row for row in rows("19. Genesis and parameters") if row[0].isdigit()}
    assert list(table) == list(PARAM_NAMES)
    for key, name in enumerate(PARAM_NAMES):
        row = table[name]
        assert row[0] == str(key)
        assert row[2:5] == [str(value[name]) for value in values]
        if name in PARAM_RANGES:
            minimum, maximum = PARAM_RANGES[name]
            assert row[5].startswith(f"{minimum} to {maximum}")
    for name in names:
        assert f"{name} {network(text, name).chain_id}" in PAGE


def test_every_event_is_listed_with_its_number() -> None:
    """A receipt can be read without our code."""
    table = {row[0]: row[1] for row in rows("15. Receipts")}
    assert {str(int(event)): event.name.lower() for event in EventNumber}.items() <= table.items()


def test_every_state_table_and_global_is_listed() -> None:
    """A state proof can be read without our code."""
    listed = {int(row[0].split()[0]) for row in rows("20. State tables") if row[0][0].isdigit()}
    assert listed == {int(table) for table in Table}
    (globals_row,) = [row for row in rows("20. State tables") if row[0].startswith("9 ")]
    listed_globals = re.findall(r"(?:^|[,;:] )(\d) ", globals_row[2])
    assert listed_globals == [str(int(each)) for each in Global]


def test_the_limits_are_those_of_the_code() -> None:
    """The numbers that another implementation must refuse at."""
    section = PAGE.split("\n## 23. Limits\n")[1].split("\n## ")[0]
    for number in (
        limits.ENVELOPE_BYTES_MAX, limits.BLOCK_BYTES_MAX, limits.BLOCK_ENVELOPES_MAX, limits.HEADER_BYTES_MAX,
        limits.RECEIPT_BYTES_MAX, limits.CERTIFICATE_BYTES_MAX, limits.INVENTORY_BYTES_MAX, limits.VALIDATORS_MAX,
        limits.FOREIGN_JSON_BYTES_MAX, limits.MEMO_BYTES_MAX, limits.PROBE_RESULTS_MAX, limits.AGENT_BYTES_MAX,
        limits.BLOCK_WIRE_BYTES_MAX, limits.BUNDLE_BYTES_MAX, limits.GENESIS_BYTES_MAX, limits.VALIDATOR_SET_BYTES_MAX,
        limits.SAMPLES_BYTES_MAX, limits.RECEIPT_EVENTS_MAX,
    ):  # fmt: skip
        assert f"{number:,}" in section


def test_the_inventory_is_the_one_that_is_decoded() -> None:
    """Keys, bounds and sources of the published table are those of the code."""
    table = {row[0]: " ".join(row[1:]) for row in rows("12. Machines and challenges")}
    keys = [key for key in table if key.isdigit()]
    assert keys == [str(key) for key in range(13)]
    for key, bounds in (
        ("6", (inventory.FEATURES_MAX, inventory.FEATURE_BYTES_MAX)), ("7", (CACHES_MAX,)),
        ("10", (inventory.SIGNS_MAX, inventory.EVIDENCE_BYTES_MAX)), ("11", (len(inventory.BINDINGS) - 1,)),
    ):  # fmt: skip
        assert [f" {bound} " in f"{table[key]} " for bound in bounds] == [True] * len(bounds)
    assert all(f"{bit} {name}" in table["12"] for bit, name in enumerate(inventory.SOURCES))


def test_every_row_of_a_multiplier_that_a_machine_can_get_is_on_the_page() -> None:
    """The table is data, how a machine comes to its row is text."""
    for family, arch in reached():
        assert family in PAGE
        assert arch in PAGE
    for code, kind in SIGNS.items():
        declared = kind.severity == "declared"
        assert declared == (code in (*range(1, 9), 31, 32)), "the page lists the declared signs by number"
        about = "vm" if code < 20 else "container" if code < 30 else "emulator" if code < 40 else "sources"
        assert kind.about == about, "numbers from 40 on are contradictions, as the page says"


def reached() -> set[tuple[str, str]]:
    """Return every (family, arch) of the vectors."""
    cases = json.loads((ROOT / "tests" / "vectors" / "scoring.json").read_text())["cases"]
    found = {(case["family"], case["arch"]) for case in cases}
    # Consoles, 8-bit machines and later Apple processors have rows, but no collector that tells them yet.
    unreached = {pair for pair in load_table().rows if pair not in found}
    assert all(
        family in ("console", "8-bit") or (family, arch) in (("Apple Silicon", "M3"), ("Apple Silicon", "M4"))
        for family, arch in unreached
    )
    return found


def test_the_worked_examples_are_right() -> None:
    """Whoever follows an example by hand arrives where it says."""
    entries = [(b"\x01" + i.to_bytes(8, "big"), b"value %d" % i) for i in range(2)]
    assert StateMap.from_entries(entries).root.hex() in PAGE
    leaves = [H("leaf", b"item %d" % i) for i in range(3)]
    node = H("node", leaves[0] + leaves[1])
    for digest in (*leaves, node, H("node", node + leaves[2])):
        assert f"`{digest.hex()[:8]}...{digest.hex()[-4:]}`" in PAGE
    assert merkle.list_root([b"item %d" % i for i in range(3)]).hex() in PAGE
    assert f"{run_keyed(bytes(range(32)), PROBE_CHAIN):016x}" in PAGE
    envelope = json.loads((ROOT / "tests" / "vectors" / "envelope.json").read_text())
    first = envelope["cases"][0]
    assert all(value in PAGE for value in (envelope["genesis_hash"], first["digest"], first["id"]))
    example = PAGE.split("### Validity and failure")[0].split("27 zero bytes):\n\n")[1].split("\n\n")[0]
    # Each line is hex in groups of one blank, then two blanks or more and a remark.
    spelled = "".join(line.strip().split("  ")[0].replace(" ", "") for line in example.splitlines())
    assert spelled == first["signed"]


@pytest.mark.parametrize("name", VECTOR_FILES)
def test_every_vector_file_is_described(name: str) -> None:
    """A vector whose fields nobody explains cannot be used by a stranger."""
    assert f"| `{name}` |" in PAGE


@pytest.mark.parametrize(
    "path", [ROOT / "core/model/data/ed25519_edge.json", *(ROOT / "tests/vectors" / name for name in VECTOR_FILES)],
    ids=lambda path: path.name,
)  # fmt: skip
def test_every_vector_file_says_what_it_is_and_where_it_comes_from(path: Path) -> None:
    """A file that is copied elsewhere still explains itself."""
    document = json.loads(path.read_text("utf-8"))
    assert document["source"]
    assert document["note"]
    assert f"`{path.name}`" in PAGE or f"data/{path.name}" in PAGE


@pytest.mark.parametrize("heading", [line[3:] for line in PAGE.splitlines() if line.startswith("## ")])
def test_every_section_is_in_the_contents(heading: str) -> None:
    """The links at the top lead somewhere."""
    anchor = re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
    if heading[0].isdigit():
        assert f"(#{anchor})" in PAGE.replace("\n", " ")
