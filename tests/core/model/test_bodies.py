"""Bodies of the built kinds, and the hashes around a machine record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model import bodies, codec, ecvrf, ed25519, kinds
from metanode.core.model.errors import CodecError, MetanodeError, Rejection
from metanode.core.model.hashing import H
from metanode.core.model.stake_bodies import Bond, Evidence, Unbond, decode_evidence, make_bond
from metanode.core.model.vote import decode_vote

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "bodies.json").read_text())
CLASSES: dict[int, type] = {
    kinds.TRANSFER: bodies.Transfer,
    kinds.MACHINE_COMMIT: bodies.MachineCommit,
    kinds.MACHINE_REVEAL: bodies.MachineReveal,
    kinds.ATTEST: bodies.Attest,
    kinds.MACHINE_UNBIND: bodies.MachineUnbind,
    kinds.GOVERN: bodies.Govern,
    kinds.BOND: Bond,
    kinds.UNBOND: Unbond,
    kinds.EVIDENCE: Evidence,
}
DECODERS = {kind.number: kind.decode_body for kind in bodies.KINDS}


def typed(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a vector's fields as the dataclasses hold them."""
    values: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "probe_results":
            values[name] = tuple((probe, result) for probe, result in value)
        elif name in ("first", "second"):
            values[name] = decode_vote(bytes.fromhex(value))
        elif isinstance(value, str) and name != "agent":
            values[name] = bytes.fromhex(value)
        else:
            values[name] = value
    return values


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_a_vector_is_encoded_and_read_back(case: dict[str, Any]) -> None:
    """Fields and bytes are the same for wallets, miners and nodes."""
    body = CLASSES[case["kind"]](**typed(case["fields"]))
    assert body.encode().hex() == case["body"]
    assert DECODERS[case["kind"]](bytes.fromhex(case["body"])) == body


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=lambda case: case["name"])
def test_an_invalid_vector_is_refused(case: dict[str, Any]) -> None:
    """Each with its stable code, before any state is looked at."""
    with pytest.raises(MetanodeError) as caught:
        DECODERS[case["kind"]](bytes.fromhex(case["body"]))
    assert caught.value.code == case["code"]


def test_everything_around_a_bond_and_evidence_follows_from_its_keys() -> None:
    """Digest, both proofs and the replay key, as the vector says."""
    given_bytes = {name: bytes.fromhex(value) for name, value in VECTORS["stake"].items()}
    account, genesis_hash = given_bytes["account"], given_bytes["genesis_hash"]
    seeds = {name: given_bytes[name] for name in ("consensus_seed", "vrf_seed")}
    made = make_bond(1_000_000, account, genesis_hash=genesis_hash, **seeds)
    assert made.encode() == given_bytes["body"]
    digest = made.digest(account, genesis_hash)
    assert digest == given_bytes["digest"]
    assert ed25519.verify(made.consensus_key, digest, made.signature)
    assert ecvrf.verify(made.vrf_key, digest, made.vrf_proof) is not None
    evidence = decode_evidence(given_bytes["evidence"])
    assert evidence.id == given_bytes["evidence_id"]
    assert evidence.is_signed(genesis_hash)
    assert not evidence.is_signed(bytes(32))


def test_everything_around_a_machine_record_follows_from_it() -> None:
    """Record, digest, signature, commit, inventory digest and challenge, as the vector says."""
    vector = VECTORS["record"]
    given_bytes = {name: bytes.fromhex(value) for name, value in vector.items() if name != "fields"}
    record = bodies.MachineRecord(**typed(vector["fields"]))
    inner = given_bytes["inner"]
    assert record.encode() == inner
    assert bodies.decode_machine_record(inner) == record
    digest = bodies.record_digest(inner, given_bytes["genesis_hash"])
    assert digest == given_bytes["record_digest"]
    assert ed25519.public_key(given_bytes["machine_seed"]) == record.machine_key
    assert ed25519.sign(given_bytes["machine_seed"], digest) == given_bytes["signature"]
    assert ed25519.verify(record.machine_key, digest, given_bytes["signature"])
    assert bodies.seal_commit(given_bytes["salt"], inner) == given_bytes["commit"]
    assert bodies.inventory_digest(record.inventory) == given_bytes["inventory_digest"]
    assert bodies.challenge(given_bytes["header_hash"], record.machine_key) == given_bytes["challenge"]


def test_what_a_machine_signs_is_never_the_digest_of_an_inventory() -> None:
    """Each object has a purpose of its own: no bytes give both digests."""
    genesis_hash, inner = bytes(32), b"inner"
    assert bodies.record_digest(inner, genesis_hash) == H("machine", genesis_hash + inner)
    assert bodies.inventory_digest(genesis_hash + inner) == H("identity", genesis_hash + inner)
    assert bodies.inventory_digest(genesis_hash + inner) != bodies.record_digest(inner, genesis_hash)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_every_prefix_of_a_body_is_refused(case: dict[str, Any]) -> None:
    """No truncation is mistaken for a whole body."""
    data = bytes.fromhex(case["body"])
    for end in range(len(data)):
        with pytest.raises(CodecError):
            DECODERS[case["kind"]](data[:end])


@settings(derandomize=True)
@given(st.sampled_from(sorted(DECODERS)), st.dictionaries(st.integers(0, 10), st.one_of(
    st.integers(0, 2**64 - 1), st.sampled_from([0, 20, 32, 64]).map(bytes), st.sampled_from(["", "agent", "é"]),
    st.lists(st.integers(0, 9), max_size=3),
)))  # fmt: skip
def test_any_canonical_map_decodes_or_is_refused_by_name(kind: int, fields: dict[int, Any]) -> None:
    """A body of any shape never crashes a decoder, and what decodes encodes to the same bytes."""
    data = codec.encode(fields)
    try:
        body: Any = DECODERS[kind](data)
    except (CodecError, Rejection):
        return
    assert body.encode() == data
