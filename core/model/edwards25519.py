"""The group of Ed25519 in pure Python: the curve edwards25519 and its prime-order subgroup.

Points are extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z.  Nothing here
runs in constant time: with a secret scalar it is a reference and a fallback for machines
without libsodium, where nobody else can measure the process.

Sources: RFC 7748 section 4.1, RFC 8032 section 5.1; Hisil, Wong, Carter, Dawson,
"Twisted Edwards Curves Revisited", ASIACRYPT 2008 (formulas); Straus, "Addition chains of
vectors", 1964 (interleaved multiplication).
"""

from __future__ import annotations

from functools import lru_cache

Point = tuple[int, int, int, int]

P = 2**255 - 19
"""The field prime."""
L = 2**252 + 27742317777372353535851937790883648493
"""The order of the subgroup that the base point generates; the whole group has 8 * L points."""
D = -121665 * pow(121666, -1, P) % P
_D2 = 2 * D % P
_SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)

IDENTITY: Point = (0, 1, 1, 0)

SMALL_ORDER_ENCODINGS = frozenset(
    bytes.fromhex(text)
    for text in (
        "0100000000000000000000000000000000000000000000000000000000000000",  # order 1
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # order 2
        "0000000000000000000000000000000000000000000000000000000000000000",  # order 4
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",  # order 8
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    )
)
"""The canonical encodings of the eight points whose order divides the cofactor."""

_VARIABLE_WIDTH = 5
"""Window of the signed digits for a point seen once: a table of 8 odd multiples."""
_BASE_WIDTH = 8
"""Window for the base point, whose table of 64 odd multiples is kept."""


def add(p: Point, q: Point) -> Point:
    """Return p + q; complete, so any two points of the curve may be added."""
    x1, y1, z1, t1 = p
    x2, y2, z2, t2 = q
    a = (y1 - x1) * (y2 - x2) % P
    b = (y1 + x1) * (y2 + x2) % P
    c = t1 * _D2 % P * t2 % P
    d = 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def double(p: Point) -> Point:
    """Return 2p."""
    x, y, z, _ = p
    a = x * x % P
    b = y * y % P
    h = a + b
    e = h - (x + y) * (x + y) % P
    g = a - b
    f = 2 * z * z % P + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def negate(p: Point) -> Point:
    """Return -p."""
    return -p[0] % P, p[1], p[2], -p[3] % P


def multiply_by_cofactor(p: Point) -> Point:
    """Return 8p, which lies in the prime-order subgroup."""
    return double(double(double(p)))


def is_identity(p: Point) -> bool:
    """Tell whether p is the neutral element."""
    return p[0] == 0 and (p[1] - p[2]) % P == 0


def encode(p: Point) -> bytes:
    """Return the 32-byte encoding: y little-endian, the sign of x in the top bit (RFC 8032 5.1.2)."""
    inverse = pow(p[2], -1, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(data: bytes) -> Point | None:
    """Return the point of a 32-byte encoding, or None when it is not a point's one encoding.

    Refuses y >= p and a set sign bit for x = 0.  Does not look at the order.

    Source: RFC 8032 section 5.1.3.
    """
    if len(data) != 32:
        return None
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= P:
        return None
    u = (y * y - 1) % P
    v = (D * y * y + 1) % P
    v3 = v * v % P * v % P
    x = u * v3 % P * pow(u * v3 % P * v3 % P * v % P, (P - 5) // 8, P) % P
    error = (v * x % P * x - u) % P
    if error:
        x = x * _SQRT_MINUS_1 % P
        if (v * x % P * x - u) % P:
            return None
    if x == 0 and sign:
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _signed_digits(n: int, width: int) -> list[int]:
    """Return digits d_i, lowest first, with n = sum(d_i * 2^i): zero or odd, below 2^(width-1) in size."""
    digits = []
    full, half = 1 << width, 1 << (width - 1)
    while n:
        if n & 1:
            digit = n & (full - 1)
            if digit >= half:
                digit -= full
            n -= digit
        else:
            digit = 0
        digits.append(digit)
        n >>= 1
    return digits


def _odd_multiples(p: Point, width: int) -> list[Point]:
    """Return p, 3p, 5p, ... as far as digits of that width need."""
    twice = double(p)
    table = [p]
    for _ in range((1 << (width - 2)) - 1):
        table.append(add(table[-1], twice))
    return table


def _interleave(first: list[int], first_table: list[Point], second: list[int], second_table: list[Point]) -> Point:
    """Return the sum of two multiples, sharing one run of doublings (Straus)."""
    length = max(len(first), len(second))
    first = first + [0] * (length - len(first))
    second = second + [0] * (length - len(second))
    result = IDENTITY
    for i in range(length - 1, -1, -1):
        result = double(result)
        for digit, table in ((first[i], first_table), (second[i], second_table)):
            if digit > 0:
                result = add(result, table[digit >> 1])
            elif digit < 0:
                result = add(result, negate(table[-digit >> 1]))
    return result


def multiply(n: int, p: Point) -> Point:
    """Return n*p for n >= 0 and any point of the curve."""
    return _interleave(_signed_digits(n, _VARIABLE_WIDTH), _odd_multiples(p, _VARIABLE_WIDTH), [], [])


def multiply_two(n: int, p: Point, m: int, q: Point) -> Point:
    """Return n*p + m*q for n, m >= 0 and any points of the curve."""
    return _interleave(
        _signed_digits(n, _VARIABLE_WIDTH),
        _odd_multiples(p, _VARIABLE_WIDTH),
        _signed_digits(m, _VARIABLE_WIDTH),
        _odd_multiples(q, _VARIABLE_WIDTH),
    )


def multiply_and_base(n: int, p: Point, m: int) -> Point:
    """Return n*p + m*B, B the base point: what verifying needs."""
    return _interleave(
        _signed_digits(n, _VARIABLE_WIDTH),
        _odd_multiples(p, _VARIABLE_WIDTH),
        _signed_digits(m, _BASE_WIDTH),
        _base_odd_multiples(),
    )


def multiply_base(n: int) -> Point:
    """Return n*B for 0 <= n < 2^256, B the base point: what signing needs."""
    result = IDENTITY
    for row in _base_rows():
        result = add(result, row[n & 15])
        n >>= 4
    return result


@lru_cache(maxsize=1)
def _base_odd_multiples() -> list[Point]:
    return _odd_multiples(BASE, _BASE_WIDTH)


@lru_cache(maxsize=1)
def _base_rows() -> list[list[Point]]:
    """Return row i = [0, 1, ..., 15] * 16^i * B for i in 0..63."""
    rows = []
    step = BASE
    for _ in range(64):
        row = [IDENTITY]
        for _ in range(15):
            row.append(add(row[-1], step))
        rows.append(row)
        step = add(row[-1], step)
    return rows


def _base_point() -> Point:
    """Return the point with y = 4/5 and even x."""
    point = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    assert point is not None
    return point


BASE = _base_point()
"""The generator of the prime-order subgroup."""
