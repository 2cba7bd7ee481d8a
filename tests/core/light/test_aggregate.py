"""Aggregate certificates: shares of a quorum add up, wrong ones are named, and nothing unproven counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from metanode.core.crypto import bls
from metanode.core.crypto.keys import KeyPair
from metanode.core.light.aggregate import (
    AGGREGATE_BYTES_MAX,
    AggregateCertificate,
    Possession,
    Share,
    Sum,
    add_up,
    decode_aggregate,
    decode_share,
    message,
    verify_aggregate,
)
from metanode.core.model.errors import MetanodeError, ProofError
from metanode.core.model.limits import VALIDATORS_MAX
from metanode.core.model.validators import Validator

pytest.importorskip("blspy", reason="blspy is not installed: nine validators in Python take a minute")
PROVIDER = bls.load()
GENESIS, HASH, HEIGHT, ROUND = bytes([7] * 32), bytes([8] * 32), 5, 1
VOTING = [KeyPair.from_seed(bytes([i, 1] * 16)) for i in range(4)]
SECRETS = [bls.key_from_seed(bytes([i, 3] * 16)) for i in range(4)]
SET = tuple(
    Validator(bytes([i + 1] * 20), VOTING[i].public_key, bytes([i, 9] * 16), 100, PROVIDER.public_key(SECRETS[i]))
    for i in range(4)
)
PROOFS = {SET[i].bls: PROVIDER.prove(SECRETS[i]) for i in range(4)}


def share(index: int, *, secret: bytes | None = None, header_hash: bytes = HASH) -> Share:
    """What validator `index` publishes; with another secret, a wrong one that it signed."""
    part = PROVIDER.sign(secret or SECRETS[index], message(GENESIS, HEIGHT, ROUND, header_hash))
    bare = Share(HEIGHT, ROUND, header_hash, index, part)
    return replace(bare, signature=VOTING[index].sign(bare.digest(GENESIS)))


def summed(shares: Sequence[Share], proofs: Mapping[bytes, bytes] = PROOFS) -> Sum:
    return add_up(shares, SET, Possession(PROVIDER, proofs), PROVIDER, GENESIS)


def certificate(signers: Sequence[int] = (0, 1, 3)) -> AggregateCertificate:
    made = summed([share(index) for index in signers]).certificate
    assert made is not None
    return made


def refusal(
    made: AggregateCertificate, *, header_hash: bytes = HASH, height: int = HEIGHT,
    proofs: Mapping[bytes, bytes] = PROOFS, genesis: bytes = GENESIS, validators: Sequence[Validator] = SET,
) -> str:  # fmt: skip
    with pytest.raises(ProofError) as refused:
        verify_aggregate(made, header_hash, height, validators, Possession(PROVIDER, proofs), PROVIDER, genesis)
    assert refused.value.code == "BAD_CERTIFICATE"
    return refused.value.message


def test_shares_of_a_quorum_make_a_certificate_that_verifies() -> None:
    """Three of four; its bitmap names them, whatever the order of arrival."""
    made = certificate((3, 0, 1))
    assert made.signers() == [0, 1, 3]
    verify_aggregate(made, HASH, HEIGHT, SET, Possession(PROVIDER, PROOFS), PROVIDER, GENESIS)


def test_two_of_four_are_no_quorum() -> None:
    """Nothing is made of too little, and nobody is blamed for it."""
    assert summed([share(0), share(1)]) == Sum(None, ())


def test_a_wrong_share_is_left_out_and_its_maker_named() -> None:
    """The signature of a validator under a part that does not verify proves who made it."""
    done = summed([share(0), share(1, secret=SECRETS[2]), share(2), share(3)])
    assert done.blamed == (1,)
    assert done.certificate is not None
    assert done.certificate.signers() == [0, 2, 3]


def test_a_part_that_is_no_point_is_blamed_alike() -> None:
    """96 bytes of anything can be published."""
    bare = Share(HEIGHT, ROUND, HASH, 2, b"\xff" * 96)
    bad = replace(bare, signature=VOTING[2].sign(bare.digest(GENESIS)))
    done = summed([share(0), share(1), bad, share(3)])
    assert done.blamed == (2,)
    assert done.certificate is not None


def test_a_share_in_anothers_name_blames_nobody() -> None:
    """What the consensus key did not sign is nobody's."""
    forged = replace(share(1, secret=SECRETS[2]), signature=share(0).signature)
    done = summed([share(0), forged, share(2), share(3)])
    assert done.blamed == ()
    assert done.certificate is not None
    assert done.certificate.signers() == [0, 2, 3]


def test_a_second_share_and_one_for_another_block_do_not_count() -> None:
    """One validator is one signer, of one block."""
    assert summed([share(0), share(0), share(1), share(2, header_hash=bytes(32))]).certificate is None


def test_a_rogue_key_without_a_proof_counts_nowhere() -> None:
    """Its holder could have computed it so that it cancels the others."""
    without = {key: proof for key, proof in PROOFS.items() if key != SET[3].bls}
    assert summed([share(0), share(1), share(3)], without).certificate is None
    assert "validator 3 has not proven" in refusal(certificate(), proofs=without)


def test_another_validators_proof_is_no_proof() -> None:
    """A proof is bound to its key."""
    swapped = {**PROOFS, SET[3].bls: PROOFS[SET[0].bls]}
    assert "validator 3" in refusal(certificate(), proofs=swapped)


def test_what_does_not_fit_is_refused_by_name() -> None:
    """Height, header, chain, bits and signature."""
    made = certificate()
    assert "height" in refusal(made, height=6)
    assert "header" in refusal(made, header_hash=bytes(32))
    assert "does not verify" in refusal(made, genesis=bytes(32))
    assert "does not verify" in refusal(replace(made, bitmap=b"\x0f"))
    assert "does not verify" in refusal(replace(made, round=0))
    assert "2 of 4" in refusal(replace(made, bitmap=b"\x03"))
    assert "validator 4" in refusal(replace(made, bitmap=b"\x17"))
    assert "2 bytes" in refusal(replace(made, bitmap=b"\x0f\x00"))


def test_a_member_without_a_key_cannot_sign() -> None:
    """A set may leave BLS keys empty."""
    bare = (*SET[:3], replace(SET[3], bls=b""))
    assert "validator 3" in refusal(certificate(), validators=bare)


def test_both_forms_survive_their_bytes_and_refuse_others() -> None:
    """Canonical in, the same out; one byte cut is an error with a code."""
    made, one = certificate(), share(0)
    assert decode_aggregate(made.encode()) == made
    assert decode_share(one.encode()) == one
    for cut in (made.encode()[:-1], b"", b"\x80"):
        with pytest.raises(MetanodeError):
            decode_aggregate(cut)
    for cut in (one.encode()[:-1], b"", b"\x80"):
        with pytest.raises(MetanodeError):
            decode_share(cut)


def test_a_certificate_of_the_largest_set_fits_its_bound() -> None:
    """The named bound is no lie."""
    biggest = AggregateCertificate(2**64 - 1, 2**32 - 1, HASH, b"\xff" * ((VALIDATORS_MAX + 7) // 8), bytes(96))
    assert len(biggest.encode()) <= AGGREGATE_BYTES_MAX
