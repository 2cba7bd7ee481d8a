"""ECVRF-EDWARDS25519-SHA512-TAI: a keyed hash whose owner can prove each value.

Proof = Gamma (32 bytes) || c (16, little-endian) || s (32, little-endian); its hash is the 64-byte
beta.  Keys are validated: one of small order proves nothing.  For one key and input there is one
beta, whoever made the proof, so a leader drawn from it cannot be chosen.

The pure code is the reference; `core.crypto.vrf` does the same with libsodium and is installed here.

Source: RFC 9381, sections 5.1 to 5.4 and 5.5 (suite 0x03).
"""

from __future__ import annotations

from typing import Protocol

from metanode.core.model import edwards25519 as group
from metanode.core.model.limits import PUBLIC_KEY_BYTES, SEED_BYTES, VRF_PROOF_BYTES
from metanode.core.model.sha2 import sha512

_SUITE = b"\x03"
_CHALLENGE_BYTES = 16


class Backend(Protocol):
    """An implementation of the suite; all of them give equal bytes and verdicts."""

    @property
    def name(self) -> str:
        """What a status line calls it."""

    def prove(self, seed: bytes, alpha: bytes) -> bytes:
        """Return the 80-byte proof."""

    def verify(self, public_key: bytes, alpha: bytes, proof: bytes) -> bytes | None:
        """Return beta when the proof is valid, else None."""


def candidate(public_key: bytes, alpha: bytes, counter: int) -> bytes:
    """Return the bytes that encode_to_curve tries as a point in its `counter`-th attempt (5.4.1.1)."""
    data = b"".join((_SUITE, b"\x01", public_key, alpha, bytes([counter]), b"\x00"))
    return sha512(data).digest()[:32]


def challenge(*points: bytes) -> bytes:
    """Return the 16-byte challenge over five encoded points: Y, H, Gamma, U, V (5.4.3)."""
    return sha512(b"".join((_SUITE, b"\x02", *points, b"\x00"))).digest()[:_CHALLENGE_BYTES]


def hash_of_point(cleared: bytes) -> bytes:
    """Return beta for the encoding of cofactor * Gamma (5.2)."""
    return sha512(_SUITE + b"\x03" + cleared + b"\x00").digest()


def split_secret(seed: bytes) -> tuple[bytes, bytes]:
    """Return the clamped secret scalar (32 bytes, little-endian) and the prefix for nonces."""
    if len(seed) != SEED_BYTES:
        raise ValueError(f"a VRF seed has {SEED_BYTES} bytes, not {len(seed)}")
    digest = bytearray(sha512(seed).digest())
    digest[0] &= 0xF8
    digest[31] = digest[31] & 0x7F | 0x40
    return bytes(digest[:32]), bytes(digest[32:])


def nonce_hash(prefix: bytes, h_encoded: bytes) -> bytes:
    """Return the 64 bytes whose value modulo L is the nonce k (5.4.2.2)."""
    return sha512(prefix + h_encoded).digest()


def _encode_to_curve(public_key: bytes, alpha: bytes) -> group.Point:
    for counter in range(256):
        point = group.decode(candidate(public_key, alpha, counter))
        if point is not None:
            point = group.multiply_by_cofactor(point)
            if not group.is_identity(point):
                return point
    raise AssertionError("256 hashes in a row are no points: chance 2^-256")


class PureBackend:
    """The reference: a few milliseconds per operation on a PC, not constant-time."""

    name = "pure"

    def prove(self, seed: bytes, alpha: bytes) -> bytes:
        """See `Backend`."""
        scalar, prefix = split_secret(seed)
        x = int.from_bytes(scalar, "little")
        public_key = group.encode(group.multiply_base(x))
        h = _encode_to_curve(public_key, alpha)
        h_encoded = group.encode(h)
        gamma = group.encode(group.multiply(x, h))
        k = int.from_bytes(nonce_hash(prefix, h_encoded), "little") % group.L
        u, v = group.encode(group.multiply_base(k)), group.encode(group.multiply(k, h))
        c = challenge(public_key, h_encoded, gamma, u, v)
        s = (k + int.from_bytes(c, "little") * x) % group.L
        return gamma + c + s.to_bytes(32, "little")

    def verify(self, public_key: bytes, alpha: bytes, proof: bytes) -> bytes | None:
        """See `Backend`."""
        if len(public_key) != PUBLIC_KEY_BYTES or len(proof) != VRF_PROOF_BYTES:
            return None
        gamma_encoded, c_encoded = proof[:32], proof[32:48]
        c, s = int.from_bytes(c_encoded, "little"), int.from_bytes(proof[48:], "little")
        y, gamma = group.decode(public_key), group.decode(gamma_encoded)
        if y is None or gamma is None or s >= group.L or public_key in group.SMALL_ORDER_ENCODINGS:
            return None
        h = _encode_to_curve(public_key, alpha)
        u = group.multiply_and_base(c, group.negate(y), s)
        v = group.multiply_two(s, h, c, group.negate(gamma))
        if challenge(public_key, group.encode(h), gamma_encoded, group.encode(u), group.encode(v)) != c_encoded:
            return None
        return hash_of_point(group.encode(group.multiply_by_cofactor(gamma)))


_backend: Backend = PureBackend()


def install(backend: Backend) -> None:
    """Use `backend` for every proof of this process from now on."""
    global _backend
    _backend = backend


def backend() -> Backend:
    """Return the implementation in use."""
    return _backend


def prove(seed: bytes, alpha: bytes) -> bytes:
    """Return the 80-byte proof of `alpha` under a 32-byte seed (the seed of an Ed25519 key pair).

    :raises ValueError: the seed has another length.
    """
    return _backend.prove(seed, alpha)


def verify(public_key: bytes, alpha: bytes, proof: bytes) -> bytes | None:
    """Return the 64-byte beta of a valid proof, None for any other; never raises for bad bytes."""
    return _backend.verify(public_key, alpha, proof)


def proof_to_hash(proof: bytes) -> bytes:
    """Return the 64-byte beta of a proof that was verified before, or that we made.

    :raises ValueError: the proof has no point where Gamma stands.

    Source: RFC 9381 section 5.2.
    """
    gamma = group.decode(proof[:32]) if len(proof) == VRF_PROOF_BYTES else None
    if gamma is None:
        raise ValueError("not the bytes of a VRF proof")
    return hash_of_point(group.encode(group.multiply_by_cofactor(gamma)))
