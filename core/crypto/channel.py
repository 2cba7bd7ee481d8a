"""What an encrypted channel computes with: X25519 (RFC 7748), ChaCha20-Poly1305 (RFC 8439), and a node key as X25519.

All of it is libsodium's, through PyNaCl.  There is no pure fallback: X25519 on Python's integers takes a time that
depends on the secret, and a channel at Python's speed would carry no block in time.

A node's channel key is its Ed25519 node key in Montgomery form, so that the node key in an address is all a dialler
needs to know.  One secret in both schemes is safe: Thormarker, "On using the same key pair for Ed25519 and an X25519
based KEM", IACR ePrint 2021/509.
"""

from __future__ import annotations

from typing import Any

from metanode.core.crypto.sodium import library
from metanode.core.model.errors import MetanodeError, PeerError
from metanode.core.model.limits import PUBLIC_KEY_BYTES, SEED_BYTES

KEY_BYTES = 32
TAG_BYTES = 16


class ChannelCrypto:
    """The operations, bound to the library once.

    :raises MetanodeError: CRYPTO_MISSING, PyNaCl cannot be imported.
    """

    def __init__(self) -> None:
        nacl = library()
        if nacl is None:
            raise MetanodeError("CRYPTO_MISSING", "encrypted channels need libsodium, and PyNaCl cannot be imported")
        calls: Any = nacl.bindings
        self._calls = calls
        self._seal = calls.crypto_aead_chacha20poly1305_ietf_encrypt
        self._open = calls.crypto_aead_chacha20poly1305_ietf_decrypt
        self._forged: type[Exception] = nacl.exceptions.CryptoError

    def secret_of_seed(self, seed: bytes) -> bytes:
        """Return the X25519 secret of the node key with this seed."""
        if len(seed) != SEED_BYTES:
            raise ValueError(f"an Ed25519 seed has {SEED_BYTES} bytes, not {len(seed)}")
        secret: bytes = self._calls.crypto_sign_ed25519_sk_to_curve25519(self._calls.crypto_sign_seed_keypair(seed)[1])
        return secret

    def public_of_node_key(self, node_key: bytes) -> bytes:
        """Return the X25519 public key of a node key.

        :raises PeerError: WRONG_PEER, these 32 bytes are no key: off the curve, or of low order.
        """
        try:
            public: bytes = self._calls.crypto_sign_ed25519_pk_to_curve25519(node_key)
        except (RuntimeError, ValueError):  # nacl's own are subclasses
            raise PeerError("WRONG_PEER", f"{node_key.hex()} is no Ed25519 public key", "a node's key") from None
        return public

    def public_of_secret(self, secret: bytes) -> bytes:
        """Return the X25519 public key of a secret."""
        public: bytes = self._calls.crypto_scalarmult_base(secret)
        return public

    def agree(self, secret: bytes, public: bytes) -> bytes:
        """Return the shared secret of ours and theirs.

        :raises PeerError: HANDSHAKE_FAILED, their key is of low order: the result would not depend on ours.
        """
        if len(secret) != KEY_BYTES or len(public) != PUBLIC_KEY_BYTES:
            raise ValueError("X25519 takes 32 bytes and 32 bytes")
        try:
            shared: bytes = self._calls.crypto_scalarmult(secret, public)
        except RuntimeError:  # libsodium refuses an all-zero result
            raise PeerError("HANDSHAKE_FAILED", "an X25519 key of low order", "a key drawn at random") from None
        return shared

    def seal(self, key: bytes, nonce: bytes, associated: bytes, plaintext: bytes) -> bytes:
        """Return ciphertext and tag.

        :param nonce: 12 bytes, never twice with one key.
        """
        sealed: bytes = self._seal(plaintext, associated, nonce, key)
        return sealed

    def open(self, key: bytes, nonce: bytes, associated: bytes, sealed: bytes) -> bytes | None:
        """Return the plaintext, or None when the tag does not fit."""
        if len(sealed) < TAG_BYTES:
            return None
        try:
            plaintext: bytes = self._open(sealed, associated, nonce, key)
        except self._forged:
            return None
        return plaintext
