"""BLS12-381 by each library that is installed: published vectors, refusals, and agreement between libraries."""

from __future__ import annotations

import json
from importlib import import_module

import pytest

from metanode.core.crypto import bls
from metanode.core.model.errors import MetanodeError

SECRET = bytes.fromhex("263dbd792f5b1be47ed85f8938c0f29586af0d3ac7b977f21c278fe1462040e3")
KEY = bytes.fromhex("a491d1b0ecd9bb917989f0e74f0dea0422eac4a873e5e2644f368dffb9a6e20fd6e10c1b77654d067c0618f6e5a7f79a")
MESSAGE = bytes(32)
SIGNATURE = bytes.fromhex(
    "b6ed936746e01f8ecf281f020953fbf1f01debd5657c4a383940b020b26507f6076334f91e2366c96e9ab279fb5158090352ea1c5b0c927450"
    "4f4f0e7053af24802e51e4568d164fe986834f41e55c8e850ce1f98458c0cfc9ab380b55285a55"
)
"""Private key and message of the Ethereum consensus tests (general/phase0/bls/sign, same ciphersuite); blspy, py_ecc
and milagro-bls-binding 1.9.1 all give these bytes."""
INFINITE_KEY, INFINITE_SIGNATURE = b"\xc0" + bytes(47), b"\xc0" + bytes(95)
OUTSIDE_SUBGROUP = b"\x80" + bytes(46) + b"\x04"
"""A point of the curve, x = 4, that is not of the prime-order subgroup."""

@pytest.fixture(params=[bls.Blspy, bls.PyEcc], ids=lambda kind: kind.name)
def provider(request: pytest.FixtureRequest) -> bls.Provider:
    """Each library in turn; left out, by name, where it is not installed."""
    try:
        loaded: bls.Provider = request.param.load()
    except ImportError:
        pytest.skip(f"{request.param.name} is not installed")
    return loaded


def test_a_library_leaves_the_recursion_limit_alone(provider: bls.Provider) -> None:
    """A nested document must go on to be refused, not crash the node."""
    with pytest.raises(RecursionError):
        json.loads("[" * 50_000)
    assert provider.name


def test_the_published_vector_comes_out(provider: bls.Provider) -> None:
    """Key and signature of the Ethereum consensus tests."""
    assert provider.public_key(SECRET) == KEY
    assert provider.sign(SECRET, MESSAGE) == SIGNATURE
    assert provider.verify([KEY], MESSAGE, SIGNATURE)


def test_signatures_of_one_message_add_up(provider: bls.Provider) -> None:
    """And stand for exactly the keys that signed."""
    secrets = [bls.key_from_seed(bytes([i]) * 32) for i in (1, 2)]
    keys = [provider.public_key(secret) for secret in secrets]
    total = provider.aggregate([provider.sign(secret, b"block") for secret in secrets])
    assert provider.verify(keys, b"block", total)
    assert not provider.verify(keys[:1], b"block", total)


def test_a_proof_of_possession_holds_for_its_key_alone(provider: bls.Provider) -> None:
    """It is no signature of the key's bytes, and no other key's."""
    other = bls.key_from_seed(bytes([3]) * 32)
    assert provider.check_proof(KEY, provider.prove(SECRET))
    assert not provider.check_proof(KEY, provider.prove(other))
    assert not provider.check_proof(KEY, provider.sign(SECRET, KEY))


@pytest.mark.parametrize(
    "key",
    [INFINITE_KEY, OUTSIDE_SUBGROUP, bytes(48), b"\xff" * 48, KEY[:-1], KEY + b"\0", b""],
    ids=["infinity", "outside the subgroup", "zeros", "ones", "short", "long", "empty"],
)
def test_a_key_that_is_no_key_verifies_nothing(provider: bls.Provider, key: bytes) -> None:
    """No exception either: keys come from strangers."""
    assert not provider.verify([key], MESSAGE, SIGNATURE)
    assert not provider.verify([key], MESSAGE, INFINITE_SIGNATURE)
    assert not provider.check_proof(key, INFINITE_SIGNATURE)


@pytest.mark.parametrize("signature", [INFINITE_SIGNATURE, bytes(96), SIGNATURE[:-1], b""])
def test_a_signature_that_is_none_verifies_nothing(provider: bls.Provider, signature: bytes) -> None:
    """Infinity is the sum of nothing, and nobody's commit."""
    assert not provider.verify([KEY], MESSAGE, signature)


def test_nobody_signs_nothing(provider: bls.Provider) -> None:
    """No keys never verify, and no signatures have no sum."""
    assert not provider.verify([], MESSAGE, INFINITE_SIGNATURE)
    with pytest.raises(ValueError, match="signature"):
        provider.aggregate([])


def test_a_seed_gives_the_key_of_the_draft() -> None:
    """`KeyGen` as py_ecc computes it, whose code is independent of ours."""
    try:
        bls.PyEcc.load()
    except ImportError:
        pytest.skip("py_ecc is not installed")
    oracle = import_module("py_ecc.bls").G2ProofOfPossession
    for seed in (bytes(32), b"\x01" * 32, bytes(range(48))):
        assert int.from_bytes(bls.key_from_seed(seed), "big") == oracle.KeyGen(seed)
        assert int.from_bytes(bls.key_from_seed(seed, b"info"), "big") == oracle.KeyGen(seed, b"info")


def test_a_short_seed_is_refused() -> None:
    """31 bytes are fewer than the draft allows."""
    with pytest.raises(ValueError, match="31 bytes"):
        bls.key_from_seed(bytes(31))


def test_without_a_library_the_refusal_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line with what to install."""

    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(bls, "import_module", missing)
    with pytest.raises(MetanodeError) as refused:
        bls.load()
    assert refused.value.code == "BLS_MISSING"
    assert "metanode[bls]" in refused.value.line()
