"""Make core/model/data/ed25519_edge.json: signatures on which Ed25519 libraries differ.

Wherever such a signature can be made, the equation holds (exactly or times the cofactor) and one
rule alone decides the case.  The verdict written is the one the construction intends; the script
refuses to write when libsodium (through PyNaCl) or the pure code says otherwise.

Run: python tests/vectors/make_ed25519_edge.py   (deterministic: same bytes every time)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import nacl.bindings
import nacl.exceptions

from metanode.core.model import edwards25519 as group
from metanode.core.model.ed25519 import PureBackend

TARGET = Path(__file__).resolve().parents[2] / "core" / "model" / "data" / "ed25519_edge.json"

Case = dict[str, str | bool]


def number(label: str) -> int:
    """Return a scalar drawn from a label."""
    return int.from_bytes(hashlib.sha512(label.encode()).digest(), "little") % group.L


def order8() -> group.Point:
    """Return a generator of the eight points of small order."""
    point = group.decode(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))
    assert point is not None
    return point


T8 = order8()
A_SCALAR, R_SCALAR = number("a"), number("r")
A, R = group.multiply_base(A_SCALAR), group.multiply_base(R_SCALAR)


def torsion(k: int) -> group.Point:
    """Return k * T8, k modulo 8."""
    return group.multiply(k % 8, T8)


def h_wide(r: bytes, a: bytes, message: bytes) -> int:
    """Return SHA-512(R || A || M) as a 512-bit integer, not reduced."""
    return int.from_bytes(hashlib.sha512(r + a + message).digest(), "little")


def search(r: bytes, a: bytes, wanted: Callable[[int, int], bool]) -> tuple[bytes, int]:
    """Return the first message (and h reduced) for which wanted(h modulo L, h unreduced) holds."""
    for i in range(100_000):
        message = b"edge %d" % i
        wide = h_wide(r, a, message)
        if wanted(wide % group.L, wide):
            return message, wide % group.L
    raise AssertionError("no message found")


def case(name: str, a: bytes, message: bytes, r: bytes, s: int, accept: bool) -> Case:
    """Return one row; s may be unreduced."""
    signature = r + s.to_bytes(32, "little")
    return {
        "name": name,
        "public_key": a.hex(),
        "message": message.hex(),
        "signature": signature.hex(),
        "accept": accept,
    }


def plain() -> Iterator[Case]:
    """An ordinary signature, and single changes to it."""
    a, r, message = group.encode(A), group.encode(R), b"plain"
    h = h_wide(r, a, message) % group.L
    s = (R_SCALAR + h * A_SCALAR) % group.L
    yield case("valid", a, message, r, s, True)
    yield case("message differs", a, b"plaim", r, s, False)
    yield case("S differs by one", a, message, r, (s + 1) % group.L, False)
    yield case("S + L", a, message, r, s + group.L, False)
    yield case("S + 8L", a, message, r, s + 8 * group.L, False)
    yield case("S with its top bit set", a, message, r, s | 1 << 255, False)
    wrong = bytes.fromhex("02" + "00" * 31)
    assert group.decode(wrong) is None
    yield case("A is no point", wrong, message, r, s, False)
    yield case("R is no point", a, message, wrong, s, False)


def small_order_a() -> Iterator[Case]:
    """A of small order: S = r solves the equation when the order divides h."""
    r = group.encode(R)
    for k in range(8):
        a = group.encode(torsion(k))
        message, _ = search(r, a, lambda h, _: h % 8 == 0)
        yield case(f"A = {k} T8, small order", a, message, r, R_SCALAR, False)


def non_canonical() -> Iterator[Case]:
    """Second encodings of points: y + p, and a sign bit on x = 0."""
    sign = 1 << 255
    encodings = {
        "y = p (order 4)": group.P,
        "y = p, sign bit (order 4)": group.P | sign,
        "y = p + 1 (identity)": group.P + 1,
        "y = p + 1, sign bit (identity)": group.P + 1 | sign,
        "y = 1, sign bit (identity)": 1 | sign,
        "y = p - 1, sign bit (order 2)": group.P - 1 | sign,
    }
    r, a = group.encode(R), group.encode(A)
    for name, value in encodings.items():
        other = value.to_bytes(32, "little")
        message, _ = search(r, other, lambda h, _: h % 8 == 0)
        yield case(f"A not canonical: {name}", other, message, r, R_SCALAR, False)
        message, h = search(other, a, lambda h, _: True)
        yield case(f"R not canonical: {name}", a, message, other, h * A_SCALAR % group.L, False)
    # p + 3 has a large order: only the encoding is wrong.  Nobody knows its logarithm, so no S solves it.
    large = (group.P + 3).to_bytes(32, "little")
    assert group.decode((3).to_bytes(32, "little")) is not None
    yield case("A not canonical: y = p + 3 (large order)", large, b"", r, R_SCALAR, False)


def small_order_r() -> Iterator[Case]:
    """R of small order that the equation reproduces byte for byte, A having the part it needs."""
    for k in range(8):
        mixed = group.encode(group.add(A, T8))
        r = group.encode(torsion(k))
        message, h = search(r, mixed, lambda h, _, k=k: (-h - k) % 8 == 0)  # type: ignore[misc]
        yield case(f"R = {k} T8, small order, equation exact", mixed, message, r, h * A_SCALAR % group.L, False)
    a, r = group.encode(A), group.encode(group.IDENTITY)
    yield case("R = identity, A of prime order", a, b"r", r, h_wide(r, a, b"r") * A_SCALAR % group.L, False)


def mixed_order() -> Iterator[Case]:
    """Parts of small order in A or R: without a cofactor they must cancel by themselves."""
    r = group.encode(R)
    for order in (2, 4, 8):
        a = group.encode(group.add(A, torsion(8 // order)))
        for residue in range(order):
            if residue not in (0, 1, order // 2):
                continue
            message, h = search(r, a, lambda h, wide, o=order, x=residue: h % o == wide % o == x)  # type: ignore[misc]
            s = (R_SCALAR + h * A_SCALAR) % group.L
            yield case(f"A has a part of order {order}, h = {residue} modulo {order}", a, message, r, s, residue == 0)
    a = group.encode(group.add(A, T8))
    message, h = search(r, a, lambda h, wide: h % 8 == 0 and wide % 8 != 0)
    s = (R_SCALAR + h * A_SCALAR) % group.L
    yield case("A mixed, 8 divides h only after reduction modulo L", a, message, r, s, True)
    message, h = search(r, a, lambda h, wide: h % 8 != 0 and wide % 8 == 0)
    s = (R_SCALAR + h * A_SCALAR) % group.L
    yield case("A mixed, 8 divides h only before reduction modulo L", a, message, r, s, False)
    pure = group.encode(A)
    for order in (2, 4, 8):
        mixed = group.encode(group.add(R, torsion(8 // order)))
        message, h = search(mixed, pure, lambda h, _: h % 8 != 0)
        s = (R_SCALAR + h * A_SCALAR) % group.L
        yield case(f"R has a part of order {order}, A none", pure, message, mixed, s, False)
    mixed = group.encode(group.add(R, torsion(3)))
    message, h = search(mixed, a, lambda h, _: (-h - 3) % 8 == 0)
    s = (R_SCALAR + h * A_SCALAR) % group.L
    yield case("A and R mixed, parts cancel exactly", a, message, mixed, s, True)
    message, h = search(mixed, a, lambda h, _: (-h - 3) % 8 == 4)
    s = (R_SCALAR + h * A_SCALAR) % group.L
    yield case("A and R mixed, parts leave order 2", a, message, mixed, s, False)


def libsodium(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return libsodium's verdict."""
    try:
        nacl.bindings.crypto_sign_open(signature + message, public_key)
    except nacl.exceptions.BadSignatureError:
        return False
    return True


def main() -> None:
    """Build, check against both implementations, write."""
    cases = [*plain(), *small_order_a(), *non_canonical(), *small_order_r(), *mixed_order()]
    for unique in (["name"], ["public_key", "message", "signature"]):
        assert len({tuple(row[key] for key in unique) for row in cases}) == len(cases)
    for row in cases:
        fields = [bytes.fromhex(str(row[key])) for key in ("public_key", "message", "signature")]
        for name, verify in (("libsodium", libsodium), ("pure", PureBackend().verify)):
            if verify(*fields) is not row["accept"]:
                raise SystemExit(f"{name} disagrees: {row['name']}")
    document = {
        "source": "docs/wire_format.md section 4, made by tests/vectors/make_ed25519_edge.py; libsodium agrees",
        "note": "Signatures on which libraries differ; `accept` is this chain's verdict.",
        "cases": cases,
    }
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(document, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
