"""`metanode run`: the node of a home, in the foreground, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import trio

from metanode.core import logs
from metanode.core.bus import PluginStateChanged
from metanode.core.cli.console import Console
from metanode.core.cli.passphrase import add_passphrase_option, read_passphrase
from metanode.core.cli.verbs import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from metanode.core.home import Home
from metanode.core.identity import Identity
from metanode.core.kernel import Node, OwnProcess
from metanode.core.loading import guarded
from metanode.core.model.errors import MetanodeError, PluginError, StorageError
from metanode.core.tuning import tune
from metanode.platforms.process import left_dumps

THREADS_GRACE_S = 1.0
"""How long threads that a plugin left behind may keep the process after the node has closed, seconds."""

_log = logging.getLogger("metanode.run")


class Run:
    """The verb."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the options of `run`."""
        parser.add_argument("--plugins-dir", type=Path, metavar="DIR", help="also load single-file plugins from DIR")
        parser.add_argument("--safe-mode", action="store_true", help="load built-in plugins only")
        parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), help="overrides the settings")
        parser.add_argument("--log-json", action="store_true", help="log lines as JSON")
        add_passphrase_option(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Run the node; 130 after Ctrl-C, 0 after SIGTERM."""
        home = Home(args.home)
        settings = home.settings()
        logs.configure(args.log_level or settings.node.log_level, as_json=args.log_json)
        given = home.passphrase() if args.passphrase_file is None else None
        identity = home.identity(given or read_passphrase(args.passphrase_file, what=f"the keys of {home.path}"))
        for plugin, place in left_dumps(home.running_file.parent):
            _log.warning("a run before this one ended while %s blocked it in %s", plugin or "code of no plugin", place)
        tune()
        try:
            return trio.run(_run, home, identity, args)
        finally:
            _leave_threads()


async def _run(home: Home, identity: Identity, args: argparse.Namespace) -> int:
    failure: MetanodeError | None = None
    stopped_by: list[int] = []
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_await_signal, signals, stopped_by, nursery.cancel_scope, args)
            try:
                await _serve(home, identity, args)
            except MetanodeError as error:
                failure = error  # raised below, where no nursery wraps it in a group
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return EXIT_INTERRUPTED if stopped_by == [signal.SIGINT] else EXIT_OK


async def _await_signal(
    signals: AsyncIterator[int], stopped_by: list[int], scope: trio.CancelScope, args: argparse.Namespace
) -> None:
    async for number in signals:
        if not stopped_by:
            stopped_by.append(number)
            if args.log_json:
                _log.warning("stopping on %s", signal.Signals(number).name)
            else:
                args.console.remark("stopping")
            scope.cancel()
            # One signal is enough.  Waiting on would swallow a second one, so its usual effect comes back instead.
            for usual in (signal.SIGINT, signal.SIGTERM):
                signal.signal(usual, signal.SIG_DFL)
            return


def _leave_threads() -> None:
    """See to it that the process ends: the interpreter would wait for every thread that is no daemon."""
    rest = [thread for thread in threading.enumerate() if thread is not threading.main_thread() and not thread.daemon]
    if rest:
        _log.error("the process ends without threads that still run: %s", ", ".join(thread.name for thread in rest))
        timer = threading.Timer(THREADS_GRACE_S, os._exit, (EXIT_FAILED,))
        timer.daemon = True
        timer.start()


def _abandon(home: Home, console: Console, error: MetanodeError) -> None:
    """End the process around a plugin that does not stop: its task cannot be thrown away."""
    console.error(error)
    home.forget_running()
    logging.shutdown()
    os._exit(EXIT_FAILED)


async def _serve(home: Home, identity: Identity, args: argparse.Namespace) -> None:
    opened = Node.open(
        home.settings(),
        home=home.path,
        identity=identity,
        # Whole, so that `metanode plugins`, started elsewhere, names the same files.
        plugins_dir=args.plugins_dir and args.plugins_dir.resolve(),
        safe_mode=args.safe_mode,
        process=OwnProcess(home.running_file.parent, partial(_abandon, home, args.console)),
    )
    async with opened as node, node.bus.subscribe(PluginStateChanged) as changes:
        try:
            home.write_running(_state(node))
            _announce(node, home, args.console)
            async for _ in changes:
                try:
                    home.write_running(_state(node))
                except StorageError as error:
                    # Not what the node stops for: a role that needs the disk says so itself, or can do without.
                    _log.warning("other processes are not told of plugins: %s", error.line())
        finally:
            home.forget_running()


def _state(node: Node) -> dict[str, Any]:
    return {
        "addresses": _addresses(node),
        "plugins": {name: {"state": row.state, "detail": row.detail} for name, row in node.plugins.items()},
    }


def _addresses(node: Node) -> list[str]:
    found: list[str] = []
    for name, api in node.roles.many("api").items():
        with suppress(PluginError), guarded(f"api.{name}", "addresses"):
            found += api.addresses
    return found


def _announce(node: Node, home: Home, console: Console) -> None:
    head = node.roles.consensus.head
    value = {
        "ok": True,
        "status": "running",
        "home": str(home.path),
        "chain": node.genesis.chain_name,
        "genesis_hash": node.genesis.hash.hex(),
        "height": head.height,
        "node_key": node.identity.node.public_key.hex(),
        "addresses": _addresses(node),
    }
    lines = [f"{console.style('running', 'green')} {node.genesis.chain_name} at height {head.height}, home {home.path}"]
    lines += [f"listening on {console.style(address, 'cyan')}" for address in _addresses(node)]
    console.result(value, [*lines, "Ctrl-C stops"])


VERB = Run()
