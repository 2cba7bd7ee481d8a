"""`metanode-miner`, also `metanode miner`: run and status.

Exit codes: 0 done, 1 refused for good, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from metanode.core.crypto import install, keystore
from metanode.core.light.http_client import HttpClient
from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.errors import MetanodeError
from metanode.core.version import VERSION
from metanode.miner import words
from metanode.miner.config import CONFIG_NAME, DEFAULT_DIRECTORY, Config, read_config
from metanode.miner.loop import Miner, World
from metanode.miner.node import PASSING, Node, fetch_genesis
from metanode.miner.store import Store, read_status

EXIT_INTERRUPTED = 130
RETRY_AFTER_S = 30.0
"""Wait after the tries of a round are used up, before the next round."""

EPILOG = """examples:
  metanode-miner run --wallet mn1...                     mine to an account
  metanode-miner run --wallet default                    mine to the wallet `default` of this user's home
  metanode-miner run --wallet mn1... --node http://192.168.1.10:8645
  metanode-miner run --wallet mn1... --rounds 1          attest once and stop
  metanode-miner status --json                           how it goes, for programs
"""


class Stopped(Exception):
    """A signal asked the miner to stop."""


class MinerVerb:
    """Mine, or show how mining goes."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add `run` and `status`."""
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        run = commands.add_parser("run", help="measure this machine and attest until stopped")
        run.add_argument(
            "--wallet", metavar="ACCOUNT", help="who is paid: mn1..., RTC... or a wallet name (wallet_id in the file)"
        )
        run.add_argument("--node", metavar="URL", help="the node to attest to (node_url in the file)")
        run.add_argument(
            "--interval",
            type=int,
            metavar="S",
            help="seconds between attestations; 0 follows the chain (attestation_interval)",
        )
        run.add_argument("--retries", type=int, metavar="N", help="tries per request (retry_attempts)")
        run.add_argument("--backoff", type=int, metavar="S", help="seconds before the first retry (backoff_base)")
        run.add_argument("--ca-file", metavar="FILE", help="certificate authority of an https node")
        run.add_argument("--config", type=Path, metavar="FILE", help=f"settings (default: {CONFIG_NAME} in --dir)")
        run.add_argument("--rounds", type=int, default=0, metavar="N", help="stop after N rounds (default: never)")
        status = commands.add_parser("status", help="show what a miner last reported")
        for command in (run, status):
            command.add_argument(
                "--dir",
                type=Path,
                default=DEFAULT_DIRECTORY,
                help=f"the miner's own directory (default: {DEFAULT_DIRECTORY})",
            )

    def run(self, args: argparse.Namespace) -> int:
        """Run the chosen command."""
        directory: Path = args.dir.expanduser()
        as_json: bool = getattr(args, "json", False)
        if args.command == "status":
            status = read_status(directory)
            print(json.dumps(status, sort_keys=True) if as_json else "\n".join(words.status_lines(status)))
            return 0
        overrides = {
            "wallet_id": _wallet(args.wallet, getattr(args, "home", None)),
            "node_url": args.node,
            "attestation_interval": args.interval,
            "retry_attempts": args.retries,
            "backoff_base": args.backoff,
            "ca_file": args.ca_file,
        }
        config = read_config(args.config or directory / CONFIG_NAME, overrides)
        return _mine(config, directory, args.rounds, as_json)


def _mine(config: Config, directory: Path, rounds: int, as_json: bool) -> int:
    """Run rounds until a signal, a final refusal or `rounds`."""
    install()
    _ = config.owner
    stop = _Stop()
    store = Store(directory)
    memory = store.open()

    def tell(text: str, event: dict[str, Any]) -> None:
        if as_json:
            print(json.dumps(event, sort_keys=True), flush=True)
        else:
            print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)

    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped

    world = World(sleep, random.SystemRandom().random, os.urandom, tell)
    try:
        secret = os.environ.get("METANODE_PASSPHRASE")
        key = store.machine_key(None if secret is None else secret.encode())
        http = HttpClient(config.node_url, ca_file=config.ca_file)
        node_key = bytes.fromhex(memory.node_key) if memory.node_key else None
        genesis = _patiently(lambda: fetch_genesis(http, memory.genesis_hash), world)
        miner = Miner(config, store, memory, key, Node(http, genesis, node_key), world)
        miner.introduce()
        done = 0
        while not rounds or done < rounds:
            wait = _patiently(miner.round, world)
            done += wait > 0
            if not rounds or done < rounds:
                sleep(wait)
        miner.report("stopped after the rounds asked for")
    except Stopped:
        tell("stopped", {"event": "stopped", "text": "stopped"})
        return EXIT_INTERRUPTED if stop.interrupted else 0
    finally:
        store.close()
    return 0


def _patiently(ask: Any, world: World) -> Any:
    """Ask until the node answers: a node that is away is waited for, a refusal is final."""
    while True:
        try:
            return ask()
        except MetanodeError as error:
            if error.code not in PASSING:
                raise
            text = f"{error.message}; next try in {RETRY_AFTER_S:g} s"
            world.tell(text, {"event": "waiting", "code": error.code, "text": text})
            world.sleep(RETRY_AFTER_S * (0.5 + world.draw() / 2))


class _Stop(threading.Event):
    """Set by SIGINT and SIGTERM; waiting on it ends at once."""

    def __init__(self) -> None:
        super().__init__()
        self.interrupted = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = number == signal.SIGINT
        self.set()


def _wallet(text: str | None, home: Path | None) -> str | None:
    """Turn a wallet name of the user's home into its account; addresses pass through."""
    if text is None or text.startswith(("mn1", "RTC")):
        return text
    base = home or Path(os.environ.get("METANODE_HOME", "~/.metanode")).expanduser()
    path = base / "wallets" / f"{text}.key"
    return to_bech32m(account_id(keystore.read_public(path))) if path.is_file() else text


VERB = MinerVerb()


def main(argv: Sequence[str] | None = None) -> int:
    """The `metanode-miner` command, without anything a node needs."""
    parser = argparse.ArgumentParser(
        prog="metanode-miner",
        description="Mine with this machine: measure it, attest it, be paid for it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"metanode-miner {VERSION}")
    parser.add_argument("--json", action="store_true", help="answer with JSON, one object per line")
    VERB.configure(parser)
    args = parser.parse_args(argv)
    try:
        return VERB.run(args)
    except MetanodeError as error:
        if args.json:
            print(json.dumps(error.reply(), sort_keys=True), flush=True)
        else:
            print(error.line(), file=sys.stderr, flush=True)
        return 2 if error.code == "USAGE" else 1
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
