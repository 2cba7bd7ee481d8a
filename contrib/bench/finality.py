"""finality.* and consensus.*: how long a block takes from its leader's clock to durable, and what it costs a node."""

from __future__ import annotations

import statistics
import time
from functools import cache
from random import Random

from feeding import Feed
from measuring import Result, UnavailableError, load_words
from network import SEED, Network, Window, network, quantile, spread
from transfers import Wallet, transfer_lines, wallets

from metanode.core.model.envelope import decode_envelope
from metanode.core.testing.impairment import Impairment

NINE, TWENTY_FIVE = 9, 25
BLOCK_MS = 250
SLOW_BLOCK_MS = 1000
SECONDS = 10.0
"""How long each state of a network is watched."""
WIDE = Impairment(delay_ms=50, loss=0.01)
"""100 ms there and back, one packet in a hundred lost each way."""
TRICKLE = 40
"""Transfers a second, so that blocks have something to execute."""
GROUP = 400
"""Wallets that send them."""
ASKS = 24
"""Transfers that are timed as their sender sees them, sent at random moments."""
ASK_S_MAX = 20.0
POLL_S = 0.005


def finality_nine() -> list[Result]:
    """Nine validators on the loopback interface."""
    loaded, _, crashed, asked = _nine()
    took, after = loaded.took_ms(), crashed.after_due_ms(BLOCK_MS)
    conditions = (
        f"{_what(NINE, BLOCK_MS, loaded)}; {spread(took)}; for its sender, from POST /v1/tx at a "
        f"random moment to final there, p50 {statistics.median(asked):.0f} ms; with one of nine dead, from when a "
        f"block was due: p50 {statistics.median(after):.0f}, p95 {quantile(after, 0.95):.0f} ms; {load_words()}"
    )
    return [Result("finality.n9.p50_ms", statistics.median(took), "ms", conditions=conditions)]


def consensus_cpu() -> list[Result]:
    """The same network, its CPU."""
    loaded, idle, _, _ = _nine()
    memory = loaded.memory_mib
    conditions = (
        f"all CPU of a node process over the blocks made, {NINE} validators, {BLOCK_MS} ms, empty blocks; with "
        f"{TRICKLE} transfers a second {loaded.cpu_ms_per_block:.1f} ms; VmRSS of a validator "
        f"{min(memory):.1f} to {max(memory):.1f} MiB; {load_words()}"
    )
    value = idle.cpu_ms_per_block
    return [Result("consensus.n9.cpu_ms", value, "ms/block/node", cpu_us=value * 1000, conditions=conditions)]


def finality_wide() -> list[Result]:
    """Nine validators, each in a namespace of its own, far apart."""
    group = wallets(GROUP)
    with network(NINE, BLOCK_MS, wallets=group, impairment=WIDE) as made:
        window = _trickle(made, group)
    took = window.took_ms()
    far = "100 ms round trip, 1 % loss each way"
    conditions = f"{_what(NINE, BLOCK_MS, window)}; {far}; {spread(took)}; {load_words()}"
    return [Result("finality.n9.wan_p50_ms", statistics.median(took), "ms", conditions=conditions)]


def finality_twenty_five() -> list[Result]:
    """25 validators on one machine."""
    group = wallets(GROUP)
    with network(TWENTY_FIVE, SLOW_BLOCK_MS, wallets=group) as made:
        window = _trickle(made, group)
    took, memory = window.took_ms(), window.memory_mib
    conditions = (
        f"{_what(TWENTY_FIVE, SLOW_BLOCK_MS, window)}; {spread(took)}; {window.cpu_ms_per_block:.1f} ms CPU per node "
        f"and block; VmRSS {min(memory):.1f} to {max(memory):.1f} MiB; {load_words()}"
    )
    return [Result("finality.n25.p50_ms", statistics.median(took), "ms", conditions=conditions)]


@cache
def _nine() -> tuple[Window, Window, Window, list[float]]:
    """Return what nine validators did with transfers, without, after one was killed, and what senders waited."""
    everyone = wallets(GROUP + ASKS)
    with network(NINE, BLOCK_MS, wallets=everyone) as made:
        idle = made.window(SECONDS)
        loaded = _trickle(made, everyone[:GROUP])
        asked = _asked_ms(made, everyone[GROUP:])
        made.net.nodes[NINE - 1].kill()
        crashed = made.window(SECONDS)
    return loaded, idle, crashed, asked


def _asked_ms(made: Network, senders: list[Wallet]) -> list[float]:
    """Return how long each sender's transfer took from submit to final on the node that it was sent to."""
    chance, api, took = Random(SEED), made.net.api(0), []
    chain = {"chain_id": made.genesis.chain_id, "genesis_hash": made.genesis.hash}
    for line in transfer_lines(senders, len(senders), **chain):
        envelope = decode_envelope(bytes.fromhex(line.split('"')[3]))
        time.sleep(chance.random() * BLOCK_MS / 1000)
        at = time.monotonic()
        api.submit([envelope])
        while api.transaction(envelope.id.hex())["status"] != "final":
            if time.monotonic() - at > ASK_S_MAX:
                raise UnavailableError(f"a transfer is not final after {ASK_S_MAX:g} s")
            time.sleep(POLL_S)
        took.append((time.monotonic() - at) * 1000)
    return took


def _trickle(made: Network, group: list[Wallet]) -> Window:
    feed = Feed(made, group, count=int(TRICKLE * SECONDS * 2))
    feed.trickle(TRICKLE)
    window = made.window(SECONDS)
    feed.stop()
    return window


def _what(validators: int, block_ms: int, window: Window) -> str:
    return (
        f"{validators} validators, a process each with SQLite, {block_ms} ms blocks; from the leader's clock in the "
        f"header until a node told of the block, durable there; {window.blocks} blocks in {window.took_s:.0f} s with "
        f"{window.transfers} transfers"
    )
