"""A self-signed Ed25519 certificate: what QUIC's TLS demands of a listener.  It proves nothing but itself.

Who is at the other end is proved by the signed hello, which covers the certificate's hash (`session`).
"""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

_SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "metanode")])
# Nobody checks the dates: a machine with a dead clock battery must reach its peers too.
_FROM = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
_TO = datetime.datetime(9999, 12, 31, tzinfo=datetime.timezone.utc)  # "no well-defined expiration", RFC 5280 4.1.2.5


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Ed25519PrivateKey
    der: bytes

    @property
    def binding(self) -> bytes:
        """What a hello on a channel to the holder of this certificate covers."""
        return binding_of(self.der)


def self_signed() -> Certificate:
    """Return a certificate with a fresh key of its own."""
    key = Ed25519PrivateKey.generate()
    builder = x509.CertificateBuilder().subject_name(_SUBJECT).issuer_name(_SUBJECT).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(_FROM).not_valid_after(_TO)
    certificate = builder.sign(key, None)
    return Certificate(certificate, key, certificate.public_bytes(Encoding.DER))


def binding_of(der: bytes) -> bytes:
    """Return the SHA-256 fingerprint of a certificate, 32 bytes."""
    return hashlib.sha256(der).digest()
