"""Validator sets: one spelling, no shared keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from metanode.core.model.errors import CodecError, Rejection
from metanode.core.model.limits import VALIDATORS_MAX
from metanode.core.model.validators import Validator, decode_set, encode_set, set_hash

DOCUMENT = json.loads((Path(__file__).resolve().parents[2] / "vectors" / "validator_set.json").read_text())


def member(number: int) -> Validator:
    """Return a valid member; keys need not be curve points, they then just never verify."""
    return Validator(number.to_bytes(20, "big"), bytes([1]) + number.to_bytes(31, "big"), number.to_bytes(32, "big"), 1)


@pytest.mark.parametrize("row", DOCUMENT["accepted"], ids=lambda row: row["name"])
def test_sets_have_the_published_bytes_and_hash(row: dict[str, Any]) -> None:
    """tests/vectors/validator_set.json."""
    members = tuple(
        Validator(
            bytes.fromhex(m["account"]),
            bytes.fromhex(m["consensus_key"]),
            bytes.fromhex(m["vrf_key"]),
            m["bond"],
            bytes.fromhex(m["bls"]),
        )
        for m in row["members"]
    )
    data = bytes.fromhex(row["bytes"])
    assert encode_set(members) == data
    assert decode_set(data) == members
    assert set_hash(data).hex() == row["hash"]


@pytest.mark.parametrize("row", DOCUMENT["refused"], ids=lambda row: row["name"])
def test_sets_that_break_a_rule_are_refused(row: dict[str, str]) -> None:
    """Each case breaks one rule and gets its code."""
    with pytest.raises(Rejection) as caught:
        decode_set(bytes.fromhex(row["bytes"]))
    assert caught.value.code == row["code"]


def test_a_set_that_would_be_refused_cannot_be_encoded() -> None:
    """What we write, we can read."""
    with pytest.raises(Rejection, match="out of order"):
        encode_set([member(2), member(1)])
    with pytest.raises(Rejection, match="VRF key of 31"):
        encode_set([Validator(bytes([1] * 20), bytes(32), bytes(31), 1)])


def test_the_largest_set_fits_and_one_more_does_not() -> None:
    """`VALIDATORS_MAX` members, each of the largest size."""
    full = [
        Validator(v.account, v.consensus_key, v.vrf_key, 2**57, bytes([i] * 48))
        for i, v in enumerate(map(member, range(1, VALIDATORS_MAX + 1)))
    ]
    assert decode_set(encode_set(full)) == tuple(full)
    with pytest.raises(Rejection, match="101 members"):
        encode_set([*full, member(200)])


def test_truncated_sets_name_the_offset() -> None:
    """Every prefix is refused, none crashes."""
    data = encode_set([member(1), member(2)])
    for end in range(len(data)):
        with pytest.raises(CodecError):
            decode_set(data[:end])
    with pytest.raises(CodecError):
        decode_set(data + b"\x00")
