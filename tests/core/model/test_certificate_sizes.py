"""Certificates of sets of every size around whole bytes of the bitmap."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

import pytest

from metanode.core.model import ed25519
from metanode.core.model.errors import ProofError, Rejection
from metanode.core.model.limits import VALIDATORS_MAX
from metanode.core.model.validators import Validator
from metanode.core.model.vote import Certificate, decode_certificate, quorum, verify_certificate

HEADER, GENESIS = b"h" * 32, b"g" * 32
SIZES = (1, 4, 7, 8, 9, 15, 16, 17, VALIDATORS_MAX)


class Yes:
    """A backend that takes every signature: these tests are about counting."""

    name = "yes"

    def verify_many(self, checks: list[tuple[bytes, bytes, bytes]]) -> list[bool]:
        return [True] * len(checks)

    def sign(self, *_: bytes) -> NoReturn:
        raise AssertionError("nothing is signed here")

    public_key = verify = sign


@pytest.fixture(autouse=True)
def _no_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ed25519, "_backend", Yes())


def members(n: int) -> list[Validator]:
    """Return a set of n."""
    return [Validator(bytes([i]) * 20, bytes([i]) * 32, bytes([i, 1]) * 16, 1) for i in range(n)]


def certificate(n: int, signers: list[int]) -> Certificate:
    """Return the certificate of these signers out of n."""
    return Certificate.build(5, 0, HEADER, {index: bytes([index]) * 64 for index in signers}, n)


def refused(found: Certificate, n: int) -> str:
    """Return the message with which a set of n refuses a certificate."""
    with pytest.raises(ProofError) as caught:
        verify_certificate(found, HEADER, 5, members(n), GENESIS)
    assert caught.value.code == "BAD_CERTIFICATE"
    return caught.value.message


@pytest.mark.parametrize("n", SIZES)
def test_a_quorum_of_any_size_is_encoded_read_and_accepted(n: int) -> None:
    """One bit a validator, the bitmap no longer than needed."""
    for signers in (list(range(quorum(n))), list(range(n - quorum(n), n))):
        built = certificate(n, signers)
        assert len(built.bitmap) == -(-n // 8)
        assert built.signers() == signers
        verify_certificate(decode_certificate(built.encode()), HEADER, 5, members(n), GENESIS)
        assert f"{quorum(n) - 1} of {n} validators" in refused(certificate(n, signers[1:]), n)


@pytest.mark.parametrize("n", SIZES)
def test_a_bitmap_of_another_length_is_refused(n: int) -> None:
    """A byte more or less, be it empty."""
    built = certificate(n, list(range(n)))
    for bitmap in (built.bitmap + b"\0", built.bitmap[:-1]):
        assert refused(replace(built, bitmap=bitmap), n) == f"bitmap has {len(bitmap)} bytes"


@pytest.mark.parametrize("n", [n for n in SIZES if n % 8])
def test_a_bit_beyond_the_set_is_refused(n: int) -> None:
    """The first unused one and the last."""
    for index in (n, 8 * (-(-n // 8)) - 1):
        assert refused(certificate(8 * (-(-n // 8)), [*range(n), index]), n) == f"bitmap names validator {index}"


def test_as_many_signatures_as_bits() -> None:
    """Neither more nor less."""
    built = certificate(4, [0, 1, 2])
    for signatures in (built.signatures[:2], (*built.signatures, bytes(64))):
        assert refused(replace(built, signatures=signatures), 4) == f"{len(signatures)} signatures for 3 bits"


@pytest.mark.parametrize(("length", "good"), [(13, True), (14, False)])
def test_a_bitmap_holds_a_hundred_validators(length: int, good: bool) -> None:
    """Thirteen bytes."""
    encoded = replace(certificate(4, [0, 1, 2]), bitmap=bytes(length)).encode()
    if good:
        assert len(decode_certificate(encoded).bitmap) == length
    else:
        with pytest.raises(Rejection, match="BAD_SHAPE"):
            decode_certificate(encoded)
