"""Genesis files and parameters: every mistake is named, and the hash knows no spelling."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from metanode.core.model.accounts import parse_account, to_bech32m, to_rtc
from metanode.core.model.errors import SettingsError
from metanode.core.model.genesis import genesis_from_json, network, network_params, param_help
from metanode.core.model.params import PARAM_NAMES, PARAM_RANGES, Params
from metanode.core.model.validators import set_hash
from metanode.fingerprint.multipliers import load_table
from metanode.fingerprint.scoring import scoring_name

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "genesis.json").read_text())
NETWORKS = (resources.files("metanode.core.model") / "data" / "networks.json").read_text()
DEVNET = genesis_from_json(json.dumps(VECTORS["cases"][0]["genesis"]))


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_a_vector_gives_its_hashes(case: dict[str, Any]) -> None:
    """The file gives the canonical bytes, and they give the chain's identity."""
    genesis = genesis_from_json(json.dumps(case["genesis"]))
    assert genesis.params.encode().hex() == case["params_cbor"]
    assert genesis.params_hash.hex() == case["params_hash"]
    assert genesis.validators.hex() == case["validator_set"]
    assert set_hash(genesis.validators).hex() == case["validator_set_hash"]
    assert genesis.encode().hex() == case["genesis_cbor"]
    assert genesis.hash.hex() == case["genesis_hash"]
    assert json.loads(genesis.to_json()) == case["genesis"]


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=lambda case: case["name"])
def test_a_broken_file_is_refused_and_the_mistake_named(case: dict[str, Any]) -> None:
    """The one line says which key is wrong and what is allowed."""
    with pytest.raises(SettingsError) as caught:
        genesis_from_json(case["text"])
    assert caught.value.code == case["code"]
    assert case["mentions"] in caught.value.line()


def test_the_hash_ignores_how_the_file_is_written() -> None:
    """Key order, spacing, the order of members and the form of addresses change nothing."""
    entries = VECTORS["cases"][1]["genesis"]
    accounts = {to_rtc(parse_account(name)): balance for name, balance in reversed(entries["accounts"].items())}
    turned = {**dict(reversed(entries.items())), "validators": entries["validators"][::-1], "accounts": accounts}
    assert genesis_from_json(json.dumps(turned, indent=4)).hash.hex() == VECTORS["cases"][1]["genesis_hash"]


@pytest.mark.parametrize(
    "changes",
    [{"chain_name": "other"}, {"chain_id": 7}, {"genesis_ms": 1}, {"treasury": 1}, {"accounts": ()},
     {"params": replace(DEVNET.params, bond_min=1)}],
)  # fmt: skip
def test_every_field_is_in_the_hash(changes: dict[str, Any]) -> None:
    """Two chains that differ in anything differ in their hash."""
    assert replace(DEVNET, **changes).hash != DEVNET.hash


def test_accounts_out_of_order_cannot_become_a_genesis() -> None:
    """Two spellings of one genesis would be two chains."""
    with pytest.raises(SettingsError, match="out of order"):
        replace(DEVNET, accounts=DEVNET.accounts[::-1])


def test_supply_is_the_sum_of_what_genesis_hands_out() -> None:
    """Balances, bonds and treasury are all there is before block 1."""
    case = VECTORS["cases"][0]["genesis"]
    bonds = sum(member["bond"] for member in case["validators"])
    assert DEVNET.supply == DEVNET.treasury + sum(case["accounts"].values()) + bonds > bonds > 0


def test_no_chain_gives_state_away_for_nothing() -> None:
    """A transfer to a new account makes the state larger for ever; a fee of 0 would let anyone fill it."""
    with pytest.raises(SettingsError, match="params.min_fee is 0"):
        replace(DEVNET.params, min_fee=0)


@pytest.mark.parametrize(
    "scoring", ["", "1", "1-", "0-" + "0" * 64, "01-" + "0" * 64, "1-" + "A" * 64, "1-" + "0" * 63]
)
def test_scoring_is_a_version_and_a_hash(scoring: str) -> None:
    """One spelling, so that two nodes compare the same text."""
    with pytest.raises(SettingsError, match="params.scoring is"):
        replace(DEVNET.params, scoring=scoring)


def test_the_named_networks_have_the_frozen_values() -> None:
    """devnet pays virtual machines and turns epochs in seconds; mainnet does neither."""
    devnet, testnet, mainnet = (network(NETWORKS, name) for name in ("devnet", "testnet", "mainnet"))
    assert (devnet.chain_id, testnet.chain_id, mainnet.chain_id) == (31337, 2, 1)
    assert tuple(devnet.params.to_json().values()) == (
        "edge", 1000, 2000, 10, 2, 300000, 10000, 100, 1500000, 2000, 600, 100, 524288, 2000, 1000, 1000000000, 0, 2,
        2, 1000000, 1500000000, 1000000000, 100, 50, scoring_name(load_table()),
    )  # fmt: skip
    assert tuple(mainnet.params.to_json().values()) == (
        "edge", 1000, 600000, 144, 6, 300000, 10000, 1000, 1500000, 2000, 600, 100, 524288, 2000, 1000, 0, 1209600, 3,
        2, 1000000000, 1500000000, 1000000000, 20, 50, scoring_name(load_table()),
    )  # fmt: skip
    assert testnet.params == replace(mainnet.params, slot_ms=60_000)
    assert network_params(NETWORKS, "mainnet") == mainnet.params


def test_every_parameter_is_explained_and_bounded() -> None:
    """The data file explains what the code bounds, and both know the same names."""
    help_of = param_help(NETWORKS)
    assert tuple(help_of) == PARAM_NAMES
    assert all(text.endswith(".") for text in help_of.values())
    assert ("profile", *PARAM_RANGES, "scoring") == PARAM_NAMES


def test_an_unknown_network_names_the_nearest() -> None:
    """A typing mistake costs one line."""
    with pytest.raises(SettingsError, match="'devnt'") as caught:
        network(NETWORKS, "devnt")
    assert caught.value.expected.startswith("devnet")


@pytest.mark.parametrize("name", PARAM_RANGES)
def test_a_parameter_keeps_to_its_range(name: str) -> None:
    """One below and one above are refused by name, whichever way the parameters are made."""
    minimum, maximum = PARAM_RANGES[name]
    for value in (minimum - 1, maximum + 1):
        with pytest.raises(SettingsError, match=f"params.{name} is {value}"):
            Params(**{**asdict(DEVNET.params), name: value})


def test_nesting_without_end_is_refused_in_one_line() -> None:
    """A hostile file cannot exhaust the stack."""
    with pytest.raises(SettingsError, match="BAD_JSON"):
        genesis_from_json("[" * 100_000)


def test_a_genesis_file_shows_addresses_people_know() -> None:
    """The file holds mn1 addresses and whole micro-units."""
    text = DEVNET.to_json()
    assert text.endswith("}\n")
    for account, balance in DEVNET.accounts:
        assert f'"{to_bech32m(account)}": {balance}' in text
