"""`metanode machine`: the machines that pay an owner, and what only their owner may do with them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from metanode.core.cli import machine_reports, sending
from metanode.core.cli.console import Console
from metanode.core.cli.node_api import NodeApi, add_command, add_node_option
from metanode.core.cli.passphrase import add_passphrase_option
from metanode.core.cli.sending import add_sending_options, add_yes_option, confirm
from metanode.core.cli.verbs import EXIT_OK
from metanode.core.cli.wallet import FOLDER, open_wallet, wallet_account, wallet_public_key
from metanode.core.crypto import keystore
from metanode.core.model import kinds
from metanode.core.model.accounts import account_id, parse_account, to_bech32m
from metanode.core.model.amounts import parse_amount
from metanode.core.model.bodies import MachineUnbind
from metanode.core.model.errors import MetanodeError

PAGE = 500
"""Machines asked for at a time."""
_MACHINE_HELP = "mn1..., a key in hex, or an index, as `metanode machine list` shows"


class MachineVerb:
    """List and show machines, give them up or away, and make calibration reports."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the commands."""
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        listed = add_command(
            commands, "list", "list the machines that pay this home's wallets", "metanode machine list",
            "metanode machine list --owner mn1...", "metanode machine list --all --json",
        )  # fmt: skip
        which = listed.add_mutually_exclusive_group()
        which.add_argument("--owner", metavar="ACCOUNT", help="a wallet's name, mn1... or RTC...")
        which.add_argument("--all", action="store_true", help="every machine on record")
        add_node_option(listed)
        show = add_command(
            commands, "show", "show a machine's record, what it counts for and why", "metanode machine show mn1...",
            "metanode machine show 7 --json",
        )  # fmt: skip
        show.add_argument("machine", metavar="MACHINE", help=_MACHINE_HELP)
        add_node_option(show)
        unbind = add_command(
            commands, "unbind", "give a machine up for good: its record ends and its hardware is free for another key",
            "metanode machine unbind 7", "metanode machine unbind mn1... --from savings --yes --json",
        )  # fmt: skip
        unbind.add_argument("machine", metavar="MACHINE", help=_MACHINE_HELP)
        hand_over = add_command(
            commands, "hand-over", "give a machine to another owner, who is paid from the next epoch on",
            "metanode machine hand-over 7 mn1...", "metanode machine hand-over mn1... RTC... --from savings --yes",
        )  # fmt: skip
        hand_over.add_argument("machine", metavar="MACHINE", help=_MACHINE_HELP)
        hand_over.add_argument("to", metavar="OWNER", help="a wallet's name, mn1... or RTC...")
        for command in (unbind, hand_over):
            command.add_argument("--from", dest="sender", default="default", metavar="WALLET",
                                 help="the owner's wallet (default: %(default)s)")  # fmt: skip
            add_yes_option(command)
            add_sending_options(command)
        _configure_reports(commands)

    def run(self, args: argparse.Namespace) -> int:
        """Run the chosen command."""
        match args.command:
            case "list":
                _list(args)
            case "show":
                _show(NodeApi(args.node).machine(args.machine), args.console)
            case "ticket":
                machine_reports.write_ticket(args)
            case "sign":
                machine_reports.sign(args)
            case "calibrate":
                machine_reports.calibrate(args)
            case _:
                return _give(args)
        return EXIT_OK


