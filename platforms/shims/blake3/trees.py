"""List trees by the extension: roots, all levels, many inclusion proofs, and their verification, each in one call.

What a tree is stands in docs/wire_format.md section 8.  Lists of bytes are laid end to end first; a `_packed` call
takes them so.  Raises as `provider` says.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from metanode.platforms.shims.blake3.buffers import DIGEST_BYTES, WORD_BYTES, Buffers, joined, split

if TYPE_CHECKING:
    from typing_extensions import Buffer


class ListTree:
    """Trees under three context keys: of leaves, of nodes and of the root, 96 bytes together."""

    def __init__(self, module: Any, keys: bytes) -> None:
        self._lib = module.lib
        self._buffers = Buffers(module)
        self._new: Callable[..., Any] = module.ffi.new
        self._view: Callable[..., Any] = module.ffi.buffer
        self._bytes_type = module.ffi.typeof("uint8_t[]")
        self._words = partial(module.ffi.from_buffer, module.ffi.typeof("uint64_t[]"))
        self._keys = keys

    def root(self, items: Sequence[bytes]) -> bytes:
        """Return the root of a list."""
        data, offsets = joined(items)
        return self._root(data, self._words(offsets))

    def path(self, items: Sequence[bytes], index: int) -> list[bytes]:
        """Return the siblings of `items[index]` from the leaf upwards.

        :raises ValueError: there is no such item.
        """
        nodes = self.nodes_packed(*joined(items))
        paths, _ = self.paths_packed(nodes, len(items), array("Q", [index]))
        return split(paths)

    def root_packed(self, data: Buffer, offsets: Buffer) -> bytes:
        """Return the root of the messages."""
        return self._root(self._buffers.data(data), self._buffers.offsets(offsets))

    def nodes_packed(self, data: Buffer, offsets: Buffer, out: Buffer | None = None) -> Buffer:
        """Return the hashes of all levels, leaves first: what `paths_packed` reads."""
        message, places = self._buffers.data(data), self._buffers.offsets(offsets)
        count = len(places) - 1
        size = DIGEST_BYTES * int(self._lib.mn_blake3_merkle_nodes(count))
        nodes, pointer = self._buffers.output(out, size)
        status = self._lib.mn_blake3_merkle_tree(
            self._keys, len(self._keys), message, len(message), places, count, pointer, size
        )
        self._buffers.check(status, places, len(message))
        return nodes

    def paths_packed(self, nodes: Buffer, count: int, indexes: Buffer) -> tuple[bytearray, array[int]]:
        """Return inclusion paths end to end, and where each begins and the last ends, in hashes.

        :param nodes: what `nodes_packed` returned for `count` items.
        :param indexes: of the items to prove, unsigned 64-bit integers.
        """
        levels, wanted = self._buffers.data(nodes, "nodes"), self._buffers.words(indexes, "indexes")
        places = array("Q", bytes(WORD_BYTES * (len(wanted) + 1)))
        longest = max(count - 1, 0).bit_length()
        paths = bytearray(DIGEST_BYTES * longest * len(wanted))
        status = self._lib.mn_blake3_merkle_paths(
            levels, len(levels), self._counted(count), wanted, len(wanted), self._buffers.data(paths), len(paths),
            self._buffers.words(places, "places"),
        )  # fmt: skip
        self._buffers.check(status)
        return paths[: DIGEST_BYTES * places[-1]], places

    def verify_packed(
        self, root: bytes, count: int, data: Buffer, offsets: Buffer, indexes: Buffer, paths: Buffer,
        path_offsets: Buffer,
    ) -> bytes:  # fmt: skip
        """Return a byte for each item: 1 where its path shows that it stands at its index under `root`, else 0.

        :param count: items of the whole list, of which `data` and `offsets` hold those to verify.
        :param path_offsets: where each path begins in `paths`, and the last ends, in hashes.
        """
        message, places = self._buffers.data(data), self._buffers.offsets(offsets)
        items = len(places) - 1
        wanted, siblings = self._buffers.words(indexes, "indexes"), self._buffers.data(paths, "paths")
        starts = self._buffers.offsets(path_offsets, "path_offsets")
        if not len(wanted) == len(starts) - 1 == items:
            raise ValueError(f"{items} items, {len(wanted)} indexes and {len(starts) - 1} paths do not fit together")
        ok, pointer = self._buffers.output(None, items)
        status = self._lib.mn_blake3_merkle_verify(
            self._keys, len(self._keys), root, len(root), self._counted(count), message, len(message), places, wanted,
            siblings, len(siblings), starts, items, pointer, items,
        )  # fmt: skip
        if status != self._lib.MN_OK:
            self._buffers.check_offsets(starts, len(siblings) // DIGEST_BYTES, "path_offsets")
        self._buffers.check(status, places, len(message))
        return bytes(ok)

    def _root(self, message: Any, places: Any) -> bytes:
        count = len(places) - 1
        work = DIGEST_BYTES * count
        out = self._new(self._bytes_type, work + DIGEST_BYTES)
        status = self._lib.mn_blake3_merkle_root(
            self._keys, len(self._keys), message, len(message), places, count, out, work, out + work, DIGEST_BYTES
        )
        if status:
            self._buffers.check(status, places, len(message))
        return self._view(out)[work:]  # type: ignore[no-any-return]  # cffi knows no types

    def _counted(self, count: int) -> int:
        if not 0 <= count <= self._lib.MN_MERKLE_LEAVES_MAX:
            raise ValueError(f"a list of {count} items; at most {self._lib.MN_MERKLE_LEAVES_MAX} are allowed")
        return count
