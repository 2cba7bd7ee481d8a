"""Ed25519 by libsodium, through PyNaCl where it can be imported.

Batches go in one call to C where the shim finds libsodium's verify in PyNaCl's own shared object,
and one by one otherwise; the verdicts are the same libsodium's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

from metanode.core.model.ed25519 import Check
from metanode.core.model.limits import PUBLIC_KEY_BYTES, SEED_BYTES, SIGNATURE_BYTES

BATCH_MIN = 65
"""Fewest signatures that go to C in one call.  From 4 on that alone is quicker, but in a node whose loop is busy the
groups of the door (24, at most 64) cost 5 to 10 % more CPU per request that way (docs/decisions/0007-the-door.md)."""


class Batch(Protocol):
    """What `platforms.shims.ed25519` offers, by shape."""

    def verify_many(self, checks: Sequence[Check], *, threads: int) -> list[bool]:
        """Verify each check on its own, verdicts in order, on up to so many threads."""


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
    return None if nacl is None else SodiumBackend(nacl, *find_batch(nacl))


def find_batch(nacl: Any) -> tuple[Batch | None, str]:
    """Return the shim over the libsodium that PyNaCl loaded, or None and why there is none, in one line."""
    path = getattr(getattr(nacl, "_sodium", None), "__file__", None)
    if path is None:
        return None, "this PyNaCl has no shared object of its own"
    try:
        from metanode.platforms.shims import ed25519
    except ImportError as error:
        return None, f"this package has no Ed25519 shim: {error}"
    batch = ed25519.load(path)
    return batch, "" if batch is not None else ed25519.problem(path)


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux and FreeBSD tell which cores are this process's own
        return os.cpu_count() or 1


class SodiumBackend:
    """An `ed25519.Backend`.  libsodium applies this chain's rule itself; `selftest` holds it to that."""

    name = "libsodium"

    def __init__(self, nacl: Any, batch: Batch | None = None, batch_problem: str = "") -> None:
        self._calls = nacl.bindings
        self._refused: type[Exception] = nacl.exceptions.BadSignatureError
        self._batch = batch
        self._threads = min(2, _cores())
        self._batch_problem = batch_problem

    def batching(self) -> str:
        """Say how batches are verified, for status lines."""
        if self._batch is None:
            return f"one by one: {self._batch_problem}" if self._batch_problem else "one by one"
        return "one call to C on two threads" if self._threads > 1 else "one call to C"

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
        if self._batch is None or len(checks) < BATCH_MIN:
            return [self.verify(*check) for check in checks]
        return self._batch.verify_many(checks, threads=self._threads)

    def _pair(self, seed: bytes) -> tuple[bytes, bytes]:
        if len(seed) != SEED_BYTES:
            raise ValueError(f"an Ed25519 seed has {SEED_BYTES} bytes, not {len(seed)}")
        pair: tuple[bytes, bytes] = self._calls.crypto_sign_seed_keypair(seed)
        return pair
