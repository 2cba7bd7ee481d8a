"""ed25519.batch: verifying many signatures in one call against a loop over PyNaCl."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import trio
from measuring import Result, UnavailableError, alternate

from metanode.core import crypto
from metanode.core.crypto import sodium
from metanode.core.model import ed25519

SIGNATURES = 1_000
SIGNERS = 50
BATCHES = 25
"""How often the batch is verified beside a loop whose lag is taken."""
TICK_S = 0.001
"""What the loop sleeps between two readings of its lag."""


def ed25519_batch() -> list[Result]:
    """1,000 signatures over 32-byte digests, as every signature of the chain is."""
    try:
        from nacl.exceptions import BadSignatureError
        from nacl.signing import VerifyKey
    except ImportError as error:
        raise UnavailableError(f"the peer, PyNaCl, is not installed: {error}") from None
    crypto.install()
    backend = ed25519.backend()
    assert isinstance(backend, sodium.SodiumBackend), "PyNaCl is there, so libsodium is what installs"
    checks = _checks(backend)

    def loop() -> list[bool]:
        verdicts = []
        for public_key, message, signature in checks:
            try:
                VerifyKey(public_key).verify(message, signature)
            except BadSignatureError:
                verdicts.append(False)
            else:
                verdicts.append(True)
        return verdicts

    batch, _ = sodium.find_batch(sodium.library())
    shared = partial(backend.verify_many, checks)
    alone = partial(batch.verify_many, checks, threads=1) if batch else shared
    assert shared() == alone() == loop(), "our verdicts differ from the peer's"
    mine, single, peer = alternate(shared, alone, loop, budget_s=8)
    lags = {name: trio.run(_lag_ms, work) for name, work in (("idle", _idle), ("one thread", alone), ("", shared))}
    return [
        Result(
            "ed25519.batch",
            SIGNATURES / mine.wall_s / 1e3,
            "k/s",
            "PyNaCl loop",
            SIGNATURES / peer.wall_s / 1e3,
            peer.wall_s / mine.wall_s,
            mine.cpu_s / SIGNATURES * 1e6,
            f"backend {backend.name}, {backend.batching()}; {SIGNATURES} signatures, one of them bad; median of "
            f"{mine.rounds} alternating rounds; CPU ratio {peer.cpu_s / mine.cpu_s:.3g}; on one thread: ratio "
            f"{peer.wall_s / single.wall_s:.3g}, CPU ratio {peer.cpu_s / single.cpu_s:.3g}; lag of the main loop "
            f"while a worker verifies, 99th percentile (worst): {_shown(lags[''])} ms, on one thread "
            f"{_shown(lags['one thread'])} ms, with nothing to do {_shown(lags['idle'])} ms; "
            f"peer CPU {peer.cpu_s / SIGNATURES * 1e6:.4g} us",
        )
    ]


def _checks(backend: ed25519.Backend) -> list[ed25519.Check]:
    seeds = [number.to_bytes(32, "big") for number in range(1, SIGNERS + 1)]
    keys = [backend.public_key(seed) for seed in seeds]
    checks = []
    for number in range(SIGNATURES):
        digest = number.to_bytes(32, "little")
        checks.append((keys[number % SIGNERS], digest, backend.sign(seeds[number % SIGNERS], digest)))
    checks[500] = (checks[500][0], b"\x00" * 32, checks[500][2])
    return checks


def _idle() -> None:
    time.sleep(0.02)


async def _lag_ms(work: Callable[[], Any]) -> list[float]:
    """Return how much too late a loop woke, sorted, milliseconds, while a worker thread did `work` again and again."""
    lags: list[float] = []

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await trio.sleep(TICK_S)
            lags.append((time.perf_counter() - before - TICK_S) * 1e3)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tick)
        for _ in range(BATCHES):
            await trio.to_thread.run_sync(work)
        nursery.cancel_scope.cancel()
    return sorted(lags)


def _shown(lags: list[float]) -> str:
    return f"{lags[len(lags) * 99 // 100]:.2g} ({lags[-1]:.2g})"
