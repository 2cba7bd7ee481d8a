"""Batches of signatures for the loop in C, on one thread or two.

Each signature is judged on its own, so a batch has the verdicts of its items, whatever stands beside them.
"""

from __future__ import annotations

import importlib
import os
import threading
from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

KEY_BYTES = 32
"""Length of a public key."""
SIGNATURE_BYTES = 64
"""Length of a signature."""
OFFSET_BYTES = 8
"""Size of an offset, and what its address must be a multiple of."""
SHARED_MIN = 16
"""Fewest signatures for which a second thread is started: it costs about as much as two of them."""

Check = tuple[bytes, bytes, bytes]
"""(public key, message, signature)."""

# RFC 8032 section 7.1, test 2: one byte of message.
_SELF_TEST: Check = (
    bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
    b"\x72",
    bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    ),
)


class BatchVerifier:
    """The loop in C around one libsodium's verify.  The interpreter lock is free while it runs."""

    def __init__(self, module: Any, verify: int) -> None:
        """Take the compiled extension and the address that its `mn_ed25519_find` gave."""
        self._ffi = module.ffi
        self._lib = module.lib
        self._verify = verify

    def verify_many(self, checks: Sequence[Check], *, threads: int = 1) -> list[bool]:
        """Return the verdict of each check, in order; a key or signature of a wrong length is False."""
        if not checks:
            return []
        keys, messages, signatures = zip(*checks, strict=True)
        if set(map(len, keys)) != {KEY_BYTES} or set(map(len, signatures)) != {SIGNATURE_BYTES}:
            fits = [len(key) == KEY_BYTES and len(signature) == SIGNATURE_BYTES for key, _, signature in checks]
            rest = [check for check, fit in zip(checks, fits, strict=True) if fit]
            verdicts = iter(self.verify_many(rest, threads=threads))
            return [fit and next(verdicts) for fit in fits]
        offsets = array("Q", accumulate(map(len, messages), initial=0))
        packed = self.verify_packed(b"".join(keys), b"".join(signatures), b"".join(messages), offsets, threads=threads)
        return list(map(bool, packed))

    def verify_packed(self, keys: Any, signatures: Any, messages: Any, offsets: Any, *, threads: int = 1) -> bytearray:
        """Return a byte for each signature, 1 where it holds and 0 where it does not.

        :param keys: buffer of 32 bytes for each item.
        :param signatures: buffer of 64 bytes for each item.
        :param messages: buffer of all messages; message i is `messages[offsets[i]:offsets[i + 1]]`.
        :param offsets: buffer of one more unsigned 64-bit integer than there are items, never falling.
        :param threads: 2 shares a batch of SHARED_MIN or more with a second thread.
        :raises ValueError: a buffer is not contiguous or has another size, or an offset is out of range.
        """
        key, signature = self._view(keys, "keys"), self._view(signatures, "signatures")
        text, places = self._view(messages, "messages"), self._view(offsets, "offsets")
        size = len(places)
        if size == 0 or size % OFFSET_BYTES or int(self._ffi.cast("uintptr_t", places)) % OFFSET_BYTES:
            raise ValueError(f"offsets are aligned integers of {OFFSET_BYTES} bytes, at least one; got {size} bytes")
        count = size // OFFSET_BYTES - 1
        for view, each_bytes, name in ((key, KEY_BYTES, "keys"), (signature, SIGNATURE_BYTES, "signatures")):
            if len(view) != each_bytes * count:
                raise ValueError(f"{each_bytes * count} bytes of {name} go with {count + 1} offsets, not {len(view)}")
        ok = bytearray(count)
        out = self._ffi.from_buffer("uint8_t[]", ok)
        offset = self._ffi.cast("uint64_t *", places)

        def run(first: int, last: int) -> int:
            some = last - first
            status: int = self._lib.mn_ed25519_verify_many(
                self._verify, key + KEY_BYTES * first, KEY_BYTES * some, signature + SIGNATURE_BYTES * first,
                SIGNATURE_BYTES * some, text, len(text), offset + first, some, out + first, some,
            )  # fmt: skip
            return status

        statuses = _shared(run, count) if threads > 1 and count >= SHARED_MIN else [run(0, count)]
        if any(status != self._lib.MN_OK for status in statuses):
            raise ValueError(f"offsets fall or leave the {len(text)} bytes of messages (status {max(statuses)})")
        return ok

    def _view(self, data: Any, name: str) -> Any:
        try:
            return self._ffi.from_buffer("uint8_t[]", data)
        except (BufferError, ValueError, TypeError) as error:
            raise ValueError(f"{name} must be a contiguous buffer of bytes: {error}") from None


def _shared(run: Callable[[int, int], int], count: int) -> list[int]:
    """Run the second half of a batch on a thread of its own, the first on this one."""
    statuses: list[int] = []
    half = count // 2
    helper = threading.Thread(target=lambda: statuses.append(run(half, count)), name="ed25519 batch")
    try:
        helper.start()
    except RuntimeError:  # the system has no thread left; the time doubles, the verdicts stay
        return [run(0, count)]
    mine = run(0, half)
    helper.join()
    # A helper that died, of memory say, left zeros, which must not pass for verdicts.
    return [mine, *(statuses or [run(half, count)])]


def load(path: str) -> BatchVerifier | None:
    """Return a verifier over the libsodium in the shared object `path`, or None; `problem` then says why."""
    verifier, _ = _load(path)
    return verifier


def problem(path: str) -> str:
    """Return why `load` answers None, in one line; empty when it does not."""
    _, reason = _load(path)
    return reason


def _load(path: str) -> tuple[BatchVerifier | None, str]:
    try:
        module = importlib.import_module("metanode.platforms.shims._ed25519")
    except ImportError as error:
        return None, f"the Ed25519 extension is not built or does not fit this Python: {error}"
    verify = module.lib.mn_ed25519_find(os.fsencode(path))
    if not verify:
        return None, f"{path} does not offer libsodium's crypto_sign_ed25519_verify_detached"
    verifier = BatchVerifier(module, verify)
    key, message, signature = _SELF_TEST
    checks = [_SELF_TEST, (key, message + b"\x00", signature), (key, b"", signature), _SELF_TEST]
    if verifier.verify_many(checks) != [True, False, False, True]:
        return None, f"verify of {path} gives wrong verdicts"
    return verifier, ""
