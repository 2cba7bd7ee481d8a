"""The verifiable random function that draws leaders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from metanode.core.model import ecvrf
from metanode.core.model import edwards25519 as group

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
PUBLISHED = json.loads((VECTORS / "ecvrf.json").read_text())["cases"]
PURE = ecvrf.PureBackend()
SEED = bytes(range(32))
KEY = group.encode(group.multiply_base(int.from_bytes(ecvrf.split_secret(SEED)[0], "little")))


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row["name"])
def test_published_proofs_are_reproduced(row: dict[str, str]) -> None:
    """RFC 9381 appendix B.3: proof, hash and verdict."""
    alpha, proof = bytes.fromhex(row["alpha"]), bytes.fromhex(row["proof"])
    assert PURE.prove(bytes.fromhex(row["seed"]), alpha) == proof
    beta = PURE.verify(bytes.fromhex(row["public_key"]), alpha, proof)
    assert beta is not None
    assert beta.hex() == row["beta"] == ecvrf.proof_to_hash(proof).hex()


def test_any_changed_byte_invalidates() -> None:
    """A proof fits one key and one input."""
    proof = PURE.prove(SEED, b"alpha")
    assert PURE.verify(KEY, b"alpha", proof)
    assert PURE.verify(KEY, b"alphb", proof) is None
    for place in range(0, 80, 3):
        damaged = bytearray(proof)
        damaged[place] ^= 0x10
        assert PURE.verify(KEY, b"alpha", bytes(damaged)) is None


def test_s_has_one_spelling() -> None:
    """s + L is refused (RFC 9381 section 5.4.4), so a proof cannot be re-spelled."""
    proof = PURE.prove(SEED, b"")
    s = int.from_bytes(proof[48:], "little") + group.L
    assert PURE.verify(KEY, b"", proof[:48] + s.to_bytes(32, "little")) is None


@pytest.mark.parametrize("key", sorted(group.SMALL_ORDER_ENCODINGS))
def test_a_key_of_small_order_proves_nothing(key: bytes) -> None:
    """Key validation (5.4.5): without it this proof, made with no secret at all, would pass."""
    gamma = group.encode(group.IDENTITY)
    h = ecvrf._encode_to_curve(key, b"")
    k, c = 0, b"\x01"
    while c[0] % 8:  # until c * Y is the identity, so that s = k solves both equations
        k += 1
        u, v = group.encode(group.multiply_base(k)), group.encode(group.multiply(k, h))
        c = ecvrf.challenge(key, group.encode(h), gamma, u, v)
    y = group.decode(key)
    assert y is not None
    assert group.is_identity(group.multiply(int.from_bytes(c, "little"), y))
    assert PURE.verify(key, b"", gamma + c + k.to_bytes(32, "little")) is None


@pytest.mark.parametrize(("key", "proof"), [(31, 80), (32, 79), (32, 81), (0, 0)])
def test_wrong_lengths_are_invalid_not_errors(key: int, proof: int) -> None:
    """Bytes from the network never raise."""
    assert PURE.verify(bytes(key), b"", bytes(proof)) is None


def test_only_proofs_have_a_hash() -> None:
    """`proof_to_hash` is for proofs that were verified; nonsense is our mistake."""
    with pytest.raises(ValueError, match="VRF proof"):
        ecvrf.proof_to_hash(b"\x02" + bytes(79))


def test_the_module_uses_what_is_installed() -> None:
    """Callers need not know which library serves."""

    class Mute(ecvrf.PureBackend):
        def verify(self, public_key: bytes, alpha: bytes, proof: bytes) -> bytes | None:
            return None

    before = ecvrf.backend()
    try:
        ecvrf.install(Mute())
        assert ecvrf.verify(KEY, b"", ecvrf.prove(SEED, b"")) is None
    finally:
        ecvrf.install(before)
