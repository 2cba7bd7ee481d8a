"""Keys on disk: one seed per file, sealed with a passphrase.

The file is JSON.  Everything but `sealed` is public and is the associated data of the seal, so none
of it can be exchanged unseen.  The passphrase is stretched with Argon2id (RFC 9106), the seed sealed with
XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03); both come from libsodium and have no pure fallback.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Protocol

from metanode.core.crypto.sodium import library
from metanode.core.model import ed25519
from metanode.core.model.errors import MetanodeError
from metanode.core.model.limits import PUBLIC_KEY_BYTES, SEED_BYTES

VERSION = 1
FILE_BYTES_MAX = 4_096
"""A larger file is not a keystore."""
LABEL_CHARS_MAX = 128
"""Longest label: what the key is for and the longest name."""
MEMORY_KIB = 16 * 1024
"""Argon2id memory for new files: fits hosts with 64 MiB of RAM."""
PASSES = 3
"""Argon2id passes for new files."""
MEMORY_KIB_MIN = 8
"""Argon2id memory for a passphrase that was drawn, not chosen, and the least it works with; one pass then."""
MEMORY_KIB_MAX = 256 * 1024
"""Files that ask for more memory are refused: opening one must not exhaust the host."""
PASSES_MAX = 16
"""Files that ask for more passes are refused."""
SALT_BYTES = 16
NONCE_BYTES = 24
TAG_BYTES = 16

_KDF, _CIPHER = "argon2id", "xchacha20-poly1305"


class Randomness(Protocol):
    """Where salts and nonces come from; `core.clock` has the system's."""

    def bytes(self, n: int, /) -> bytes:
        """Return n unpredictable bytes."""


def create(
    path: Path, seed: bytes, passphrase: bytes, *, label: str, randomness: Randomness, drawn: bool = False
) -> None:
    """Write a new keystore, mode 0600, whole and durable or not at all.

    :param label: what the key is for, readable without the passphrase.
    :param drawn: the passphrase is at least 128 bits of the system's randomness.  Nobody guesses those, so stretching
        them would only take memory and time from the machine that opens the file.
    :raises MetanodeError: FILE_EXISTS, nothing is ever overwritten; FILE_MISSING, no such directory;
        STORAGE_FULL, the disk refuses; KEYSTORE_LOCKED, an empty passphrase; CRYPTO_MISSING.
    :raises ValueError: the seed is not 32 bytes, or the label is too long.
    """
    if len(seed) != SEED_BYTES or len(label) > LABEL_CHARS_MAX:
        raise ValueError(f"a keystore takes a seed of {SEED_BYTES} bytes and a label of {LABEL_CHARS_MAX} characters")
    if not passphrase:
        raise MetanodeError("KEYSTORE_LOCKED", f"an empty passphrase would leave {path} open")
    if path.exists():
        raise _exists(path)
    memory_kib, passes = (MEMORY_KIB_MIN, 1) if drawn else (MEMORY_KIB, PASSES)
    salt, nonce = randomness.bytes(SALT_BYTES), randomness.bytes(NONCE_BYTES)
    public: dict[str, Any] = {
        "version": VERSION,
        "label": label,
        "public_key": ed25519.public_key(seed).hex(),
        "kdf": {"name": _KDF, "memory_kib": memory_kib, "passes": passes, "salt": salt.hex()},
        "cipher": {"name": _CIPHER, "nonce": nonce.hex()},
    }
    nacl = _library()
    key = _stretch(nacl, passphrase, salt, memory_kib, passes)
    sealed = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(seed, _associated(public), nonce, key)
    text = json.dumps({**public, "sealed": sealed.hex()}, indent=2) + "\n"
    _write_new(path, text.encode("ascii"), randomness.bytes(8).hex())


def open(path: Path, passphrase: bytes) -> bytes:
    """Return the seed of a keystore.

    :raises MetanodeError: KEYSTORE_LOCKED, the passphrase does not open it (or it was altered);
        KEYSTORE_CORRUPT, it is not a keystore; FILE_MISSING; CRYPTO_MISSING.
    """
    public, sealed = _read(path)
    kdf, nonce = public["kdf"], _hex(path, public["cipher"], "nonce", NONCE_BYTES)
    salt = _hex(path, kdf, "salt", SALT_BYTES)
    nacl = _library()
    key = _stretch(nacl, passphrase, salt, kdf["memory_kib"], kdf["passes"])
    decrypt = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt
    try:
        seed: bytes = decrypt(sealed, _associated(public), nonce, key)
    except nacl.exceptions.CryptoError:
        raise MetanodeError("KEYSTORE_LOCKED", f"{path}: wrong passphrase, or the file was altered") from None
    return seed


