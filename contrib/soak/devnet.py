"""An hour of four real validators while one after the other is killed: `make soak-devnet` (SOAK_SECONDS=3600).

Every KILL_S seconds a random node gets SIGKILL and is started again DOWN_S later.  A client outside sends signed
transfers to whoever is there, follows each until it is final, and compares the header hashes of all nodes at all
heights.  At the end: kills, forks, the longest time without a block, a histogram from submit to final, CPU and memory.
Fails when two nodes have two blocks at one height, when no block comes for STALL_S_MAX, or when a transfer that was
acknowledged never becomes final.  The report is build/soak/devnet.json.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metanode.core.cli.dev_nodes import DevNode
from metanode.core.cli.dev_topology import Topology
from metanode.core.crypto.keys import KeyPair
from metanode.core.model import kinds
from metanode.core.model.bodies import Transfer
from metanode.core.model.envelope import Envelope, build_envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.testing.devnet import Devnet

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "soak" / "devnet.json"
SECONDS = int(os.environ.get("SOAK_SECONDS", "3600"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
KILL_S = float(os.environ.get("SOAK_KILL_S", "20"))
NODES = 4
DOWN_S = 2.0
"""How long a killed node stays away."""
STALL_S_MAX = 30.0
"""Longest time without a block: three rounds at the longest timer of ten seconds."""
SEND_S = 0.5
"""A transfer is sent this often."""
LOOK_S = 0.05
COMPARE_S = 30.0
VALID_BLOCKS = 2_000
BUCKETS_S = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0)


@dataclass
class Sent:
    """A transfer that is not final yet."""

    envelope: Envelope
    at: float
    to: int
    """Who acknowledged it."""


@dataclass
class Counts:
    """What happened."""

    kills: int = 0
    sent: int = 0
    refused: int = 0
    latencies: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=lambda: [0.0] * NODES)
    """CPU of the processes that have ended, by node."""
    rss_mib: list[float] = field(default_factory=lambda: [0.0] * NODES)
    stall_s: float = 0.0


class Soak:
    """One run."""

    def __init__(self, net: Devnet, chance: random.Random) -> None:
        self._net, self._chance = net, chance
        self._nodes: list[DevNode] = list(net.nodes)
        self._genesis = net.places[0].home.genesis()
        self._senders: list[KeyPair] = [place.identity.sponsor for place in net.places]
        self._nonces = [0] * NODES
        self.waiting: dict[str, Sent] = {}
        self.counts = Counts()
        self.height = 0
        self._rose_at = time.monotonic()
        self._down: tuple[DevNode, float] | None = None

    def run(self, seconds: float) -> None:
        """Kill, send and look until the time is over, then let everything become final."""
        began = time.monotonic()
        next_kill, next_send, next_compare = began + KILL_S, began, began + COMPARE_S
        while (now := time.monotonic()) - began < seconds:
            if now >= next_kill:
                next_kill += KILL_S
                self.kill()
            if now >= next_send:
                next_send += SEND_S
                self.send()
            if now >= next_compare:
                next_compare = now + COMPARE_S
                self.compare(now - began)
            self.look()
            time.sleep(LOOK_S)
        self.revive(float("inf"))
        deadline = time.monotonic() + 2 * STALL_S_MAX
        while self.waiting and time.monotonic() < deadline:
            self.look()
            time.sleep(LOOK_S)

    def kill(self) -> None:
        """SIGKILL for one, and a note of what it used."""
        self.revive(float("inf"))
        index = self._chance.randrange(NODES)
        node = self._nodes[index]
        self.note_usage(index, ending=True)
        node.kill()
        self.counts.kills += 1
        self._down = node, time.monotonic() + DOWN_S

    def revive(self, now: float) -> None:
        """Start the killed one when its time has come."""
        if self._down is not None and self._down[1] <= now:
            self._down[0].start()
            self._down = None

    def send(self) -> None:
        """Give one transfer to a node that takes it; a sender's nonces go in order."""
        who = self._chance.randrange(NODES)
        sender, nonce = self._senders[who], self._nonces[who]
        envelope = build_envelope(
            chain_id=self._genesis.chain_id, kind=kinds.TRANSFER, sender=sender.account, nonce=nonce,
            fee=self._genesis.params.min_fee, valid_until=self.height + VALID_BLOCKS,
            body=Transfer(b"\x07" * 20, 1).encode(), public_key=b"" if nonce else sender.public_key,
            sign=sender.sign, genesis_hash=self._genesis.hash,
        )  # fmt: skip
        first = self._chance.randrange(NODES)
        for index in ((first + i) % NODES for i in range(NODES)):
            if not self._nodes[index].running:
                continue
            at = time.monotonic()
            try:
                self._net.api(index).submit([envelope])
            except MetanodeError as error:
                if error.code not in ("UNREACHABLE", "TIMEOUT", "NOT_READY"):
                    self.counts.refused += 1
                    print(f"{self._nodes[index].name} refused nonce {nonce}: {error.line()}", flush=True)
                continue
            self.waiting[envelope.id.hex()] = Sent(envelope, at, index)
            self._nonces[who] += 1
            self.counts.sent += 1
            return

    def look(self) -> None:
        """Follow the chain on any node that answers; what is in a new block is final."""
        now = time.monotonic()
        self.revive(now)
        self.counts.stall_s = max(self.counts.stall_s, now - self._rose_at)
        for node in self._nodes:
            if not node.running:
                continue
            try:
                height = node.get("/v1/head")["height"]
                while self.height < height:
                    block = node.get(f"/v1/blocks/{self.height + 1}")
                    self.height += 1
                    self._rose_at = now
                    for row in block["envelopes"]:
                        if (sent := self.waiting.pop(row["id"], None)) is not None:
                            self.counts.latencies.append(now - sent.at)
            except MetanodeError:
                continue  # it is starting, or was just killed
            return

    def compare(self, at_s: float) -> None:
        """Compare all nodes at all heights, and print a line."""
        low = self._net.check_agreement()
        for index in range(NODES):
            self.note_usage(index)
        print(
            f"{at_s:6.0f} s  height {self.height} (all have {low})  kills {self.counts.kills}  "
            f"final {len(self.counts.latencies)} of {self.counts.sent}  stall {self.counts.stall_s:.1f} s",
            flush=True,
        )

    def note_usage(self, index: int, *, ending: bool = False) -> None:
        """Keep the most memory of a node, and the CPU of a process that is about to end."""
        used = self._nodes[index].usage()
        if used is not None:
            self.counts.rss_mib[index] = max(self.counts.rss_mib[index], used.rss_mib)
            if ending:
                self.counts.cpu_s[index] += used.cpu_s


