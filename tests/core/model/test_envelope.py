"""Envelopes: what a sender signs is what every node reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model import codec, ed25519
from metanode.core.model import envelope as envelope_module
from metanode.core.model.accounts import account_id
from metanode.core.model.bodies import KINDS
from metanode.core.model.envelope import (
    build_envelope,
    check_envelope,
    decode_envelope,
    signing_digest,
    signing_digests,
)
from metanode.core.model.errors import CodecError, MetanodeError, Rejection
from metanode.core.model.kinds import KindRegistry
from metanode.core.model.limits import ENVELOPE_BYTES_MAX, UINT_MAX

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "envelope.json").read_text())
GENESIS_HASH = bytes.fromhex(VECTORS["genesis_hash"])
CHAIN_ID = VECTORS["chain_id"]
REGISTRY = KindRegistry()
for _kind in KINDS:
    REGISTRY.register(_kind)

HEADS = (0x00, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x40, 0x57, 0x58, 0x59, 0x82, 0xA9, 0xAA, 0xFF)
"""First bytes of CBOR items at the edges of what an envelope may hold."""

uints = st.integers(0, UINT_MAX)


def fields_of(case: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `build_envelope` for a vector."""
    fields = case["fields"]
    return {
        "chain_id": fields["chain_id"],
        "kind": fields["kind"],
        "sender": bytes.fromhex(fields["from"]),
        "nonce": fields["nonce"],
        "fee": fields["fee"],
        "valid_until": fields["valid_until"],
        "body": bytes.fromhex(fields["body"]),
        "public_key": bytes.fromhex(fields["pubkey"]),
    }


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_a_vector_is_built_signed_and_read_back(case: dict[str, Any]) -> None:
    """The same fields and seed give the same bytes, digest, signature and id everywhere."""
    seed = bytes.fromhex(case["seed"])
    raw = bytes.fromhex(case["envelope"])
    envelope = build_envelope(
        **fields_of(case), sign=lambda digest: ed25519.sign(seed, digest), genesis_hash=GENESIS_HASH
    )
    assert envelope == decode_envelope(raw)
    assert envelope.raw == raw
    assert envelope.id.hex() == case["id"]
    assert envelope.signed.hex() == case["signed"]
    assert envelope.signature.hex() == case["signature"]
    assert signing_digest(envelope.signed, GENESIS_HASH).hex() == case["digest"]
    assert (envelope.version, envelope.alg) == (case["fields"]["v"], case["fields"]["alg"])
    public_key = ed25519.public_key(seed)
    assert envelope.sender == account_id(public_key)
    assert envelope.public_key in (b"", public_key)
    assert ed25519.verify(public_key, signing_digest(envelope.signed, GENESIS_HASH), envelope.signature)
    check_envelope(envelope, chain_id=CHAIN_ID, registry=REGISTRY)


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=lambda case: case["name"])
def test_an_invalid_vector_is_refused_where_it_says(case: dict[str, Any]) -> None:
    """Bytes are refused at decoding, meaning at checking, each with its stable code."""
    raw = bytes.fromhex(case["envelope"])
    if case["stage"] == "decode":
        with pytest.raises(MetanodeError) as caught:
            decode_envelope(raw)
    else:
        envelope = decode_envelope(raw)
        with pytest.raises(MetanodeError) as caught:
            check_envelope(envelope, chain_id=CHAIN_ID, registry=REGISTRY)
    assert caught.value.code == case["code"]


def test_every_prefix_of_an_envelope_is_refused() -> None:
    """No truncation is mistaken for a whole envelope."""
    raw = bytes.fromhex(VECTORS["cases"][0]["envelope"])
    for end in range(len(raw)):
        with pytest.raises(CodecError):
            decode_envelope(raw[:end])


def test_an_envelope_may_be_64_kib_and_not_a_byte_longer() -> None:
    """The limit holds for the whole wire form and is checked before anything is decoded."""

    def envelope(body_bytes: int) -> bytes:
        fields: dict[int, codec.Encodable] = {
            0: 1, 1: 1, 2: 1, 3: bytes(20), 4: 0, 5: 0, 6: 0, 7: bytes(body_bytes), 8: 1,
        }  # fmt: skip
        return codec.encode([codec.encode(fields), bytes(64)])

    room = ENVELOPE_BYTES_MAX - len(envelope(60_000)) + 60_000
    assert envelope_module._read_usual(envelope(room)) == envelope_module._read_any(envelope(room))
    assert len(decode_envelope(envelope(room)).raw) == ENVELOPE_BYTES_MAX
    with pytest.raises(Rejection, match="TOO_LARGE"):
        decode_envelope(envelope(room + 1))


