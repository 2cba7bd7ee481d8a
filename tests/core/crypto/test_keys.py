"""Key pairs in memory."""

from __future__ import annotations

import pytest

from metanode.core.crypto.keys import KeyPair, generate
from metanode.core.model import ed25519
from metanode.core.model.accounts import account_id

SEED = bytes(range(32))


def test_a_pair_signs_digests_with_its_key() -> None:
    """The signature verifies under the public key and its account is the key's."""
    pair = generate(SEED)
    assert pair == KeyPair.from_seed(SEED)
    assert ed25519.verify(pair.public_key, bytes(32), pair.sign(bytes(32)))
    assert pair.account == account_id(pair.public_key)


def test_the_seed_never_shows() -> None:
    """Logs and tracebacks print pairs; neither form may hold a part of the seed."""
    pair = generate(SEED)
    for text in (repr(pair), str(pair), f"{pair}", repr([pair]), repr({"key": pair})):
        assert "seed" not in text
        assert SEED.hex()[:16] not in text
        assert repr(SEED)[2:20] not in text
        assert repr(pair.public_key) in text


def test_a_pair_cannot_be_changed() -> None:
    """A seed beside another public key would leak itself when it signs."""
    pair = generate(SEED)
    with pytest.raises(AttributeError):
        pair.public_key = bytes(32)  # type: ignore[misc]


def test_only_digests_are_signed() -> None:
    """A bare message could mean something elsewhere."""
    with pytest.raises(ValueError, match="32 bytes"):
        generate(SEED).sign(b"a message")


def test_a_seed_has_32_bytes() -> None:
    """Less is a mistake in our code."""
    with pytest.raises(ValueError, match="32 bytes"):
        generate(bytes(16))
