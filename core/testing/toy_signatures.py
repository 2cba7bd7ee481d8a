"""Signatures that cost a hash: for simulations of many seeds, where nobody forges.  Anyone could."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from metanode.core.model import ed25519


class ToySignatures:
    """Takes the place of Ed25519: a signature is a hash over public key and message."""

    @property
    def name(self) -> str:
        return "toy"

    def public_key(self, seed: bytes) -> bytes:
        return hashlib.blake2b(seed, digest_size=32, person=b"toy key").digest()

    def sign(self, seed: bytes, message: bytes) -> bytes:
        return self._signature(self.public_key(seed), message)

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        return self._signature(public_key, message) == signature

    def verify_many(self, checks: Sequence[tuple[bytes, bytes, bytes]]) -> list[bool]:
        return [self.verify(*check) for check in checks]

    def _signature(self, public_key: bytes, message: bytes) -> bytes:
        return hashlib.blake2b(message, key=public_key, person=b"toy signature").digest()


@contextmanager
def toy_signatures() -> Iterator[None]:
    """Use them within the block; whoever was installed before is there again afterwards."""
    before = ed25519.backend()
    ed25519.install(ToySignatures())
    try:
        yield
    finally:
        ed25519.install(before)
