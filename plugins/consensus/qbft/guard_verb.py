"""`metanode guard show|init|export|import`: the memory of what a validator's key has signed."""

from __future__ import annotations

import argparse
from pathlib import Path

from metanode.core.cli.console import Console
from metanode.core.cli.verbs import EXIT_OK
from metanode.core.crypto.keystore import read_public
from metanode.core.home import Home
from metanode.core.model.errors import MetanodeError
from metanode.plugins.consensus.qbft.guard_log import export_text, import_text, raise_guard, read_guard


class GuardVerb:
    """The verb.  The node must not be running."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the actions."""
        actions = parser.add_subparsers(dest="action", metavar="show|init|export|import", required=True)
        actions.add_parser("show", help="say above which height this home may sign")
        init = actions.add_parser("init", help="allow signing above a height; of a lost guard, one nobody has reached")
        init.add_argument("--above", type=_height, required=True, metavar="HEIGHT", help="0 for a key never used")
        for name, what in (("export", "write what another home must know"), ("import", "take over such a file")):
            actions.add_parser(name, help=what).add_argument("file", type=Path)

    def run(self, args: argparse.Namespace) -> int:
        """Do one action."""
        console: Console = args.console
        home = Home(args.home)
        home.settings()  # says what is wrong with a path that is no home, before one is made there
        key = read_public(home.keys_dir / "consensus.key")
        if args.action == "show":
            guard = read_guard(home, key)
        elif args.action == "init":
            guard = raise_guard(home, key, args.above)
        elif args.action == "import":
            guard = read_guard(home, key)
            signed_up_to = import_text(_read(args.file), key)
            if guard.floor is None or guard.floor < signed_up_to:  # else it already knows
                guard = raise_guard(home, key, signed_up_to)
        else:
            guard = read_guard(home, key)
            _write(args.file, export_text(guard, key))
        value = {"ok": True, "consensus_key": key.hex(), "floor": guard.floor, "signed_up_to": guard.signed_up_to}
        if guard.floor is None:
            console.result(value, f"{key.hex()}: no sign-guard, so this node does not vote")
        else:
            words = f"{key.hex()}: signs above height {guard.floor}, has signed up to {guard.signed_up_to}"
            console.result(value, words)
        return EXIT_OK


def _height(text: str) -> int:
    height = int(text)
    if height < 0:
        raise ValueError("a height is not negative")
    return height


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MetanodeError("FILE_MISSING", f"{path}: {error}", "a file that `metanode guard export` wrote") from error


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise MetanodeError("FILE_EXISTS", f"{path} exists") from None
    except OSError as error:
        raise MetanodeError("FILE_MISSING", f"{path}: {error.strerror}", "a path this user may write to") from error


VERB = GuardVerb()
