"""Keys, the keystore, and the choice of cryptographic libraries.

`install()` is called once at the start of each program.  It takes the C shim for BLAKE3 and libsodium
(through PyNaCl) for signatures and VRF proofs where they are present, and the pure code of `core.model`
otherwise; whatever it takes must first agree with this chain's rules, or the program does not start.

Imports the standard library, `core.model`, `platforms.shims` and, guarded, nacl.
Read `keys` first, then `keystore`.
"""

from __future__ import annotations

from dataclasses import dataclass

from metanode.core.crypto import selftest, sodium, vrf
from metanode.core.model import ecvrf, ed25519, hashing
from metanode.core.model.blake3 import PureProvider


@dataclass(frozen=True)
class InstalledCrypto:
    """Which implementations this process uses, by name, for status lines."""

    hash: str
    signatures: str
    vrf: str


_installed: InstalledCrypto | None = None


def install() -> InstalledCrypto:
    """Choose, check and install the implementations; a second call changes nothing.

    :raises MetanodeError: CRYPTO_DIFFERS, a library that is present gives other bytes or verdicts
        than the rules of this chain.  Nothing is installed then: falling back in silence would hide it.
    """
    global _installed
    if _installed is None:
        provider = _load_hash_shim() or PureProvider()
        signatures = sodium.load() or ed25519.PureBackend()
        proofs = vrf.load() or ecvrf.PureBackend()
        selftest.check_hash(provider)
        selftest.check_signatures(signatures)
        selftest.check_vrf(proofs)
        hashing.install(provider)
        ed25519.install(signatures)
        ecvrf.install(proofs)
        _installed = InstalledCrypto(hash=provider.name, signatures=signatures.name, vrf=proofs.name)
    return _installed


def _load_hash_shim() -> hashing.Provider | None:
    """Return the C implementation of BLAKE3, or None where it was not built."""
    try:
        from metanode.platforms.shims import blake3
    except ImportError:
        return None
    return blake3.load()
