"""`metanode wallet`: keys in the home's `wallets/`, each a keystore file named after its wallet."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from metanode.core.cli.console import Console
from metanode.core.cli.node_api import NodeApi, add_command, add_node_option
from metanode.core.cli.passphrase import add_passphrase_option, read_passphrase
from metanode.core.cli.verbs import EXIT_OK
from metanode.core.clock import SystemRandomness
from metanode.core.crypto import keystore
from metanode.core.crypto.keys import KeyPair
from metanode.core.model.accounts import account_id, parse_account, to_bech32m, to_rtc
from metanode.core.model.errors import MetanodeError
from metanode.platforms.durable import make_directory

FOLDER = "wallets"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def wallet_path(home: Path, name: str) -> Path:
    """Return the keystore file of a wallet.

    :raises MetanodeError: BAD_REQUEST for a name that is no plain word.
    """
    if not _NAME.fullmatch(name):
        raise MetanodeError("BAD_REQUEST", f"{name!r} is no wallet name", "1 to 64 of a-z, 0-9, _ and -")
    return home / FOLDER / f"{name}.key"


def open_wallet(home: Path, name: str, passphrase_file: Path | None) -> KeyPair:
    """Open a wallet's key, asking for its passphrase where needed."""
    path = _existing(home, name)
    return KeyPair.from_seed(keystore.open(path, read_passphrase(passphrase_file, what=f"wallet {name}")))


def wallet_account(home: Path, text: str) -> bytes:
    """Return the account that `text` names: an address, or a wallet of this home."""
    if text.startswith(("mn1", "MN1", "RTC")):
        return parse_account(text)
    if not _NAME.fullmatch(text):
        raise MetanodeError("BAD_ADDRESS", f"{text!r} is neither an account nor a wallet name")
    return account_id(wallet_public_key(home, text))


def wallet_public_key(home: Path, name: str) -> bytes:
    """Return a wallet's public key, which needs no passphrase.

    :raises MetanodeError: FILE_MISSING when this home has no such wallet.
    """
    return keystore.read_public(_existing(home, name))


def _existing(home: Path, name: str) -> Path:
    path = wallet_path(home, name)
    if not path.exists():
        raise MetanodeError(
            "FILE_MISSING",
            f"there is no wallet {name!r} in {home}",
            f"a name that `metanode wallet list` shows, or `metanode wallet new {name}`",
        )
    return path


class WalletVerb:
    """Make, list and look at wallets."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add `new`, `list`, `show` and `balance`."""
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        name_help = "1 to 64 of a-z, 0-9, _ and - (default: %(default)s)"
        new = add_command(
            commands, "new", "make a key and keep it under a passphrase", "metanode wallet new savings",
            "metanode wallet new --passphrase-file secret.txt",
        )  # fmt: skip
        new.add_argument("name", nargs="?", default="default", metavar="NAME", help=name_help)
        add_passphrase_option(new)
        add_command(commands, "list", "list the wallets of this home", "metanode wallet list")
        show = add_command(
            commands, "show", "show a wallet's addresses and public key", "metanode wallet show savings"
        )
        show.add_argument("name", nargs="?", default="default", metavar="NAME", help=name_help)
        balance = add_command(
            commands, "balance", "ask a node what an account holds", "metanode wallet balance savings",
            "metanode wallet balance mn1... --node http://192.168.1.10:8645",
        )  # fmt: skip
        balance.add_argument(
            "account", nargs="?", default="default", metavar="ACCOUNT",
            help="a wallet's name, mn1... or RTC... (default: the wallet %(default)s)",
        )  # fmt: skip
        add_node_option(balance)

    def run(self, args: argparse.Namespace) -> int:
        """Run the chosen command."""
        console: Console = args.console
        if args.command == "new":
            _new(args, console)
        elif args.command == "list":
            _list(args, console)
        elif args.command == "show":
            _show(args.name, wallet_public_key(args.home, args.name), console)
        else:
            view = NodeApi(args.node).account(wallet_account(args.home, args.account))
            console.result(view, f"{view['balance']['coins']} coins  (nonce {view['nonce']})  {view['account']}")
        return EXIT_OK


def _new(args: argparse.Namespace, console: Console) -> None:
    path = wallet_path(args.home, args.name)
    if path.exists():
        raise MetanodeError("FILE_EXISTS", f"wallet {args.name!r} already exists: {path}", "another name")
    passphrase = read_passphrase(args.passphrase_file, what=f"the new wallet {args.name}", confirm=True)
    try:
        make_directory(path.parent)
    except OSError as error:
        message = f"{path.parent}: {error.strerror}"
        raise MetanodeError("STORAGE_FULL", message, "a --home that can be written") from error
    randomness = SystemRandomness()
    key = KeyPair.from_seed(randomness.bytes(32))
    keystore.create(path, key.seed, passphrase, label=f"wallet {args.name}", randomness=randomness)
    _show(args.name, key.public_key, console)


def _list(args: argparse.Namespace, console: Console) -> None:
    rows = []
    for path in sorted((args.home / FOLDER).glob("*.key")):
        rows.append((path.stem, to_bech32m(account_id(keystore.read_public(path)))))
    lines = (
        console.table(["wallet", "account"], rows)
        if rows
        else [f"no wallets in {args.home}; `metanode wallet new` makes one"]
    )
    console.result({"ok": True, "wallets": [{"name": name, "account": account} for name, account in rows]}, lines)


def _show(name: str, public_key: bytes, console: Console) -> None:
    account = account_id(public_key)
    value: dict[str, bool | str] = {
        "ok": True,
        "name": name,
        "account": to_bech32m(account),
        "rtc": to_rtc(account),
        "public_key": public_key.hex(),
    }
    console.result(
        value,
        [
            f"wallet      {name}",
            f"account     {value['account']}",
            f"            {value['rtc']}",
            f"public key  {value['public_key']}",
        ],
    )


VERB = WalletVerb()
