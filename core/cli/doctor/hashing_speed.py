"""How fast each way to hash is: what `metanode doctor hashing` measures."""

from __future__ import annotations

import importlib
import random
import time
from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from metanode.core.cli.console import Console
from metanode.platforms.shims.blake3.buffers import DIGEST_BYTES
from metanode.platforms.shims.blake3.published import CONTEXT

INPUT_BYTES = 64 * 1024
MESSAGES = 10_000
MESSAGE_BYTES = (64, 250)
PURE_SHARE = 64
"""The pure code, a thousand times slower, gets this part of it."""
SINGLE, BATCH, PEER = "single_gb_s", "batch_m_s", "PyPI blake3"
ROUNDS = 5
"""Each way is measured so often at most, in turn, and its best round counts: a busy moment then hurts none."""

Job = tuple[str, str, float, Callable[[], object], Callable[[], object]]
"""What is measured: its row, its column, how much a call does in the column's unit, what comes before calls, a call."""


def measure(jobs: Sequence[Job], seconds: float, console: Console) -> list[tuple[str, str, float]]:
    """Return (row, column, rate) of each job, all of them together in about `seconds`."""
    if not seconds:
        return []
    slot = seconds / (ROUNDS * max(len(jobs), 1))
    best = [0.0] * len(jobs)
    end = time.perf_counter() + seconds
    watched = console.err.isatty() and not console.json
    for number in range(ROUNDS):
        if number and time.perf_counter() > end:
            break
        for i, (row, _, amount, prepare, call) in enumerate(jobs):
            if watched:
                print(f"\r\x1b[Kmeasuring {row}, round {number + 1} of {ROUNDS}", end="", file=console.err, flush=True)
            prepare()
            start = time.perf_counter()
            calls, spent = 0, 0.0
            while calls == 0 or spent < slot:
                call()
                calls += 1
                spent = time.perf_counter() - start
            best[i] = max(best[i], amount * calls / max(spent, 1e-9))
    if watched:
        print("\r\x1b[K", end="", file=console.err, flush=True)
    return [(job[0], job[1], rate) for job, rate in zip(jobs, best, strict=True)]


def own_jobs(row: str, provider: Any, use: Callable[[], None]) -> list[Job]:
    """What is measured of one provider after `use()`: one input, and a batch as this provider takes it best."""
    packed = getattr(provider, "derive_key_packed", None)
    data, messages, offsets = _material(1 if packed else PURE_SHARE)
    joined, out = b"".join(messages), bytearray(DIGEST_BYTES * len(messages))

    def batch() -> None:
        if packed is None:
            provider.derive_key_many(CONTEXT, messages)
        else:
            packed(CONTEXT, joined, offsets, out)

    return [
        (row, SINGLE, len(data) / 1e9, use, lambda: provider.digest(data)),
        (row, BATCH, len(messages) / 1e6, use, batch),
    ]


def peer_jobs() -> list[Job]:
    """The same by PyPI's blake3, which is no part of us, where it is installed: its batch is a loop in Python."""
    try:
        peer: Any = importlib.import_module("blake3")
    except ImportError:
        return []
    data, messages, _ = _material()
    base = peer.blake3(derive_key_context=CONTEXT)

    def batch() -> None:
        for message in messages:
            hasher = base.copy()
            hasher.update(message)
            hasher.digest()

    return [
        (PEER, SINGLE, INPUT_BYTES / 1e9, lambda: None, lambda: peer.blake3(data).digest()),
        (PEER, BATCH, MESSAGES / 1e6, lambda: None, batch),
    ]


def _material(share: int = 1) -> tuple[bytes, list[bytes], array[int]]:
    """Return one long input, and messages with their offsets; a `share`-th of either."""
    chance = random.Random(1)
    messages = [chance.randbytes(chance.randint(*MESSAGE_BYTES)) for _ in range(MESSAGES // share)]
    return chance.randbytes(INPUT_BYTES // share), messages, array("Q", accumulate(map(len, messages), initial=0))
