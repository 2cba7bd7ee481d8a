"""Where a passphrase comes from: a file, the environment, or the person at the terminal, in this order."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path

from metanode.core.model.errors import MetanodeError

ENVIRONMENT = "METANODE_PASSPHRASE"
PASSPHRASE_BYTES_MAX = 1024
"""Longest passphrase that is read."""


def add_passphrase_option(
    parser: argparse.ArgumentParser, *, otherwise: str = f"else ${ENVIRONMENT}, else ask"
) -> None:
    """Add `--passphrase-file`.

    :param otherwise: what happens without it, for the help.
    """
    parser.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help=f"read the passphrase from FILE ({otherwise})"
    )


def read_passphrase(file: Path | None, *, what: str, confirm: bool = False) -> bytes:
    """Return the passphrase for `what`.

    :param confirm: ask twice at the terminal, for a passphrase that is being chosen.
    :raises MetanodeError: KEYSTORE_LOCKED when there is none to be had, or the two differ.
    """
    if file is not None:
        return passphrase_from_file(file)
    if ENVIRONMENT in os.environ:
        return _checked(os.fsencode(os.environ[ENVIRONMENT]), f"${ENVIRONMENT}")
    if not sys.stdin.isatty():
        raise MetanodeError("KEYSTORE_LOCKED", f"no passphrase for {what}: no terminal to ask at")
    try:
        given = getpass.getpass(f"passphrase for {what}: ")
        again = getpass.getpass("the same again: ") if confirm else given
    except EOFError as error:
        raise MetanodeError("KEYSTORE_LOCKED", f"no passphrase for {what}: the input ended") from error
    if again != given:
        raise MetanodeError("KEYSTORE_LOCKED", "the two passphrases differ", "the same passphrase twice")
    return _checked(os.fsencode(given), "the passphrase")


def passphrase_from_file(file: Path) -> bytes:
    """Return a file's first line."""
    try:
        with file.open("rb") as stream:
            line = stream.readline(PASSPHRASE_BYTES_MAX + 2).rstrip(b"\r\n")
    except OSError as error:
        raise MetanodeError(
            "FILE_MISSING", f"passphrase file {file}: {error.strerror}", "a readable file with the passphrase in line 1"
        ) from error
    return _checked(line, str(file))


def _checked(passphrase: bytes, what: str) -> bytes:
    if not 0 < len(passphrase) <= PASSPHRASE_BYTES_MAX:
        raise MetanodeError("KEYSTORE_LOCKED", f"{what} is empty or too long", f"1 to {PASSPHRASE_BYTES_MAX} bytes")
    return passphrase
