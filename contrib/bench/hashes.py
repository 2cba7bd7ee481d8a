"""blake3.* and merkle.root: the hash of the chain against a Python loop over the BLAKE3 package of PyPI."""

from __future__ import annotations

import importlib
import random
from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from measuring import Result, Timing, UnavailableError, alternate

from metanode.core import crypto
from metanode.core.model import hashing, merkle

INPUT_BYTES = 64 * 1024
INPUTS_PER_CALL = 200
MESSAGES = 100_000
MESSAGE_BYTES = (64, 250)
_CONTEXT = hashing.CONTEXT_PREFIX + "leaf"
_PEER = "PyPI blake3"


def blake3_single() -> list[Result]:
    """One input of 64 KiB."""
    blake3 = _peer()
    provider = _provider()
    data = random.Random(1).randbytes(INPUT_BYTES)
    _same(provider.digest(data), blake3.blake3(data).digest())

    def ours() -> None:
        for _ in range(INPUTS_PER_CALL):
            provider.digest(data)

    def theirs() -> None:
        for _ in range(INPUTS_PER_CALL):
            blake3.blake3(data).digest()

    mine, peer = alternate(ours, theirs, budget_s=6)
    total = INPUT_BYTES * INPUTS_PER_CALL
    return [
        Result(
            "blake3.single",
            total / mine.wall_s / 1e9,
            "GB/s",
            _PEER,
            total / peer.wall_s / 1e9,
            peer.wall_s / mine.wall_s,
            mine.cpu_s / INPUTS_PER_CALL * 1e6,
            f"64 KiB, provider {provider.name}, {_note(mine, peer, INPUTS_PER_CALL)}",
        )
    ]


def blake3_batch() -> list[Result]:
    """100,000 messages in one call: contiguous bytes and offsets as C takes them, and a list as the node passes it."""
    blake3 = _peer()
    provider = _provider()
    messages = _messages()
    contiguous = _contiguous_call(messages)
    base = blake3.blake3(derive_key_context=_CONTEXT)

    def loop() -> list[bytes]:
        digests = []
        for message in messages:
            hasher = base.copy()
            hasher.update(message)
            digests.append(hasher.digest())
        return digests

    expected = loop()
    _same(provider.derive_key_many(_CONTEXT, messages), expected)
    _same(contiguous(), b"".join(expected))
    mine, peer, listed = alternate(
        contiguous, loop, lambda: provider.derive_key_many(_CONTEXT, messages), budget_s=8
    )
    return [
        Result(
            "blake3.batch",
            MESSAGES / mine.wall_s / 1e6,
            "M messages/s",
            f"Python loop over {_PEER}",
            MESSAGES / peer.wall_s / 1e6,
            peer.wall_s / mine.wall_s,
            mine.cpu_s / MESSAGES * 1e6,
            "derive-key, 64 to 250 bytes, contiguous bytes and offsets in, packed digests out; portable C, no SIMD; "
            f"as a list in and out: {MESSAGES / listed.wall_s / 1e6:.3g} M messages/s; {_note(mine, peer, MESSAGES)}",
        )
    ]


def merkle_root() -> list[Result]:
    """The root of 100,000 leaves."""
    blake3 = _peer()
    provider = _provider()
    messages = _messages()
    leaf, node, root = (
        blake3.blake3(derive_key_context=hashing.CONTEXT_PREFIX + name) for name in ("leaf", "node", "root")
    )

    def loop() -> bytes:
        level = []
        for message in messages:
            hasher = leaf.copy()
            hasher.update(message)
            level.append(hasher.digest())
        while len(level) > 1:
            parents = []
            for at in range(0, len(level) - 1, 2):
                hasher = node.copy()
                hasher.update(level[at] + level[at + 1])
                parents.append(hasher.digest())
            if len(level) & 1:
                parents.append(level[-1])
            level = parents
        top = root.copy()
        top.update(len(messages).to_bytes(8, "big") + level[0])
        digest: bytes = top.digest()
        return digest

    _same(merkle.list_root(messages), loop())
    mine, peer = alternate(lambda: merkle.list_root(messages), loop, budget_s=8)
    return [
        Result(
            "merkle.root",
            mine.wall_s * 1e3,
            "ms",
            f"Python loop over {_PEER}, copy()",
            peer.wall_s * 1e3,
            peer.wall_s / mine.wall_s,
            mine.cpu_s * 1e6,
            f"{MESSAGES} leaves of 64 to 250 bytes as a list, provider {provider.name}; {_note(mine, peer, 1)}",
        )
    ]


def _messages() -> list[bytes]:
    chance = random.Random(2)
    return [chance.randbytes(chance.randint(*MESSAGE_BYTES)) for _ in range(MESSAGES)]


def _contiguous_call(messages: Sequence[bytes]) -> Callable[[], bytes]:
    """Return one call into C over bytes that already lie end to end, as those of a block do."""
    try:
        shim: Any = importlib.import_module("metanode.platforms.shims._blake3")
    except ImportError as error:
        raise UnavailableError(f"the BLAKE3 extension is not built: {error}") from None
    ffi, lib = shim.ffi, shim.lib
    data = b"".join(messages)
    offsets = array("Q", accumulate(map(len, messages), initial=0))
    view = ffi.from_buffer("uint64_t[]", offsets)
    key = ffi.new("uint8_t[32]")
    name = _CONTEXT.encode()
    lib.mn_blake3_context_key(name, len(name), key, 32)
    key_bytes = bytes(ffi.buffer(key))
    count = len(messages)
    out = ffi.new("uint8_t[]", 32 * count)

    def call() -> bytes:
        status = lib.mn_blake3_derive_many(key_bytes, 32, data, len(data), view, count, out, 32 * count)
        assert status == lib.MN_OK, f"the shim refused its arguments (status {status})"
        return bytes(ffi.buffer(out))

    return call


def _provider() -> hashing.Provider:
    crypto.install()
    provider = hashing.provider()
    if provider.name == "pure":
        raise UnavailableError("the BLAKE3 extension is not built; pure Python would only measure the interpreter")
    return provider


def _peer() -> Any:
    try:
        return importlib.import_module("blake3")
    except ImportError as error:
        raise UnavailableError(f"the peer, PyPI's blake3, is not installed: {error}") from None


def _same(ours: object, theirs: object) -> None:
    """A benchmark of wrong digests is worth nothing."""
    assert ours == theirs, "our digests differ from the peer's"


def _note(mine: Timing, peer: Timing, operations: int) -> str:
    return (
        f"median of {mine.rounds} alternating rounds; peer CPU {peer.cpu_s / operations * 1e6:.4g} us, "
        f"CPU ratio {peer.cpu_s / mine.cpu_s:.3g}"
    )
