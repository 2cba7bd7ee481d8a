"""What is seen of a network from outside: its height, its pace, nodes that died, and two blocks at one height."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from metanode.core.cli.dev_nodes import DevNode, DevNodes, Usage
from metanode.core.model.errors import MetanodeError

KEPT_HEIGHTS = 10_000
"""Of so many newest heights the hash is remembered."""
PACE_S = 20.0
"""Block time and CPU are those of about the last so many seconds."""


class Agreement:
    """The first hash that any node gave for a height; another one is a fork."""

    def __init__(self) -> None:
        self._first: dict[int, tuple[str, str]] = {}
        self.compared = 0
        """Answers that met an earlier one of their height."""

    def check(self, name: str, height: int, header_hash: str) -> str:
        """Return how a node's block contradicts another's, empty when it does not."""
        if height not in self._first:
            self._first[height] = name, header_hash
            if len(self._first) > KEPT_HEIGHTS:
                del self._first[min(self._first)]
            return ""
        other, known = self._first[height]
        self.compared += other != name
        if known == header_hash:
            return ""
        return f"fork at height {height}: {known} on {other}, {header_hash} on {name}"


class Watch:
    """Looks at every node once a turn, and tells what changed."""

    def __init__(self, nodes: DevNodes) -> None:
        self._nodes = nodes
        self.dead: set[str] = set()
        """Names of nodes whose process has ended."""
        self._seen: deque[tuple[float, int, dict[str, Usage | None]]] = deque()
        self.agreement = Agreement()
        self.statuses: list[dict[str, Any] | None] = [None] * len(nodes)
        self.forks: list[str] = []
        self.deaths = 0
        self.height = 0
        """The highest that any node has."""
        self.rose_at = time.monotonic()
        """When it last rose."""
        self.stall_s = 0.0
        """The longest time without a block, so far."""

    @property
    def low(self) -> int:
        """The lowest height of a node that answers."""
        return min((status["head"]["height"] for status in self.statuses if status), default=0)

    def look(self) -> Iterator[tuple[str, str]]:
        """Look once; yield (kind, words) for what happened: died, fork."""
        for node in self._nodes:
            if node.running:
                self.dead.discard(node.name)
            elif node.starts and node.name not in self.dead:
                self.dead.add(node.name)
                self.deaths += 1
                yield "died", f"{node.name} {_ending(node.returncode)}: {node.last_words()}"
        self.statuses = self._nodes.statuses()
        now, height = time.monotonic(), self.height
        for node, status in zip(self._nodes, self.statuses, strict=True):
            if status is None:
                continue
            head = status["head"]
            height = max(height, head["height"])
            if fork := self.agreement.check(node.name, head["height"], head["header_hash"]):
                self.forks.append(fork)
                yield "fork", fork
        self.stall_s = max(self.stall_s, now - self.rose_at)
        if height > self.height:
            self.height, self.rose_at = height, now
        self._seen.append((now, height, {node.name: node.usage() for node in self._nodes}))
        while now - self._seen[0][0] > PACE_S:
            self._seen.popleft()

    def block_s(self) -> float | None:
        """Return the time between blocks, lately; None while there is none to tell."""
        (then, low, _), (now, high, _) = self._seen[0], self._seen[-1]
        return (now - then) / (high - low) if high > low else None

    def cpu_share(self, node: DevNode) -> float | None:
        """Return how much of one core a node took lately; None where that is not known."""
        (then, _, before), (now, _, after) = self._seen[0], self._seen[-1]
        first, last = before.get(node.name), after.get(node.name)
        if first is None or last is None or now <= then or last.cpu_s < first.cpu_s:
            return None
        return (last.cpu_s - first.cpu_s) / (now - then)

    def usage(self, node: DevNode) -> Usage | None:
        """Return what a node's process has used."""
        return self._seen[-1][2].get(node.name) if self._seen else None


def compare_all(nodes: Iterable[DevNode], agreement: Agreement, first: int, last: int) -> Iterator[str]:
    """Ask every node that answers for the header hash of every height; yield each fork."""
    for node in nodes:
        if node.status() is None:
            continue
        for height in range(max(1, first), last + 1):
            try:
                header_hash = node.get(f"/v1/blocks/{height}")["header_hash"]
            except MetanodeError as error:
                if error.code not in ("NOT_FOUND", "UNREACHABLE", "TIMEOUT"):
                    raise
                break  # it has no more, or went away meanwhile
            if fork := agreement.check(node.name, height, header_hash):
                yield fork


def _ending(code: int | None) -> str:
    if code is None:
        return "ended"
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
