"""`metanode tx`: send coins and look transactions up."""

from __future__ import annotations

import argparse
import os
from typing import Any

from metanode.core.cli.console import Console
from metanode.core.cli.node_api import NodeApi, add_command, add_node_option
from metanode.core.cli.passphrase import add_passphrase_option
from metanode.core.cli.verbs import EXIT_FAILED, EXIT_OK
from metanode.core.cli.wallet import open_wallet, wallet_account
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.amounts import format_amount, parse_amount
from metanode.core.model.errors import MetanodeError
from metanode.core.model.limits import MEMO_BYTES_MAX

WAIT_S = 60.0
WAIT_S_MAX = 86_400.0
"""Longest wait for a block that may be asked for."""


class TxVerb:
    """Send and show transactions."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add `send` and `show`."""
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        send = add_command(
            commands, "send", "sign a transfer, submit it and wait for its block",
            "metanode tx send 1.5 mn1... --from savings",
            "metanode tx send 0.25 savings --memo rent",
            "metanode tx send 2 RTC... --no-wait --json",
        )  # fmt: skip
        send.add_argument("amount", metavar="AMOUNT", help="coins, such as 1.5 (at most 6 decimals)")
        send.add_argument("to", metavar="TO", help="a wallet's name, mn1... or RTC...")
        send.add_argument(
            "--from", dest="sender", default="default", metavar="WALLET", help="who pays (default: %(default)s)"
        )
        send.add_argument("--fee", metavar="COINS", help="default: the chain's minimum")
        send.add_argument(
            "--memo", default="", metavar="TEXT", help=f"text for the receiver, at most {MEMO_BYTES_MAX} bytes"
        )
        send.add_argument("--no-wait", action="store_true", help="return once the node has accepted it")
        send.add_argument(
            "--wait-s", type=_seconds, default=WAIT_S, metavar="S",
            help="wait at most this long for a block (default: %(default)g)",
        )  # fmt: skip
        add_passphrase_option(send)
        add_node_option(send)
        show = add_command(
            commands, "show", "show a transaction's state and receipt",
            "metanode tx show ID", "metanode tx show ID --json",
        )  # fmt: skip
        show.add_argument("id", metavar="ID", help="64 hex digits, as `tx send` printed them")
        add_node_option(show)

    def run(self, args: argparse.Namespace) -> int:
        """Run the chosen command."""
        api = NodeApi(args.node)
        if args.command == "show":
            return _report(api.transaction(args.id), args.console)
        amount = parse_amount(args.amount)
        fee = None if args.fee is None else parse_amount(args.fee)
        memo = os.fsencode(args.memo)  # the bytes as typed
        if len(memo) > MEMO_BYTES_MAX:
            raise MetanodeError("TOO_LARGE", f"the memo has {len(memo)} bytes", f"at most {MEMO_BYTES_MAX} bytes")
        to = wallet_account(args.home, args.to)
        key = open_wallet(args.home, args.sender, args.passphrase_file)
        envelope = api.transfer(key, api.genesis(), to, amount, fee=fee, memo=memo)
        submitted = api.submit([envelope])[0]
        args.console.line(f"accepted    {submitted['id']}")
        coins, paid = format_amount(amount), format_amount(envelope.fee)
        args.console.line(f"            {coins} coins to {to_bech32m(to)}, fee {paid}")
        if args.no_wait:
            args.console.result(submitted)
            return EXIT_OK
        return _report(api.wait_final(submitted["id"], args.wait_s), args.console)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= WAIT_S_MAX:  # also refuses nan, which no deadline would ever pass
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to {WAIT_S_MAX:g}")
    return value


def _report(view: dict[str, Any], console: Console) -> int:
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


VERB = TxVerb()