def outcome(read: Callable[[bytes], object], raw: bytes) -> object:
    """What a reader finds, or the code with which it refuses."""
    try:
        return read(raw)
    except MetanodeError as error:
        return error.code


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_the_quick_reader_takes_only_what_the_full_one_takes(case: dict[str, Any]) -> None:
    """An envelope with any one byte changed into the head of another item ends the same with and without it."""
    raw = bytes.fromhex(case["envelope"])
    assert envelope_module._read_usual(raw) == envelope_module._read_any(raw) == decode_envelope(raw)
    quick = 0
    for at in {*range(min(len(raw), 150)), *range(max(0, len(raw) - 150), len(raw))}:
        for value in {raw[at] ^ 1, raw[at] ^ 0x80, *HEADS}:
            changed = raw[:at] + bytes([value]) + raw[at + 1 :]
            found = envelope_module._read_usual(changed)
            quick += found is not None
            assert found is None or found == envelope_module._read_any(changed)
            assert outcome(decode_envelope, changed) == outcome(envelope_module._read_any, changed)
    assert quick > 100


@settings(derandomize=True)
@given(numbers=st.lists(uints, min_size=7, max_size=7), body=st.binary(max_size=300), key=st.booleans())
def test_the_quick_reader_knows_every_length(numbers: list[int], body: bytes, key: bool) -> None:
    """Numbers of every width and bodies of every length are read, and read alike."""
    version, chain_id, kind, nonce, fee, valid_until, alg = numbers
    fields: dict[int, codec.Encodable] = {
        0: version, 1: chain_id, 2: kind, 3: bytes(20), 4: nonce, 5: fee, 6: valid_until, 7: body, 8: alg,
        **({9: bytes(32)} if key else {}),
    }  # fmt: skip
    raw = codec.encode([codec.encode(fields), bytes(64)])
    assert envelope_module._read_usual(raw) == envelope_module._read_any(raw)
    assert envelope_module._read_usual(raw + b"\x00") is None
    assert envelope_module._read_usual(raw[:-1]) is None


def test_another_signature_makes_another_id() -> None:
    """A proposer cannot swap in a bad signature under an id that others have cached as good."""
    envelope = decode_envelope(bytes.fromhex(VECTORS["cases"][0]["envelope"]))
    other = decode_envelope(codec.encode([envelope.signed, bytes(64)]))
    assert other.signed == envelope.signed
    assert other.id != envelope.id


def test_an_envelope_is_bound_to_its_genesis() -> None:
    """The same bytes signed for another genesis have another digest."""
    signed = bytes.fromhex(VECTORS["cases"][0]["signed"])
    assert signing_digest(signed, GENESIS_HASH) != signing_digest(signed, bytes(32))


def test_checking_returns_the_decoded_body() -> None:
    """The ledger need not decode a body twice."""
    case = VECTORS["cases"][0]
    body = check_envelope(decode_envelope(bytes.fromhex(case["envelope"])), chain_id=CHAIN_ID, registry=REGISTRY)
    assert body == KINDS[0].decode_body(bytes.fromhex(case["fields"]["body"]))


@settings(derandomize=True)
@given(
    chain_id=uints,
    kind=uints,
    sender=st.binary(min_size=20, max_size=20),
    nonce=uints,
    fee=uints,
    valid_until=uints,
    body=st.binary(max_size=300),
    public_key=st.one_of(st.just(b""), st.binary(min_size=32, max_size=32)),
)
def test_what_is_built_is_what_is_read(**fields: Any) -> None:
    """Building and decoding agree on every field, whatever its value."""
    envelope = build_envelope(**fields, sign=lambda digest: digest + digest, genesis_hash=bytes(32))
    assert {name: getattr(envelope, name) for name in fields} == fields
    assert decode_envelope(envelope.raw) == envelope


@settings(derandomize=True)
@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_refused_by_name(data: bytes) -> None:
    """No input crashes the decoder; 60 bytes are too few for a signature, so all are refused."""
    with pytest.raises((CodecError, Rejection)):
        decode_envelope(data)


def test_a_check_answers_for_the_chain_and_the_registry_it_was_asked_with() -> None:
    """An envelope remembers the check it passed; another chain or registry asks anew."""
    case = next(case for case in VECTORS["cases"] if case["fields"]["kind"] == KINDS[0].number)
    envelope = decode_envelope(bytes.fromhex(case["envelope"]))
    body = check_envelope(envelope, chain_id=CHAIN_ID, registry=REGISTRY)
    assert check_envelope(envelope, chain_id=CHAIN_ID, registry=REGISTRY) is body
    assert envelope == decode_envelope(envelope.raw)
    with pytest.raises(Rejection, match="WRONG_CHAIN"):
        check_envelope(envelope, chain_id=CHAIN_ID + 1, registry=REGISTRY)
    with pytest.raises(Rejection, match="UNKNOWN_KIND"):
        check_envelope(envelope, chain_id=CHAIN_ID, registry=KindRegistry())


def test_many_digests_are_those_of_each() -> None:
    """In order, whatever computes them."""
    signed = [bytes([number]) * number for number in range(5)]
    assert signing_digests(signed, GENESIS_HASH) == [signing_digest(each, GENESIS_HASH) for each in signed]
    assert signing_digests([], GENESIS_HASH) == []
