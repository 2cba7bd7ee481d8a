"""Light clients follow a validator set over its changes; the chain is the published one of `execution.json`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metanode.core.light.certificate import certify
from metanode.core.light.set_changes import SetChange, TrustedSet, follow
from metanode.core.model.block import decode_block
from metanode.core.model.errors import ProofError
from metanode.core.model.genesis import Genesis, genesis_from_json
from metanode.core.model.header import Header, decode_header
from metanode.core.model.validators import decode_set

CHAINS = json.loads((Path(__file__).parents[2] / "vectors" / "execution.json").read_text())["chains"]
CHAIN: dict[str, Any] = next(chain for chain in CHAINS if chain["genesis"]["chain_name"] == "stake-and-seats")
SET_KEY = "07"
Row = tuple[Header, bytes, bytes]


def headers() -> list[Row]:
    """Return (header, its bytes, its certificate) of every block."""
    raw = [decode_block(bytes.fromhex(row["block"])).header for row in CHAIN["blocks"]]
    certificates = [bytes.fromhex(row["certificate"]) for row in CHAIN["blocks"]]
    return [(decode_header(data), data, votes) for data, votes in zip(raw, certificates, strict=True)]


def changes() -> list[SetChange]:
    """Return the changes of the set; the sets themselves stand in the changes of the state."""
    found = []
    for row, (header, data, certificate) in zip(CHAIN["blocks"], headers(), strict=True):
        if header.validator_set_hash != header.next_validator_set_hash:
            (value,) = (bytes.fromhex(value) for key, value in row["changes"] if key == SET_KEY)
            found.append(SetChange(data, certificate, value[3:] if value[1] == 0x58 else value[4:]))
    return found


@pytest.fixture(scope="module")
def genesis() -> Genesis:
    """The chain's genesis."""
    return genesis_from_json(json.dumps(CHAIN["genesis"]))


def test_each_header_names_the_set_of_the_next_one(genesis: Genesis) -> None:
    """The rule that hops rest on: the set after a header is the one before the next."""
    rows = headers()
    for (before, _, _), (after, _, _) in zip(rows, rows[1:], strict=False):
        assert before.next_validator_set_hash == after.validator_set_hash
    sizes = [len(decode_set(change.next_set)) for change in changes()]
    assert sizes == [2, 3, 2, 1], "the published chain's set shrinks, grows and shrinks"


def test_a_trusted_set_is_followed_over_every_change(genesis: Genesis) -> None:
    """Behind the hops, any header of the newest set verifies, and none of an older one."""
    trusted = follow(TrustedSet.of_genesis(genesis), changes(), genesis.hash)
    last, data, certificate = headers()[-1]
    assert certify(data, certificate, trusted.validator_set, genesis.hash).header == last
    first, data, certificate = headers()[0]
    with pytest.raises(ProofError, match="UNTRUSTED"):
        certify(data, certificate, trusted.validator_set, genesis.hash)
    assert trusted.height < last.height
    assert first.height == 1


def test_a_change_is_believed_only_from_the_set_before_it(genesis: Genesis) -> None:
    """Left out, repeated, out of order, of another set, of another chain, or no change at all."""
    start, (one, two, *_) = TrustedSet.of_genesis(genesis), changes()
    behind = start.after(one, genesis.hash)
    plain = next(row for row in headers() if row[0].validator_set_hash == row[0].next_validator_set_hash)
    cases = [
        (start, two, "UNTRUSTED"),
        (behind, one, "UNTRUSTED"),
        (start, replace(one, next_set=two.next_set), "UNTRUSTED"),
        (start, replace(one, next_set=b"\x80"), "BAD_SHAPE"),
        (start, replace(one, certificate=two.certificate), "BAD_CERTIFICATE"),
        (start, SetChange(plain[1], plain[2], start.validator_set), "BAD_HEADER"),
        (replace(start, height=10**6), one, "BAD_HEADER"),
    ]
    for trusted, change, code in cases:
        with pytest.raises(ProofError) as caught:
            trusted.after(change, genesis.hash)
        assert caught.value.code == code
    with pytest.raises(ProofError, match="BAD_CERTIFICATE"):
        start.after(one, bytes(32))
