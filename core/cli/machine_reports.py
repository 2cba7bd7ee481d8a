"""`metanode machine ticket`, `sign` and `calibrate`: what the owner's side does for a calibration report.

A ticket says what to measure for, `metanode-fingerprint --calibrate` measures on the machine itself, and the
signature is made where the wallet is: an old machine needs no network, no wallet and no node.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from metanode.core.cli.console import Console
from metanode.core.cli.node_api import NodeApi
from metanode.core.cli.wallet import open_wallet, wallet_public_key
from metanode.core.crypto.keys import KeyPair
from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.calibration import (
    ReportFile,
    Ticket,
    decode_report,
    report_digest,
    report_file_from_json,
)
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import genesis_from_json
from metanode.core.model.limits import PUBLIC_KEY_BYTES

REPORT_FILE_BYTES_MAX = 32_768
"""Largest report file that is read."""
GENESIS_FILE_BYTES_MAX = 4 << 20
"""Largest genesis file that is read."""


def make_ticket(args: argparse.Namespace) -> Ticket:
    """Return a ticket for a machine and a wallet, from the node's newest header or, offline, from a genesis file.

    :raises MetanodeError: MACHINE_UNKNOWN, FILE_MISSING, USAGE; whatever the node refuses.
    """
    owner_key = wallet_public_key(args.home, args.wallet)
    if args.genesis is not None:
        genesis_hash = genesis_from_json(read_text(args.genesis, GENESIS_FILE_BYTES_MAX)).hash
        key = _key_in_hex(args.machine)
        if key is None:
            raise MetanodeError("USAGE", f"{args.machine!r} cannot be looked up offline", "the machine's key in hex")
        return Ticket(genesis_hash, 0, genesis_hash, owner_key, key)
    api = NodeApi(args.node)
    key = _key_in_hex(args.machine)
    if key is None:
        view = api.machine(args.machine)
        key = bytes.fromhex(view["machine_key"])
        if view["owner"] != to_bech32m(account_id(owner_key)):
            args.console.remark(f"note: this machine's record pays {view['owner']}, not the wallet {args.wallet}")
    genesis, head = api.genesis(), api.head()
    return Ticket(genesis.hash, head["height"], bytes.fromhex(head["header_hash"]), owner_key, key)


def write_ticket(args: argparse.Namespace) -> None:
    """`machine ticket`."""
    ticket = make_ticket(args)
    if args.out is None:
        args.console.out.write(ticket.to_json())
        return
    write_new(args.out, ticket.to_json())
    value = {"ok": True, "file": str(args.out), "genesis_hash": ticket.genesis_hash.hex(), "height": ticket.height}
    args.console.result(value, [
        f"wrote {args.out}: carry it to the machine and run there",
        f"  metanode-fingerprint --calibrate my-machine.report --ticket {args.out.name}",
    ])  # fmt: skip


def sign(args: argparse.Namespace) -> None:
    """`machine sign`."""
    file = report_file_from_json(read_text(args.file, REPORT_FILE_BYTES_MAX))
    _check_owner(file, wallet_public_key(args.home, args.wallet), args.wallet)
    signed = _signed(file, open_wallet(args.home, args.wallet, args.passphrase_file))
    _replace(args.file, signed.to_json())
    _tell(args.console, args.file, signed, {})


def calibrate(args: argparse.Namespace) -> None:
    """`machine calibrate`: ticket, measuring and signature in one, where machine, wallet and node are together."""
    if args.out.exists():
        raise MetanodeError("FILE_EXISTS", f"{args.out} exists", "a path for a new file")
    key = open_wallet(args.home, args.wallet, args.passphrase_file)  # asked for before a minute of measuring
    ticket = make_ticket(args)
    with tempfile.TemporaryDirectory(prefix="metanode-") as directory:
        path = Path(directory) / "ticket"
        path.write_text(ticket.to_json())
        measured = _measure(args.out, path, args.console)
    signed = _signed(report_file_from_json(read_text(args.out, REPORT_FILE_BYTES_MAX)), key)
    _replace(args.out, signed.to_json())
    _tell(args.console, args.out, signed, measured)


def _measure(out: Path, ticket: Path, console: Console) -> dict[str, Any]:
    """Run the fingerprint as a process of its own: the rest of the node knows nothing of probes."""
    words = [sys.executable, "-m", "metanode.fingerprint.command", "--calibrate", str(out), "--ticket", str(ticket)]
    done = subprocess.run(
        [*words, "--json"] if console.json else words, check=False, text=True,
        stdout=subprocess.PIPE if console.json else None,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    if done.returncode:
        message = answer.get("message") or "the lines above say why"
        raise MetanodeError(answer.get("code", "CALIBRATION_UNMEASURED"), f"this machine was not measured: {message}")
    return answer


def _signed(file: ReportFile, key: KeyPair) -> ReportFile:
    return ReportFile(file.genesis_hash, file.report, key.sign(report_digest(file.report, file.genesis_hash)))


def _check_owner(file: ReportFile, public_key: bytes, wallet: str) -> None:
    owner_key = decode_report(file.report).owner_key
    if owner_key != public_key:
        owner = to_bech32m(account_id(owner_key))
        message = f"the report names {owner} as its owner, which is not the wallet {wallet}"
        raise MetanodeError("INVALID_SIGNATURE", message, "--wallet with the wallet that the ticket was made for")


def _tell(console: Console, path: Path, file: ReportFile, measured: dict[str, Any]) -> None:
    report = decode_report(file.report)
    value = {**measured, "ok": True, "file": str(path), "model": report.model, "owner": to_bech32m(report.owner),
             "signed": True, "genesis_hash": file.genesis_hash.hex()}  # fmt: skip
    console.result(value, [
        f"signed {path}: {report.model}, owner {to_bech32m(report.owner)}",
        "give it to a validator of the chain; with two more of this model, of other owners, it can be voted on",
    ])  # fmt: skip


def _key_in_hex(text: str) -> bytes | None:
    if len(text) == 2 * PUBLIC_KEY_BYTES and set(text.lower()) <= set("0123456789abcdef"):
        return bytes.fromhex(text)
    return None


def read_text(path: Path, bytes_max: int) -> str:
    """Return a text file.

    :raises MetanodeError: FILE_MISSING, TOO_LARGE, BAD_JSON when it is no text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise MetanodeError("FILE_MISSING", f"{path}: {error.strerror}", "a file that can be read") from error
    if len(data) > bytes_max:
        raise MetanodeError("TOO_LARGE", f"{path} is larger than {bytes_max} bytes", f"at most {bytes_max} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MetanodeError("BAD_JSON", f"{path}: {error}", "JSON in UTF-8") from error


def write_new(path: Path, text: str) -> None:
    """Write a file that must not exist; raises MetanodeError FILE_EXISTS or STORAGE_FULL."""
    try:
        with path.open("x") as file:
            file.write(text)
    except FileExistsError:
        raise MetanodeError("FILE_EXISTS", f"{path} exists", "a path for a new file") from None
    except OSError as error:
        raise MetanodeError("STORAGE_FULL", f"{path}: {error.strerror}", "a place that can be written") from error


def _replace(path: Path, text: str) -> None:
    try:
        # Not synced: what a power cut takes is measured or signed again.
        aside = path.with_name(path.name + ".new")
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise MetanodeError("STORAGE_FULL", f"{path}: {error.strerror}", "a file that can be written") from error
