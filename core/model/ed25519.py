"""Ed25519 as this chain accepts it, and the seam where a faster library is installed.

The rule for a signature (R, S) of a message M under key A, bit for bit:

- A is the canonical encoding of a curve point that is not of small order;
- S < L, and R is not the encoding of a point of small order;
- the encoding of S*B - h*A equals R byte for byte, with h = SHA-512(R || A || M) reduced
  modulo L first (this matters when A has a part of small order: the equation is cofactorless).

libsodium 1.0.18 to 1.0.22 does the same; `data/ed25519_edge.json` holds the cases in which
libraries differ, and `core.crypto.install` runs them against whatever it installs.

Source: RFC 8032 section 5.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from metanode.core.model import edwards25519 as group
from metanode.core.model.limits import PUBLIC_KEY_BYTES, SEED_BYTES, SIGNATURE_BYTES
from metanode.core.model.sha2 import sha512

Check = tuple[bytes, bytes, bytes]
"""(public key, message, signature)."""


class Backend(Protocol):
    """An implementation of the rule above; all of them give equal bytes and verdicts."""

    @property
    def name(self) -> str:
        """What a status line calls it."""

    def public_key(self, seed: bytes) -> bytes:
        """Return the 32-byte public key of a 32-byte seed."""

    def sign(self, seed: bytes, message: bytes) -> bytes:
        """Return the deterministic 64-byte signature."""

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature is valid; wrong lengths are invalid, never an error."""

    def verify_many(self, checks: Sequence[Check]) -> list[bool]:
        """Verify each check on its own (never a combined equation), verdicts in order."""


def _expand(seed: bytes) -> tuple[int, bytes]:
    """Return the clamped secret scalar and the prefix that nonces are derived from."""
    if len(seed) != SEED_BYTES:
        raise ValueError(f"an Ed25519 seed has {SEED_BYTES} bytes, not {len(seed)}")
    digest = sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & ((1 << 254) - 8) | 1 << 254, digest[32:]


def _sha512_scalar(*parts: bytes) -> int:
    return int.from_bytes(sha512(b"".join(parts)).digest(), "little") % group.L


class PureBackend:
    """The reference: a few milliseconds per operation on a PC, not constant-time."""

    name = "pure"

    def public_key(self, seed: bytes) -> bytes:
        """See `Backend`."""
        scalar, _ = _expand(seed)
        return group.encode(group.multiply_base(scalar))

    def sign(self, seed: bytes, message: bytes) -> bytes:
        """See `Backend`."""
        scalar, prefix = _expand(seed)
        public_key = group.encode(group.multiply_base(scalar))
        nonce = _sha512_scalar(prefix, message)
        r_bytes = group.encode(group.multiply_base(nonce))
        s = (nonce + _sha512_scalar(r_bytes, public_key, message) * scalar) % group.L
        return r_bytes + s.to_bytes(32, "little")

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """See `Backend`."""
        if len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
            return False
        r_bytes, s = signature[:32], int.from_bytes(signature[32:], "little")
        if s >= group.L or r_bytes in group.SMALL_ORDER_ENCODINGS or public_key in group.SMALL_ORDER_ENCODINGS:
            return False
        a = group.decode(public_key)
        if a is None:
            return False
        h = _sha512_scalar(r_bytes, public_key, message)
        return group.encode(group.multiply_and_base(h, group.negate(a), s)) == r_bytes

    def verify_many(self, checks: Sequence[Check]) -> list[bool]:
        """See `Backend`."""
        return [self.verify(*check) for check in checks]


_backend: Backend = PureBackend()


def install(backend: Backend) -> None:
    """Use `backend` for every signature of this process from now on."""
    global _backend
    _backend = backend


def backend() -> Backend:
    """Return the implementation in use."""
    return _backend


def public_key(seed: bytes) -> bytes:
    """Return the public key of a 32-byte seed.

    :raises ValueError: the seed has another length.
    """
    return _backend.public_key(seed)


def sign(seed: bytes, message: bytes) -> bytes:
    """Return the 64-byte signature.  On this chain `message` is always a digest H(purpose, ...).

    :raises ValueError: the seed has another length than 32 bytes.
    """
    return _backend.sign(seed, message)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether the signature is valid by the rule of this module; never raises for bad bytes."""
    return _backend.verify(public_key, message, signature)


def verify_many(checks: Sequence[Check]) -> list[bool]:
    """Verify a batch of (public key, message, signature), each on its own; verdicts in order."""
    return _backend.verify_many(checks)
