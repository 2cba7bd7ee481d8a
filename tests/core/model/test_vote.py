"""Votes and certificates."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from metanode.core.model import codec, ed25519
from metanode.core.model.errors import MetanodeError, ProofError, Rejection
from metanode.core.model.validators import Validator, decode_set
from metanode.core.model.vote import (
    NO_HASH,
    NOT_PREPARED,
    Certificate,
    Vote,
    VoteType,
    decode_certificate,
    decode_vote,
    quorum,
    verify_certificate,
    vote_digest,
)

DOCUMENT = json.loads((Path(__file__).resolve().parents[2] / "vectors" / "vote.json").read_text())
GENESIS_HASH = bytes.fromhex(DOCUMENT["genesis_hash"])
VALIDATORS = decode_set(bytes.fromhex(DOCUMENT["validator_set"]))
HEADER_HASH = bytes.fromhex(DOCUMENT["header_hash"])
HEIGHT = DOCUMENT["height"]


@pytest.mark.parametrize("row", DOCUMENT["digests"])
def test_votes_sign_the_published_digest(row: dict[str, Any]) -> None:
    """tests/vectors/vote.json."""
    digest = vote_digest(
        GENESIS_HASH, row["height"], row["round"], row["type"], bytes.fromhex(row["hash"]), row["prepared_round"]
    )
    assert digest.hex() == row["digest"]


@pytest.mark.parametrize("row", DOCUMENT["certificates"], ids=lambda row: row["name"])
def test_certificates_hold_or_fail_as_published(row: dict[str, str]) -> None:
    """Every way to fall short has a case, and each is refused with the one code."""
    certificate = decode_certificate(bytes.fromhex(row["bytes"]))
    assert certificate.encode().hex() == row["bytes"]
    if row["code"]:
        with pytest.raises(ProofError) as caught:
            verify_certificate(certificate, HEADER_HASH, HEIGHT, VALIDATORS, GENESIS_HASH)
        assert caught.value.code == row["code"]
    else:
        verify_certificate(certificate, HEADER_HASH, HEIGHT, VALIDATORS, GENESIS_HASH)


def test_a_certificate_of_another_chain_fails() -> None:
    """The genesis hash is in what is signed."""
    certificate = decode_certificate(bytes.fromhex(DOCUMENT["certificates"][0]["bytes"]))
    with pytest.raises(ProofError, match="signature of validator 0"):
        verify_certificate(certificate, HEADER_HASH, HEIGHT, VALIDATORS, bytes(32))


def test_quorums_are_two_thirds_rounded_up() -> None:
    """Two quorums always share more than the faults the set tolerates, for every size."""
    assert {n: quorum(int(n)) for n in DOCUMENT["quorums"]} == DOCUMENT["quorums"]
    for n in range(1, 101):
        faults = (n - 1) // 3
        assert 3 * quorum(n) >= 2 * n > 3 * (quorum(n) - 1)
        assert 2 * quorum(n) - n > faults
        assert n - faults >= quorum(n)
    with pytest.raises(ValueError, match="at least one"):
        quorum(0)


def test_a_lone_validator_certifies_its_block() -> None:
    """N = 1 needs one signature; an empty certificate is not one."""
    seed = bytes(32)
    alone = (Validator(bytes(20), ed25519.public_key(seed), bytes(32), 1),)
    signature = ed25519.sign(seed, vote_digest(GENESIS_HASH, 1, 0, VoteType.COMMIT, HEADER_HASH))
    certificate = Certificate.build(1, 0, HEADER_HASH, {0: signature}, 1)
    assert certificate.bitmap == b"\x01"
    verify_certificate(certificate, HEADER_HASH, 1, alone, GENESIS_HASH)
    with pytest.raises(ProofError, match="0 of 1"):
        verify_certificate(Certificate(1, 0, HEADER_HASH, b"\x00", ()), HEADER_HASH, 1, alone, GENESIS_HASH)


def test_the_bitmap_counts_from_the_lowest_bit_in_set_order() -> None:
    """Bit 8 is the lowest bit of the second byte."""
    certificate = Certificate.build(1, 0, HEADER_HASH, {8: b"b" * 64, 0: b"a" * 64}, 9)
    assert certificate.bitmap == b"\x01\x01"
    assert certificate.signers() == [0, 8]
    assert certificate.signatures == (b"a" * 64, b"b" * 64)


@pytest.mark.parametrize(
    "vote",
    [
        Vote(1, 0, VoteType.PROPOSE, b"h" * 32, 0, b"s" * 64),
        Vote(2**64 - 1, 2**32 - 1, VoteType.COMMIT, b"h" * 32, 0, b"s" * 64),
        Vote(9, 4, VoteType.ROUND_CHANGE, b"h" * 32, 3, b"s" * 64),
        Vote(9, 4, VoteType.ROUND_CHANGE, NO_HASH, NOT_PREPARED, b"s" * 64),
    ],
)
def test_votes_survive_their_bytes(vote: Vote) -> None:
    """What is logged before it is sent is read back the same, and every cut is refused."""
    data = vote.encode()
    assert decode_vote(data) == vote
    assert vote.digest(GENESIS_HASH) == vote_digest(
        GENESIS_HASH, vote.height, vote.round, vote.type, vote.hash, vote.prepared_round
    )
    for end in range(len(data)):
        with pytest.raises(MetanodeError):
            decode_vote(data[:end])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (0, 0),
        (1, 2**32),
        (2, 4),
        (2, b"\x02"),
        (3, b"h" * 31),
        (4, 1),
        (5, b"s" * 63),
    ],
)
def test_votes_of_another_shape_are_refused(key: int, value: int | bytes) -> None:
    """One field out of bounds is enough."""
    fields: dict[int, int | bytes] = {0: 1, 1: 0, 2: 2, 3: b"h" * 32, 4: 0, 5: b"s" * 64}
    decode_vote(codec.encode(fields))
    fields[key] = value
    with pytest.raises(Rejection) as caught:
        decode_vote(codec.encode(fields))
    assert caught.value.code == "BAD_SHAPE"


def test_a_round_change_names_hash_and_round_of_its_certificate_or_neither() -> None:
    """Half a prepared certificate is none."""
    for hash32, prepared in ((NO_HASH, 0), (b"h" * 32, NOT_PREPARED)):
        with pytest.raises(Rejection, match="round-change"):
            decode_vote(Vote(1, 1, VoteType.ROUND_CHANGE, hash32, prepared, b"s" * 64).encode())


@pytest.mark.parametrize(
    ("key", "value"),
    [(0, 0), (1, 2**32), (2, b"h" * 33), (3, bytes(14)), (4, [b"s" * 63]), (4, [b"s" * 64] * 101), (4, b"")],
)
def test_certificates_of_another_shape_are_refused(key: int, value: Any) -> None:
    """Bounds hold before any signature is looked at."""
    fields: dict[int, Any] = {0: 1, 1: 0, 2: b"h" * 32, 3: b"\x01", 4: [b"s" * 64]}
    decode_certificate(codec.encode(fields))
    fields[key] = value
    with pytest.raises(Rejection):
        decode_certificate(codec.encode(fields))


def test_the_consensus_vectors_are_what_their_script_makes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody edits them by hand."""
    here = Path(__file__).resolve().parents[2] / "vectors"
    script = runpy.run_path(str(here / "make_consensus.py"))
    monkeypatch.setitem(script["main"].__globals__, "HERE", tmp_path)
    script["main"]()
    for name in ("validator_set", "leader", "vote"):
        assert (tmp_path / f"{name}.json").read_bytes() == (here / f"{name}.json").read_bytes()
