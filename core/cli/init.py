"""`metanode init`: make a node's home, or nothing."""

from __future__ import annotations

import argparse
import re
import shlex
import tempfile
from pathlib import Path

from metanode.core.cli.passphrase import add_passphrase_option, passphrase_from_file
from metanode.core.cli.verbs import EXIT_OK
from metanode.core.clock import SystemClock, SystemRandomness
from metanode.core.crypto import install, keystore
from metanode.core.home import GENESIS_FILE, SETTINGS_FILE, Home, default_home, solo_genesis
from metanode.core.identity import KEY_NAMES, fresh_identity
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.errors import MetanodeError
from metanode.platforms.durable import make_directory, sync_directory, write_new

NETWORKS = ("devnet", "testnet", "mainnet")

_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}")
_SETTINGS = """\
# Settings of this node.  `metanode config check` tells whether they can work; docs/settings.md lists them all.

[node]
name = "{name}"
log_level = "info"

[roles]
storage = "sqlite"
ledger = "attested"
mempool = "fifo"
consensus = "solo"
transport = []
api = ["http", "status"]

[plugins.api.http]
host = "127.0.0.1"
port = {port}
"""


class InitVerb:
    """Make keys, genesis and settings."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add what a new home may differ in."""
        parser.add_argument(
            "--network",
            choices=NETWORKS,
            default="devnet",
            help="whose parameters this chain of your own takes (default: %(default)s)",
        )
        parser.add_argument("--name", default="metanode", help="what the node calls itself (default: %(default)s)")
        parser.add_argument(
            "--port", type=int, default=8645, help="of the HTTP API on 127.0.0.1; 0 takes any (default: %(default)s)"
        )
        add_passphrase_option(parser, otherwise="else one is made and kept in keys/passphrase")

    def run(self, args: argparse.Namespace) -> int:
        """Build the home aside and move it into place, the settings last: a home with settings is complete."""
        install()
        home = Home(args.home)
        if not _NAME.fullmatch(args.name):
            raise MetanodeError("USAGE", f"--name {args.name!r}", "1 to 32 of a-z, A-Z, 0-9, . _ and -")
        if not 0 <= args.port <= 65535:
            raise MetanodeError("USAGE", f"--port {args.port} is no port", "0 to 65535")
        for path in (home.settings_file, home.genesis_file, home.keys_dir):
            if path.exists():
                # The settings come last: keys or a genesis without them are what an interrupted init leaves.
                leftover = "" if home.settings_file.exists() else f", or remove {path}: an interrupted init left it"
                raise MetanodeError("FILE_EXISTS", f"{path} already exists", f"another --home{leftover}")
        # Read before anything is made, so that a typing error leaves nothing behind.
        given = None if args.passphrase_file is None else passphrase_from_file(args.passphrase_file)
        try:
            make_directory(home.path)
            with tempfile.TemporaryDirectory(prefix=".init-", dir=home.path) as temporary:
                built = Path(temporary)
                genesis_hash, sponsor = _build(built, args, given)
                for name in ("keys", GENESIS_FILE, SETTINGS_FILE):
                    (built / name).rename(home.path / name)
                sync_directory(home.path)
        except OSError as error:
            raise MetanodeError(
                "STORAGE_FULL", f"{home.path}: {error.strerror}", "a place that can be written"
            ) from error
        args.console.result(
            {
                "ok": True,
                "home": str(home.path),
                "network": args.network,
                "genesis_hash": genesis_hash.hex(),
                "sponsor": to_bech32m(sponsor),
            },
            [
                f"home      {home.path}",
                f"network   {args.network}, a chain of your own with this one validator",
                f"genesis   {genesis_hash.hex()}",
                f"sponsor   {to_bech32m(sponsor)} (pays the fees of machines that register here)",
                f"next      {_next_command(args)}",
            ],
        )
        return EXIT_OK


def _next_command(args: argparse.Namespace) -> str:
    words = ["metanode", "run"]
    if args.home != default_home():
        words += ["--home", str(args.home)]
    if args.passphrase_file is not None:
        words += ["--passphrase-file", str(args.passphrase_file)]
    return shlex.join(words)


def _build(built: Path, args: argparse.Namespace, given: bytes | None) -> tuple[bytes, bytes]:
    """Write keys, genesis and settings into `built`; return the genesis hash and the sponsor's account.

    :param given: the operator's passphrase, which stays where it is; None makes one.
    """
    randomness = SystemRandomness()
    keys_dir = built / "keys"
    keys_dir.mkdir(mode=0o700)
    if given is not None:
        passphrase = given
    else:
        # A node must start unattended: its passphrase lies beside its keys unless the operator keeps it elsewhere.
        passphrase = randomness.bytes(24).hex().encode()
        write_new(keys_dir / "passphrase", passphrase + b"\n")
    identity = fresh_identity(randomness)
    for name in KEY_NAMES:
        path, pair = keys_dir / f"{name}.key", getattr(identity, name)
        keystore.create(path, pair.seed, passphrase, label=f"{args.name} {name}", randomness=randomness)
    genesis = solo_genesis(identity, genesis_ms=SystemClock().now_ms(), name=args.network)
    write_new(built / GENESIS_FILE, genesis.to_json().encode(), mode=0o644)
    write_new(built / SETTINGS_FILE, _SETTINGS.format(name=args.name, port=args.port).encode(), mode=0o644)
    return genesis.hash, identity.sponsor.account


VERB = InitVerb()
