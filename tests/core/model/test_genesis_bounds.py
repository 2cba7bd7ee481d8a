"""The bounds of a genesis, checked both in its file and in an object that never was a file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metanode.core.model.errors import MetanodeError, SettingsError
from metanode.core.model.genesis import Genesis, genesis_from_json
from metanode.core.model.header import Header, Roots, decode_header
from metanode.core.model.limits import GENESIS_BYTES_MAX, HEADER_BYTES_MAX
from metanode.core.model.params import PARAM_RANGES
from metanode.core.model.strict_json import expect_hex, load_object, nearest
from metanode.core.model.validators import decode_set, encode_set

CASES = json.loads((Path(__file__).parents[2] / "vectors" / "genesis.json").read_text())["cases"]
FILE: dict[str, Any] = CASES[0]["genesis"]
GENESIS = genesis_from_json(json.dumps(FILE))


RANGES = {
    "block_ms": (1, 86_400_000), "slot_ms": (1, 86_400_000), "slots_per_epoch": (1, 10_000),
    "attest_every_slots": (1, 10_000), "challenge_fresh_ms": (1, 86_400_000), "max_valid": (1, 1_000_000_000),
    "min_fee": (1, 18_446_744_073_709_551_615), "pot_per_epoch": (0, 1_000_000_000_000_000),
    "settle_per_block": (1, 1_000_000), "reveal_window_blocks": (1, 1_000_000),
    "machines_per_sponsor_epoch": (0, 1_000_000), "block_bytes_max": (65_536, 1_048_576),
    "block_envelopes_max": (1, 10_000), "attests_per_block_max": (0, 10_000), "vm_weight": (0, 1_000_000_000),
    "trust_period_s": (0, 1_000_000_000), "evidence_epochs": (0, 1_000), "reveal_blocks": (1, 10_000),
    "bond_min": (0, 18_446_744_073_709_551_615), "slash_permille": (0, 1_000),
}  # fmt: skip
"""What a parameter may be: a genesis that one node takes, every node takes."""


def with_bond(bond: int, bond_min: int) -> Genesis:
    """Return a genesis whose first validator has this bond."""
    first, *rest = (replace(member, bond=max(bond_min, 5)) for member in decode_set(GENESIS.validators))
    members = encode_set([replace(first, bond=bond), *rest])
    return replace(GENESIS, validators=members, params=replace(GENESIS.params, bond_min=bond_min))


@pytest.mark.parametrize("field", ["chain_id", "genesis_ms", "treasury"])
@pytest.mark.parametrize("value", [-1, 2**64])
def test_an_object_is_held_to_the_range_of_each_number(field: str, value: int) -> None:
    """A genesis may be made by a program, without a file in between."""
    with pytest.raises(SettingsError, match=rf"genesis\.{field}"):
        replace(GENESIS, **{field: value})


def test_every_node_allows_the_same_parameters() -> None:
    """Name by name, lowest and highest."""
    assert {name: PARAM_RANGES[name] for name in RANGES} == RANGES


@pytest.mark.parametrize("value", [5, None, "Edge", ["edge"]])
def test_a_profile_that_is_no_profile_is_named(value: Any) -> None:
    """Be it text or not."""
    with pytest.raises(SettingsError, match=r"params\.profile"):
        genesis_from_json(json.dumps({**FILE, "params": {**FILE["params"], "profile": value}}))


def test_a_chain_id_begins_at_one() -> None:
    """0 stands for no chain; the clock and the treasury may be 0."""
    assert replace(GENESIS, chain_id=1).chain_id == 1
    assert replace(GENESIS, genesis_ms=0, treasury=0).treasury == 0
    with pytest.raises(SettingsError, match="chain_id"):
        replace(GENESIS, chain_id=0)


def test_a_chain_without_validators_cannot_begin() -> None:
    """Nobody could certify its first block."""
    with pytest.raises(SettingsError, match=r"genesis\.validators"):
        genesis_from_json(json.dumps({**FILE, "validators": []}))
    with pytest.raises(SettingsError, match="validators is not a list"):
        genesis_from_json(json.dumps({**FILE, "validators": {}}))


@pytest.mark.parametrize(
    ("bond", "bond_min", "good"), [(1, 0, True), (0, 0, False), (1, 1, True), (7, 7, True), (6, 7, False)]
)
def test_a_bond_reaches_the_minimum_and_is_never_nothing(bond: int, bond_min: int, good: bool) -> None:
    """Also where the parameters ask for no bond at all."""
    if good:
        assert with_bond(bond, bond_min).params.bond_min == bond_min
    else:
        with pytest.raises(MetanodeError, match="bond of"):
            with_bond(bond, bond_min)


def test_an_account_of_genesis_holds_something_and_stands_once() -> None:
    """One micro-unit is enough."""
    account = bytes(20)
    assert replace(GENESIS, accounts=((account, 1),)).accounts == ((account, 1),)
    falling = (b"\1" * 20, 1), (account, 1)
    for accounts in (((account, 0),), ((account, 1), (account, 1)), ((account[1:], 1),), falling):
        with pytest.raises(SettingsError, match=r"genesis\.accounts"):
            replace(GENESIS, accounts=accounts)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("chain_id", 0), ("accounts", {next(iter(FILE["accounts"])): 0}), ("genesis_ms", -1), ("version", 2),
        ("treasury", -1),
    ],
)  # fmt: skip
def test_the_file_names_the_number_that_is_out_of_range(key: str, value: Any) -> None:
    """With its key, so that it can be found."""
    with pytest.raises(SettingsError, match=rf"genesis\.{key}"):
        genesis_from_json(json.dumps({**FILE, key: value}))


def test_a_validator_in_the_file_has_no_keys_of_its_own() -> None:
    """A misspelt key is refused rather than ignored."""
    member = FILE["validators"][0]
    with pytest.raises(SettingsError, match=r"genesis\.validators\[0\]"):
        genesis_from_json(json.dumps({**FILE, "validators": [{**member, "weight": 1}]}))
    with pytest.raises(SettingsError, match=r"genesis\.validators\[0\]"):
        genesis_from_json(json.dumps({**FILE, "validators": [{key: member[key] for key in member if key != "bond"}]}))


def test_a_file_of_the_largest_size_is_read_and_a_longer_is_not() -> None:
    """Blanks at the end count."""
    text = json.dumps(FILE)
    assert genesis_from_json(text.ljust(GENESIS_BYTES_MAX)) == GENESIS
    with pytest.raises(SettingsError, match="characters"):
        genesis_from_json(text.ljust(GENESIS_BYTES_MAX + 1))


def test_the_file_is_indented_by_two() -> None:
    """People edit it."""
    assert GENESIS.to_json() == json.dumps(FILE, indent=2) + "\n"
    assert "validators" not in repr(GENESIS)


def test_every_field_of_a_header_is_read_back_into_its_own_place() -> None:
    """All values differ, so none can stand for another."""
    header = Header(
        version=1, chain_id=2, height=3, time_ms=4, proposer_index=5, prev_hash=b"a" * 32,
        roots=Roots(b"b" * 32, b"c" * 32, b"d" * 32), validator_set_hash=b"e" * 32,
        next_validator_set_hash=b"f" * 32, params_hash=b"g" * 32, vrf_proof=b"h" * 80,
    )  # fmt: skip
    assert decode_header(header.encode()) == header


def test_a_header_of_the_largest_size_is_looked_at_and_a_longer_is_not() -> None:
    """These are no headers, and refused as such until they are too long to read."""
    for size, code in ((HEADER_BYTES_MAX, "NOT_CANONICAL"), (HEADER_BYTES_MAX + 1, "TOO_LARGE")):
        with pytest.raises(MetanodeError) as caught:
            decode_header(bytes(size))
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("value", "shown"),
    [("x" * 78, '"' + "x" * 78 + '"'), ("x" * 79, '"' + "x" * 76 + "..."), ("x" * 999, '"' + "x" * 76 + "...")],
)
def test_a_wrong_value_is_shown_up_to_eighty_characters(value: str, shown: str) -> None:
    """As it stands in the file."""
    with pytest.raises(SettingsError) as caught:
        genesis_from_json(json.dumps({**FILE, "chain_id": value}))
    assert caught.value.message == f"genesis.chain_id is {shown}"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("chain_name", 5, "genesis.chain_name is 5"), ("accounts", [], "genesis.accounts is []"),
        ("params", 0, "genesis.params is 0"), ("chain_id", True, "genesis.chain_id is true"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_type_is_named(key: str, value: Any, message: str) -> None:
    """With what it is."""
    with pytest.raises(SettingsError) as caught:
        genesis_from_json(json.dumps({**FILE, key: value}))
    assert caught.value.message == message


def test_hex_in_a_file_is_lower_case_and_of_its_length() -> None:
    """And the message says how long."""
    for text, wanted in (("AB" * 32, "64 lower-case hex digits"), ("ab" * 31, "64 lower-case hex digits")):
        with pytest.raises(SettingsError) as caught:
            expect_hex(text, "key", size=32)
        assert caught.value.expected == wanted
    with pytest.raises(SettingsError) as caught:
        expect_hex("abc", "key")
    assert caught.value.expected == "lower-case hex"
    assert expect_hex("", "key") == b""


def test_a_key_that_stands_twice_is_the_one_that_is_named() -> None:
    """Not another that stands before or between."""
    with pytest.raises(SettingsError, match="key 'b' stands twice"):
        load_object('{"a": 1, "b": 2, "c": 3, "b": 4, "d": 5}', "file")


def test_an_unknown_key_is_told_the_one_nearest_to_it() -> None:
    """One word, then all there are."""
    assert nearest("treasurry", ["treasury", "treasure"]) == "treasury (nearest of: treasury, treasure)"
    assert nearest("zzz", ["treasury", "params"]) == "one of: treasury, params"


def test_rules_look_back_two_epochs_or_as_long_as_a_challenge_is_fresh() -> None:
    """The longer of both, in milliseconds."""
    params = replace(GENESIS.params, slot_ms=1_000, slots_per_epoch=6, attest_every_slots=2, challenge_fresh_ms=5_000)
    assert params.look_back_ms == 12_000
    assert replace(params, challenge_fresh_ms=12_001).look_back_ms == 12_001