def read_public(path: Path) -> bytes:
    """Return the public key of a keystore; needs no passphrase, and proves nothing about the file.

    :raises MetanodeError: KEYSTORE_CORRUPT or FILE_MISSING.
    """
    public, _ = _read(path)
    return _hex(path, public, "public_key", PUBLIC_KEY_BYTES)


def _library() -> Any:
    nacl = library()
    if nacl is None:
        raise MetanodeError("CRYPTO_MISSING", "keystores need libsodium, and PyNaCl cannot be imported")
    return nacl


def _stretch(nacl: Any, passphrase: bytes, salt: bytes, memory_kib: int, passes: int) -> bytes:
    """Return the 32-byte key of a passphrase."""
    calls = nacl.bindings
    key: bytes = calls.crypto_pwhash_alg(
        32, passphrase, salt, passes, memory_kib * 1024, calls.crypto_pwhash_ALG_ARGON2ID13
    )
    return key


def _associated(public: dict[str, Any]) -> bytes:
    """Return the one spelling of the public part that is sealed with the seed."""
    return json.dumps(public, sort_keys=True, separators=(",", ":")).encode("ascii")


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the public part, its shape checked, and the sealed bytes."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise MetanodeError("FILE_MISSING", f"there is no keystore {path}") from None
    except OSError as error:
        raise _corrupt(path, f"cannot be read: {error.strerror}") from None
    if len(raw) > FILE_BYTES_MAX:
        raise _corrupt(path, f"has more than {FILE_BYTES_MAX} bytes")
    try:
        public = json.loads(raw.decode("ascii"))
    except (ValueError, RecursionError):
        raise _corrupt(path, "is not JSON") from None
    if not isinstance(public, dict) or public.keys() != {"version", "label", "public_key", "kdf", "cipher", "sealed"}:
        raise _corrupt(path, "has other fields than a keystore")
    kdf, cipher = public["kdf"], public["cipher"]
    if public["version"] != VERSION or not isinstance(kdf, dict) or not isinstance(cipher, dict):
        raise _corrupt(path, f"is not a keystore of version {VERSION}")
    if kdf.get("name") != _KDF or cipher.get("name") != _CIPHER:
        raise _corrupt(path, f"does not use {_KDF} and {_CIPHER}")
    for name, minimum, maximum in (("memory_kib", MEMORY_KIB_MIN, MEMORY_KIB_MAX), ("passes", 1, PASSES_MAX)):
        value = kdf.get(name)
        if type(value) is not int or not minimum <= value <= maximum:
            raise _corrupt(path, f"asks for {name} {value!r:.40}, not {minimum} to {maximum}")
    sealed = _hex(path, public, "sealed", SEED_BYTES + TAG_BYTES)
    del public["sealed"]
    return public, sealed


def _hex(path: Path, table: dict[str, Any], name: str, size: int) -> bytes:
    try:
        value = bytes.fromhex(table[name])
    except (KeyError, TypeError, ValueError):
        raise _corrupt(path, f"has no hexadecimal field {name}") from None
    if len(value) != size:
        raise _corrupt(path, f"has a field {name} of {len(value)} bytes, not {size}")
    return value


def _write_new(path: Path, data: bytes, suffix: str) -> None:
    """Put `data` under a name that must not exist yet: temporary file, fsync, link, directory fsync."""
    temporary = path.with_name(f".{path.name}.{suffix}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)  # unlike rename, refuses to replace
        finally:
            temporary.unlink()
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except FileExistsError:
        raise _exists(path) from None
    except FileNotFoundError:
        raise MetanodeError("FILE_MISSING", f"there is no directory {path.parent}") from None
    except OSError as error:
        raise MetanodeError("STORAGE_FULL", f"cannot write {path}: {error.strerror}") from None


def _exists(path: Path) -> MetanodeError:
    return MetanodeError("FILE_EXISTS", f"{path} exists and is not overwritten")


def _corrupt(path: Path, how: str) -> MetanodeError:
    return MetanodeError("KEYSTORE_CORRUPT", f"{path} {how}")
