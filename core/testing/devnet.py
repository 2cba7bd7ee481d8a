"""A network of real node processes on this machine, to be broken on purpose and watched from outside.

    with Devnet(tmp_path, Topology("devnet", 4, 0)) as net:
        net.nodes[3].kill()
        net.wait_for_height(net.height() + 3)
        net.check_agreement()
"""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from pathlib import Path
from types import TracebackType
from typing import Any

from metanode.core.cli.dev import NETWORK_FILE, describe
from metanode.core.cli.dev_homes import Place, make_homes
from metanode.core.cli.dev_nodes import DevNode, DevNodes
from metanode.core.cli.dev_topology import Topology
from metanode.core.cli.dev_watch import Agreement, compare_all
from metanode.core.cli.frame import main
from metanode.core.cli.node_api import NodeApi
from metanode.core.crypto import install
from metanode.core.model import ecvrf, leader
from metanode.core.model.validators import decode_set

PATIENCE_S = 45.0
"""Longest wait for anything that a test waits for: about four rounds of the longest timer."""
POLL_S = 0.1
CHAIN_DATA = ("storage.sqlite", "mempool.fifo", "ledger.attested")
"""What a node can fetch again; the guard is not among it."""


class Devnet:
    """The network for as long as the `with` block lasts."""

    def __init__(self, directory: Path, topology: Topology) -> None:
        install()
        self.directory = directory
        self.places: list[Place] = make_homes(directory, topology)
        (directory / NETWORK_FILE).write_text(describe(self.places))
        self.topology = topology
        self.nodes = DevNodes(self.places, directory)
        self.agreement = Agreement()
        self._compared: dict[str, int] = {}

    def __enter__(self) -> Devnet:
        self.nodes.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.nodes.stop()

    def api(self, index: int) -> NodeApi:
        """Return how to ask a node."""
        return NodeApi(self.places[index].url)

    def height(self, nodes: Iterable[DevNode] | None = None) -> int:
        """Return the highest height that a node has; -1 when none answers."""
        statuses = [node.status() for node in (self.nodes if nodes is None else nodes)]
        return max((status["head"]["height"] for status in statuses if status), default=-1)

    def wait_until(self, what: str, condition: Callable[[], object], within_s: float = PATIENCE_S) -> float:
        """Return after how many seconds it holds.

        :raises AssertionError: it does not in time; says what the nodes say.
        """
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > within_s:
                said = [(node.name, (node.status() or {}).get("consensus") or node.last_words()) for node in self.nodes]
                raise AssertionError(f"not {what} within {within_s:g} s: {said}")
            time.sleep(POLL_S)
        return time.monotonic() - began

    def wait_for_height(
        self, height: int, nodes: Iterable[DevNode] | None = None, within_s: float = PATIENCE_S
    ) -> float:
        """Return after how many seconds each of these nodes has a height."""
        chosen = list(self.nodes if nodes is None else nodes)
        return self.wait_until(
            f"height {height}", lambda: all(self.height([node]) >= height for node in chosen), within_s
        )

    def check_agreement(self) -> int:
        """Compare the header hashes of all heights not compared before, on all nodes that answer; return the lowest.

        :raises AssertionError: two nodes have two blocks at one height.
        """
        heights = {}
        for node, status in zip(self.nodes, self.nodes.statuses(), strict=True):
            if status is None:
                continue  # one that is away is compared once it is back, from where it was left
            height = heights[node.name] = status["head"]["height"]
            forks = list(compare_all([node], self.agreement, self._compared.get(node.name, 0) + 1, height))
            assert not forks, forks
            self._compared[node.name] = height
        return min(heights.values(), default=0)

    def next_leader(self) -> int:
        """Return who proposes the next block in round 0: everyone can tell from the newest header."""
        genesis = self.places[0].home.genesis()
        header = next(node for node in self.nodes if node.status()).get("/v1/blocks/latest")["header"]
        beta = ecvrf.proof_to_hash(bytes.fromhex(header["vrf_proof"]))
        return leader.leader(beta, header["height"] + 1, 0, decode_set(genesis.validators))

    def wipe(self, node: DevNode) -> None:
        """Delete the chain of a node that does not run; what its key signed stays known."""
        for name in CHAIN_DATA:
            shutil.rmtree(node.place.home.path / "data" / name, ignore_errors=True)

    def why(self, *words: str) -> dict[str, Any]:
        """Run `metanode why --json` and return its answer, with its exit code as `exit`."""
        return verb("why", *(words or ("--home", str(self.directory))))

    def why_of(self, node: DevNode) -> dict[str, Any]:
        """Run `metanode why` on one node's home."""
        return self.why("--home", str(node.place.home.path))


def verb(*words: str) -> dict[str, Any]:
    """Run a verb in this process and return its JSON answer, with its exit code as `exit`."""
    out = io.StringIO()
    with redirect_stdout(out):
        code = main([*words, "--json"])
    answer: dict[str, Any] = json.loads(out.getvalue().strip().splitlines()[-1])
    return {**answer, "exit": code}
