"""Genesis: the agreement a chain starts from; its hash is the chain's identity.

People write and read it as JSON (`genesis.json` in a node's home); the hash is over the
canonical bytes, so spacing and key order of the file do not matter.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from metanode.core.model import codec
from metanode.core.model.accounts import parse_account, to_bech32m
from metanode.core.model.errors import MetanodeError, SettingsError
from metanode.core.model.hashing import H
from metanode.core.model.limits import ACCOUNT_BYTES, GENESIS_BYTES_MAX, PUBLIC_KEY_BYTES, UINT_MAX
from metanode.core.model.params import Network, Params, network, network_params, param_help, params_from_object
from metanode.core.model.strict_json import (
    expect_hex,
    expect_int,
    expect_keys,
    expect_object,
    expect_string,
    load_object,
)
from metanode.core.model.validators import Validator, decode_set, encode_set

__all__ = [
    "Genesis",
    "Network",
    "Params",
    "genesis_from_json",
    "network",
    "network_params",
    "param_help",
    "params_from_object",
]

VERSION = 1

_CHAIN_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_KEYS = ("version", "chain_name", "chain_id", "genesis_ms", "params", "validators", "accounts", "treasury")
_VALIDATOR_KEYS = ("account", "consensus_key", "vrf_key", "bond")


@dataclass(frozen=True)
class Genesis:
    """What a chain starts from."""

    chain_name: str
    """1 to 32 of a-z, 0-9 and hyphen."""
    chain_id: int
    """In every envelope; a fork that keeps the genesis takes another one."""
    genesis_ms: int
    """Unix time, milliseconds: where slots are counted from, and the parent time of block 1."""
    params: Params
    validators: bytes = field(repr=False)
    """The canonical set that certifies block 1."""
    accounts: tuple[tuple[bytes, int], ...]
    """(account id, balance in micro-units) by rising id."""
    treasury: int
    """Micro-units."""

    def __post_init__(self) -> None:
        if not _CHAIN_NAME.fullmatch(self.chain_name):
            raise SettingsError(
                "BAD_SETTING", f"genesis.chain_name is {self.chain_name!r}", "1 to 32 of a-z, 0-9 and hyphen"
            )
        expect_int(self.chain_id, "genesis.chain_id", minimum=1)
        expect_int(self.genesis_ms, "genesis.genesis_ms")
        expect_int(self.treasury, "genesis.treasury")
        members = decode_set(self.validators)
        if not members:
            raise SettingsError("BAD_SETTING", "genesis.validators is empty", "at least one validator")
        for member in members:
            if member.bond < max(1, self.params.bond_min):
                raise SettingsError(
                    "BAD_SETTING",
                    f"the bond of validator {to_bech32m(member.account)} is {member.bond}",
                    f"at least params.bond_min ({self.params.bond_min})",
                )
        last = b""
        for account, balance in self.accounts:
            if len(account) != ACCOUNT_BYTES or account <= last:
                raise SettingsError("BAD_SETTING", "genesis.accounts are out of order", "rising ids, each once")
            expect_int(balance, f"genesis.accounts {to_bech32m(account)}", minimum=1)
            last = account
        if self.supply > UINT_MAX:
            raise SettingsError("BAD_SETTING", f"the supply is {self.supply}", f"at most {UINT_MAX} micro-units")

    @property
    def supply(self) -> int:
        """Sum of all balances, the validators' bonds and the treasury, micro-units."""
        bonded = sum(member.bond for member in decode_set(self.validators))
        return self.treasury + bonded + sum(balance for _, balance in self.accounts)

    def encode(self) -> bytes:
        """Return the canonical bytes: CBOR map 0 to 7."""
        return codec.encode(
            {
                0: VERSION,
                1: self.chain_name,
                2: self.chain_id,
                3: self.genesis_ms,
                4: self.params.encode(),
                5: self.validators,
                6: self.accounts,
                7: self.treasury,
            }
        )

    @cached_property
    def hash(self) -> bytes:
        """H(genesis, canonical bytes): 32 bytes that every signature and header chain starts from."""
        return H("genesis", self.encode())

    @cached_property
    def params_hash(self) -> bytes:
        """H(params, canonical parameters)."""
        return self.params.hash

    def to_json(self) -> str:
        """Return the text of a genesis file, ending in a newline."""
        entries = {
            "version": VERSION,
            "chain_name": self.chain_name,
            "chain_id": self.chain_id,
            "genesis_ms": self.genesis_ms,
            "params": self.params.to_json(),
            "validators": [_validator_to_object(member) for member in decode_set(self.validators)],
            "accounts": {to_bech32m(account): balance for account, balance in self.accounts},
            "treasury": self.treasury,
        }
        return json.dumps(entries, indent=2) + "\n"


