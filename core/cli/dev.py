"""`metanode dev`: a network of real nodes on this machine, each a process with keys and a database of its own.

It makes one genesis, starts the nodes, shows what they do and looks from outside for what must never be: two blocks at
one height.  `metanode why --home DIR` explains a network that stands still.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from metanode.core.cli.console import Console
from metanode.core.cli.dev_homes import Place, make_homes
from metanode.core.cli.dev_nodes import DevNode, DevNodes
from metanode.core.cli.dev_topology import NODES_MAX, Topology, load_topology
from metanode.core.cli.dev_view import View
from metanode.core.cli.dev_watch import Watch
from metanode.core.cli.stopping import Stop
from metanode.core.cli.verbs import EXIT_CONSENSUS, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from metanode.core.crypto import install
from metanode.core.model.errors import MetanodeError

START_S_MAX = 30.0
"""Longest wait for the first block, seconds, and START_S_PER_NODE more for each node."""
START_S_PER_NODE = 3.0
POLL_S = 1.0
STALL_S = 30.0
"""A network without a block for this long, beyond the time in which one is due, stands still."""
SECONDS_MAX = 86_400
"""Longest run that may be asked for, seconds: a day."""
NETWORK_FILE = "network.json"
"""Names and addresses of the nodes, for other programs."""


class DevVerb:
    """Run a network."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add how many nodes, for how long, and where."""
        parser.add_argument(
            "--validators", type=int, metavar="N", help=f"nodes with a vote, 1 to {NODES_MAX} (default: the topology's)"
        )
        parser.add_argument(
            "--topology", default="devnet", metavar="NAME|FILE",
            help="devnet (4 validators), testnet (9), mainnet-like (25), or a TOML file (default: %(default)s)",
        )  # fmt: skip
        parser.add_argument("--seconds", type=int, metavar="S", help="end after S seconds (default: until Ctrl-C)")
        parser.add_argument("--restart", action="store_true", help="start a node that died again")
        parser.add_argument(
            "--keep", type=Path, metavar="DIR", help="keep homes and logs in DIR (default: a temporary directory)"
        )

    def run(self, args: argparse.Namespace) -> int:
        """Set up, watch, end: whatever happens, no process stays behind."""
        install()
        topology = _topology(args)
        if args.seconds is not None and not 1 <= args.seconds <= SECONDS_MAX:
            raise MetanodeError("USAGE", f"--seconds {args.seconds}", f"a whole number from 1 to {SECONDS_MAX}")
        directory = _directory(args.keep)
        try:
            with Stop() as stop:
                return _Run(args, topology, directory, stop).run()
        finally:
            if args.keep is None:
                shutil.rmtree(directory, ignore_errors=True)


