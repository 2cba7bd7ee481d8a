"""`metanode-miner`, also `metanode miner`: run and status.

Exit codes: 0 done or ended by SIGTERM, 1 refused for good, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar

from metanode.core.crypto import install, keystore
from metanode.core.light.http_client import HttpClient
from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.errors import MetanodeError, StorageError
from metanode.core.version import VERSION
from metanode.fingerprint.progress import ProgressLine
from metanode.miner import words
from metanode.miner.backoff import delay_s
from metanode.miner.config import CONFIG_NAME, DEFAULT_DIRECTORY, Config, read_config
from metanode.miner.loop import Miner, World
from metanode.miner.node import PASSING, Node, fetch_genesis
from metanode.miner.status import Status
from metanode.miner.store import Memory, Store, is_running, read_status
from metanode.platforms.priority import lower_priority
from metanode.platforms.terminal import HelpFormatter

ROUNDS_MAX = 1_000_000_000
"""Most attestations that `--rounds` may ask for."""
EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130

_RUN_EXAMPLES = """examples:
  metanode-miner run --wallet mn1...                     mine to an account
  metanode-miner run --wallet default                    mine to the wallet `default` of this user's home
  metanode-miner run --wallet mn1... --node http://192.168.1.10:8645
  metanode-miner run --wallet mn1... --rounds 1          attest once and stop"""
_STATUS_EXAMPLES = """examples:
  metanode-miner status                                  how it goes
  metanode-miner status --json                           the same, for programs"""
EPILOG = f"""{_RUN_EXAMPLES}
{_STATUS_EXAMPLES.partition(chr(10))[2]}

exit codes: 0 done or ended by SIGTERM, 1 refused for good, 2 usage, 130 interrupted"""

_T = TypeVar("_T")


class Stopped(Exception):
    """A signal asked the miner to stop."""


class MinerVerb:
    """Mine, or show how mining goes."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add `run` and `status`."""
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        run = _add_command(commands, "run", "measure this machine and attest until stopped", _RUN_EXAMPLES)
        run.add_argument(
            "--wallet", metavar="ACCOUNT", help="who is paid: mn1..., RTC... or a wallet's name (wallet_id in the file)"
        )
        run.add_argument("--node", metavar="URL", help="the node to attest to (node_url in the file)")
        run.add_argument(
            "--interval",
            type=int,
            metavar="S",
            help="seconds between attestations; 0 follows the chain (attestation_interval in the file)",
        )
        run.add_argument("--retries", type=int, metavar="N", help="tries per request (retry_attempts in the file)")
        run.add_argument(
            "--backoff", type=int, metavar="S", help="seconds before the first retry (backoff_base in the file)"
        )
        run.add_argument(
            "--ca-file", metavar="FILE", help="certificate authority of an https node (ca_file in the file)"
        )
        run.add_argument("--config", type=Path, metavar="FILE", help=f"settings (default: {CONFIG_NAME} in --dir)")
        run.add_argument(
            "--rounds", type=_count, metavar="N", help="stop once the node answered N attestations (default: never)"
        )
        status = _add_command(commands, "status", "show what a miner last reported", _STATUS_EXAMPLES)
        for command in (run, status):
            command.add_argument(
                "--dir",
                type=Path,
                default=DEFAULT_DIRECTORY,
                metavar="DIR",
                help=f"the miner's own directory (default: {DEFAULT_DIRECTORY})",
            )

    def run(self, args: argparse.Namespace) -> int:
        """Run the chosen command."""
        directory: Path = args.dir.expanduser()
        as_json: bool = getattr(args, "json", False)
        if args.command == "status":
            _show_status(directory, as_json)
            return EXIT_OK
        overrides = {
            "wallet_id": _wallet(args.wallet, getattr(args, "home", None)),
            "node_url": args.node,
            "attestation_interval": args.interval,
            "retry_attempts": args.retries,
            "backoff_base": args.backoff,
            "ca_file": args.ca_file,
        }
        if args.config is not None and not args.config.exists():
            raise MetanodeError("FILE_MISSING", f"{args.config} does not exist", "an existing --config")
        config = read_config(args.config or directory / CONFIG_NAME, overrides)
        return _run(config, directory, args.rounds, as_json)


