"""`metanode govern`: what the members of the validator set decide together."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from metanode.core.cli import sending
from metanode.core.cli.console import Console
from metanode.core.cli.govern_reports import fetch, judge, unknown_headers
from metanode.core.cli.home_keys import account_key, add_from_option
from metanode.core.cli.machine_reports import REPORT_FILE_BYTES_MAX, read_text
from metanode.core.cli.node_api import NodeApi, add_command, add_node_option, checked_id
from metanode.core.cli.sending import add_sending_options, add_yes_option, confirm
from metanode.core.cli.verbs import EXIT_OK
from metanode.core.cli.wallet import wallet_account
from metanode.core.model import codec, kinds
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.amounts import parse_amount
from metanode.core.model.bodies import ADMIT, APPROVE, CALIBRATE, PROPOSE, REMOVE, SEAT, Govern, proposal_id
from metanode.core.model.calibration import SignedReport, report_file_from_json
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import Genesis


class GovernVerb:
    """Propose, approve and look at proposals."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the commands."""
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        propose = add_command(
            commands, "propose-calibration", "propose that a model is paid in full, by three signed reports or more",
            "metanode govern propose-calibration anna.report ben.report clara.report",
            "metanode govern propose-calibration *.report --yes --json",
        )  # fmt: skip
        propose.add_argument("reports", nargs="+", type=Path, metavar="FILE", help="signed calibration reports")
        seat = add_command(
            commands, "propose-seat", "propose that a bonded account gets a seat in the validator set, or loses it",
            "metanode govern propose-seat admit mn1...", "metanode govern propose-seat remove mn1... --yes",
        )  # fmt: skip
        seat.add_argument("verdict", choices=("admit", "remove"))
        seat.add_argument("account", metavar="ACCOUNT", help="an address of `metanode stake show`, or a wallet's name")
        approve = add_command(
            commands, "approve", "approve a proposal of another member", "metanode govern approve ID",
            "metanode govern approve ID --home /srv/node --yes",
        )  # fmt: skip
        listed = add_command(
            commands, "list", "list open proposals and calibrated models", "metanode govern list",
            "metanode govern list --json",
        )  # fmt: skip
        show = add_command(
            commands, "show", "show an open proposal, and fetch its reports to judge them", "metanode govern show ID",
            "metanode govern show ID --out reports",
        )  # fmt: skip
        for command in (approve, show):
            command.add_argument("id", metavar="ID", help="64 hex digits, as `metanode govern list` shows")
        show.add_argument("--out", type=Path, metavar="DIR", help="write the proposal's reports there, a file each")
        for command in (propose, seat, approve):
            add_from_option(command, what="a member's account")
            add_yes_option(command)
            add_sending_options(command)
        for command in (listed, show):
            add_node_option(command)

    def run(self, args: argparse.Namespace) -> int:
        """Run the chosen command."""
        api = NodeApi(args.node)
        match args.command:
            case "propose-calibration":
                return _propose(api, args)
            case "propose-seat":
                return _propose_seat(api, args)
            case "approve":
                return _approve(api, args)
            case "list":
                _list(api, args.console)
            case _:
                _show(api, args)
        return EXIT_OK


def _propose(api: NodeApi, args: argparse.Namespace) -> int:
    genesis = api.genesis()
    files = [report_file_from_json(read_text(path, REPORT_FILE_BYTES_MAX)) for path in args.reports]
    for path, file in zip(args.reports, files, strict=True):
        if file.genesis_hash != genesis.hash:
            raise MetanodeError("WRONG_CHAIN", f"{path} was made for another chain than the node's")
    judged = judge(args.reports)
    what = [f"propose     that {judged['model']} is paid in full from the next settlement after a quorum approved"]
    what += [f"            report of {row['owner']}: {row['name'] or row['board']}" for row in judged["reports"]]
    what += [f"            note: {note}" for note in unknown_headers(api, genesis, files)]
    what.append("            it stands on chain with all reports; your vote is counted with it")
    confirm(args.console, what, yes=args.yes)
    content: list[codec.Encodable] = [judged["model"], *(SignedReport(f.report, f.signature).encode() for f in files)]
    proposal = codec.encode([CALIBRATE, content])
    return _send(api, genesis, args, Govern(PROPOSE, proposal), proposal_id(proposal, genesis.hash))


