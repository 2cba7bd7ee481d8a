"""`metanode doctor CHECK`: look at one thing of this machine or home, and say what is wrong with it.

Each check is a module of this folder with an object `CHECK`; the table below names them, and a check is imported
when the verb is used.  May import the rest of `core`, and `platforms`.
"""

from __future__ import annotations

import argparse
import importlib
from typing import Protocol

from metanode.core.cli.console import Console
from metanode.core.cli.node_api import add_command
from metanode.core.cli.verbs import EXIT_FAILED, EXIT_OK

CHECKS = ("hashing",)
"""The modules of this folder, in the order of the help."""


class Check(Protocol):
    """What the object `CHECK` of a module must be."""

    @property
    def help(self) -> str:
        """One line for the help, without a full stop."""

    @property
    def examples(self) -> tuple[str, ...]:
        """Command lines for the help."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the check's own arguments."""

    def run(self, args: argparse.Namespace, console: Console) -> bool:
        """Look, answer through `console` with one result, and return whether everything is right."""


class Doctor:
    """The verb."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add a command per check."""
        commands = parser.add_subparsers(dest="check", required=True, metavar="|".join(CHECKS))
        for name in CHECKS:
            check = _load(name)
            check.configure(add_command(commands, name, check.help, *check.examples))

    def run(self, args: argparse.Namespace) -> int:
        """Run one check: EXIT_OK when all is right, else EXIT_FAILED."""
        return EXIT_OK if _load(args.check).run(args, args.console) else EXIT_FAILED


def _load(name: str) -> Check:
    check: Check = importlib.import_module(f"metanode.core.cli.doctor.{name}").CHECK
    return check


VERB = Doctor()
