"""The Noise handshakes Noise_XX and Noise_IK with 25519, ChaChaPoly and BLAKE2b, sans-IO.

Source: Trevor Perrin, "The Noise Protocol Framework", revision 34, 2018, noiseprotocol.org; the section numbers below
are its own.  Rekeying, pre-shared keys and every other pattern are left out.  XX serves when nothing is known of the
other end; IK when its static key is known, and saves a round trip.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import Enum

from metanode.core.crypto.channel import KEY_BYTES, TAG_BYTES, ChannelCrypto
from metanode.core.model.errors import PeerError
from metanode.core.wire.hello import Side

MESSAGE_BYTES_MAX = 65535
"""Longest Noise message, tag included (section 3)."""
NONCE_MAX = 2**64 - 2
"""Last nonce of a key; 2^64 - 1 is reserved (section 5.1)."""
HASH_BYTES = 64
"""HASHLEN of BLAKE2b (section 12.8)."""


class Pattern(Enum):
    """A handshake pattern by its Noise name, with the tokens of its messages, the initiator's first (section 7.5)."""

    XX = "Noise_XX_25519_ChaChaPoly_BLAKE2b"
    IK = "Noise_IK_25519_ChaChaPoly_BLAKE2b"


_MESSAGES: dict[Pattern, tuple[tuple[str, ...], ...]] = {
    Pattern.XX: (("e",), ("e", "ee", "s", "es"), ("s", "se")),
    Pattern.IK: (("e", "es", "s", "ss"), ("e", "ee", "se")),
}


def hkdf(chaining_key: bytes, material: bytes) -> tuple[bytes, bytes]:
    """Return the first two outputs of HKDF with HMAC-BLAKE2b (section 4.3)."""
    temporary = hmac.digest(chaining_key, material, hashlib.blake2b)
    first = hmac.digest(temporary, b"\x01", hashlib.blake2b)
    return first, hmac.digest(temporary, first + b"\x02", hashlib.blake2b)


class CipherState:
    """A key and the number of messages sealed or opened with it (section 5.1).  One direction only."""

    def __init__(self, crypto: ChannelCrypto, key: bytes, nonce: int = 0) -> None:
        self._crypto = crypto
        self._key = key
        self._nonce = nonce

    def seal(self, associated: bytes, plaintext: bytes) -> bytes:
        """Encrypt the next message.

        :raises PeerError: CONNECTION_CLOSED, the key has sealed all it may.
        """
        return self._crypto.seal(self._key, self._next_nonce(), associated, plaintext)

    def open(self, associated: bytes, sealed: bytes) -> bytes:
        """Decrypt the next message.

        :raises PeerError: BAD_RECORD, it was altered, lost, repeated or made with another key; CONNECTION_CLOSED.
        """
        plaintext = self._crypto.open(self._key, self._next_nonce(), associated, sealed)
        if plaintext is None:
            raise PeerError("BAD_RECORD", "an encrypted record does not verify", "the records of one peer, in order")
        return plaintext

    def _next_nonce(self) -> bytes:
        if self._nonce > NONCE_MAX:
            raise PeerError("CONNECTION_CLOSED", "a channel key has been used 2^64 - 1 times", "a new connection")
        nonce = bytes(4) + self._nonce.to_bytes(8, "little")  # section 12.3
        self._nonce += 1
        return nonce