def _propose_seat(api: NodeApi, args: argparse.Namespace) -> int:
    account, verdict = wallet_account(args.home, args.account), ADMIT if args.verdict == "admit" else REMOVE
    genesis = api.genesis()
    what = [
        f"propose     to {args.verdict} {to_bech32m(account)}",
        "            from the settlement after a quorum approved; your vote is counted with it",
    ]
    confirm(args.console, what, yes=args.yes)
    proposal = codec.encode([SEAT, [account, verdict]])
    return _send(api, genesis, args, Govern(PROPOSE, proposal), proposal_id(proposal, genesis.hash))


def _approve(api: NodeApi, args: argparse.Namespace) -> int:
    found, genesis = _open_one(api, args.id), api.genesis()
    what = [
        f"approve     {found['type']} {found['subject']}, proposed at height {found['height']} by {found['sender']}",
        f"            {found['missing']} approvals are missing before yours; this cannot be taken back",
    ]
    confirm(args.console, what, yes=args.yes)
    return _send(api, genesis, args, Govern(APPROVE, bytes.fromhex(found["id"])), bytes.fromhex(found["id"]))


def _send(api: NodeApi, genesis: Genesis, args: argparse.Namespace, body: Govern, ident: bytes) -> int:
    fee = None if args.fee is None else parse_amount(args.fee)
    envelope = api.envelope(account_key(args), genesis, kinds.GOVERN, body.encode(), fee=fee)
    return sending.send(api, envelope, args, f"proposal {ident.hex()}")


def _list(api: NodeApi, console: Console) -> None:
    answer, models = api.get("/v1/proposals"), api.get("/v1/models?limit=500")
    rows = [
        (row["id"], f"{row['type']} {row['subject']}", f"{len(row['approvals'])} of {answer['needed']}",
         row["last_epoch"])
        for row in answer["proposals"]
    ]  # fmt: skip
    lines = console.table(["id", "what", "approved", "until epoch"], rows) if rows else ["no proposal is open"]
    known = [f"calibrated  {row['model']}, since block {row['since_height']}" for row in models["models"]]
    lines += known or ["calibrated  no model yet"]
    console.result({**answer, "models": models["models"]}, lines)


def _show(api: NodeApi, args: argparse.Namespace) -> None:
    found = _open_one(api, args.id)
    lines = [
        f"proposal    {found['id']}",
        f"what        {found['type']} {found['subject']}",
        f"proposed    by {found['sender']} at height {found['height']}, open until epoch {found['last_epoch']}",
        *(f"approved    {member}" for member in found["approvals"]),
        *(f"not yet     {member}" for member in found["not_yet"]),
        f"missing     {found['missing']}",
        *(f"measured    {row['name']} {row['lowest']} to {row['highest']} thousandths" for row in found["ratios"]),
    ]
    written = [] if args.out is None or found["type"] != "calibrate" else fetch(api, found, args.out)
    lines += [f"wrote       {path}" for path in written]
    if written:
        lines.append(f"judge them  metanode-fingerprint --reports {' '.join(map(str, written))}")
    args.console.result({"ok": True, **found, "files": list(map(str, written))}, lines)


def _open_one(api: NodeApi, text: str) -> dict[str, Any]:
    ident = checked_id(text, "proposal")
    for row in api.get("/v1/proposals")["proposals"]:
        if row["id"] == ident:
            found: dict[str, Any] = row
            return found
    raise MetanodeError("PROPOSAL_UNKNOWN", f"proposal {ident} is not open")


VERB = GovernVerb()
