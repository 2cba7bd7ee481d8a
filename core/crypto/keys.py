"""A key pair in memory: one Ed25519 seed and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field

from metanode.core.model import ed25519
from metanode.core.model.accounts import account_id
from metanode.core.model.limits import HASH_BYTES


@dataclass(frozen=True)
class KeyPair:
    """A seed and its public key.  The seed is left out of `repr`, so that logs and tracebacks cannot tell it."""

    seed: bytes = field(repr=False)
    """32 secret bytes."""
    public_key: bytes
    """32 bytes."""

    @classmethod
    def from_seed(cls, seed: bytes) -> KeyPair:
        """Return the pair of a 32-byte seed.

        :raises ValueError: the seed has another length.
        """
        return cls(seed, ed25519.public_key(seed))

    @property
    def account(self) -> bytes:
        """The 20-byte account id of the public key."""
        return account_id(self.public_key)

    def sign(self, digest: bytes) -> bytes:
        """Return the 64-byte signature of a 32-byte digest H(purpose, genesis_hash || ...).

        :raises ValueError: not 32 bytes; bare messages are never signed on this chain.
        """
        if len(digest) != HASH_BYTES:
            raise ValueError(f"a digest of {HASH_BYTES} bytes is signed, not {len(digest)} bytes")
        return ed25519.sign(self.seed, digest)


def generate(randomness_bytes: bytes) -> KeyPair:
    """Return a new pair.

    :param randomness_bytes: 32 bytes fresh from the system's randomness; they become the seed.
    """
    return KeyPair.from_seed(randomness_bytes)
