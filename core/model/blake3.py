"""BLAKE3 in plain Python: the reference that every faster provider must agree with.

Hash, keyed hash and key derivation with output of any length, after the BLAKE3 paper
(O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020; section numbers below are its own).

The state is four rows of four 32-bit words.  A row is held in one Python integer, a word in
each 64-bit lane, so one integer operation serves a whole row and carries die in the upper
half of each lane.  That is several times faster here than one variable per word.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

BLOCK_BYTES = 64
CHUNK_BYTES = 1024
OUT_BYTES = 32
"""Length of a digest unless another is asked for."""
KEY_BYTES = 32

# Section 2.1, table 3: domain flags.
_CHUNK_START, _CHUNK_END, _PARENT, _ROOT = 1, 2, 4, 8
_KEYED_HASH, _DERIVE_KEY_CONTEXT, _DERIVE_KEY_MATERIAL = 16, 32, 64

_LANES = 0x00000000_FFFFFFFF_00000000_FFFFFFFF_00000000_FFFFFFFF_00000000_FFFFFFFF
_ROW_BITS = 256
_ROW = (1 << _ROW_BITS) - 1

_SIXTEEN_WORDS = struct.Struct("<16I")
_FOUR_LANES = struct.Struct("<4Q")
_WORDS_IN_LANES = struct.Struct("<I4xI4xI4xI4x")
_SCHEDULE = struct.Struct("<112Q")


def _row(words: Sequence[int]) -> int:
    """Four 32-bit words as one row."""
    return int.from_bytes(_FOUR_LANES.pack(*words), "little")


def _words(row: int) -> tuple[int, ...]:
    """A row as its four 32-bit words."""
    return _WORDS_IN_LANES.unpack(row.to_bytes(32, "little"))


def _message_order() -> list[int]:
    """Which message word goes where in the seven rounds: 4 rows of 4 words a round.

    Row 1 and 2 feed the column step (first, second word of each G), row 3 and 4 the
    diagonal step; between rounds the words are permuted (section 2.2, table 2).
    """
    permutation = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
    order = list(range(16))
    picked: list[int] = []
    for _ in range(7):
        for first in (0, 1, 8, 9):
            picked += order[first : first + 8 : 2]
        order = [order[place] for place in permutation]
    return picked


_pick_message_words = itemgetter(*_message_order())

# Section 2.2, table 1: the initial value, as in SHA-256.
_IV = (
    _row((0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A)),
    _row((0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)),
)

_Chain = tuple[int, int]
"""A chaining value or key: eight words in two rows."""


def _compress(chain: _Chain, block: bytes, counter: int, length: int, flags: int) -> tuple[int, int, int, int]:
    """The compression function (section 2.2): four rows of output, before truncation."""
    schedule = _SCHEDULE.pack(*_pick_message_words(_SIXTEEN_WORDS.unpack(block)))
    a, b = chain
    c = _IV[0]
    d = _row((counter & 0xFFFFFFFF, counter >> 32, length, flags))
    lanes = _LANES
    for at in range(0, 896, 128):
        for half in (at, at + 64):
            # G on four columns at once; the second pass of each round works on the diagonals.
            a = (a + b + int.from_bytes(schedule[half : half + 32], "little")) & lanes
            d ^= a
            d = (d >> 16 | d << 16) & lanes
            c = (c + d) & lanes
            b ^= c
            b = (b >> 12 | b << 20) & lanes
            a = (a + b + int.from_bytes(schedule[half + 32 : half + 64], "little")) & lanes
            d ^= a
            d = (d >> 8 | d << 24) & lanes
            c = (c + d) & lanes
            b ^= c
            b = (b >> 7 | b << 25) & lanes
            # Turn rows so that diagonals become columns, and back after the second pass.
            if half == at:
                b = (b >> 64 | b << 192) & _ROW
                d = (d >> 192 | d << 64) & _ROW
            else:
                b = (b >> 192 | b << 64) & _ROW
                d = (d >> 64 | d << 192) & _ROW
            c = (c >> 128 | c << 128) & _ROW
    return a ^ c, b ^ d, c ^ chain[0], d ^ chain[1]


class _Node(NamedTuple):
    """The last compression of a subtree, not yet done: as the root it needs another flag."""

    chain: _Chain
    block: bytes
    counter: int
    length: int
    flags: int

    def chaining_value(self) -> bytes:
        a, b, _, _ = _compress(*self)
        return struct.pack("<8I", *_words(a), *_words(b))

    def root(self, out_bytes: int) -> bytes:
        out = b""
        for counter in range(-(-out_bytes // BLOCK_BYTES)):
            rows = _compress(self.chain, self.block, counter, self.length, self.flags | _ROOT)
            out += b"".join(struct.pack("<4I", *_words(row)) for row in rows)
        return out[:out_bytes]


def _subtree(key: _Chain, data: bytes, chunk: int, flags: int) -> _Node:
    """The tree over `data`, whose first chunk has number `chunk` (section 2.1, 2.4)."""
    if len(data) <= CHUNK_BYTES:
        return _chunk(key, data, chunk, flags)
    # The left subtree is the largest power of two of chunks that leaves something to the right.
    left_chunks = 1 << ((len(data) - 1) // CHUNK_BYTES).bit_length() - 1
    split = left_chunks * CHUNK_BYTES
    left = _subtree(key, data[:split], chunk, flags).chaining_value()
    right = _subtree(key, data[split:], chunk + left_chunks, flags).chaining_value()
    return _Node(key, left + right, 0, BLOCK_BYTES, flags | _PARENT)


def _chunk(key: _Chain, data: bytes, chunk: int, flags: int) -> _Node:
    chain, start = key, _CHUNK_START
    at = 0
    while len(data) - at > BLOCK_BYTES:
        a, b, _, _ = _compress(chain, data[at : at + BLOCK_BYTES], chunk, BLOCK_BYTES, flags | start)
        chain, start = (a, b), 0
        at += BLOCK_BYTES
    last = data[at:]
    return _Node(chain, last.ljust(BLOCK_BYTES, b"\0"), chunk, len(last), flags | start | _CHUNK_END)


def _key(raw: bytes) -> _Chain:
    words = struct.unpack("<8I", raw)
    return _row(words[:4]), _row(words[4:])


@lru_cache(maxsize=128)
def _context_key(context: str) -> _Chain:
    # Contexts are few and fixed (section 2.3), so their keys are kept.
    return _key(_subtree(_IV, context.encode("utf-8"), 0, _DERIVE_KEY_CONTEXT).root(KEY_BYTES))


def digest(data: bytes, out_bytes: int = OUT_BYTES) -> bytes:
    """Return `out_bytes` bytes of the unkeyed hash."""
    return _subtree(_IV, data, 0, 0).root(out_bytes)


def keyed(key: bytes, data: bytes, out_bytes: int = OUT_BYTES) -> bytes:
    """Return `out_bytes` bytes of the hash under a 32-byte key.

    :raises ValueError: the key is not 32 bytes.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key of {len(key)} bytes, expected {KEY_BYTES}")
    return _subtree(_key(key), data, 0, _KEYED_HASH).root(out_bytes)


def derive_key(context: str, data: bytes, out_bytes: int = OUT_BYTES) -> bytes:
    """Return `out_bytes` bytes derived from key material `data` for a fixed, global `context`."""
    return _subtree(_context_key(context), data, 0, _DERIVE_KEY_MATERIAL).root(out_bytes)


class PureProvider:
    """The hash provider that needs nothing but Python; see `hashing.Provider`."""

    name = "pure"

    def digest(self, data: bytes) -> bytes:
        """Return the 32-byte unkeyed hash."""
        return digest(data)

    def derive_key(self, context: str, data: bytes) -> bytes:
        """Return 32 bytes derived from `data` under `context`."""
        return derive_key(context, data)

    def derive_key_many(self, context: str, items: Sequence[bytes]) -> list[bytes]:
        """Return `derive_key` of each item, in order."""
        return [derive_key(context, item) for item in items]
