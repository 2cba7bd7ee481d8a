"""The signature rule of the chain, in the pure reference."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import nacl.bindings
import nacl.exceptions
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model import ed25519
from metanode.core.model import edwards25519 as group

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
EDGE = Path(str(ed25519.__file__)).parent / "data" / "ed25519_edge.json"
PUBLISHED = json.loads((VECTORS / "ed25519.json").read_text())["cases"]
EDGE_CASES = json.loads(EDGE.read_text())["cases"]
PURE = ed25519.PureBackend()

scalars = st.integers(0, group.L - 1)


def by_name(row: dict[str, Any]) -> str:
    return str(row["name"])


@pytest.mark.parametrize("row", PUBLISHED, ids=by_name)
def test_published_signatures_are_reproduced(row: dict[str, str]) -> None:
    """RFC 8032 section 7.1: keys, signatures and verdicts."""
    seed, message = bytes.fromhex(row["seed"]), bytes.fromhex(row["message"])
    assert PURE.public_key(seed).hex() == row["public_key"]
    assert PURE.sign(seed, message).hex() == row["signature"]
    assert PURE.verify(bytes.fromhex(row["public_key"]), message, bytes.fromhex(row["signature"]))


@pytest.mark.parametrize("row", EDGE_CASES, ids=by_name)
def test_odd_signatures_get_the_verdict_of_libsodium(row: dict[str, Any]) -> None:
    """Where libraries differ, the file, the reference and libsodium's releases agree."""
    key, message, signature = (bytes.fromhex(row[name]) for name in ("public_key", "message", "signature"))
    try:
        nacl.bindings.crypto_sign_open(signature + message, key)
        libsodium = True
    except nacl.exceptions.BadSignatureError:
        libsodium = False
    assert PURE.verify(key, message, signature) is row["accept"]
    assert libsodium is row["accept"]


def test_the_edge_cases_are_what_their_script_makes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody edits the verdicts by hand."""
    script = runpy.run_path(str(VECTORS / "make_ed25519_edge.py"))
    target = tmp_path / "edge.json"
    monkeypatch.setitem(script["main"].__globals__, "TARGET", target)
    script["main"]()
    assert target.read_bytes() == EDGE.read_bytes()


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200))
def test_the_reference_signs_as_libsodium_does(seed: bytes, message: bytes) -> None:
    """Same key, same message, same 64 bytes."""
    key, secret = nacl.bindings.crypto_sign_seed_keypair(seed)
    assert PURE.public_key(seed) == key
    assert PURE.sign(seed, message) == nacl.bindings.crypto_sign(message, secret)[:64]


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 64 * 8 + 32 * 8 + 3 * 8 - 1))
def test_every_flipped_bit_invalidates(bit: int) -> None:
    """No bit of key, signature or message is free."""
    seed, message = bytes(range(32)), b"abc"
    blob = bytearray(PURE.public_key(seed) + PURE.sign(seed, message) + message)
    blob[bit // 8] ^= 1 << bit % 8
    assert not PURE.verify(bytes(blob[:32]), bytes(blob[96:]), bytes(blob[32:96]))


@pytest.mark.parametrize(("key", "signature"), [(31, 64), (33, 64), (32, 63), (32, 65), (0, 0)])
def test_wrong_lengths_are_invalid_not_errors(key: int, signature: int) -> None:
    """Bytes from the network never raise."""
    assert PURE.verify(bytes(key), b"", bytes(signature)) is False


def test_a_batch_is_judged_one_by_one() -> None:
    """A bad signature spoils neither its neighbours nor hides among them."""
    seed = bytes(32)
    key, good = PURE.public_key(seed), PURE.sign(seed, b"m")
    checks = [(key, b"m", good), (key, b"n", good), (key, b"m", good)]
    assert PURE.verify_many(checks) == [True, False, True]


def test_a_seed_of_another_length_is_our_mistake() -> None:
    """Seeds never come from the network."""
    with pytest.raises(ValueError, match="32 bytes"):
        PURE.sign(bytes(31), b"")


def test_the_module_uses_what_is_installed() -> None:
    """Callers need not know which library serves."""

    class Loud(ed25519.PureBackend):
        name = "loud"

        def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
            return True

    before = ed25519.backend()
    try:
        ed25519.install(Loud())
        assert ed25519.backend().name == "loud"
        assert ed25519.verify(b"", b"", b"")
    finally:
        ed25519.install(before)


def test_the_small_order_encodings_are_all_and_only_those_points() -> None:
    """Eight canonical encodings; eight times each point is the identity."""
    points = [group.decode(encoding) for encoding in group.SMALL_ORDER_ENCODINGS]
    assert len(points) == 8
    for point in points:
        assert point is not None
        assert group.is_identity(group.multiply_by_cofactor(point))


@settings(derandomize=True, deadline=None, max_examples=30)
@given(scalars, scalars, scalars)
def test_multiplication_is_linear(a: int, b: int, c: int) -> None:
    """All ways to multiply agree with each other and with libsodium."""
    point = group.multiply_base(c)
    expected = group.encode(group.add(group.multiply(a, point), group.multiply_base(b)))
    assert group.encode(group.multiply_and_base(a, point, b)) == expected
    assert group.encode(group.multiply_two(a, point, b, group.BASE)) == expected
    assert group.encode(group.multiply_base((a * c + b) % group.L)) == expected
    if b:
        scalar = b.to_bytes(32, "little")
        assert group.encode(group.multiply_base(b)) == nacl.bindings.crypto_scalarmult_ed25519_base_noclamp(scalar)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.binary(min_size=32, max_size=32))
def test_an_encoding_that_decodes_encodes_to_itself(data: bytes) -> None:
    """A point has one encoding."""
    point = group.decode(data)
    if point is not None:
        assert group.encode(point) == data
