"""BLAKE3 from C for Python: a hash provider, or None where the extension is not built or is wrong.

The provider fits `metanode.core.model.hashing.Provider` by shape; platforms imports nothing of core.
"""

from __future__ import annotations

import importlib
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

DIGEST_BYTES = 32
"""Length of a digest."""
CONTEXTS_MAX = 256
"""Most derive-key contexts whose keys are kept; the chain has about forty."""

_SELF_TEST_CONTEXT = "BLAKE3 2019-12-27 16:29:52 test vectors context"
_SELF_TEST = (
    (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
     "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d"),
    (65, "de1e5fa0be70df6d2be8fffd0e99ceaa8eb6e8c93a63f2d8d1c30ecb6b263dee",
     "51fd05c3c1cfbc8ed67d139ad76f5cf8236cd2acd26627a30c104dfd9d3ff8a8"),
    (1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
     "effaa245f065fbf82ac186839a249707c3bddf6d3fdda22d1b95a3c970379bcb"),
    (5121, "628bd2cb2004694adaab7bbd778a25df25c47b9d4155a55f8fbd79f2fe154cff",
     "b07f01e518e702f7ccb44a267e9e112d403a7b3f4883a47ffbed4b48339b3c34"),
)  # fmt: skip
"""(bytes i % 251 of this length, digest, derived key): empty, two blocks, two chunks, a deeper tree."""


class ShimProvider:
    """A hash provider over the compiled extension.  Calls release the interpreter lock."""

    name = "shim"

    def __init__(self, module: Any) -> None:
        self._ffi = module.ffi
        self._lib = module.lib
        self._context_keys: dict[str, bytes] = {}

    def digest(self, data: bytes) -> bytes:
        """Return the 32-byte unkeyed hash."""
        out = self._ffi.new("uint8_t[32]")
        self._check(self._lib.mn_blake3_hash(data, len(data), out, DIGEST_BYTES))
        return bytes(self._ffi.buffer(out))

    def derive_key(self, context: str, data: bytes) -> bytes:
        """Return 32 bytes derived from `data` under `context`."""
        out = self._ffi.new("uint8_t[32]")
        key = self._context_keys.get(context) or self._context_key(context)
        self._check(self._lib.mn_blake3_derive(key, DIGEST_BYTES, data, len(data), out, DIGEST_BYTES))
        return bytes(self._ffi.buffer(out))

    def derive_key_many(self, context: str, items: Sequence[bytes]) -> list[bytes]:
        """Return `derive_key` of each item, in order; one call into C."""
        data = b"".join(items)
        offsets = array("Q", accumulate(map(len, items), initial=0))
        size = DIGEST_BYTES * len(items)
        out = bytearray(size)
        key = self._context_keys.get(context) or self._context_key(context)
        self._check(
            self._lib.mn_blake3_derive_many(
                key, DIGEST_BYTES, data, len(data), self._ffi.from_buffer("uint64_t[]", offsets), len(items),
                self._ffi.from_buffer("uint8_t[]", out), size,
            )
        )  # fmt: skip
        packed = bytes(out)
        return [packed[at : at + DIGEST_BYTES] for at in range(0, size, DIGEST_BYTES)]

    def _context_key(self, context: str) -> bytes:
        raw = context.encode("utf-8")
        out = self._ffi.new("uint8_t[32]")
        self._check(self._lib.mn_blake3_context_key(raw, len(raw), out, DIGEST_BYTES))
        key = bytes(self._ffi.buffer(out))
        if len(self._context_keys) < CONTEXTS_MAX:
            self._context_keys[context] = key
        return key

    def _check(self, status: int) -> None:
        if status != self._lib.MN_OK:
            raise ValueError(f"blake3 shim refused its arguments (status {status})")


def load() -> ShimProvider | None:
    """Return a provider that has passed its self-test, or None; `problem()` then says why."""
    provider, _ = _load()
    return provider


def problem() -> str:
    """Return why `load` answers None, in one line; empty when it does not."""
    _, reason = _load()
    return reason


def _load() -> tuple[ShimProvider | None, str]:
    try:
        module = importlib.import_module("metanode.platforms.shims._blake3")
    except ImportError as error:
        return None, f"the BLAKE3 extension is not built or does not fit this Python: {error}"
    provider = ShimProvider(module)
    for length, digest, derived in _SELF_TEST:
        data = bytes(place % 251 for place in range(length))
        got = (provider.digest(data), provider.derive_key(_SELF_TEST_CONTEXT, data))
        many = provider.derive_key_many(_SELF_TEST_CONTEXT, [b"", data])
        if got != (bytes.fromhex(digest), bytes.fromhex(derived)) or many[1] != got[1]:
            return None, f"the BLAKE3 extension gives wrong digests (input of {length} bytes); rebuild it"
    return provider, ""