def _show_status(directory: Path, as_json: bool) -> None:
    status, running = read_status(directory), is_running(directory)
    if as_json:
        print(json.dumps({"ok": True, "running": running, **status}, sort_keys=True))
    else:
        print("\n".join(words.status_lines(status, running=running, now_ms=time.time_ns() // 1_000_000)))


def _run(config: Config, directory: Path, rounds: int | None, as_json: bool) -> int:
    """Set up what a miner needs of this process; whatever ends it is written down for `status`."""
    install()
    lower_priority()
    status = Status(config.node_url, to_bech32m(config.owner))
    http = HttpClient(config.node_url, ca_file=config.ca_file)  # an unusable address is told before anything is made

    def tell(text: str, event: dict[str, Any]) -> None:
        if as_json:
            print(json.dumps(event, sort_keys=True), flush=True)
        else:
            print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)

    store = Store(directory)
    memory = store.open()
    try:
        with _Stop() as stop:

            def sleep(seconds: float) -> None:
                if stop.wait(seconds):
                    raise Stopped

            world = World(sleep, _draw, os.urandom, tell, None if as_json else ProgressLine())
            code = EXIT_OK
            try:
                _mine(config, store, memory, http, world, status, rounds)
            except Stopped:
                tell("stopped", {"event": "stopped", "text": "stopped"})
                code = EXIT_INTERRUPTED if stop.interrupted else EXIT_OK
            except MetanodeError as error:
                status.last = error.line()
                with suppress(StorageError):  # the first error is the one to tell
                    status.write(store, "ended")
                raise
            status.write(store, "stopped")
            return code
    finally:
        store.close()


def _mine(
    config: Config, store: Store, memory: Memory, http: HttpClient, world: World, status: Status, rounds: int | None
) -> None:
    """Run rounds until a signal, a final refusal or `rounds`."""
    secret = os.environ.get("METANODE_PASSPHRASE")
    key = store.machine_key(None if secret is None else os.fsencode(secret))
    status.machine = to_bech32m(key.account)
    status.write(store, "starting")

    def waiting(text: str) -> None:
        status.last = text
        status.write(store, "waiting")

    patience = _Patience(config.backoff_base, world, waiting)
    genesis = patience.ask(lambda: fetch_genesis(http, memory.genesis_hash), tries_inside=1)
    node_key = bytes.fromhex(memory.node_key) if memory.node_key else None
    miner = Miner(config, store, memory, key, Node(http, genesis, node_key, world.random_bytes), world, status)
    miner.introduce()
    while True:
        wait = patience.ask(miner.round, tries_inside=config.retry_attempts)
        if rounds is not None and status.answered >= rounds:
            return
        world.sleep(wait)


class _Patience:
    """Asks until the node answers: a node that is away is waited for, a refusal is final."""

    def __init__(self, backoff_base: int, world: World, waiting: Callable[[str], None]) -> None:
        self._base = backoff_base
        self._world = world
        self._waiting = waiting

    def ask(self, question: Callable[[], _T], *, tries_inside: int) -> _T:
        """Return the answer.

        :param tries_inside: how often the question tries by itself; the waits go on growing from there.
        """
        failed = 0
        while True:
            try:
                return question()
            except MetanodeError as error:
                if error.code not in PASSING:
                    raise
                failed += 1
                wait = delay_s(failed + tries_inside - 1, self._base, self._world.draw)
                text = f"waiting for the node: {error.message}; next try in {wait:.0f} s"
                self._world.tell(text, {"event": "waiting", "code": error.code, "wait_s": round(wait, 1), "text": text})
                self._waiting(text)
                self._world.sleep(wait)


class _Stop(threading.Event):
    """Set by SIGINT and SIGTERM; waiting on it ends at once.  A second signal has its usual effect."""

    def __init__(self) -> None:
        super().__init__()
        self.interrupted = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> _Stop:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = number == signal.SIGINT
        self.__exit__()
        self.set()


def _draw() -> float:
    """Return a uniform draw from [0, 1), without the half megabyte that `random` costs."""
    return int.from_bytes(os.urandom(6), "big") / (1 << 48)


def _wallet(text: str | None, home: Path | None) -> str | None:
    """Turn a wallet name of the user's home into its account; addresses pass through."""
    if text is None or text.startswith(("mn1", "MN1", "RTC")):
        return text
    base = home or Path(os.environ.get("METANODE_HOME") or "~/.metanode").expanduser()
    path = base / "wallets" / f"{text}.key"
    if os.sep in text or not path.is_file():
        raise MetanodeError(
            "FILE_MISSING", f"{text!r} is no account, and there is no wallet of that name in {base}",
            "mn1..., RTC... or a name that `metanode wallet list` shows",
        )  # fmt: skip
    return to_bech32m(account_id(keystore.read_public(path)))


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= ROUNDS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to {ROUNDS_MAX}")
    return int(text)


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, epilog: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary[:1].upper()}{summary[1:]}.",
        epilog=epilog,
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )


VERB = MinerVerb()


class _Parser(argparse.ArgumentParser):
    """Tells what it cannot understand as one line, or as JSON, like every other refusal."""

    def error(self, message: str) -> NoReturn:
        raise MetanodeError("USAGE", message, f"what `{self.prog} --help` shows")


def main(argv: Sequence[str] | None = None) -> int:
    """The `metanode-miner` command, without anything a node needs."""
    argv = sys.argv[1:] if argv is None else argv
    parser = _Parser(
        prog="metanode-miner",
        description="Mine with this machine: measure it, attest it, be paid for it.",
        epilog=EPILOG,
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"metanode-miner {VERSION}")
    VERB.configure(parser)
    _add_json(parser)
    try:
        return VERB.run(parser.parse_args(argv))
    except MetanodeError as error:
        if "--json" in argv:
            print(json.dumps(error.reply(), sort_keys=True), flush=True)
        else:
            print(error.line(), file=sys.stderr, flush=True)
        return EXIT_USAGE if error.code == "USAGE" else EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) went away; point stdout elsewhere so that the interpreter's own flush is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def _add_json(parser: argparse.ArgumentParser) -> None:
    """Take `--json` before and after the command's name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _add_json(command)
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="answer with JSON, one object per line"
    )


if __name__ == "__main__":
    sys.exit(main())
