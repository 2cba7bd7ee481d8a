"""The BLAKE3 extension against the BLAKE3 package of PyPI: a million messages, each on every path of this machine.

A round is a batch in one mode under one key, some of its messages alone with longer outputs, and the root of the list
they make.  What a round does follows from its number, so a run goes on where the last one stopped, and one that
failed repeats its round first.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import time
from array import array
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

MESSAGES_WANTED = 1_000_000
MESSAGES_MAX = 3_000
"""Most messages of a round."""
LEN_MAX = 1_000_000
SINGLES = 20
"""Messages of a round that are also hashed alone."""
HASH, KEYED, DERIVE = 0, 1, 2
CONTEXTS = tuple(f"metanode 2025-11-20 differential {name}" for name in ("leaf", "node", "root"))
EDGES = tuple(
    at + step for at in (0, 64, 128, 256, 512, 1024, 2048, 3072, 4096, 8192, 16384, 32768) for step in (-1, 0, 1)
)[1:]  # fmt: skip


class Tally(NamedTuple):
    """What rounds have compared."""

    messages: int = 0
    comparisons: int = 0
    """Digests on a path that equal the package's."""
    bytes: int = 0


class Differential:
    """Runs rounds.  The peer hashes each message once; every path of the shim must say the same."""

    def __init__(self) -> None:
        """Load both sides.

        :raises ImportError: one of them is not installed.
        """
        self._peer = importlib.import_module("blake3").blake3
        shim: Any = importlib.import_module("metanode.platforms.shims._blake3")
        self.build = hashlib.sha256(Path(shim.__file__).read_bytes()).hexdigest()
        self._ffi, self._lib = shim.ffi, shim.lib
        usable = self._lib.mn_blake3_paths_built() & self._lib.mn_blake3_paths_supported()
        self.paths = [number for number in range(self._lib.MN_PATHS) if usable >> number & 1]
        self._keys = b"".join(map(self._context_key, CONTEXTS))

    def round(self, number: int) -> Tally:
        """Compare the messages of one round.

        :raises AssertionError: a path differs; the text has the round, the path and the message's number and length.
        """
        chance = Random(number)
        mode, key = chance.randrange(3), chance.randbytes(32)
        context = chance.choice(CONTEXTS)
        lengths = list(_lengths(chance))
        offsets = array("Q", accumulate(lengths, initial=chance.randrange(65)))  # the first begins anywhere
        data = chance.randbytes(offsets[-1] + chance.randrange(65))
        items = [memoryview(data)[begin:end] for begin, end in zip(offsets, offsets[1:], strict=False)]
        base = {HASH: self._peer(), KEYED: self._peer(key=key), DERIVE: self._peer(derive_key_context=context)}[mode]
        expected = [_finished(base, item) for item in items]
        root = self._root(items)
        used = self._context_key(context) if mode == DERIVE else key
        selected = self._lib.mn_blake3_selected()
        try:
            for path in self.paths:
                where = f"round {number}, path {path}, mode {mode}"
                assert self._lib.mn_blake3_select(path) == self._lib.MN_OK, where
                packed = self._many(mode, used, data, offsets)
                for at, digest in enumerate(expected):
                    assert packed[32 * at : 32 * at + 32] == digest, f"{where}: message {at}, {lengths[at]} bytes"
                for at in chance.sample(range(len(items)), min(SINGLES, len(items))):
                    size = chance.choice((1, 32, 33, 64, 65, 131, 1024))
                    alone = self._single(mode, used, items[at], size)
                    assert alone == _finished(base, items[at], size), f"{where}: alone, {lengths[at]} bytes to {size}"
                assert self._list_root(data, offsets) == root, f"{where}: root of {len(items)}"
        finally:
            self._lib.mn_blake3_select(selected)
        return Tally(len(items), len(items) * len(self.paths), sum(lengths))

    def _many(self, mode: int, key: bytes, data: bytes, offsets: array[int]) -> bytes:
        count = len(offsets) - 1
        out = self._ffi.new("uint8_t[]", 32 * count)
        view = self._ffi.from_buffer("uint64_t[]", offsets)
        self._ok(self._lib.mn_blake3_many(mode, key, 32, data, len(data), view, count, out, 32 * count))
        return bytes(self._ffi.buffer(out))

    def _single(self, mode: int, key: bytes, item: memoryview, size: int) -> bytes:
        out, view = self._ffi.new("uint8_t[]", size), self._ffi.from_buffer("uint8_t[]", item)
        if mode == HASH:
            self._ok(self._lib.mn_blake3_hash(view, len(item), out, size))
        else:
            call = self._lib.mn_blake3_keyed if mode == KEYED else self._lib.mn_blake3_derive
            self._ok(call(key, 32, view, len(item), out, size))
        return bytes(self._ffi.buffer(out))

    def _list_root(self, data: bytes, offsets: array[int]) -> bytes:
        count = len(offsets) - 1
        work, root = self._ffi.new("uint8_t[]", 32 * count), self._ffi.new("uint8_t[32]")
        view = self._ffi.from_buffer("uint64_t[]", offsets)
        lib, keys = self._lib, self._keys
        self._ok(lib.mn_blake3_merkle_root(keys, 96, data, len(data), view, count, work, 32 * count, root, 32))
        return bytes(self._ffi.buffer(root))

    def _root(self, items: list[memoryview]) -> bytes:
        """The root by the package, node after node."""
        leaf, node, root = (self._peer(derive_key_context=context) for context in CONTEXTS)
        level = [_finished(leaf, item) for item in items]
        while len(level) > 1:
            pairs = [_finished(node, level[at] + level[at + 1]) for at in range(0, len(level) - 1, 2)]
            level = pairs + level[len(pairs) * 2 :]
        return _finished(root, len(items).to_bytes(8, "big") + b"".join(level))

    def _context_key(self, context: str) -> bytes:
        raw, out = context.encode(), self._ffi.new("uint8_t[32]")
        self._ok(self._lib.mn_blake3_context_key(raw, len(raw), out, 32))
        return bytes(self._ffi.buffer(out))

    def _ok(self, status: int) -> None:
        assert status == self._lib.MN_OK, f"the shim refused its arguments (status {status})"


