"""Certificates of one BLS signature: what validators publish beside their votes, and how anyone adds the parts up.

After a block is final each validator with a BLS key may publish a share.  Whoever collects shares of a quorum makes an
aggregate certificate: 96 bytes of signature however many validators there are.  It proves nothing that the Ed25519
certificate does not; it is small, for chains and contracts that verify BLS and not Ed25519.
Source: protocol.md section 3, "BLS export"; draft-irtf-cfrg-bls-signature-05 section 3.3 for the possession proofs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metanode.core.crypto.bls import SIGNATURE_BYTES as BLS_BYTES
from metanode.core.crypto.bls import Provider
from metanode.core.model import codec, ed25519
from metanode.core.model.errors import ProofError
from metanode.core.model.hashing import H
from metanode.core.model.limits import HASH_BYTES, SIGNATURE_BYTES, VALIDATORS_MAX
from metanode.core.model.validators import Validator
from metanode.core.model.vote import U32_MAX, quorum

_MESSAGE, _SHARE = b"\x00", b"\x01"
"""First byte behind the genesis hash under purpose `bls`: what the pairing signs, and what covers a share."""
AGGREGATE_BYTES_MAX = 256
"""Largest aggregate certificate: VALIDATORS_MAX bits, a hash, a signature and two numbers take under 180 bytes."""


def message(genesis_hash: bytes, height: int, round_number: int, header_hash: bytes) -> bytes:
    """Return what each BLS key signs for one block: H(bls, genesis_hash || 0 || height || round || header hash)."""
    place = height.to_bytes(8, "big") + round_number.to_bytes(4, "big")
    return H("bls", genesis_hash + _MESSAGE + place + header_hash)


@dataclass(frozen=True)
class Share:
    """One validator's part; its Ed25519 signature covers it, so nobody can publish a bad one in another's name."""

    height: int
    round: int
    header_hash: bytes
    index: int
    """Place in the validator set of this height."""
    part: bytes
    """BLS signature over `message`, 96 bytes."""
    signature: bytes = b""
    """By the consensus key over `digest`."""

    def digest(self, genesis_hash: bytes) -> bytes:
        """Return what the consensus key signs: H(bls, genesis_hash || 1 || the first five fields)."""
        covered = codec.encode([self.height, self.round, self.header_hash, self.index, self.part])
        return H("bls", genesis_hash + _SHARE + covered)

    def encode(self) -> bytes:
        """Return the canonical array of the six fields."""
        return codec.encode([self.height, self.round, self.header_hash, self.index, self.part, self.signature])


def decode_share(data: bytes) -> Share:
    """Decode a share and check its shape; raises Rejection BAD_SHAPE, or CodecError."""
    height, round_number, header_hash, index, part, signature = codec.expect_list(codec.decode(data), "share", size=6)
    return Share(
        height=codec.expect_uint(height, "share.height", minimum=1),
        round=codec.expect_uint(round_number, "share.round", maximum=U32_MAX),
        header_hash=codec.expect_bytes(header_hash, "share.header_hash", size=HASH_BYTES),
        index=codec.expect_uint(index, "share.index", maximum=VALIDATORS_MAX - 1),
        part=codec.expect_bytes(part, "share.part", size=BLS_BYTES),
        signature=codec.expect_bytes(signature, "share.signature", size=SIGNATURE_BYTES),
    )


@dataclass(frozen=True)
class AggregateCertificate:
    """A quorum's commit to one block, in one signature."""

    height: int
    round: int
    header_hash: bytes
    bitmap: bytes
    """One bit per validator in set order, least significant first; unused bits are 0."""
    signature: bytes
    """Sum of the parts, 96 bytes."""

    def signers(self) -> list[int]:
        """Return the indices of the set bits, rising."""
        bits = int.from_bytes(self.bitmap, "little")
        return [index for index in range(8 * len(self.bitmap)) if bits >> index & 1]

    def encode(self) -> bytes:
        """Return the canonical bytes: map {0 height, 1 round, 2 header hash, 3 bitmap, 4 signature}."""
        return codec.encode({0: self.height, 1: self.round, 2: self.header_hash, 3: self.bitmap, 4: self.signature})


