"""`metanode demo`: the whole story on this machine, with real processes, in a minute.

A node and a miner run as processes of their own, on real hardware facts, a real database and real HTTP.  The demo
only watches and, once a reward has come, spends it: a transfer, its proof, and the check of the proof by
`metanode verify`.  With `--seconds` it ends by itself and exits 0 only if every step happened.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from metanode.core.cli.console import Console
from metanode.core.cli.demo_story import Story
from metanode.core.cli.node_api import NodeApi
from metanode.core.cli.verbs import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from metanode.core.home import Home
from metanode.core.model.errors import MetanodeError

START_S_MAX = 30.0
"""Longest wait for the node to answer."""
STOP_S_MAX = 15.0
"""Longest wait for a process to end after SIGTERM; then it is killed, and that fails the demo."""
SECONDS_MAX = 86_400
"""Longest demo that may be asked for, seconds: a day."""
POLL_S = 0.25


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
        if args.keep is not None and args.keep.exists():
            raise MetanodeError("FILE_EXISTS", f"{args.keep} already exists", "another --keep")
        directory = args.keep or Path(tempfile.mkdtemp(prefix="metanode-demo-"))
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        started = time.monotonic()
        console: Console = args.console
        processes = Processes(directory)
        interrupted = False
        story = Story(console, directory)
        try:
            api = _start(processes, directory, story)
            while seconds is None or time.monotonic() - started < seconds:
                processes.check()
                story.watch(api, None if seconds is None else seconds - (time.monotonic() - started))
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            story.end_line()
            clean = processes.stop()
            if args.keep is None:
                shutil.rmtree(directory, ignore_errors=True)
        story.summary(time.monotonic() - started, clean)
        if interrupted and seconds is None:
            return EXIT_OK if clean else EXIT_FAILED
        if interrupted:
            return EXIT_INTERRUPTED
        return EXIT_OK if story.complete and clean else EXIT_FAILED


def _seconds(given: int | None) -> int | None:
    text = os.environ.get("DEMO_SECONDS", "") if given is None else str(given)
    if not text:
        return None
    if not text.isdigit() or not 1 <= int(text) <= SECONDS_MAX:
        raise MetanodeError("USAGE", f"{text!r} seconds", f"a whole number from 1 to {SECONDS_MAX}")
    return int(text)


def _start(processes: Processes, directory: Path, story: Story) -> NodeApi:
    """Make a home and a wallet, start the node and the miner; return how to ask the node."""
    home = Home(directory / "node")
    story.step("making a node's home, with keys and a genesis of its own")
    processes.finish("init", ["init", "--home", str(home.path), "--network", "devnet", "--port", "0", "--name", "demo"])
    story.step("making a wallet")
    account = processes.finish("wallet", ["wallet", "new", "demo", "--home", str(home.path), "--json"])["account"]
    story.step("starting the node")
    story.passphrase = processes.passphrase
    processes.spawn("node", ["metanode.core.cli", "run", "--home", str(home.path)])
    url = _address(processes, home)
    story.node(url, home.path, account)
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


def _address(processes: Processes, home: Home) -> str:
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        processes.check()
        state = home.read_running()
        if state is not None and state.get("addresses"):
            return str(state["addresses"][0])
        time.sleep(0.05)
    raise MetanodeError(
        "TIMEOUT", f"the node does not answer after {START_S_MAX:g} s; its log is {processes.log('node')}"
    )


class Processes:
    """The demo's own processes, each with a log file; ended by their ids, never by name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        # A passphrase made for this run: the demo's wallet holds nothing that outlives it.
        self._environment = {**os.environ, "METANODE_PASSPHRASE": os.urandom(16).hex(), "PYTHONUNBUFFERED": "1"}
        self._node_environment = {
            key: value for key, value in self._environment.items() if key != "METANODE_PASSPHRASE"
        }

    @property
    def passphrase(self) -> bytes:
        """What opens the demo's wallet."""
        return self._environment["METANODE_PASSPHRASE"].encode()

    def log(self, name: str) -> Path:
        """Return a process's log file."""
        return self._directory / f"{name}.log"

    def finish(self, name: str, words: list[str]) -> dict[str, str]:
        """Run a verb to its end and return its JSON answer.

        :raises MetanodeError: INTERNAL with its last words when it fails.
        """
        environment = self._environment if name == "wallet" else self._node_environment
        command = [sys.executable, "-m", "metanode.core.cli", *words, *([] if "--json" in words else ["--json"])]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise MetanodeError(
                "INTERNAL", f"`metanode {words[0]}` failed: {(done.stderr or done.stdout).strip()[-300:]}"
            )
        answer: dict[str, str] = json.loads(done.stdout)
        return answer

    def spawn(self, name: str, words: list[str]) -> None:
        """Start a module as a process in a session of its own, so that Ctrl-C reaches only the demo."""
        with self.log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *words],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env=self._node_environment, start_new_session=True,
            )  # fmt: skip

    def check(self) -> None:
        """Raise when a process has ended by itself, with its last words."""
        for name, process in self._running.items():
            if process.poll() is not None:
                tail = self.log(name).read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
                raise MetanodeError("INTERNAL", f"the {name} ended with code {process.returncode}: {tail[0][-300:]}")

    def stop(self) -> bool:
        """End the processes, the miner first; True if each ended by itself when asked."""
        clean = True
        for name in reversed(list(self._running)):
            process = self._running[name]
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                clean = False
        return clean


VERB = DemoVerb()
