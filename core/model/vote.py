"""Votes of validators, and the certificate that a quorum of them makes.

A vote signs H(vote, genesis_hash || u64_be height || u32_be round || u8 type || hash ||
u32_be prepared_round).  A certificate enters no hash: nodes may hold different ones for one block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from metanode.core.model import codec, ed25519
from metanode.core.model.errors import ProofError, Rejection
from metanode.core.model.hashing import H
from metanode.core.model.limits import CERTIFICATE_BYTES_MAX, HASH_BYTES, SIGNATURE_BYTES, VALIDATORS_MAX
from metanode.core.model.validators import Validator

U32_MAX = 2**32 - 1
"""Largest round; also what `prepared_round` holds when nothing was prepared."""
NOT_PREPARED = U32_MAX
"""`prepared_round` of a round-change that has no prepared certificate; its hash is NO_HASH."""
NO_HASH = bytes(HASH_BYTES)


class VoteType(IntEnum):
    """What a vote says."""

    PROPOSE = 0
    PREPARE = 1
    COMMIT = 2
    ROUND_CHANGE = 3


def quorum(validators: int) -> int:
    """Return how many of n validators decide: ceil(2n/3).

    Any two quorums share more than a third of the set.  2f+1 would be too few where n is not 3f+1.
    """
    if validators < 1:
        raise ValueError("a set has at least one validator")
    return (2 * validators + 2) // 3


def vote_digest(
    genesis_hash: bytes, height: int, round_number: int, vote_type: int, hash32: bytes, prepared_round: int = 0
) -> bytes:
    """Return the 32 bytes that a vote signs.

    :param hash32: the header hash voted for; in a round-change that of the highest prepared certificate.
    :param prepared_round: the round of that certificate; 0 in every other type.
    """
    return H(
        "vote",
        b"".join(
            (
                genesis_hash,
                height.to_bytes(8, "big"),
                round_number.to_bytes(4, "big"),
                vote_type.to_bytes(1, "big"),
                hash32,
                prepared_round.to_bytes(4, "big"),
            )
        ),
    )


@dataclass(frozen=True)
class Vote:
    """A signed vote, without the key that signed it: who speaks is known from where it stands."""

    height: int
    round: int
    type: VoteType
    hash: bytes
    prepared_round: int
    signature: bytes

    def digest(self, genesis_hash: bytes) -> bytes:
        """Return what the signature is over."""
        return vote_digest(genesis_hash, self.height, self.round, self.type, self.hash, self.prepared_round)

    def encode(self) -> bytes:
        """Return the canonical bytes: map {0 height, 1 round, 2 type, 3 hash, 4 prepared round, 5 signature}."""
        return codec.encode(
            {0: self.height, 1: self.round, 2: int(self.type), 3: self.hash, 4: self.prepared_round, 5: self.signature}
        )


def decode_vote(data: bytes) -> Vote:
    """Decode a vote and check its shape; the signature is not checked here.

    :raises Rejection: BAD_SHAPE.
    :raises CodecError: bytes that are not canonical CBOR.
    """
    fields = codec.read_map(data, range(6), "vote")
    vote_type = VoteType(codec.expect_uint(fields[2], "vote.type", maximum=max(VoteType)))
    hash32 = codec.expect_bytes(fields[3], "vote.hash", size=HASH_BYTES)
    prepared_round = codec.expect_uint(fields[4], "vote.prepared_round", maximum=U32_MAX)
    if vote_type is not VoteType.ROUND_CHANGE:
        if prepared_round:
            raise Rejection("BAD_SHAPE", f"vote of type {int(vote_type)} has prepared round {prepared_round}", "0")
    elif (prepared_round == NOT_PREPARED) != (hash32 == NO_HASH):
        raise Rejection(
            "BAD_SHAPE",
            f"round-change has prepared round {prepared_round} and hash {hash32.hex()}",
            f"both of the prepared certificate, or {NOT_PREPARED} and zeros",
        )
    return Vote(
        height=codec.expect_uint(fields[0], "vote.height", minimum=1),
        round=codec.expect_uint(fields[1], "vote.round", maximum=U32_MAX),
        type=vote_type,
        hash=hash32,
        prepared_round=prepared_round,
        signature=codec.expect_bytes(fields[5], "vote.signature", size=SIGNATURE_BYTES),
    )


@dataclass(frozen=True)
class Certificate:
    """Commit votes of a quorum, all of one round."""

    height: int
    round: int
    header_hash: bytes
    bitmap: bytes
    """One bit per validator in set order, least significant first; unused bits are 0."""
    signatures: tuple[bytes, ...]
    """64 bytes each, in the order of the set bits."""

    @staticmethod
    def build(height: int, round_number: int, header_hash: bytes, commits: dict[int, bytes], n: int) -> Certificate:
        """Return the certificate of commit signatures by validator index, for a set of n."""
        bitmap = sum(1 << index for index in commits).to_bytes((n + 7) // 8, "little")
        return Certificate(height, round_number, header_hash, bitmap, tuple(commits[i] for i in sorted(commits)))

    def signers(self) -> list[int]:
        """Return the indices of the set bits, rising."""
        bits = int.from_bytes(self.bitmap, "little")
        return [index for index in range(8 * len(self.bitmap)) if bits >> index & 1]

    def encode(self) -> bytes:
        """Return the canonical bytes: map {0 height, 1 round, 2 header hash, 3 bitmap, 4 signatures}."""
        return codec.encode(
            {0: self.height, 1: self.round, 2: self.header_hash, 3: self.bitmap, 4: list(self.signatures)}
        )


def decode_certificate(data: bytes) -> Certificate:
    """Decode a certificate and check its shape; `verify_certificate` checks what it proves.

    :raises Rejection: BAD_SHAPE.
    :raises CodecError: bytes that are not canonical CBOR.
    """
    fields = codec.read_map(data, range(5), "certificate", bytes_max=CERTIFICATE_BYTES_MAX)
    signatures = codec.expect_list(fields[4], "certificate.signatures", maximum=VALIDATORS_MAX)
    return Certificate(
        height=codec.expect_uint(fields[0], "certificate.height", minimum=1),
        round=codec.expect_uint(fields[1], "certificate.round", maximum=U32_MAX),
        header_hash=codec.expect_bytes(fields[2], "certificate.header_hash", size=HASH_BYTES),
        bitmap=codec.expect_bytes(fields[3], "certificate.bitmap", maximum=(VALIDATORS_MAX + 7) // 8),
        signatures=tuple(
            codec.expect_bytes(item, f"certificate signature {i}", size=SIGNATURE_BYTES)
            for i, item in enumerate(signatures)
        ),
    )


def verify_certificate(
    certificate: Certificate, header_hash: bytes, height: int, validators: Sequence[Validator], genesis_hash: bytes
) -> None:
    """Check that a quorum of `validators` committed to `header_hash` at `height`, in one round.

    :param validators: the set that acts at `height`, in its order.
    :raises ProofError: BAD_CERTIFICATE, naming the first thing that is wrong.
    """
    n = len(validators)
    if certificate.height != height:
        raise _bad(f"certificate is for height {certificate.height}", f"height {height}")
    if certificate.header_hash != header_hash:
        raise _bad(f"certificate is for header {certificate.header_hash.hex()}", header_hash.hex())
    if len(certificate.bitmap) != (n + 7) // 8:
        raise _bad(f"bitmap has {len(certificate.bitmap)} bytes", f"{(n + 7) // 8} bytes for {n} validators")
    signers = certificate.signers()
    if signers and signers[-1] >= n:
        raise _bad(f"bitmap names validator {signers[-1]}", f"unused bits of {n} validators are 0")
    if len(signers) != len(certificate.signatures):
        raise _bad(f"{len(certificate.signatures)} signatures for {len(signers)} bits", "one signature per set bit")
    if len(signers) < quorum(n):
        raise _bad(f"{len(signers)} of {n} validators signed", f"at least {quorum(n)}")
    digest = vote_digest(genesis_hash, height, certificate.round, VoteType.COMMIT, header_hash)
    verdicts = ed25519.verify_many(
        [
            (validators[index].consensus_key, digest, signature)
            for index, signature in zip(signers, certificate.signatures, strict=True)
        ]
    )
    for index, valid in zip(signers, verdicts, strict=True):
        if not valid:
            raise _bad(f"the signature of validator {index} does not verify", "a commit vote of this round by its key")


def _bad(message: str, expected: str) -> ProofError:
    return ProofError("BAD_CERTIFICATE", message, expected)
