"""devnet.n4.tps and devnet.n9.tps: signed transfers that become final, all validators on this machine."""

from __future__ import annotations

import os

from feeding import BATCH, Feed
from measuring import Result, UnavailableError, load_words
from network import network
from transfers import wallets

SHORT_S, LONG_S = 10.0, 60.0
"""How long is counted."""
BLOCK_MS = {4: 250, 9: 500}
GROUP = 4_000
"""Wallets of the load."""
WAITING_MAX = 8_000
"""Transfers that are accepted and not final."""
RATE_MAX = {4: 4_500, 9: 2_500}
"""Transfers a second that are signed beforehand, by validators: more than can be final."""
FILL_S = 3.0
"""How long the pools fill before the count begins."""


def tps_four(*, long: bool = False) -> list[Result]:
    """Four validators."""
    return [_measure("devnet.n4.tps", 4, LONG_S if long else SHORT_S)]


def tps_nine(*, long: bool = False) -> list[Result]:
    """Nine validators."""
    return [_measure("devnet.n9.tps", 9, LONG_S if long else SHORT_S)]


def _measure(name: str, validators: int, seconds: float) -> Result:
    group, block_ms = wallets(GROUP), BLOCK_MS[validators]
    with network(validators, block_ms, wallets=group, watched=False) as made:
        feed = Feed(made, group, count=int(RATE_MAX[validators] * (seconds + FILL_S)))
        feed.flood(WAITING_MAX)
        made.window(FILL_S)
        before, blocks_before = feed.final(), len(feed.blocks)
        window = made.window(seconds)
        final, blocks = feed.final() - before, len(feed.blocks) - blocks_before
        exhausted = feed.exhausted
        feed.stop()
        made.net.check_agreement()
    if not final:
        raise UnavailableError("no transfer became final")
    cores = os.cpu_count() or 1
    rate, cost_s = final / window.took_s, window.cpu_s / final
    conditions = (
        f"{validators} validators, a process each with SQLite, synced to disk, {cores} cores; {final} transfers final "
        f"in {window.took_s:.0f} s in {blocks} blocks of at most 2000, every {block_ms} ms at best; sent in requests "
        f"of {BATCH} to all nodes, at most {WAITING_MAX} waiting{' (all sent before the end)' if exhausted else ''}; "
        f"CPU of one node {cost_s * 1e6:.0f} us a transfer: one core per validator would carry {1 / cost_s:.0f}/s; "
        f"tps x N / cores {rate * validators / cores:.0f}; VmRSS at most {max(window.memory_mib):.0f} MiB; no fork; "
        f"{load_words()}"
    )
    return Result(name, rate, "transfers/s", cpu_us=cost_s * validators * 1e6, conditions=conditions)
