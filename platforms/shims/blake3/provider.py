"""Hashes by the extension: of single messages, of lists, and of many messages that lie end to end.

Fits `metanode.core.model.hashing.Provider` by shape; platforms imports nothing of core.  Calls release the
interpreter lock.  A `_packed` call takes `data` and `offsets`, count + 1 unsigned 64-bit integers: message i is
data[offsets[i]:offsets[i + 1]].  It answers with the digests end to end, in `out` where one is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from metanode.platforms.shims.blake3.buffers import DIGEST_BYTES, Buffers, joined, split
from metanode.platforms.shims.blake3.trees import ListTree

if TYPE_CHECKING:
    from typing_extensions import Buffer

CONTEXTS_MAX = 256
"""Most derive-key contexts whose keys are kept; the chain has about forty."""
SINGLES_MAX = 2
"""Longest list that goes message by message: laying it end to end would cost more than the calls."""


class ShimProvider:
    """BLAKE3 in its three modes."""

    name = "shim"

    def __init__(self, module: Any) -> None:
        self._module = module
        self._lib = module.lib
        self._buffers = Buffers(module)
        self._new: Callable[..., Any] = module.ffi.new
        self._view: Callable[..., Any] = module.ffi.buffer
        self._digest_type = module.ffi.typeof(f"uint8_t[{DIGEST_BYTES}]")
        self._bytes_type = module.ffi.typeof("uint8_t[]")
        self._words = partial(module.ffi.from_buffer, module.ffi.typeof("uint64_t[]"))
        self._derive_mode = module.lib.MN_MODE_DERIVE
        self._context_keys: dict[str, bytes] = {}

    def digest(self, data: Buffer, out_bytes: int = DIGEST_BYTES) -> bytes:
        """Return the unkeyed hash."""
        message = data if type(data) is bytes else self._buffers.data(data)
        out = self._out(out_bytes)
        status = self._lib.mn_blake3_hash(message, len(message), out, out_bytes)
        if status:
            self._buffers.check(status)
        return self._view(out)[:]  # type: ignore[no-any-return]  # cffi knows no types

    def keyed(self, key: bytes, data: Buffer, out_bytes: int = DIGEST_BYTES) -> bytes:
        """Return the hash under a key of 32 bytes.

        :raises ValueError: the key has another length.
        """
        message = data if type(data) is bytes else self._buffers.data(data)
        out = self._out(out_bytes)
        status = self._lib.mn_blake3_keyed(checked_key(key), DIGEST_BYTES, message, len(message), out, out_bytes)
        self._buffers.check(status)
        return self._view(out)[:]  # type: ignore[no-any-return]  # cffi knows no types

    def derive_key(self, context: str, data: Buffer, out_bytes: int = DIGEST_BYTES) -> bytes:
        """Return bytes derived from `data` under `context`."""
        message = data if type(data) is bytes else self._buffers.data(data)
        out = self._out(out_bytes)
        key = self._context_keys.get(context) or self.context_key(context)
        status = self._lib.mn_blake3_derive(key, DIGEST_BYTES, message, len(message), out, out_bytes)
        if status:
            self._buffers.check(status)
        return self._view(out)[:]  # type: ignore[no-any-return]  # cffi knows no types

    def derive_key_many(self, context: str, items: Sequence[bytes]) -> list[bytes]:
        """Return `derive_key` of each item, in order; one call into C where the list is worth it."""
        count = len(items)
        if count <= SINGLES_MAX:
            return [self.derive_key(context, item) for item in items]
        data, offsets = joined(items)
        key = self._context_keys.get(context) or self.context_key(context)
        size = DIGEST_BYTES * count
        out = self._new(self._bytes_type, size)
        status = self._lib.mn_blake3_many(
            self._derive_mode, key, DIGEST_BYTES, data, len(data), self._words(offsets), count, out, size
        )
        if status:
            self._buffers.check(status)
        return split(self._view(out))

    def digest_packed(self, data: Buffer, offsets: Buffer, out: Buffer | None = None) -> Buffer:
        """Return the unkeyed hash of each message.

        :raises TypeError: an argument is no buffer, or `offsets` holds something else.
        :raises ValueError: one is not contiguous; offsets fall or leave `data`; `out` has another size than
            32 bytes a message, is read-only or overlaps the others.
        """
        return self._many(self._lib.MN_MODE_HASH, b"", data, offsets, out)

    def keyed_packed(self, key: bytes, data: Buffer, offsets: Buffer, out: Buffer | None = None) -> Buffer:
        """Return the keyed hash of each message; raises as `digest_packed` and `keyed` do."""
        return self._many(self._lib.MN_MODE_KEYED, checked_key(key), data, offsets, out)

    def derive_key_packed(self, context: str, data: Buffer, offsets: Buffer, out: Buffer | None = None) -> Buffer:
        """Return `derive_key` of each message; raises as `digest_packed` does."""
        key = self._context_keys.get(context) or self.context_key(context)
        return self._many(self._derive_mode, key, data, offsets, out)

    def list_tree(self, leaf: str, node: str, root: str) -> ListTree:
        """Return list trees (docs/wire_format.md section 8) under three derive-key contexts."""
        return ListTree(self._module, b"".join(map(self.context_key, (leaf, node, root))))

    def context_key(self, context: str) -> bytes:
        """Return the 32-byte key of a derive-key context; the first `CONTEXTS_MAX` are computed once."""
        key = self._context_keys.get(context)
        if key is None:
            raw = context.encode("utf-8")
            out = self._new(self._digest_type)
            self._buffers.check(self._lib.mn_blake3_context_key(raw, len(raw), out, DIGEST_BYTES))
            key = bytes(self._view(out))
            if len(self._context_keys) < CONTEXTS_MAX:
                self._context_keys[context] = key
        return key

    def _many(self, mode: int, key: bytes, data: Buffer, offsets: Buffer, out: Buffer | None) -> Buffer:
        message = self._buffers.data(data)
        places = self._buffers.offsets(offsets)
        count = len(places) - 1
        made, pointer = self._buffers.output(out, DIGEST_BYTES * count)
        status = self._lib.mn_blake3_many(
            mode, key, len(key), message, len(message), places, count, pointer, DIGEST_BYTES * count
        )
        self._buffers.check(status, places, len(message))
        return made

    def _out(self, out_bytes: int) -> Any:
        if out_bytes == DIGEST_BYTES:
            return self._new(self._digest_type)
        if out_bytes < 0:
            raise ValueError(f"out_bytes is {out_bytes}, must not be negative")
        return self._new(self._bytes_type, out_bytes)


def checked_key(key: bytes) -> bytes:
    """Return a key of 32 bytes as it is.

    :raises ValueError: it has another length.
    """
    if len(key) != DIGEST_BYTES:
        raise ValueError(f"the key has {len(key)} bytes, must have {DIGEST_BYTES}")
    return bytes(key)
