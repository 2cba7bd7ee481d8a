"""`metanode stake`: lock coins for the right to validate, withdraw them, and see who is bonded."""

from __future__ import annotations

import argparse
from typing import Any

from metanode.core.cli import sending
from metanode.core.cli.console import Console
from metanode.core.cli.home_keys import account_key, add_from_option, home_keys
from metanode.core.cli.node_api import NodeApi, add_command, add_node_option
from metanode.core.cli.sending import add_sending_options, add_yes_option, confirm
from metanode.core.cli.verbs import EXIT_OK
from metanode.core.model import kinds
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.amounts import format_amount, parse_amount
from metanode.core.model.stake_bodies import Unbond, make_bond

PAGE = 500
"""Bonded accounts asked for at a time."""


class StakeVerb:
    """Bond, withdraw, and look."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the commands."""
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        bond = add_command(
            commands, "bond", "lock coins for the consensus and VRF key of this home, or add to them",
            "metanode stake bond 1000", "metanode stake bond 1000 --from savings --home /srv/node --yes",
        )  # fmt: skip
        bond.add_argument("amount", metavar="COINS", help="a first bond is at least the chain's bond_min")
        unbond = add_command(
            commands, "unbond", "withdraw the whole bond of this home's key; the seat goes with the next settlement",
            "metanode stake unbond", "metanode stake unbond --from savings --yes",
        )  # fmt: skip
        show = add_command(
            commands, "show", "show the validator set, candidates, and who is in jail or leaving",
            "metanode stake show", "metanode stake show --json",
        )  # fmt: skip
        for command in (bond, unbond):
            add_from_option(command, what="the account of the bond")
            add_yes_option(command)
            add_sending_options(command)
        add_node_option(show)

    def run(self, args: argparse.Namespace) -> int:
        """Run the chosen command."""
        api = NodeApi(args.node)
        match args.command:
            case "bond":
                return _bond(api, args)
            case "unbond":
                return _unbond(api, args)
            case _:
                _show(api, args.console)
        return EXIT_OK


def _bond(api: NodeApi, args: argparse.Namespace) -> int:
    amount = parse_amount(args.amount)
    fee = None if args.fee is None else parse_amount(args.fee)
    genesis = api.genesis()
    consensus, vrf = home_keys(args, "consensus", "vrf")
    account = account_key(args)
    what = [
        f"bond        {format_amount(amount)} of {to_bech32m(account.account)}",
        f"            for consensus key {consensus.public_key.hex()}",
        "            the members of the validator set decide by vote who gets a seat",
        f"            withdrawn coins come back {genesis.params.unbonding_epochs} epochs after the seat is gone; two",
        f"            contradicting votes cost {genesis.params.slash_permille} thousandths of them",
    ]
    confirm(args.console, what, yes=args.yes)
    body = make_bond(
        amount, account.account, consensus_seed=consensus.seed, vrf_seed=vrf.seed, genesis_hash=genesis.hash
    )
    envelope = api.envelope(account, genesis, kinds.BOND, body.encode(), fee=fee)
    return sending.send(api, envelope, args, f"bond of {to_bech32m(account.account)}")


def _unbond(api: NodeApi, args: argparse.Namespace) -> int:
    fee = None if args.fee is None else parse_amount(args.fee)
    genesis = api.genesis()
    (consensus,) = home_keys(args, "consensus")
    account = account_key(args)
    what = [
        f"unbond      all that {to_bech32m(account.account)} bonded for {consensus.public_key.hex()}",
        "            its seat goes with the next settlement; keep the node running until then",
        f"            the coins come back {genesis.params.unbonding_epochs} epochs later; this cannot be taken back",
    ]
    confirm(args.console, what, yes=args.yes)
    envelope = api.envelope(account, genesis, kinds.UNBOND, Unbond(consensus.public_key).encode(), fee=fee)
    return sending.send(api, envelope, args, f"bond of {to_bech32m(account.account)}")


def _show(api: NodeApi, console: Console) -> None:
    answer = api.get(f"/v1/validators?limit={PAGE}")
    rows: list[dict[str, Any]] = answer["bonded"]
    while len(rows) < answer["count"]:
        more = api.get(f"/v1/validators?limit={PAGE}&offset={len(rows)}")["bonded"]
        if not more:
            break
        rows += more
    table = [
        ("-" if row["index"] is None else row["index"], row["account"], row["bond"]["coins"], row["status"],
         row["release_epoch"] or "")
        for row in rows
    ]  # fmt: skip
    lines = [
        f"set         {len(answer['set'])} validators, {answer['needed']} decide; epoch {answer['epoch']}",
        *console.table(["seat", "account", "bond", "status", "paid back in epoch"], table),
    ]
    console.result({**answer, "bonded": rows, "limit": len(rows)}, lines)


VERB = StakeVerb()