def main() -> int:
    """Run and report; 1 when something broke."""
    print(f"{SECONDS} s, a kill every {KILL_S:g} s, seed {SEED}")
    with tempfile.TemporaryDirectory(prefix="metanode-soak-") as directory:
        net = Devnet(Path(directory), Topology("devnet", NODES, 0))
        soak = Soak(net, random.Random(SEED))
        with net:
            net.wait_for_height(2)
            began = time.monotonic()
            try:
                soak.run(SECONDS)
                lowest = net.check_agreement()
                fork = ""
            except AssertionError as error:
                lowest, fork = 0, str(error)
            took_s = time.monotonic() - began
            for index in range(NODES):
                soak.note_usage(index, ending=True)
    return report(soak, lowest, fork, took_s, net.agreement.compared)


def report(soak: Soak, lowest: int, fork: str, took_s: float, compared: int) -> int:
    """Print and keep what was seen."""
    counts = soak.counts
    latencies = sorted(counts.latencies)
    edges = (0.0, *BUCKETS_S, float("inf"))
    histogram = {
        f"up to {high:g} s" if high < float("inf") else f"over {low:g} s": sum(low < at <= high for at in latencies)
        for low, high in zip(edges, edges[1:], strict=False)
    }
    blocks = max(1, soak.height)
    value: dict[str, Any] = {
        "seconds": round(took_s), "seed": SEED, "kills": counts.kills, "height": soak.height, "lowest": lowest,
        "fork": fork, "hashes_compared": compared, "longest_stall_s": round(counts.stall_s, 1),
        "sent": counts.sent, "final": len(latencies), "never_final": len(soak.waiting), "refused": counts.refused,
        "p50_s": _at(latencies, 0.5), "p99_s": _at(latencies, 0.99), "histogram": histogram,
        "cpu_ms_per_node_and_block": [round(cpu * 1000 / blocks, 1) for cpu in counts.cpu_s],
        "rss_max_mib": [round(rss, 1) for rss in counts.rss_mib],
    }  # fmt: skip
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(value, indent=1) + "\n")
    for key, item in value.items():
        print(f"{key:26} {item}")
    failed = bool(fork or soak.waiting or counts.stall_s > STALL_S_MAX)
    print("FAILED" if failed else f"no fork, no stall beyond {STALL_S_MAX:g} s, nothing acknowledged was lost")
    return int(failed)


def _at(latencies: list[float], share: float) -> float | None:
    return round(latencies[min(len(latencies) - 1, int(share * len(latencies)))], 3) if latencies else None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted")
        sys.exit(130)
