"""Signed transfers for a chain of several validators, spread over all of them and held back by what is not final."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence

from measuring import UnavailableError
from network import Network
from transfers import Wallet, transfer_lines

BATCH = 100
"""Transfers of one request: as many as POST /v1/tx takes."""
LOOK_S = 0.03
"""How often the first node's file is read."""


class Feed:
    """Signs beforehand; then one thread a node sends its share.  A wallet always sends to the same node."""

    def __init__(self, made: Network, group: Sequence[Wallet], *, count: int) -> None:
        self._made = made
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.accepted = 0
        """Transfers that a node has made durable in its pool."""
        self.refused: list[str] = []
        self.exhausted = False
        """Whether a node got all that was signed for it."""
        size = made.size
        shares = [group[node::size] for node in range(size)]
        self._hex = [
            [json.loads(line.partition(" /v1/tx ")[2])["envelope"] for line in transfer_lines(
                share, count // size, chain_id=made.genesis.chain_id, genesis_hash=made.genesis.hash
            )]
            for share in shares
        ]  # fmt: skip
        self._height = made.net.height()
        self.blocks: list[int] = []
        """How many envelopes each block since then holds, in order of height."""

    def trickle(self, rate: int) -> None:
        """Send so many a second, a few at a time, to each node in turn."""
        self._made.start(lambda _: self._trickle(rate), 0)

    def flood(self, waiting_max: int) -> None:
        """Send as fast as nodes take it, with at most so many that are not final."""
        self._made.start(lambda _: self._count(), 0)
        for node in range(self._made.size):
            self._made.start(lambda node: self._flood(node, waiting_max), node)

    def stop(self) -> None:
        """Send no more.

        :raises UnavailableError: a node refused something.
        """
        self._stop.set()
        if self.refused:
            raise UnavailableError(f"a transfer was refused: {self.refused[0]}")

    def final(self) -> int:
        """Return how many of its transfers are final and durable on the first node."""
        return sum(self.blocks)

    def _count(self) -> None:
        # From its file: an event stream may leave out blocks while thousands of envelopes are told a second.
        while not self._stop.wait(LOOK_S) and not self._made.stopping.is_set():
            self.blocks += self._made.stored(self._height + len(self.blocks))

    def _trickle(self, rate: int) -> None:
        gap_s, at = 0.125, 0
        each = max(1, round(rate * gap_s))
        while not self._stop.wait(gap_s) and not self._made.stopping.is_set():
            node = at % self._made.size
            start = at // self._made.size * each
            if not self._send(node, self._hex[node][start : start + each]):
                return
            at += 1

    def _flood(self, node: int, waiting_max: int) -> None:
        mine = self._hex[node]
        for start in range(0, len(mine), BATCH):
            while self.accepted - self.final() > waiting_max and not self._over():
                time.sleep(LOOK_S)
            if self._over() or not self._send(node, mine[start : start + BATCH]):
                return
        self.exhausted = True

    def _over(self) -> bool:
        return self._stop.is_set() or self._made.stopping.is_set()

    def _send(self, node: int, batch: Sequence[str]) -> bool:
        """Submit; False when there is nothing left to do."""
        if not batch:
            return False
        body = json.dumps({"envelopes": list(batch)}).encode()
        head = b"POST /v1/tx HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Type: application/json\r\n"
        try:
            with self._made.connect(node) as stream:
                stream.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
                reply = b""
                while data := stream.recv(65536):
                    reply += data
        except OSError as error:
            self._refuse(f"v{node}: {error}")
            return False
        if not reply.startswith(b"HTTP/1.1 20"):
            said = reply.partition(b"\r\n\r\n")[2].decode(errors="replace")
            self._refuse(f"v{node}: {said[:200]}")
            return False
        with self._lock:
            self.accepted += len(batch)
        return True

    def _refuse(self, words: str) -> None:
        if not self._over():
            self.refused.append(words)
