"""Certifying a header: what a light client believes, and why it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from metanode.core.crypto.keys import KeyPair
from metanode.core.light.certificate import certify
from metanode.core.model import ecvrf
from metanode.core.model.errors import MetanodeError, ProofError
from metanode.core.model.header import Header, Roots, header_hash
from metanode.core.model.leader import alpha, beta_zero
from metanode.core.model.validators import Validator, encode_set, set_hash
from metanode.core.model.vote import Certificate, VoteType, vote_digest

GENESIS_HASH = bytes([7] * 32)
KEYS = [(KeyPair.from_seed(bytes([i, 1] * 16)), KeyPair.from_seed(bytes([i, 2] * 16))) for i in range(4)]
SET = encode_set(
    [Validator(bytes([i + 1] * 20), vote.public_key, vrf.public_key, 100) for i, (vote, vrf) in enumerate(KEYS)]
)
BETA = bytes([9] * 64)


def header(height: int, proposer: int, beta_prev: bytes) -> Header:
    proof = ecvrf.prove(KEYS[proposer % 4][1].seed, alpha(beta_prev, height))
    roots = Roots(bytes(32), bytes(32), bytes(32))
    return Header(
        1, 31337, height, 1_000, proposer, bytes(32), roots, set_hash(SET), set_hash(SET), bytes(32), proof
    )  # fmt: skip


def certificate(data: bytes, height: int, signers: tuple[int, ...] = (0, 1, 2)) -> bytes:
    digest = vote_digest(GENESIS_HASH, height, 0, VoteType.COMMIT, header_hash(data))
    commits = {i: KEYS[i][0].sign(digest) for i in signers}
    return Certificate.build(height, 0, header_hash(data), commits, 4).encode()


def refusal(head: Header, *, beta_prev: bytes | None = None, genesis_hash: bytes = GENESIS_HASH) -> str:
    data = head.encode()
    with pytest.raises(ProofError) as caught:
        certify(data, certificate(data, head.height), SET, genesis_hash, beta_prev=beta_prev)
    return caught.value.code


def test_a_header_with_a_quorum_of_its_set_is_certified() -> None:
    """The answer carries all that the next step needs."""
    data = header(5, 2, BETA).encode()
    result = certify(data, certificate(data, 5), SET, GENESIS_HASH, beta_prev=BETA)
    assert result.header.height == 5
    assert result.header_hash == header_hash(data)
    assert len(result.validators) == 4
    assert result.beta == ecvrf.proof_to_hash(result.header.vrf_proof)


def test_without_the_output_before_the_proof_stays_unchecked() -> None:
    """A client that hops over headers learns no beta it could not check."""
    head = replace(header(5, 2, BETA), vrf_proof=bytes(80))
    data = head.encode()
    assert certify(data, certificate(data, 5), SET, GENESIS_HASH).beta is None


def test_the_first_header_needs_no_output_before() -> None:
    """beta_0 follows from the genesis hash."""
    data = header(1, 0, beta_zero(GENESIS_HASH)).encode()
    assert certify(data, certificate(data, 1), SET, GENESIS_HASH).beta is not None
    assert refusal(header(1, 0, BETA)) == "BAD_VRF"


def test_a_proof_by_another_member_is_refused() -> None:
    """The proposer named must be the one that proved."""
    assert refusal(replace(header(5, 2, BETA), proposer_index=1), beta_prev=BETA) == "BAD_VRF"


def test_a_proposer_outside_the_set_is_refused() -> None:
    """An index is checked before it is used."""
    assert refusal(header(5, 4, BETA)) == "BAD_HEADER"


def test_a_header_of_another_set_is_refused() -> None:
    """The set given must be the one the header names."""
    assert refusal(replace(header(5, 2, BETA), validator_set_hash=bytes(32))) == "UNTRUSTED"


def test_a_header_of_another_chain_is_refused() -> None:
    """Votes bind the genesis hash."""
    assert refusal(header(5, 2, BETA), genesis_hash=bytes(32)) == "BAD_CERTIFICATE"


def test_too_few_votes_are_refused() -> None:
    """Two of four are no quorum."""
    data = header(5, 2, BETA).encode()
    with pytest.raises(ProofError, match="2 of 4"):
        certify(data, certificate(data, 5, (0, 3)), SET, GENESIS_HASH)


def test_a_changed_header_is_refused() -> None:
    """Every byte of the header is under the votes."""
    data = header(5, 2, BETA).encode()
    votes = certificate(data, 5)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(MetanodeError):
            certify(bytes(changed), votes, SET, GENESIS_HASH)