def decode_aggregate(data: bytes) -> AggregateCertificate:
    """Decode an aggregate certificate and check its shape; raises Rejection BAD_SHAPE, or CodecError."""
    fields = codec.read_map(data, range(5), "aggregate certificate", bytes_max=AGGREGATE_BYTES_MAX)
    return AggregateCertificate(
        height=codec.expect_uint(fields[0], "aggregate.height", minimum=1),
        round=codec.expect_uint(fields[1], "aggregate.round", maximum=U32_MAX),
        header_hash=codec.expect_bytes(fields[2], "aggregate.header_hash", size=HASH_BYTES),
        bitmap=codec.expect_bytes(fields[3], "aggregate.bitmap", maximum=(VALIDATORS_MAX + 7) // 8),
        signature=codec.expect_bytes(fields[4], "aggregate.signature", size=BLS_BYTES),
    )


class Possession:
    """Keys whose holders have proven to have them; each proof is checked once."""

    def __init__(self, provider: Provider, proofs: Mapping[bytes, bytes]) -> None:
        """:param proofs: 96 bytes by BLS key."""
        self._provider, self._proofs = provider, proofs
        self._checked: dict[bytes, bool] = {}

    def holds(self, key: bytes) -> bool:
        """Tell whether a key may count in an aggregate."""
        if key not in self._checked:
            proof = self._proofs.get(key)
            self._checked[key] = proof is not None and self._provider.check_proof(key, proof)
        return self._checked[key]


@dataclass(frozen=True)
class Sum:
    """What came of some shares."""

    certificate: AggregateCertificate | None
    """None while the good shares are no quorum."""
    blamed: tuple[int, ...]
    """Validators whose share is signed by them and wrong, by rising index."""


def add_up(
    shares: Sequence[Share], validators: Sequence[Validator], held: Possession, provider: Provider, genesis_hash: bytes
) -> Sum:
    """Make a certificate of shares for one block and round: added up, then verified once.

    Only if that fails is each share verified alone, to leave out the wrong ones and to name who made them.  Shares that
    their validator did not sign, second ones of a validator, and those without a proven BLS key are left out unnamed.

    :param shares: all of the first one's height, round and hash; others are left out.
    """
    first = shares[0]
    text = message(genesis_hash, first.height, first.round, first.header_hash)
    good = _countable(shares, validators, held, genesis_hash)
    blamed: list[int] = []
    if good and not _verifies(good, validators, provider, text):
        blamed = sorted(
            index for index, share in good.items() if not provider.verify([validators[index].bls], text, share.part)
        )
        good = {index: share for index, share in good.items() if index not in blamed}
    if len(good) < quorum(len(validators)):
        return Sum(None, tuple(blamed))
    bitmap = sum(1 << index for index in good).to_bytes((len(validators) + 7) // 8, "little")
    signature = provider.aggregate([good[index].part for index in sorted(good)])
    return Sum(
        AggregateCertificate(first.height, first.round, first.header_hash, bitmap, signature), tuple(blamed)
    )


def verify_aggregate(
    certificate: AggregateCertificate,
    header_hash: bytes,
    height: int,
    validators: Sequence[Validator],
    held: Possession,
    provider: Provider,
    genesis_hash: bytes,
) -> None:
    """Check that a quorum of `validators` committed to `header_hash` at `height`, in one round.

    :raises ProofError: BAD_CERTIFICATE, naming the first thing that is wrong.
    """
    n = len(validators)
    if (certificate.height, certificate.header_hash) != (height, header_hash):
        raise _bad(f"aggregate is for height {certificate.height}, header {certificate.header_hash.hex()}",
                   f"height {height}, header {header_hash.hex()}")  # fmt: skip
    if len(certificate.bitmap) != (n + 7) // 8:
        raise _bad(f"bitmap has {len(certificate.bitmap)} bytes", f"{(n + 7) // 8} bytes for {n} validators")
    signers = certificate.signers()
    if signers and signers[-1] >= n:
        raise _bad(f"bitmap names validator {signers[-1]}", f"unused bits of {n} validators are 0")
    if len(signers) < quorum(n):
        raise _bad(f"{len(signers)} of {n} validators signed", f"at least {quorum(n)}")
    keys = [validators[index].bls for index in signers]
    for index, key in zip(signers, keys, strict=True):
        if not key or not held.holds(key):
            raise _bad(f"validator {index} has not proven that it holds its BLS key", "a proof of possession")
    text = message(genesis_hash, height, certificate.round, header_hash)
    if not provider.verify(keys, text, certificate.signature):
        raise _bad("the aggregate signature does not verify", "the sum of the signers' shares of this round")


def _countable(
    shares: Sequence[Share], validators: Sequence[Validator], held: Possession, genesis_hash: bytes
) -> dict[int, Share]:
    """Return the first share of each validator that it signed for this block, with a proven key."""
    block = (shares[0].height, shares[0].round, shares[0].header_hash)
    fitting = [
        share
        for share in shares
        if (share.height, share.round, share.header_hash) == block and share.index < len(validators)
    ]
    signed = ed25519.verify_many(
        [(validators[share.index].consensus_key, share.digest(genesis_hash), share.signature) for share in fitting]
    )
    found: dict[int, Share] = {}
    for share, valid in zip(fitting, signed, strict=True):
        key = validators[share.index].bls
        if valid and share.index not in found and key and held.holds(key):
            found[share.index] = share
    return found


def _verifies(
    shares: Mapping[int, Share], validators: Sequence[Validator], provider: Provider, text: bytes
) -> bool:
    try:
        total = provider.aggregate([share.part for share in shares.values()])
    except ValueError:
        return False
    return provider.verify([validators[index].bls for index in shares], text, total)


def _bad(message_text: str, expected: str) -> ProofError:
    return ProofError("BAD_CERTIFICATE", message_text, expected)
