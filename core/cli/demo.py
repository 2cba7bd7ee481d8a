"""`metanode demo`: the whole story on this machine, with real processes, in a minute.

Four validators and a miner run as processes of their own, on real hardware facts, real databases and real HTTP.  The
demo only watches and, once a reward has come, spends it: a transfer, its proof, and the check of the proof by
`metanode verify`.  With `--seconds` it ends by itself and exits 0 only if every step happened.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

from metanode.core.cli.console import Console
from metanode.core.cli.demo_processes import Processes, run_verb
from metanode.core.cli.demo_story import BUNDLE_FILE, WALLET, Story
from metanode.core.cli.dev_homes import make_homes
from metanode.core.cli.dev_topology import Topology
from metanode.core.cli.node_api import NodeApi
from metanode.core.cli.stopping import Stop
from metanode.core.cli.verbs import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from metanode.core.crypto import install
from metanode.core.home import Home
from metanode.core.model.errors import MetanodeError

START_S_MAX = 30.0
"""Longest wait for the node to answer."""
SECONDS_MAX = 86_400
"""Longest demo that may be asked for, seconds: a day."""
POLL_S = 0.25
VALIDATORS = 4
"""The fewest that stand one of them lying or gone."""


class DemoVerb:
    """Run the demo."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add how long, and where."""
        parser.add_argument(
            "--seconds", type=int, metavar="S", help="end after S seconds (default: $DEMO_SECONDS, else until Ctrl-C)"
        )
        parser.add_argument(
            "--keep",
            type=Path,
            metavar="DIR",
            help="keep the node's home and logs in DIR (default: a temporary directory)",
        )

    def run(self, args: argparse.Namespace) -> int:
        """Set up, watch, end: whatever happens, no process stays behind."""
        seconds = _seconds(args.seconds)
        directory = _directory(args.keep)
        started = time.monotonic()
        console: Console = args.console
        processes = Processes(directory)
        story = Story(console, directory, run_verb)
        with Stop() as stop:
            try:
                api = _start(processes, directory, story, stop)
                while api is not None and not stop.number:
                    left = None if seconds is None else seconds - (time.monotonic() - started)
                    if left is not None and left <= 0:
                        break
                    processes.check()
                    story.watch(api, left)
                    time.sleep(POLL_S)
            finally:
                # First the processes: where the terminal or the reader is gone, writing the line fails.
                clean = processes.stop()
                if args.keep is None:
                    shutil.rmtree(directory, ignore_errors=True)
                story.end_line()
        story.summary(time.monotonic() - started, clean)
        if args.keep is not None:
            _tell_kept(console, directory)
        if not clean:
            return EXIT_FAILED
        if stop.number:
            # Without an end of its own, Ctrl-C is how the demo ends.
            return EXIT_OK if seconds is None and stop.number == signal.SIGINT else EXIT_INTERRUPTED
        return EXIT_OK if story.complete else EXIT_FAILED


def _seconds(given: int | None) -> int | None:
    text = os.environ.get("DEMO_SECONDS", "") if given is None else str(given)
    if not text:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= SECONDS_MAX:
        what = "DEMO_SECONDS" if given is None else "--seconds"
        raise MetanodeError("USAGE", f"{what} {text}", f"a whole number from 1 to {SECONDS_MAX}")
    return int(text)


def _directory(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="metanode-demo-"))
    try:
        keep.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise MetanodeError("FILE_EXISTS", f"{keep} already exists", "another --keep") from None
    except OSError as error:
        raise MetanodeError("STORAGE_FULL", f"{keep}: {error.strerror}", "a place that can be written") from error
    return keep


def _tell_kept(console: Console, directory: Path) -> None:
    homes = sorted(path for path in directory.glob("v*") if path.is_dir())
    console.line(f"\nkept in {directory}; go on with at least three of")
    for home in homes:
        console.line(f"  metanode run --home {home}")
    bundle = directory / BUNDLE_FILE
    if bundle.exists():
        console.line(f"  metanode verify {bundle} --genesis {homes[0] / 'genesis.json'}")


def _start(processes: Processes, directory: Path, story: Story, stop: Stop) -> NodeApi | None:
    """Make homes and a wallet, start the nodes and the miner; return how to ask the first node, None when stopped."""
    story.step("making the homes of four validators, with keys of their own and one genesis")
    install()
    homes = [place.home for place in make_homes(directory, Topology("devnet", VALIDATORS, 0))]
    home = homes[0]
    story.step("making a wallet")
    # Under the passphrase of the node's own keys, so that a kept demo can be gone on with.
    passphrase_file = ["--passphrase-file", str(home.passphrase_file)]
    account: str = run_verb("wallet", "new", WALLET, "--home", str(home.path), *passphrase_file)["account"]
    if stop.number:
        return None
    story.step("starting the nodes, joined by encrypted connections")
    for each in homes:
        processes.spawn(f"node {each.path.name}", ["metanode.core.cli", "run", "--home", str(each.path)])
    url = _address(processes, home, stop)
    if url is None:
        return None
    story.node(url, home, account)
    story.step("starting the miner, a process of its own, on this machine's real hardware")
    processes.spawn(
        "miner",
        [
            "metanode.miner.command",
            "--json",
            "run",
            "--wallet",
            account,
            "--node",
            url,
            "--dir",
            str(directory / "miner"),
        ],
    )
    return NodeApi(url)


def _address(processes: Processes, home: Home, stop: Stop) -> str | None:
    """Return where the node listens once it does, None when stopped before."""
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        if stop.number:
            return None
        processes.check()
        state = home.read_running()
        if state is not None and state.get("addresses"):
            return str(state["addresses"][0])
        time.sleep(0.05)
    said = processes.last_words(f"node {home.path.name}")
    raise MetanodeError("TIMEOUT", f"the node does not answer after {START_S_MAX:g} s: {said}")


VERB = DemoVerb()
