"""`metanode tx`: send coins and look transactions up."""

from __future__ import annotations

import argparse
import os

from metanode.core.cli import sending
from metanode.core.cli.node_api import NodeApi, add_command, add_node_option
from metanode.core.cli.sending import add_sending_options
from metanode.core.cli.wallet import open_wallet, wallet_account
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.amounts import format_amount, parse_amount
from metanode.core.model.errors import MetanodeError
from metanode.core.model.limits import MEMO_BYTES_MAX


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
        send.add_argument(
            "--memo", default="", metavar="TEXT", help=f"text for the receiver, at most {MEMO_BYTES_MAX} bytes"
        )
        add_sending_options(send)
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
            return sending.report(api.transaction(args.id), args.console)
        amount = parse_amount(args.amount)
        fee = None if args.fee is None else parse_amount(args.fee)
        memo = os.fsencode(args.memo)  # the bytes as typed
        if len(memo) > MEMO_BYTES_MAX:
            raise MetanodeError("TOO_LARGE", f"the memo has {len(memo)} bytes", f"at most {MEMO_BYTES_MAX} bytes")
        to = wallet_account(args.home, args.to)
        key = open_wallet(args.home, args.sender, args.passphrase_file)
        envelope = api.transfer(key, api.genesis(), to, amount, fee=fee, memo=memo)
        coins, paid = format_amount(amount), format_amount(envelope.fee)
        return sending.send(api, envelope, args, f"{coins} coins to {to_bech32m(to)}, fee {paid}")


VERB = TxVerb()
