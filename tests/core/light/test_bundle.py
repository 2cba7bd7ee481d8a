"""Proof bundles: what is proven is proven link by link, and what is not is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from metanode.core.light.bundle import verify_bundle
from metanode.core.model.errors import ProofError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "bundle.json").read_text())
GENESIS_HASH = bytes.fromhex(VECTORS["trusted_genesis_hash"])
SET_HASH = bytes.fromhex(VECTORS["trusted_set_hash"])
CASES = {case["name"]: case for case in VECTORS["cases"]}


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_a_vector_proves_what_it_says(case: dict[str, Any]) -> None:
    """With chain and set given, only age and execution stay open."""
    report = verify_bundle(
        bytes.fromhex(case["bundle"]),
        trusted_genesis_hash=bytes.fromhex(case["genesis_hash"]),
        trusted_set_hash=bytes.fromhex(case["validator_set_hash"]),
    )
    assert report.height == case["height"]
    assert report.header_hash.hex() == case["header_hash"]
    assert report.time_ms == case["time_ms"]
    assert len(report.items) == case["items"]
    described = "\n".join(item.line for item in report.items)
    assert all(words in described for words in case["lines_mention"])
    assert [text.partition(":")[0] for text in report.unchecked] == ["clock", "execution"]
    starts = [text.partition(":")[0] for text in report.checked]
    assert starts[:4] == ["chain", "validator set", "certificate", "leader"]
    assert len(starts) == 4 + case["items"]


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=lambda case: case["name"])
def test_a_bundle_that_does_not_prove_is_refused(case: dict[str, Any]) -> None:
    """Every link that is bent breaks, with the code of the step that failed."""
    with pytest.raises(ProofError) as caught:
        verify_bundle(
            bytes.fromhex(case["bundle"]), trusted_genesis_hash=GENESIS_HASH, trusted_set_hash=SET_HASH
        )
    assert caught.value.code == case["code"]


def test_what_was_not_given_is_said_to_be_unchecked() -> None:
    """A verifier without genesis or set must not look as sure as one with them."""
    data = bytes.fromhex(CASES["an account"]["bundle"])
    report = verify_bundle(data, trusted_genesis_hash=None, trusted_set_hash=None)
    assert report.unchecked[:2] == (
        "genesis not given: chain not checked",
        "validator set not given: the bundle's own set was believed",
    )
    assert not any(text.startswith(("chain", "validator set")) for text in report.checked)


def test_facts_are_there_for_programs() -> None:
    """The facts of an item are plain numbers and text, amounts in micro-units."""
    transfer = verify_bundle(
        bytes.fromhex(CASES["a transfer that failed"]["bundle"]), trusted_genesis_hash=None, trusted_set_hash=None
    ).items[0]
    assert transfer.facts["kind"] == "transfer"
    assert (transfer.facts["amount"], transfer.facts["fee"], transfer.facts["code"]) == (9_000_000, 1_000, 162)
    account = verify_bundle(
        bytes.fromhex(CASES["an account"]["bundle"]), trusted_genesis_hash=None, trusted_set_hash=None
    ).items[0]
    assert (account.facts["balance"], account.facts["nonce"], account.facts["present"]) == (3_498_000, 2, 1)


def test_no_changed_byte_of_a_bundle_goes_unnoticed() -> None:
    """Flip any one bit: the bundle is refused, since every byte of it is bound to the trusted hashes."""
    case = CASES["a transfer that failed"]
    data = bytearray.fromhex(case["bundle"])
    for at in range(len(data)):
        data[at] ^= 1 << (at % 8)
        with pytest.raises(ProofError):
            verify_bundle(bytes(data), trusted_genesis_hash=GENESIS_HASH, trusted_set_hash=SET_HASH)
        data[at] ^= 1 << (at % 8)
    verify_bundle(bytes(data), trusted_genesis_hash=GENESIS_HASH, trusted_set_hash=SET_HASH)