class _Run:
    """One network from its start to its end."""

    def __init__(self, args: argparse.Namespace, topology: Topology, directory: Path, stop: Stop) -> None:
        self._console: Console = args.console
        self._seconds: int | None = args.seconds
        self._restart: bool = args.restart
        self._stop = stop
        self._directory = directory
        self._began = time.monotonic()
        places = make_homes(directory, topology)
        (directory / NETWORK_FILE).write_text(describe(places))
        self._nodes = DevNodes(places, directory)
        self._view = View(self._console, self._nodes)
        self._watch = Watch(self._nodes)
        self._standing = False
        who = f"{topology.validators} validators" + (f", {topology.watchers} watchers" if topology.watchers else "")
        self._view.event("network", f"{who} with the parameters of {topology.network}, in {directory}")

    def run(self) -> int:
        """Start, watch, end; return the exit code."""
        try:
            self._nodes.start()
            self._await_first_block()
            while not self._over():
                self._turn()
                time.sleep(POLL_S)
        finally:
            # First the processes: where the terminal or the reader is gone, writing the line fails.
            clean = self._nodes.stop()
            self._view.clear()
        return self._summary(clean)

    def _over(self) -> bool:
        return bool(self._stop.number or self._watch.forks or self._left_s() == 0)

    def _left_s(self) -> float | None:
        return None if self._seconds is None else max(0.0, self._seconds - (time.monotonic() - self._began))

    def _await_first_block(self) -> None:
        deadline = time.monotonic() + START_S_MAX + START_S_PER_NODE * len(self._nodes)
        while not self._over():
            self._turn()
            if self._watch.low >= 1 and all(self._watch.statuses):
                took = time.monotonic() - self._began
                self._view.event("rising", f"every node serves and has a block after {took:.1f} s")
                return
            if time.monotonic() > deadline:
                waits = ", ".join(f"{node.name}: {_waits(node)}" for node in self._nodes)
                raise MetanodeError("TIMEOUT", f"not every node has a block: {waits}", "`metanode why` on the homes")
            time.sleep(POLL_S / 4)

    def _turn(self) -> None:
        for kind, words in self._watch.look():
            self._view.event(kind, words)
        if self._restart:
            for node in self._nodes:
                if not node.running:
                    node.start()
                    self._view.event("restarted", f"{node.name} for the {node.starts - 1}. time")
        self._note_stall()
        self._view.show(self._watch, self._left_s())

    def _note_stall(self) -> None:
        known = [status for status in self._watch.statuses if status]
        due_s = max((status["empty_block_ms"] for status in known), default=0) / 1000
        standing = time.monotonic() - self._watch.rose_at > due_s + STALL_S
        if standing and not self._standing:
            words = f"no block for {due_s + STALL_S:.0f} s; `metanode why --home {self._directory}` says why"
            self._view.event("stall", words)
        self._standing = standing

    def _summary(self, clean: bool) -> int:
        watch = self._watch
        dead = [] if self._restart else sorted(watch.dead)
        took_s = time.monotonic() - self._began
        well = clean and not watch.forks and not dead and not self._standing
        pace = watch.block_s()
        words = "no fork seen" if not watch.forks else watch.forks[0]
        self._console.result(
            {"ok": well, "height": watch.height, "forks": watch.forks, "deaths": watch.deaths, "dead": dead,
             "seconds": round(took_s, 1), "block_s": None if pace is None else round(pace, 2),
             "longest_stall_s": round(watch.stall_s, 1), "clean": clean},
            [self._console.style(f"height {watch.height} after {took_s:.0f} s; {words}", "bold"),
             f"nodes died {watch.deaths} times; longest time without a block {watch.stall_s:.1f} s",
             "every process ended when asked" if clean else "a process had to be killed"],
        )  # fmt: skip
        if watch.forks or self._standing:
            return EXIT_CONSENSUS
        if not well:
            return EXIT_FAILED
        if self._stop.number:
            # Without an end of its own, Ctrl-C is how a network ends.
            return EXIT_OK if self._seconds is None and self._stop.number == signal.SIGINT else EXIT_INTERRUPTED
        return EXIT_OK


def describe(places: list[Place]) -> str:
    """Return the text of network.json."""
    rows = [
        {
            "name": place.name,
            "home": str(place.home.path),
            "url": place.url,
            "address": place.address,
            "validator": place.validator,
            "node_key": place.identity.node.public_key.hex(),
            "consensus_key": place.identity.consensus.public_key.hex(),
        }
        for place in places
    ]
    return json.dumps({"nodes": rows}, indent=1) + "\n"


def _topology(args: argparse.Namespace) -> Topology:
    topology = load_topology(args.topology)
    if args.validators is None:
        return topology
    if not 1 <= args.validators <= NODES_MAX:
        raise MetanodeError("USAGE", f"--validators {args.validators}", f"a whole number from 1 to {NODES_MAX}")
    return replace(topology, validators=args.validators)


def _directory(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="metanode-dev-"))
    try:
        keep.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise MetanodeError("FILE_EXISTS", f"{keep} already exists", "another --keep") from None
    except OSError as error:
        raise MetanodeError("STORAGE_FULL", f"{keep}: {error.strerror}", "a place that can be written") from error
    return keep.resolve()


def _waits(node: DevNode) -> str:
    if not node.running:
        return node.last_words()
    status = node.status()
    return "does not answer" if status is None else str(status["consensus"]["waiting"])


VERB = DevVerb()
