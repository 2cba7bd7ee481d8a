"""Ed25519 by libsodium, through PyNaCl where it can be imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metanode.core.model.ed25519 import Check
from metanode.core.model.limits import PUBLIC_KEY_BYTES, SEED_BYTES, SIGNATURE_BYTES


def library() -> Any | None:
    """Return the package `nacl` with `bindings` (libsodium's calls) and `exceptions`; None where it does not load."""
    try:
        import nacl.bindings
        import nacl.exceptions
    except (ImportError, OSError):
        return None
    return nacl


def load() -> SodiumBackend | None:
    """Return the backend, or None without PyNaCl."""
    nacl = library()
    return None if nacl is None else SodiumBackend(nacl)


class SodiumBackend:
    """An `ed25519.Backend`.  libsodium applies this chain's rule itself; `selftest` holds it to that."""

    name = "libsodium"

    def __init__(self, nacl: Any) -> None:
        self._calls = nacl.bindings
        self._refused: type[Exception] = nacl.exceptions.BadSignatureError

    def public_key(self, seed: bytes) -> bytes:
        """See `ed25519.Backend`."""
        public_key: bytes = self._pair(seed)[0]
        return public_key

    def sign(self, seed: bytes, message: bytes) -> bytes:
        """See `ed25519.Backend`."""
        # The secret key is derived each time: one kept with a wrong public half would leak the seed.
        signed: bytes = self._calls.crypto_sign(message, self._pair(seed)[1])
        return signed[:SIGNATURE_BYTES]

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """See `ed25519.Backend`."""
        # The binding passes bare pointers: lengths are checked here or nowhere.
        if len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
            return False
        try:
            self._calls.crypto_sign_open(signature + message, public_key)
        except self._refused:
            return False
        return True

    def verify_many(self, checks: Sequence[Check]) -> list[bool]:
        """See `ed25519.Backend`."""
        return [self.verify(*check) for check in checks]

    def _pair(self, seed: bytes) -> tuple[bytes, bytes]:
        if len(seed) != SEED_BYTES:
            raise ValueError(f"an Ed25519 seed has {SEED_BYTES} bytes, not {len(seed)}")
        pair: tuple[bytes, bytes] = self._calls.crypto_sign_seed_keypair(seed)
        return pair
