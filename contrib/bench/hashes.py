"""blake3.* and merkle.root: the hash of the chain against a Python loop over the BLAKE3 package of PyPI."""

from __future__ import annotations

import importlib
import random
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

from measuring import Result, Timing, UnavailableError, alternate

from metanode.core import crypto
from metanode.core.model import hashing, merkle
from metanode.platforms.shims import blake3 as shim
from metanode.platforms.shims.blake3.paths import BEST_FIRST

INPUT_BYTES = 64 * 1024
INPUTS_PER_CALL = 2000
MESSAGES = 100_000
MESSAGE_BYTES = (64, 250)
_CONTEXT = hashing.CONTEXT_PREFIX + "leaf"
_PEER = "PyPI blake3"


def blake3_single() -> list[Result]:
    """One input of 64 KiB, on the best path and on each of the others."""
    blake3 = _peer()
    provider = _provider()
    data = random.Random(1).randbytes(INPUT_BYTES)
    paths = _paths()

    def run(path: str) -> None:
        shim.select(path)
        for _ in range(INPUTS_PER_CALL):
            provider.digest(data)

    def theirs() -> None:
        for _ in range(INPUTS_PER_CALL):
            blake3.blake3(data).digest()

    for path in paths:
        run(path)
        _same(provider.digest(data), blake3.blake3(data).digest())
    peer, mine, *others = alternate(theirs, *(partial(run, path) for path in paths), budget_s=6)
    shim.select(paths[0])
    total = INPUT_BYTES * INPUTS_PER_CALL / 1e9
    each = "".join(f", {path} {total / taken.wall_s:.3g}" for path, taken in zip(paths[1:], others, strict=True))
    return [
        Result(
            "blake3.single",
            total / mine.wall_s,
            "GB/s",
            _PEER,
            total / peer.wall_s,
            peer.wall_s / mine.wall_s,
            mine.cpu_s / INPUTS_PER_CALL * 1e6,
            f"64 KiB, path {paths[0]}{each}; {_note(mine, peer, INPUTS_PER_CALL)}",
        )
    ]


def blake3_batch() -> list[Result]:
    """100,000 messages in one call on the best path, on the others, and as a list, as the node passes them."""
    provider = _provider()
    messages = _messages()
    paths = _paths()
    loop, expected = _loop(messages)
    _same(provider.derive_key_many(_CONTEXT, messages), expected)
    calls = [_packed_call(path, messages, expected) for path in paths]

    def listed() -> None:
        shim.select(paths[0])
        provider.derive_key_many(_CONTEXT, messages)

    peer, as_list, mine, *others = alternate(loop, listed, *calls, budget_s=10)
    shim.select(paths[0])
    each = "".join(f", {path} {_rate(taken):.3g}" for path, taken in zip(paths[1:], others, strict=True))
    words = f"path {paths[0]}{each}; as a list in and out: {_rate(as_list):.3g} M messages/s"
    return [_batch_row("blake3.batch", mine, peer, words)]


def blake3_batch_avx2() -> list[Result]:
    """The same with AVX2 forced."""
    return _batch_on("blake3.batch_avx2", ("avx2",))


def blake3_batch_4lane() -> list[Result]:
    """The same with four lanes forced: the code that SSE4.1, NEON and AltiVec share."""
    return _batch_on("blake3.batch_4lane", ("sse41", "neon", "altivec"))


def _batch_on(name: str, wanted: tuple[str, ...]) -> list[Result]:
    _provider()
    paths = _paths()
    path = next((path for path in paths if path in wanted), None)
    if path is None:
        raise UnavailableError(f"this machine runs {', '.join(paths)}, none of {', '.join(wanted)}")
    messages = _messages()
    loop, expected = _loop(messages)
    peer, mine = alternate(loop, _packed_call(path, messages, expected), budget_s=6)
    shim.select(paths[0])
    return [_batch_row(name, mine, peer, f"path {path} forced")]


def _batch_row(name: str, mine: Timing, peer: Timing, words: str) -> Result:
    return Result(
        name,
        _rate(mine),
        "M messages/s",
        f"Python loop over {_PEER}",
        _rate(peer),
        peer.wall_s / mine.wall_s,
        mine.cpu_s / MESSAGES * 1e6,
        "derive-key, 64 to 250 bytes, contiguous bytes and offsets in, packed digests out; "
        f"{words}; {_note(mine, peer, MESSAGES)}",
    )


def _rate(taken: Timing) -> float:
    return MESSAGES / taken.wall_s / 1e6


def _loop(messages: Sequence[bytes]) -> tuple[Callable[[], list[bytes]], list[bytes]]:
    """Return what a program in Python does without us, and its digests: the context is set up once."""
    base = _peer().blake3(derive_key_context=_CONTEXT)

    def loop() -> list[bytes]:
        digests = []
        for message in messages:
            hasher = base.copy()
            hasher.update(message)
            digests.append(hasher.digest())
        return digests

    return loop, loop()


def _packed_call(path: str, messages: Sequence[bytes], expected: list[bytes]) -> Callable[[], object]:
    """Return one call on a path, over bytes that already lie end to end, as those of a block do."""
    provider = _provider()
    data, offsets = _packed(messages)
    out = bytearray(32 * len(messages))

    def call() -> None:
        shim.select(path)
        provider.derive_key_packed(_CONTEXT, data, offsets, out)

    call()
    _same(bytes(out), b"".join(expected))
    return call


def merkle_root() -> list[Result]:
    """The root of 100,000 leaves, in one call; also as a list, which is how the node passes them."""
    blake3 = _peer()
    provider = _provider()
    messages = _messages()
    data, offsets = _packed(messages)
    tree = provider.list_tree(*(hashing.CONTEXT_PREFIX + name for name in ("leaf", "node", "root")))
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
    _same(tree.root_packed(data, offsets), loop())
    mine, listed, peer = alternate(
        lambda: tree.root_packed(data, offsets), lambda: merkle.list_root(messages), loop, budget_s=8
    )
    return [
        Result(
            "merkle.root",
            mine.wall_s * 1e3,
            "ms",
            f"Python loop over {_PEER}, copy()",
            peer.wall_s * 1e3,
            peer.wall_s / mine.wall_s,
            mine.cpu_s * 1e6,
            f"{MESSAGES} leaves of 64 to 250 bytes, contiguous bytes and offsets, path {shim.status().selected}; "
            f"as a list: {listed.wall_s * 1e3:.3g} ms; {_note(mine, peer, 1)}",
        )
    ]


def _messages() -> list[bytes]:
    chance = random.Random(2)
    return [chance.randbytes(chance.randint(*MESSAGE_BYTES)) for _ in range(MESSAGES)]


def _packed(messages: Sequence[bytes]) -> tuple[bytes, array[int]]:
    return b"".join(messages), array("Q", accumulate(map(len, messages), initial=0))


def _provider() -> shim.ShimProvider:
    crypto.install()
    provider = shim.load()
    if provider is None:
        raise UnavailableError(f"{shim.problem()}; pure Python would only measure the interpreter")
    return provider


def _paths() -> list[str]:
    """The paths that this machine runs, best first."""
    usable = {state.name for state in shim.status().paths if state.usable}
    return [name for name in BEST_FIRST if name in usable]


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