def _configure_reports(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add what makes calibration reports, see docs/calibration.md."""
    ticket = add_command(
        commands, "ticket", "say what a machine is to be measured for, to carry to that machine",
        "metanode machine ticket 7 --out g4.ticket", "metanode machine ticket KEY --genesis genesis.json",
    )  # fmt: skip
    calibrate = add_command(
        commands, "calibrate", "measure this machine and sign the calibration report",
        "metanode machine calibrate 7 --out g4.report", "metanode machine calibrate 7 --out g4.report --wallet savings",
    )  # fmt: skip
    sign = add_command(
        commands, "sign", "sign a calibration report that was measured on another machine",
        "metanode machine sign g4.report", "metanode machine sign g4.report --wallet savings --json",
    )  # fmt: skip
    for command in (ticket, calibrate):
        command.add_argument("machine", metavar="MACHINE", help=_MACHINE_HELP)
        command.add_argument(
            "--genesis", type=Path, metavar="FILE",
            help="instead of asking a node: the chain's genesis.json; MACHINE is then a key in hex",
        )  # fmt: skip
        add_node_option(command)
    ticket.add_argument("--out", type=Path, metavar="FILE", help="a new file (default: print it)")
    calibrate.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file for the report")
    sign.add_argument("file", type=Path, metavar="FILE", help="as `metanode-fingerprint --calibrate` wrote it")
    for command in (ticket, calibrate, sign):
        command.add_argument("--wallet", default="default", metavar="NAME", help="the owner's (default: %(default)s)")
    for command in (calibrate, sign):
        add_passphrase_option(command)


def _list(args: argparse.Namespace) -> None:
    api, console = NodeApi(args.node), args.console
    owners: list[str | None] = [None]
    if args.owner is not None:
        owners = [to_bech32m(wallet_account(args.home, args.owner))]
    elif not args.all:
        paths = sorted((args.home / FOLDER).glob("*.key"))
        owners = [to_bech32m(account_id(keystore.read_public(path))) for path in paths]
    machines = [row for owner in owners for row in _machines(api, owner)]
    rows = [
        (row["machine_index"], row["machine"], f"{row['device_family']} {row['device_arch']}", row["class"],
         row["multiplier"], row["reward_total"]["coins"], row["owner"])
        for row in machines
    ]  # fmt: skip
    headers = ["index", "machine", "hardware", "class", "multiplier", "paid", "owner"]
    none = "no machine is on record" if args.all else "no machine on record pays these accounts; --all lists all"
    console.result({"ok": True, "machines": machines}, console.table(headers, rows) if rows else [none])


def _machines(api: NodeApi, owner: str | None) -> list[dict[str, Any]]:
    """Return all machines of an owner, or of everyone, newest first."""
    found: list[dict[str, Any]] = []
    chosen = "" if owner is None else f"&owner={owner}"
    while True:
        page = api.get(f"/v1/miners?limit={PAGE}&offset={len(found)}{chosen}")["miners"]
        found += page
        if len(page) < PAGE:
            return found


def _show(view: dict[str, Any], console: Console) -> None:
    weight, payable = multiplier_text(view["weight"]), multiplier_text(view["payable"])
    paid = f"{weight}" if payable == weight else f"{weight}, of it {payable} at once and the rest once calibrated"
    lines = [
        f"machine     {view['machine']}  (index {view['machine_index']})",
        f"key         {view['machine_key']}",
        f"owner       {view['owner']}",
        f"hardware    {view['family']} {view['arch']}, class {view['class']}",
        f"model       {view['model']}, {'calibrated' if view['calibrated'] else 'not calibrated'}",
        f"weight      {paid}",
        f"paid        {view['reward_total']['coins']} coins so far, {view['escrow']['coins']} held back",
    ]
    if view["next_owner"] != view["owner"]:
        lines.append(f"handed over to {view['next_owner']} from the next epoch on")
    lines += [f"state       {word}" for word in ("unbound", "displaced") if view[word]]
    lines += [f"cap         {cap['name']}: {cap['lift']}" for cap in view["caps"]]
    lines += [f"this epoch  {flag['name']}: {flag['means']}" for flag in view["flags"]]
    lines += [f"check       {check['verdict']:<11}{check['name']:<20} {check['words']}" for check in view["checks"]]
    console.result(view, lines)


def multiplier_text(billionths: int) -> str:
    """Return a weight as people read it: 1.5."""
    return f"{billionths // 10**9}.{f'{billionths % 10**9:09d}'.rstrip('0') or '0'}"


def _give(args: argparse.Namespace) -> int:
    """Unbind or hand over, after saying what that means."""
    api, console = NodeApi(args.node), args.console
    fee = None if args.fee is None else parse_amount(args.fee)
    view = api.machine(args.machine)
    own = to_bech32m(account_id(wallet_public_key(args.home, args.sender)))
    if view["owner"] != own:
        raise MetanodeError(
            "NOT_OWNER", f"{view['owner']} owns machine {view['machine_index']}, not the wallet {args.sender}", "--from"
        )
    to = wallet_account(args.home, args.to) if args.command == "hand-over" else b""
    confirm(console, _consequences(view, to), yes=args.yes)
    key = open_wallet(args.home, args.sender, args.passphrase_file)
    body = MachineUnbind(parse_account(view["machine"]), to).encode()
    envelope = api.envelope(key, api.genesis(), kinds.MACHINE_UNBIND, body, fee=fee)
    return sending.send(api, envelope, args)


def _consequences(view: dict[str, Any], to: bytes) -> list[str]:
    """Say what will happen."""
    what = f"machine {view['machine_index']} ({view['family']} {view['arch']}), {view['machine']}"
    held = f"{view['escrow']['coins']} coins are held back for it" if view["escrow"]["micro"] else ""
    if to:
        lines = [
            f"hand over   {what}",
            f"            {to_bech32m(to)} is paid from the next epoch on; only that owner can undo it",
            "            what it has earned until then is still paid to you",
        ]
        return [*lines, f"            {held}: once its model is calibrated, to whoever owns it then"] if held else lines
    lines = [
        f"unbind      {what}",
        "            it earns nothing more and its key can never register again; this cannot be undone",
        "            its hardware is free for a new key; what it has earned in this epoch is still paid to you",
    ]
    return [*lines, f"            {held}: you give them up"] if held else lines


VERB = MachineVerb()
