"""The keys a node signs with, one per purpose, never shared between purposes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from metanode.core.crypto.keys import KeyPair, generate

if TYPE_CHECKING:
    from metanode.core.clock import Randomness

SEED_BYTES = 32
"""Length of the secret behind each key pair."""


@dataclass(frozen=True)
class Identity:
    """A node's keys.  They differ pairwise: a key leaked in one duty must not serve in another."""

    node: KeyPair
    """Signs hellos and replies to miners."""
    consensus: KeyPair
    """Signs votes."""
    vrf: KeyPair
    """Proves leadership (RFC 9381)."""
    sponsor: KeyPair
    """Pays the fees of machine records."""


KEY_NAMES = tuple(field.name for field in fields(Identity))
"""The purposes; each key of a home is the keystore `keys/<purpose>.key`."""


def fresh_identity(randomness: Randomness) -> Identity:
    """Draw a new key for every purpose."""
    return Identity(**{name: generate(randomness.bytes(SEED_BYTES)) for name in KEY_NAMES})


def load_identity(keys_dir: Path, passphrase: bytes) -> Identity:
    """Open the four keystores of a home.  Slow on purpose: each stretches the passphrase.

    :raises MetanodeError: FILE_MISSING, KEYSTORE_LOCKED or KEYSTORE_CORRUPT, naming the file.
    """
    from metanode.core.crypto import keystore  # here, so that what only signs never loads PyNaCl's key stretching

    seeds = {name: keystore.open(keys_dir / f"{name}.key", passphrase) for name in KEY_NAMES}
    return Identity(**{name: KeyPair.from_seed(seed) for name, seed in seeds.items()})
