"""ECVRF-EDWARDS25519-SHA512-TAI by libsodium's group operations: bytes and verdicts as `model.ecvrf`.

The secret scalar and the nonce stay byte strings that only libsodium computes with, in constant
time; they never become Python integers.  Source: RFC 9381, as in `model.ecvrf`.
"""

from __future__ import annotations

from typing import Any

from metanode.core.crypto.sodium import library
from metanode.core.model import ecvrf
from metanode.core.model import edwards25519 as group
from metanode.core.model.limits import PUBLIC_KEY_BYTES, VRF_PROOF_BYTES

_IDENTITY = group.encode(group.IDENTITY)
_Y_MASK = (1 << 255) - 1


def load() -> SodiumVrf | None:
    """Return the backend, or None where PyNaCl is missing or its libsodium lacks the group operations."""
    nacl = library()
    if nacl is None or not (nacl.bindings.has_crypto_core_ed25519 and nacl.bindings.has_crypto_scalarmult_ed25519):
        return None
    return SodiumVrf(nacl)


class SodiumVrf:
    """An `ecvrf.Backend`."""

    name = "libsodium"

    def __init__(self, nacl: Any) -> None:
        self._calls = nacl.bindings
        self._pure = ecvrf.PureBackend()

    def prove(self, seed: bytes, alpha: bytes) -> bytes:
        """See `ecvrf.Backend`."""
        calls = self._calls
        x, prefix = ecvrf.split_secret(seed)
        public_key = calls.crypto_scalarmult_ed25519_base_noclamp(x)
        h = self._encode_to_curve(public_key, alpha)
        gamma: bytes = calls.crypto_scalarmult_ed25519_noclamp(x, h)
        k = calls.crypto_core_ed25519_scalar_reduce(ecvrf.nonce_hash(prefix, h))
        u = calls.crypto_scalarmult_ed25519_base_noclamp(k)
        v = calls.crypto_scalarmult_ed25519_noclamp(k, h)
        c = ecvrf.challenge(public_key, h, gamma, u, v)
        s: bytes = calls.crypto_core_ed25519_scalar_add(k, calls.crypto_core_ed25519_scalar_mul(_scalar(c), x))
        return gamma + c + s

    def verify(self, public_key: bytes, alpha: bytes, proof: bytes) -> bytes | None:
        """See `ecvrf.Backend`."""
        if len(public_key) != PUBLIC_KEY_BYTES or len(proof) != VRF_PROOF_BYTES:
            return None
        gamma, c, s = proof[:32], proof[32:48], proof[48:]
        if int.from_bytes(s, "little") >= group.L:
            return None
        try:
            return self._verify(public_key, alpha, gamma, c, s)
        except RuntimeError:  # nacl's is a subclass
            # libsodium multiplies only points of the prime-order subgroup and no zero scalar; the RFC
            # lets some of those pass.  Nothing here is secret, so the reference decides.
            return self._pure.verify(public_key, alpha, proof)

    def _verify(self, public_key: bytes, alpha: bytes, gamma: bytes, c: bytes, s: bytes) -> bytes | None:
        calls = self._calls
        h = self._encode_to_curve(public_key, alpha)
        c_times_y = calls.crypto_scalarmult_ed25519_noclamp(_scalar(c), public_key)
        c_times_gamma = calls.crypto_scalarmult_ed25519_noclamp(_scalar(c), gamma)
        u = calls.crypto_core_ed25519_sub(calls.crypto_scalarmult_ed25519_base_noclamp(s), c_times_y)
        v = calls.crypto_core_ed25519_sub(calls.crypto_scalarmult_ed25519_noclamp(s, h), c_times_gamma)
        if ecvrf.challenge(public_key, h, gamma, u, v) != c:
            return None
        return ecvrf.hash_of_point(self._multiply_by_cofactor(gamma))

    def _encode_to_curve(self, public_key: bytes, alpha: bytes) -> bytes:
        for counter in range(256):
            encoded = ecvrf.candidate(public_key, alpha, counter)
            if not _is_canonical(encoded):
                continue
            try:
                point = self._multiply_by_cofactor(encoded)
            except RuntimeError:
                continue  # not a point
            if point != _IDENTITY:
                return point
        raise AssertionError("256 hashes in a row are no points: chance 2^-256")

    def _multiply_by_cofactor(self, point: bytes) -> bytes:
        """Return 8 * point; RuntimeError when the bytes are no point."""
        for _ in range(3):
            point = self._calls.crypto_core_ed25519_add(point, point)
        return point


def _scalar(c: bytes) -> bytes:
    """Return a challenge as the 32 bytes of a scalar."""
    return c + bytes(32 - len(c))


def _is_canonical(encoded: bytes) -> bool:
    """Tell whether public bytes pass the checks of RFC 8032 5.1.3 that libsodium's addition leaves out."""
    number = int.from_bytes(encoded, "little")
    y = number & _Y_MASK
    return y < group.P and not (number > _Y_MASK and y in (1, group.P - 1))
