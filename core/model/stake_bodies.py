"""Bodies of the kinds about stake: bond coins as a validator's security, withdraw them, and prove a double vote."""

from __future__ import annotations

from dataclasses import dataclass, field

from metanode.core.model import codec, ecvrf, ed25519
from metanode.core.model.errors import Rejection
from metanode.core.model.hashing import H
from metanode.core.model.limits import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, VRF_PROOF_BYTES
from metanode.core.model.validators import BLS_KEY_BYTES
from metanode.core.model.vote import Vote, decode_vote

BLS_PROOF_BYTES = 96
"""A proof of possession of a BLS key: a signature in G2, compressed."""


@dataclass(frozen=True)
class Bond:
    """Lock coins of the sender and name the keys it would validate with; again with the same keys to add to it."""

    amount: int
    """Micro-units, at least 1."""
    consensus_key: bytes
    vrf_key: bytes
    bls_key: bytes
    """48 bytes or empty."""
    bls_proof: bytes = field(repr=False)
    """Proof of possession of `bls_key`, for those who verify BLS; the chain itself does not."""
    signature: bytes = field(repr=False)
    """By the consensus key over `bond_digest`."""
    vrf_proof: bytes = field(repr=False)
    """By the VRF key with `bond_digest` as alpha."""

    def encode(self) -> bytes:
        """Return the CBOR map 0 to 6: the fields in order."""
        return codec.encode(dict(enumerate(vars(self).values())))

    def keys(self) -> tuple[bytes, ...]:
        """Return the keys it names."""
        named = (self.consensus_key, self.vrf_key, self.bls_key)
        return tuple(key for key in named if key)

    def digest(self, account: bytes, genesis_hash: bytes) -> bytes:
        """Return what shows that the bonding account holds the keys."""
        return bond_digest(account, self.consensus_key, self.vrf_key, self.bls_key, self.bls_proof, genesis_hash)


def bond_digest(
    account: bytes, consensus_key: bytes, vrf_key: bytes, bls_key: bytes, bls_proof: bytes, genesis_hash: bytes
) -> bytes:
    """Return H(lock, genesis_hash || account || the keys || the BLS proof); each part has one length, or none."""
    return H("lock", b"".join((genesis_hash, account, consensus_key, vrf_key, bls_key, bls_proof)))


def make_bond(
    amount: int,
    account: bytes,
    *,
    consensus_seed: bytes,
    vrf_seed: bytes,
    genesis_hash: bytes,
    bls_key: bytes = b"",
    bls_proof: bytes = b"",
) -> Bond:
    """Return the bond of an account, with the proofs that it holds the keys of both seeds."""
    consensus_key, vrf_key = ed25519.public_key(consensus_seed), ed25519.public_key(vrf_seed)
    digest = bond_digest(account, consensus_key, vrf_key, bls_key, bls_proof, genesis_hash)
    signature, vrf_proof = ed25519.sign(consensus_seed, digest), ecvrf.prove(vrf_seed, digest)
    return Bond(amount, consensus_key, vrf_key, bls_key, bls_proof, signature, vrf_proof)


def decode_bond(data: bytes) -> Bond:
    """Decode a bond; raises Rejection BAD_SHAPE or ZERO_AMOUNT, or CodecError."""
    fields = codec.read_small_map(data, range(7), "bond")
    amount = codec.expect_uint(fields[0], "bond.amount")
    if amount == 0:
        raise Rejection("ZERO_AMOUNT", "a bond of 0 micro-units")
    bls_key = codec.expect_bytes(fields[3], "bond.bls_key", maximum=BLS_KEY_BYTES)
    bls_proof = codec.expect_bytes(fields[4], "bond.bls_proof", maximum=BLS_PROOF_BYTES)
    if (len(bls_key), len(bls_proof)) not in ((0, 0), (BLS_KEY_BYTES, BLS_PROOF_BYTES)):
        raise Rejection(
            "BAD_SHAPE",
            f"bond has a BLS key of {len(bls_key)} bytes and a proof of {len(bls_proof)}",
            f"{BLS_KEY_BYTES} and {BLS_PROOF_BYTES} bytes, or neither",
        )
    return Bond(
        amount=amount,
        consensus_key=codec.expect_bytes(fields[1], "bond.consensus_key", size=PUBLIC_KEY_BYTES),
        vrf_key=codec.expect_bytes(fields[2], "bond.vrf_key", size=PUBLIC_KEY_BYTES),
        bls_key=bls_key,
        bls_proof=bls_proof,
        signature=codec.expect_bytes(fields[5], "bond.signature", size=SIGNATURE_BYTES),
        vrf_proof=codec.expect_bytes(fields[6], "bond.vrf_proof", size=VRF_PROOF_BYTES),
    )


