"""Python's buffers as C may take them: contiguous, of the right size and kind, apart from one another.

Whatever is refused here is refused with a TypeError (no buffer, items of the wrong kind) or a ValueError that names
the argument.  A buffer that C holds cannot be resized meanwhile; its bytes may change, which C is made for.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate, chain
from struct import Struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Buffer

DIGEST_BYTES = 32
"""Length of a digest and of a key."""
WORD_BYTES = 8
"""Size of an offset, an index or a count."""
_WORD_FORMATS = frozenset({"Q", "@Q", "=Q", "L", "@L", "N", "@N"})
"""How buffers spell unsigned words in this machine's byte order; the item size decides between them."""


class Buffers:
    """Views of buffers as pointers with a length, for one extension."""

    def __init__(self, module: Any) -> None:
        ffi = module.ffi
        self._lib = module.lib
        self._ffi = ffi
        self._bytes = ffi.typeof("uint8_t[]")
        self._words = ffi.typeof("uint64_t[]")
        self._aligned = ffi.alignof("uint64_t")

    def data(self, value: Buffer, what: str = "data") -> Any:
        """Return the bytes of a buffer, without a copy; whatever its items are, C sees bytes."""
        if type(value) is not bytes and not memoryview(value).c_contiguous:
            raise ValueError(f"{what} is not contiguous; a copy of it would be")
        return self._ffi.from_buffer(self._bytes, value)

    def words(self, value: Buffer, what: str) -> Any:
        """Return a buffer of unsigned 64-bit integers; one that is not aligned for them is copied."""
        view = memoryview(value)
        if view.itemsize != WORD_BYTES or view.format not in _WORD_FORMATS:
            kind = f"items of format {view.format!r}, {view.itemsize} bytes each"
            raise TypeError(f"{what} must hold unsigned 64-bit integers, as array('Q') does, not {kind}")
        if not view.c_contiguous:
            raise ValueError(f"{what} is not contiguous; a copy of it would be")
        if not view.nbytes:
            return self._ffi.new(self._words, 0)  # an empty array lies at any address
        words = self._ffi.from_buffer(self._words, value)
        if int(self._ffi.cast("uintptr_t", words)) % self._aligned:
            return self._ffi.from_buffer(self._words, array("Q", view.tobytes()))
        return words

    def offsets(self, value: Buffer, what: str = "offsets") -> Any:
        """Return words of which there is at least one: where the first message begins."""
        words = self.words(value, what)
        if len(words) == 0:
            raise ValueError(f"{what} is empty; even no message at all has one offset, where the first would begin")
        return words

    def check(self, status: int, offsets: Any = (), size: int = 0) -> None:
        """Raise a ValueError for any status but MN_OK, which names the offset to blame where there is one."""
        if status == self._lib.MN_OK:
            return
        if status == self._lib.MN_OVERLAP:
            raise ValueError("out overlaps an input")
        self.check_offsets(offsets, size)
        raise ValueError(f"the BLAKE3 extension refused its arguments (status {status})")

    def check_offsets(self, offsets: Any, size: int, what: str = "offsets") -> None:
        """Find the offset that C refused.

        :raises ValueError: it falls, or leaves the `size` bytes or hashes that there are.
        """
        before = 0
        for i, at in enumerate(offsets):
            if at > size:
                raise ValueError(f"{what}[{i}] is {at}, beyond the {size} there are")
            if at < before:
                raise ValueError(f"{what}[{i}] is {at}, less than the {before} before it")
            before = at

    def output(self, value: Buffer | None, size: int) -> tuple[Buffer, Any]:
        """Return (object, pointer) of an output of exactly `size` bytes: a new bytearray, or the caller's buffer."""
        if value is None:
            made = bytearray(size)
            return made, self._ffi.from_buffer(self._bytes, made)
        view = memoryview(value)
        if view.readonly:
            raise ValueError("out is read-only")
        if not view.c_contiguous:
            raise ValueError("out is not contiguous")
        if view.nbytes != size:
            raise ValueError(f"out has {view.nbytes} bytes, must have exactly {size}")
        return value, self._ffi.from_buffer(self._bytes, value, require_writable=True)



_ROW = 64
_one = Struct(f"{DIGEST_BYTES}s").iter_unpack
_row = Struct(f"{DIGEST_BYTES}s" * _ROW).iter_unpack


def joined(items: Sequence[bytes]) -> tuple[bytes, array[int]]:
    """Lay messages end to end; return them and their offsets.

    :raises TypeError: an item is not of bytes.
    """
    data = b"".join(items)
    offsets = array("Q", accumulate(map(len, items), initial=0))
    if offsets[-1] != len(data):
        raise TypeError("an item is a view of something wider than bytes; memoryview.cast('B') makes it one of bytes")
    return data, offsets


def split(packed: Buffer) -> list[bytes]:
    """Return the 32-byte digests that lie end to end."""
    view = memoryview(packed)
    rows = len(view) - len(view) % (_ROW * DIGEST_BYTES)
    digests = list(chain.from_iterable(_row(view[:rows]))) if rows else []  # a row at a time is twice as fast
    digests += [digest for (digest,) in _one(view[rows:])]
    return digests
