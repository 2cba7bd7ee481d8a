"""`metanode tx`: send coins and look transactions up."""

from __future__ import annotations

import argparse
from typing import Any

from metanode.core.cli.console import Console
from metanode.core.cli.node_api import NodeApi, add_node_option
from metanode.core.cli.passphrase import add_passphrase_option
from metanode.core.cli.verbs import EXIT_FAILED, EXIT_OK
from metanode.core.cli.wallet import open_wallet, wallet_account
from metanode.core.model.amounts import format_amount, parse_amount
from metanode.core.model.errors import MetanodeError
from metanode.core.model.limits import MEMO_BYTES_MAX

WAIT_S = 60.0


class TxVerb:
    """Send and show transactions."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add `send` and `show`."""
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        send = commands.add_parser("send", help="sign a transfer and submit it")
        send.add_argument("amount", help="coins, such as 1.5 (at most 6 decimals)")
        send.add_argument("to", help="wallet name, mn1... or RTC...")
        send.add_argument("--from", dest="sender", default="default", metavar="WALLET", help="default: %(default)s")
        send.add_argument("--fee", metavar="COINS", help="default: the chain's minimum")
        send.add_argument("--memo", default="", help=f"text for the receiver, at most {MEMO_BYTES_MAX} bytes")
        send.add_argument("--no-wait", action="store_true", help="return once the node has accepted it")
        send.add_argument(
            "--wait-s", type=float, default=WAIT_S, metavar="S", help="wait at most this long for a block (default: 60)"
        )
        add_passphrase_option(send)
        add_node_option(send)
        show = commands.add_parser("show", help="show a transaction's state and receipt")
        show.add_argument("id", help="64 hex digits")
        add_node_option(show)

    def run(self, args: argparse.Namespace) -> int:
        """Run the chosen command."""
        api = NodeApi(args.node)
        if args.command == "show":
            return _report(api.transaction(args.id), args.console)
        amount = parse_amount(args.amount)
        fee = None if args.fee is None else parse_amount(args.fee)
        memo = args.memo.encode()
        if len(memo) > MEMO_BYTES_MAX:
            raise MetanodeError("TOO_LARGE", f"the memo has {len(memo)} bytes", f"at most {MEMO_BYTES_MAX} bytes")
        to = wallet_account(args.home, args.to)
        key = open_wallet(args.home, args.sender, args.passphrase_file)
        envelope = api.transfer(key, api.genesis(), to, amount, fee=fee, memo=memo)
        submitted = api.submit([envelope])[0]
        args.console.line(
            f"accepted    {submitted['id']}  ({format_amount(amount)} coins, fee {format_amount(envelope.fee)})"
        )
        if args.no_wait:
            args.console.result(submitted)
            return EXIT_OK
        return _report(api.wait_final(submitted["id"], args.wait_s), args.console)


def _report(view: dict[str, Any], console: Console) -> int:
    lines = [f"transaction {view['id']}", f"status      {view['status']}"]
    failed = False
    if view["status"] == "final":
        receipt = view["receipt"]
        failed = receipt["code"] != "OK"
        lines.append(f"block       {view['height']}, index {view['index']}")
        lines.append(f"receipt     {receipt['code']}, fee {format_amount(receipt['fee'])} coins")
    console.result(view, lines)
    return EXIT_FAILED if failed else EXIT_OK


VERB = TxVerb()
