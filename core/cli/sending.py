"""What every verb that sends a signed envelope shares: its options, the question before it, and what became of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from metanode.core.cli.console import Console
from metanode.core.cli.node_api import NodeApi, add_node_option
from metanode.core.cli.passphrase import add_passphrase_option
from metanode.core.cli.verbs import EXIT_FAILED, EXIT_OK
from metanode.core.model.envelope import Envelope
from metanode.core.model.errors import MetanodeError

WAIT_S = 60.0
WAIT_S_MAX = 86_400.0
"""Longest wait for a block that may be asked for."""


def add_sending_options(parser: argparse.ArgumentParser) -> None:
    """Add fee, waiting, passphrase and node."""
    parser.add_argument("--fee", metavar="COINS", help="default: the chain's minimum")
    parser.add_argument("--no-wait", action="store_true", help="return once the node has accepted it")
    parser.add_argument(
        "--wait-s", type=_seconds, default=WAIT_S, metavar="S",
        help="wait at most this long for a block (default: %(default)g)",
    )  # fmt: skip
    add_passphrase_option(parser)
    add_node_option(parser)


def add_yes_option(parser: argparse.ArgumentParser) -> None:
    """Add `--yes`."""
    parser.add_argument("--yes", action="store_true", help="do it without asking")


def confirm(console: Console, what: Sequence[str], *, yes: bool) -> None:
    """Say what will happen and ask for a yes; with `yes` only say it.

    :raises MetanodeError: USAGE, there is nobody to ask, or the answer is another one: then nothing was sent.
    """
    for line in what:
        console.remark(line)
    if yes:
        return
    if not sys.stdin.isatty():
        raise MetanodeError("USAGE", "this needs a yes and there is no terminal to ask at", "--yes")
    console.err.write("type yes to go on: ")
    console.err.flush()
    if sys.stdin.readline().strip().lower() != "yes":
        raise MetanodeError("USAGE", "not confirmed: nothing was sent", "yes, or --yes")


def send(api: NodeApi, envelope: Envelope, args: argparse.Namespace, *lines: str) -> int:
    """Submit one envelope, wait for its block unless told otherwise, tell the outcome and return the exit code.

    :param lines: what stands below its id for people.
    """
    console: Console = args.console
    submitted = api.submit([envelope])[0]
    console.line(f"accepted    {submitted['id']}")
    for line in lines:
        console.line(f"            {line}")
    if args.no_wait:
        console.result(submitted)
        return EXIT_OK
    return report(api.wait_final(submitted["id"], args.wait_s), console)


def report(view: dict[str, Any], console: Console) -> int:
    """Show a transaction; what no block holds because nobody knows it, or what failed there, is a failure."""
    lines = [f"transaction {view['id']}", f"status      {view['status']}"]
    failed = view["status"] == "unknown"
    if failed:
        lines[1] += " to this node: never seen here, expired, or another chain's"
    if view["status"] == "final":
        receipt = view["receipt"]
        failed = receipt["code"] != "OK"
        fee = receipt["fee"]["coins"]
        lines.append(f"block       {view['height']}, index {view['index']}")
        lines.append(f"receipt     {receipt['code']}, fee {fee} coins")
    console.result(view, lines)
    return EXIT_FAILED if failed else EXIT_OK


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= WAIT_S_MAX:  # also refuses nan, which no deadline would ever pass
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to {WAIT_S_MAX:g}")
    return value