class NoiseHandshake:
    """One side of one handshake (section 5.3).  The initiator writes first; then the sides take turns.

    :param prologue: what both sides must agree on beforehand.
    :param static: our X25519 secret.
    :param static_public: its public key, computed when it is left out.
    :param ephemeral: 32 fresh random bytes.
    :param remote_static: their X25519 public key; the initiator of IK must know it, XX learns it.
    """

    def __init__(
        self,
        pattern: Pattern,
        side: Side,
        crypto: ChannelCrypto,
        *,
        prologue: bytes,
        static: bytes,
        ephemeral: bytes,
        static_public: bytes | None = None,
        remote_static: bytes | None = None,
    ) -> None:
        if len(static) != KEY_BYTES or len(ephemeral) != KEY_BYTES:
            raise ValueError("X25519 secrets have 32 bytes")
        if (remote_static is not None) != (pattern is Pattern.IK and side is Side.INITIATOR):
            raise ValueError("the initiator of IK knows the responder's static key; nobody else does beforehand")
        self._crypto = crypto
        self._side = side
        self._messages = list(_MESSAGES[pattern])
        self._writes = side is Side.INITIATOR
        self._static, self._ephemeral = static, ephemeral
        self._static_public = static_public or crypto.public_of_secret(static)
        self._remote_ephemeral = b""
        self.remote_static = remote_static
        """Their X25519 public key, once it is known."""
        name = pattern.value.encode("ascii")
        self._hash = name.ljust(HASH_BYTES, b"\0")
        self._chaining_key = self._hash
        self._cipher: CipherState | None = None
        self._mix_hash(prologue)
        if pattern is Pattern.IK:  # the pre-message `<- s`
            self._mix_hash(self._static_public if remote_static is None else remote_static)

    @property
    def finished(self) -> bool:
        """Whether every message has been written and read."""
        return not self._messages

    @property
    def writes_next(self) -> bool:
        """Whether the next message is ours to write."""
        return bool(self._messages) and self._writes

    @property
    def handshake_hash(self) -> bytes:
        """64 bytes that only the two ends of this channel share; final once `finished` (section 11.2)."""
        return self._hash

    def write(self) -> bytes:
        """Return our next message.  Its payload is empty: nothing is said before both ends are known."""
        assert self.writes_next, "it is the other side's turn"
        parts: list[bytes] = []
        for token in self._messages.pop(0):
            if token == "e":
                public = self._crypto.public_of_secret(self._ephemeral)
                self._mix_hash(public)
                parts.append(public)
            elif token == "s":
                parts.append(self._seal(self._static_public))
            else:
                self._mix_agreement(token)
        parts.append(self._seal(b""))
        self._writes = False
        return b"".join(parts)

    def read(self, message: bytes) -> None:
        """Take their next message.

        :raises PeerError: HANDSHAKE_FAILED; drop the connection, this handshake cannot go on.
        """
        assert self._messages, "the handshake is over"
        assert not self._writes, "it is our turn"
        rest = message
        for token in self._messages.pop(0):
            if token == "e":
                self._remote_ephemeral, rest = self._cut(rest, KEY_BYTES)
                self._mix_hash(self._remote_ephemeral)
            elif token == "s":
                sealed, rest = self._cut(rest, KEY_BYTES + TAG_BYTES if self._cipher else KEY_BYTES)
                self.remote_static = self._open(sealed)
            else:
                self._mix_agreement(token)
        if self._open(rest):
            raise PeerError("HANDSHAKE_FAILED", "a handshake message with a payload", "an empty payload")
        self._writes = True

    def split(self) -> tuple[CipherState, CipherState]:
        """Return the ciphers of what we send and of what we receive (section 5.2)."""
        assert self.finished, "the handshake is not over"
        first, second = (CipherState(self._crypto, key[:KEY_BYTES]) for key in hkdf(self._chaining_key, b""))
        return (first, second) if self._side is Side.INITIATOR else (second, first)

    def _mix_agreement(self, token: str) -> None:
        """Mix in X25519 of the two keys that a token names: the initiator's first, the responder's second."""
        mine = token[0] if self._side is Side.INITIATOR else token[1]
        theirs = token[1] if self._side is Side.INITIATOR else token[0]
        secret = self._ephemeral if mine == "e" else self._static
        public = self._remote_ephemeral if theirs == "e" else self.remote_static
        assert public, "the patterns name no key before it was sent"
        self._chaining_key, key = hkdf(self._chaining_key, self._crypto.agree(secret, public))
        self._cipher = CipherState(self._crypto, key[:KEY_BYTES])

    def _mix_hash(self, data: bytes) -> None:
        self._hash = hashlib.blake2b(self._hash + data).digest()

    def _seal(self, plaintext: bytes) -> bytes:
        sealed = self._cipher.seal(self._hash, plaintext) if self._cipher else plaintext
        self._mix_hash(sealed)
        return sealed

    def _open(self, sealed: bytes) -> bytes:
        try:
            plaintext = self._cipher.open(self._hash, sealed) if self._cipher else sealed
        except PeerError:
            message = "a handshake message does not verify: the peer is of another chain, or has another key"
            raise PeerError("HANDSHAKE_FAILED", message, "a node of this chain, with the key of its address") from None
        self._mix_hash(sealed)
        return plaintext

    @staticmethod
    def _cut(message: bytes, size: int) -> tuple[bytes, bytes]:
        if len(message) < size:
            raise PeerError("HANDSHAKE_FAILED", f"a handshake message lacks {size - len(message)} bytes")
        return message[:size], message[size:]