def genesis_from_json(text: str) -> Genesis:
    """Read the text of a genesis file.

    Accounts may be written in either form and any order.

    :raises SettingsError: BAD_JSON, or BAD_SETTING naming the key, its value and what is allowed.
    """
    if len(text) > GENESIS_BYTES_MAX:
        raise SettingsError("BAD_SETTING", f"genesis of {len(text)} characters", f"at most {GENESIS_BYTES_MAX}")
    entries = load_object(text, "genesis")
    expect_keys(entries, _KEYS, "genesis")
    expect_int(entries["version"], "genesis.version", minimum=VERSION, maximum=VERSION)
    members = entries["validators"]
    if not isinstance(members, list):
        raise SettingsError("BAD_SETTING", "genesis.validators is not a list", "a list of objects")
    validators = [_validator_from_object(member, f"genesis.validators[{i}]") for i, member in enumerate(members)]
    accounts: dict[bytes, int] = {}
    for spelled, balance in expect_object(entries["accounts"], "genesis.accounts").items():
        account = _account(spelled, "genesis.accounts")
        if account in accounts:
            raise SettingsError("BAD_SETTING", f"genesis.accounts: {spelled} stands twice", "each account once")
        accounts[account] = expect_int(balance, f"genesis.accounts {spelled}", minimum=1)
    try:
        encoded_set = encode_set(sorted(validators, key=lambda member: member.account))
    except MetanodeError as error:
        raise SettingsError("BAD_SETTING", f"genesis.validators: {error.message}", error.expected) from None
    return Genesis(
        chain_name=expect_string(entries["chain_name"], "genesis.chain_name"),
        chain_id=expect_int(entries["chain_id"], "genesis.chain_id", minimum=1),
        genesis_ms=expect_int(entries["genesis_ms"], "genesis.genesis_ms"),
        params=params_from_object(entries["params"], "genesis.params"),
        validators=encoded_set,
        accounts=tuple(sorted(accounts.items())),
        treasury=expect_int(entries["treasury"], "genesis.treasury"),
    )


def _validator_to_object(member: Validator) -> dict[str, int | str]:
    entries: dict[str, int | str] = {
        "account": to_bech32m(member.account),
        "consensus_key": member.consensus_key.hex(),
        "vrf_key": member.vrf_key.hex(),
        "bond": member.bond,
    }
    return {**entries, "bls": member.bls.hex()} if member.bls else entries


def _validator_from_object(value: Any, what: str) -> Validator:
    entries = expect_object(value, what)
    expect_keys(entries, _VALIDATOR_KEYS, what, optional=("bls",))
    return Validator(
        account=_account(entries["account"], f"{what}.account"),
        consensus_key=expect_hex(entries["consensus_key"], f"{what}.consensus_key", size=PUBLIC_KEY_BYTES),
        vrf_key=expect_hex(entries["vrf_key"], f"{what}.vrf_key", size=PUBLIC_KEY_BYTES),
        bond=expect_int(entries["bond"], f"{what}.bond"),
        bls=expect_hex(entries.get("bls", ""), f"{what}.bls"),
    )


def _account(value: Any, what: str) -> bytes:
    try:
        return parse_account(expect_string(value, what))
    except MetanodeError as error:
        raise SettingsError("BAD_SETTING", f"{what}: {error.message}", error.expected) from None
