"""BLS signatures over BLS12-381 for exported certificates, by the best library that can be imported.

Keys in G1 (48 bytes), signatures in G2 (96 bytes), the proof-of-possession scheme: many signatures of one message add
up to one that is as small, provided that every key's holder has proven to hold it; without that proof a made-up key
could cancel the others.  Consensus never waits for this: a pairing costs 1.2 ms in C, 350 ms in Python, and minutes on
an old machine, so the votes of the critical path are Ed25519 (docs/decisions/0013-bls-beside-consensus.md).

Source: draft-irtf-cfrg-bls-signature-05, ciphersuite BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_.
"""

from __future__ import annotations

import hashlib
import hmac
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol

from metanode.core.model.errors import MetanodeError
from metanode.core.model.validators import BLS_KEY_BYTES

SECRET_BYTES = 32
SIGNATURE_BYTES = 96
SEED_BYTES_MIN = 32
"""Fewest bytes of secret that a key may be made from (section 2.3)."""
ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""Of the groups: RFC 9380 section 8.8; a secret key is a number from 1 below it."""
_KEYGEN_SALT = b"BLS-SIG-KEYGEN-SALT-"
_KEYGEN_BYTES = 48


class Provider(Protocol):
    """What a library must do.  Points are their compressed bytes; a point that is none, or not in its subgroup, or the
    point at infinity as a key, makes a check false and an aggregation fail with ValueError."""

    name: str

    def public_key(self, secret: bytes) -> bytes:
        """Return the key of a secret."""

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """Return the signature of a message."""

    def prove(self, secret: bytes) -> bytes:
        """Return the proof that this secret's holder has it: 96 bytes."""

    def check_proof(self, key: bytes, proof: bytes) -> bool:
        """Tell whether a proof of possession holds."""

    def aggregate(self, signatures: Sequence[bytes]) -> bytes:
        """Return the sum of one signature or more."""

    def verify(self, keys: Sequence[bytes], message: bytes, signature: bytes) -> bool:
        """Tell whether a signature is the sum of these keys' signatures of one message; each key's proof must have been
        checked."""


def key_from_seed(seed: bytes, info: bytes = b"") -> bytes:
    """Return the secret key that a seed of at least 32 bytes gives: `KeyGen` of the draft, section 2.3.

    :raises ValueError: a shorter seed.
    """
    if len(seed) < SEED_BYTES_MIN:
        raise ValueError(f"a seed of {len(seed)} bytes, expected at least {SEED_BYTES_MIN}")
    salt, secret = _KEYGEN_SALT, 0
    while not secret:
        salt = hashlib.sha256(salt).digest()
        extracted = hmac.digest(salt, seed + b"\x00", "sha256")
        label, block, okm = info + _KEYGEN_BYTES.to_bytes(2, "big"), b"", b""
        for counter in (1, 2):  # HKDF-Expand, RFC 5869: two blocks of SHA-256 hold 48 bytes
            block = hmac.digest(extracted, block + label + bytes((counter,)), "sha256")
            okm += block
        secret = int.from_bytes(okm[:_KEYGEN_BYTES], "big") % ORDER
    return secret.to_bytes(SECRET_BYTES, "big")


def load() -> Provider:
    """Return the provider of the best library that is installed.

    :raises MetanodeError: BLS_MISSING, none is.
    """
    for kind in (Blspy, PyEcc):
        try:
            return kind.load()
        except ImportError:
            continue
    raise MetanodeError("BLS_MISSING", "neither blspy nor py_ecc can be imported")


class Blspy:
    """The C library blst, in the package blspy."""

    name = "blspy"

    def __init__(self, library: Any) -> None:
        self._library, self._scheme = library, library.PopSchemeMPL

    @classmethod
    def load(cls) -> Blspy:
        """Return the provider; raises ImportError without the package."""
        return cls(import_module("blspy"))

    def public_key(self, secret: bytes) -> bytes:
        """See `Provider`."""
        return bytes(self._library.PrivateKey.from_bytes(secret).get_g1())

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """See `Provider`."""
        return bytes(self._scheme.sign(self._library.PrivateKey.from_bytes(secret), message))

    def prove(self, secret: bytes) -> bytes:
        """See `Provider`."""
        return bytes(self._scheme.pop_prove(self._library.PrivateKey.from_bytes(secret)))

    def check_proof(self, key: bytes, proof: bytes) -> bool:
        """See `Provider`."""
        try:
            return bool(self._scheme.pop_verify(self._key(key), self._library.G2Element.from_bytes(proof)))
        except ValueError:
            return False

    def aggregate(self, signatures: Sequence[bytes]) -> bytes:
        """See `Provider`."""
        if not signatures:
            raise ValueError("no signature to aggregate")
        return bytes(self._scheme.aggregate([self._library.G2Element.from_bytes(each) for each in signatures]))

    def verify(self, keys: Sequence[bytes], message: bytes, signature: bytes) -> bool:
        """See `Provider`."""
        if not keys:
            return False
        try:
            points = [self._key(key) for key in keys]
            return bool(
                self._scheme.fast_aggregate_verify(points, message, self._library.G2Element.from_bytes(signature))
            )
        except ValueError:
            return False

    def _key(self, key: bytes) -> Any:
        if _is_infinity(key):
            raise ValueError("the point at infinity is nobody's key")
        return self._library.G1Element.from_bytes(key)


class PyEcc:
    """Pure Python, in the package py_ecc: hundreds of times slower, for a check now and then."""

    name = "py_ecc"

    def __init__(self, library: Any) -> None:
        self._scheme = library.G2ProofOfPossession

    @classmethod
    def load(cls) -> PyEcc:
        """Return the provider; raises ImportError without the package.

        py_ecc raises the recursion limit of the whole process when it is imported, to where a deeply nested JSON
        document would crash the interpreter instead of being refused; what was set before is set again.
        """
        limit = sys.getrecursionlimit()
        try:
            return cls(import_module("py_ecc.bls"))
        finally:
            sys.setrecursionlimit(limit)

    def public_key(self, secret: bytes) -> bytes:
        """See `Provider`."""
        return bytes(self._scheme.SkToPk(int.from_bytes(secret, "big")))

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """See `Provider`."""
        return bytes(self._scheme.Sign(int.from_bytes(secret, "big"), message))

    def prove(self, secret: bytes) -> bytes:
        """See `Provider`."""
        return bytes(self._scheme.PopProve(int.from_bytes(secret, "big")))

    def check_proof(self, key: bytes, proof: bytes) -> bool:
        """See `Provider`."""
        return _has_sizes([key], proof) and bool(self._scheme.PopVerify(key, proof))

    def aggregate(self, signatures: Sequence[bytes]) -> bytes:
        """See `Provider`."""
        if not signatures or any(len(each) != SIGNATURE_BYTES for each in signatures):
            raise ValueError("nothing but signatures of 96 bytes, one or more, can be aggregated")
        return bytes(self._scheme.Aggregate(list(signatures)))

    def verify(self, keys: Sequence[bytes], message: bytes, signature: bytes) -> bool:
        """See `Provider`."""
        if not keys or not _has_sizes(keys, signature):
            return False
        return bool(self._scheme.FastAggregateVerify(list(keys), message, signature))


def _has_sizes(keys: Sequence[bytes], signature: bytes) -> bool:
    return len(signature) == SIGNATURE_BYTES and all(len(key) == BLS_KEY_BYTES for key in keys)


def _is_infinity(key: bytes) -> bool:
    return bool(key) and bool(key[0] & 0x40)
