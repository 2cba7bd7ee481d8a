"""What a miner can be told: a TOML file and the command line, checked in one place."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from metanode.core.model.accounts import parse_account
from metanode.core.model.errors import SettingsError

DEFAULT_DIRECTORY = Path("~/.metanode-miner")
CONFIG_NAME = "miner.toml"
CONFIG_BYTES_MAX = 65536
"""Largest configuration file that is read."""

_RANGES = {
    "attestation_interval": (0, 86_400),
    "retry_attempts": (1, 20),
    "backoff_base": (2, 10),
}
"""Smallest and largest value of each number."""


@dataclass(frozen=True)
class Config:
    """A miner's settings."""

    wallet_id: str = ""
    """The account that is paid, mn1... or RTC...; required to mine."""
    node_url: str = "http://127.0.0.1:8645"
    """The node to attest to."""
    attestation_interval: int = 0
    """Seconds between attestations; 0 attests once in every interval the chain counts, which is all it pays for."""
    retry_attempts: int = 4
    """Tries per request before the attestation is queued on disk."""
    backoff_base: int = 2
    """Seconds before the first retry; doubled for each further one, jittered, capped."""
    ca_file: str = ""
    """Certificate authority for an https node; empty takes the system's."""

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise SettingsError("BAD_SETTING", f"{name} is {_shown(value)}", f"an integer from {low} to {high}")
        for name in ("wallet_id", "node_url", "ca_file"):
            if not isinstance(getattr(self, name), str):
                raise SettingsError("BAD_SETTING", f"{name} is {_shown(getattr(self, name))}", "a text")

    @property
    def owner(self) -> bytes:
        """The account that is paid.

        :raises MetanodeError: no wallet is set, or it cannot be read.
        """
        if not self.wallet_id:
            raise SettingsError(
                "BAD_SETTING",
                "wallet_id is not set: nobody would be paid",
                "--wallet mn1... or wallet_id in miner.toml",
            )
        return parse_account(self.wallet_id)


KEYS = tuple(field.name for field in fields(Config))


def read_config(path: Path | None, overrides: Mapping[str, Any]) -> Config:
    """Return the settings of `path` (none when it does not exist) with `overrides` that are not None on top.

    :raises SettingsError: names the file, the key, its value and what is allowed.
    """
    table: dict[str, Any] = {}
    if path is not None and path.exists():
        table = _parse(path)
        for key in table:
            if key not in KEYS:
                import difflib  # only here: a miner must stay small

                near = difflib.get_close_matches(key, KEYS, n=1)
                raise SettingsError(
                    "BAD_SETTING",
                    f"{path}: no setting is called {key!r}",
                    f"did you mean {near[0]!r}?" if near else f"one of {', '.join(KEYS)}",
                )
    table.update({key: value for key, value in overrides.items() if value is not None})
    try:
        return Config(**table)
    except SettingsError as error:
        raise SettingsError(
            error.code,
            f"{path}: {error.message}" if path is not None and path.exists() else error.message,
            error.expected,
        ) from None


def _shown(value: object) -> str:
    try:
        return repr(value)[:200]
    except (ValueError, RecursionError):  # Python spells no integer of thousands of digits, and no endless nesting
        return f"a {type(value).__name__} beyond all measure"


def _parse(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with path.open("rb") as stream:
            return tomllib.loads(stream.read(CONFIG_BYTES_MAX).decode())
    except OSError as error:
        raise SettingsError("FILE_MISSING", f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # bad TOML, bad UTF-8, an integer or nesting beyond all measure
        raise SettingsError("BAD_SETTING", f"{path}: {error}", "valid TOML, see https://toml.io") from error