def run(seconds: float, state_file: Path) -> str:
    """Run rounds for so long and return what has been compared since this build of the extension was first tried."""
    try:
        hunt = Differential()
    except ImportError as error:
        return f"skipped: {error}"
    state = json.loads(state_file.read_text(encoding="utf-8")) if state_file.exists() else {}
    if state.get("build") != hunt.build:
        state = {"build": hunt.build, "rounds": 0, "tally": Tally()}
    tally, end = Tally(*state["tally"]), time.monotonic() + seconds
    while time.monotonic() < end:
        done = hunt.round(state["rounds"])
        tally = Tally(*(before + more for before, more in zip(tally, done, strict=True)))
        state.update(rounds=state["rounds"] + 1, tally=tally)
        state_file.write_text(json.dumps(state) + "\n", encoding="utf-8")
    return (
        f"{tally.messages} of {MESSAGES_WANTED} messages in {state['rounds']} rounds, {tally.bytes / 2**30:.2f} GiB; "
        f"{tally.comparisons} digests on paths {hunt.paths} equal PyPI blake3's"
    )


def _finished(base: Any, item: bytes | memoryview, size: int = 32) -> bytes:
    hasher = base.copy()
    hasher.update(item)
    digest: bytes = hasher.digest(length=size)
    return digest


def _lengths(chance: Random) -> Iterator[int]:
    """Yield the lengths of a round: one kind of message mostly, and now and then a very long one."""
    kind = chance.randrange(6)
    if kind == 0:
        for _ in range(chance.randrange(1, 20)):
            yield chance.randrange(LEN_MAX + 1) if chance.randrange(3) else chance.choice(EDGES)
        return
    fixed = chance.choice(EDGES[:24])
    for _ in range(chance.randrange(1, MESSAGES_MAX) if kind < 5 else chance.randrange(1, 40)):
        yield (
            fixed if kind == 1
            else chance.randrange(64, 251) if kind == 2
            else chance.randrange(1025) if kind == 3
            else chance.choice(EDGES)
        )  # fmt: skip
