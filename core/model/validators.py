"""The validator set: who certifies blocks, in the order that indexes and bitmaps count in.

Canonical bytes are a CBOR array, by rising account id, of
[account, consensus key, VRF key, bond, BLS key or empty]; its hash stands in every header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metanode.core.model import codec
from metanode.core.model.accounts import account_id
from metanode.core.model.errors import Rejection
from metanode.core.model.hashing import H
from metanode.core.model.limits import (
    ACCOUNT_BYTES,
    PUBLIC_KEY_BYTES,
    UINT_MAX,
    VALIDATOR_SET_BYTES_MAX,
    VALIDATORS_MAX,
)

BLS_KEY_BYTES = 48
"""A BLS12-381 public key in G1, compressed; a set may also leave it empty."""


@dataclass(frozen=True)
class Validator:
    """One member of a set."""

    account: bytes
    """The account that bonded, 20 bytes."""
    consensus_key: bytes
    """Ed25519 key of its votes, 32 bytes."""
    vrf_key: bytes
    """ECVRF key of its proposals, 32 bytes."""
    bond: int
    """Micro-units, at least 1: its chance to lead.  Every member has one vote."""
    bls: bytes = b""
    """BLS12-381 public key (48 bytes) or empty."""


def encode_set(validators: Sequence[Validator]) -> bytes:
    """Return the canonical bytes of a set given by rising account id.

    :raises Rejection: BAD_SHAPE, a set that `decode_set` would refuse.
    """
    _check(validators)
    return codec.encode([[v.account, v.consensus_key, v.vrf_key, v.bond, v.bls] for v in validators])


def decode_set(data: bytes) -> tuple[Validator, ...]:
    """Decode and check a set.

    Refuses an empty or oversized set, accounts that do not rise, a bond of zero, bonds whose sum
    leaves 64 bits, a key that serves twice (two duties or two members: one holder must not have two
    votes), and a key that is also its member's account key.

    :raises Rejection: BAD_SHAPE.
    :raises CodecError: bytes that are not canonical CBOR.
    """
    rows = codec.expect_list(
        codec.decode(data, bytes_max=VALIDATOR_SET_BYTES_MAX), "validator set", maximum=VALIDATORS_MAX
    )
    validators = tuple(_decode_member(row, f"validator {index}") for index, row in enumerate(rows))
    _check(validators)
    return validators


def set_hash(data: bytes) -> bytes:
    """Return H(set, data) of canonical set bytes: what headers carry."""
    return H("set", data)


def _decode_member(row: codec.Value, what: str) -> Validator:
    account, consensus_key, vrf_key, bond, bls = codec.expect_list(row, what, size=5)
    return Validator(
        account=codec.expect_bytes(account, f"{what} account"),
        consensus_key=codec.expect_bytes(consensus_key, f"{what} consensus key"),
        vrf_key=codec.expect_bytes(vrf_key, f"{what} VRF key"),
        bond=codec.expect_uint(bond, f"{what} bond"),
        bls=codec.expect_bytes(bls, f"{what} BLS key"),
    )


def _check(validators: Sequence[Validator]) -> None:
    if not 1 <= len(validators) <= VALIDATORS_MAX:
        raise _bad(f"validator set has {len(validators)} members", f"1 to {VALIDATORS_MAX}")
    keys: set[bytes] = set()
    before = b""
    for index, validator in enumerate(validators):
        what = f"validator {index}"
        _check_sizes(validator, what)
        if validator.account <= before:
            raise _bad(f"{what} has account {validator.account.hex()} out of order", "rising accounts, each once")
        before = validator.account
        if account_id(validator.consensus_key) == before or account_id(validator.vrf_key) == before:
            raise _bad(f"{what} votes or proposes with its account key", "a key of its own for each duty")
        for key in (validator.consensus_key, validator.vrf_key):
            if key in keys:
                raise _bad(f"{what} has key {key.hex()}, which already serves", "a key of its own for each duty")
            keys.add(key)
    if sum(validator.bond for validator in validators) > UINT_MAX:
        raise _bad("the bonds of the set sum to more than 64 bits", "smaller bonds")


def _check_sizes(validator: Validator, what: str) -> None:
    if len(validator.account) != ACCOUNT_BYTES:
        raise _bad(f"{what} has an account of {len(validator.account)} bytes", f"{ACCOUNT_BYTES} bytes")
    for name, key in (("consensus", validator.consensus_key), ("VRF", validator.vrf_key)):
        if len(key) != PUBLIC_KEY_BYTES:
            raise _bad(f"{what} has a {name} key of {len(key)} bytes", f"{PUBLIC_KEY_BYTES} bytes")
    if not 1 <= validator.bond <= UINT_MAX:
        raise _bad(f"{what} has a bond of {validator.bond}", f"1 to {UINT_MAX} micro-units")
    if len(validator.bls) not in (0, BLS_KEY_BYTES):
        raise _bad(f"{what} has a BLS key of {len(validator.bls)} bytes", f"{BLS_KEY_BYTES} bytes or none")


def _bad(message: str, expected: str) -> Rejection:
    return Rejection("BAD_SHAPE", message, expected)
