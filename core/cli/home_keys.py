"""The keys that a verb signs with: those of the node's home, and the account that members act by."""

from __future__ import annotations

import argparse

from metanode.core.cli.passphrase import read_passphrase
from metanode.core.cli.wallet import open_wallet
from metanode.core.crypto import keystore
from metanode.core.crypto.keys import KeyPair
from metanode.core.home import Home


def add_from_option(parser: argparse.ArgumentParser, *, what: str) -> None:
    """Add `--from`."""
    parser.add_argument(
        "--from", dest="sender", metavar="WALLET", help=f"a wallet that is {what} (default: this home's sponsor key)"
    )


def home_keys(args: argparse.Namespace, *names: str) -> list[KeyPair]:
    """Open keys of the node's home, with the passphrase that lies there or is asked for once.

    :raises MetanodeError: FILE_MISSING, KEYSTORE_LOCKED, KEYSTORE_CORRUPT.
    """
    home = Home(args.home)
    kept = home.passphrase() if args.passphrase_file is None or args.sender is not None else None
    if kept is None:
        kept = read_passphrase(args.passphrase_file, what="the node's keys")
    return [KeyPair.from_seed(keystore.open(home.keys_dir / f"{name}.key", kept)) for name in names]


def account_key(args: argparse.Namespace) -> KeyPair:
    """Return the key of the account that acts: a wallet's, or the home's sponsor, whom genesis made a member."""
    if args.sender is not None:
        return open_wallet(args.home, args.sender, args.passphrase_file)
    return home_keys(args, "sponsor")[0]