@dataclass(frozen=True)
class Unbond:
    """Withdraw the sender's whole bond; it leaves the set at the next settlement and is paid back much later."""

    consensus_key: bytes
    """The key that the bond stands for, so that a signature says what it ends."""

    def encode(self) -> bytes:
        """Return CBOR {0 consensus_key}."""
        return codec.encode({0: self.consensus_key})


def decode_unbond(data: bytes) -> Unbond:
    """Decode an unbond; raises Rejection BAD_SHAPE, or CodecError."""
    fields = codec.read_small_map(data, range(1), "unbond")
    return Unbond(codec.expect_bytes(fields[0], "unbond.consensus_key", size=PUBLIC_KEY_BYTES))


@dataclass(frozen=True)
class Evidence:
    """Two votes by one key that exclude each other; make one by `Evidence.of`."""

    key: bytes
    """The consensus key of both."""
    first: Vote
    second: Vote
    """The one whose bytes are greater: so that two votes give one evidence."""

    @staticmethod
    def of(key: bytes, one: Vote, other: Vote) -> Evidence:
        """Return the evidence that two votes make, in whichever order they came."""
        first, second = sorted((one, other), key=Vote.encode)
        return Evidence(key, first, second)

    def encode(self) -> bytes:
        """Return CBOR {0 key, 1 vote, 2 vote}."""
        return codec.encode({0: self.key, 1: self.first.encode(), 2: self.second.encode()})

    @property
    def id(self) -> bytes:
        """The replay key: H(evidence, key || u64_be height || u32_be round || u8 type)."""
        place = self.first.height.to_bytes(8, "big") + self.first.round.to_bytes(4, "big")
        return H("evidence", self.key + place + bytes((self.first.type,)))

    def is_signed(self, genesis_hash: bytes) -> bool:
        """Tell whether both votes are the key's."""
        votes = (self.first, self.second)
        return all(ed25519.verify_many([(self.key, vote.digest(genesis_hash), vote.signature) for vote in votes]))


def decode_evidence(data: bytes) -> Evidence:
    """Decode evidence and check that its votes exclude each other; who signed them is not checked here.

    :raises Rejection: BAD_SHAPE; NOT_EQUIVOCATION, an honest validator may have sent both.
    :raises CodecError: not canonical.
    """
    fields = codec.read_small_map(data, range(3), "evidence")
    raw = [codec.expect_bytes(fields[key], "evidence.vote") for key in (1, 2)]
    first, second = map(decode_vote, raw)
    if raw[0] >= raw[1]:
        raise Rejection("BAD_SHAPE", "evidence.vote 2 is not above vote 1", "the votes' bytes, rising")
    if (first.height, first.round, first.type) != (second.height, second.round, second.type):
        raise Rejection("NOT_EQUIVOCATION", "the votes are not of one height, round and type")
    if (first.hash, first.prepared_round) == (second.hash, second.prepared_round):
        raise Rejection("NOT_EQUIVOCATION", "the votes say the same")
    return Evidence(codec.expect_bytes(fields[0], "evidence.key", size=PUBLIC_KEY_BYTES), first, second)
