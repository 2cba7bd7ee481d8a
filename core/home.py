"""A node's home: the directory with its settings, genesis, keys and data, as `metanode init` makes it.

    metanode.toml   genesis.json   keys/{node,consensus,vrf,sponsor}.key   keys/passphrase
    data/<role>.<name>/   one directory per plugin     run/node.json   while the node runs
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metanode.core.model.errors import MetanodeError, SettingsError, StorageError
from metanode.core.settings import Settings
from metanode.platforms.durable import make_directory

if TYPE_CHECKING:
    from metanode.core.identity import Identity
    from metanode.core.model.genesis import Genesis

SETTINGS_FILE = "metanode.toml"
GENESIS_FILE = "genesis.json"
GENESIS_FILE_BYTES_MAX = 16 * 1024 * 1024
"""A larger genesis file is not read, bytes."""
PASSPHRASE_BYTES_MAX = 1024
"""Longest passphrase in `keys/passphrase`, bytes."""
SPONSOR_BALANCE = 1_000_000_000_000
"""What the sponsor of a chain of one's own holds at genesis beside its bond, micro-units: a million coins."""
_DISK_REFUSES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


@dataclass(frozen=True)
class Home:
    """Where the parts of a home are."""

    path: Path

    @property
    def settings_file(self) -> Path:
        """The node's settings."""
        return self.path / SETTINGS_FILE

    @property
    def genesis_file(self) -> Path:
        """What the chain starts from."""
        return self.path / GENESIS_FILE

    @property
    def keys_dir(self) -> Path:
        """One keystore per purpose."""
        return self.path / "keys"

    @property
    def passphrase_file(self) -> Path:
        """What opens the keystores; devnet homes have it, others need not."""
        return self.keys_dir / "passphrase"

    @property
    def running_file(self) -> Path:
        """What a running node says of itself to the verbs of this home."""
        return self.path / "run" / "node.json"

    def data_dir(self, plugin: str) -> Path:
        """Return a plugin's own directory, made private and durable on first use.

        :raises SettingsError: it cannot be made.
        :raises StorageError: the disk refuses.
        """
        directory = self.path / "data" / plugin
        try:
            make_directory(directory)
        except OSError as error:
            if error.errno in _DISK_REFUSES:
                raise _refused(directory, error) from error
            message = f"{directory}: {error.strerror}"
            raise SettingsError("BAD_SETTING", message, "a home this user may write to") from error
        return directory

    def settings(self) -> Settings:
        """Read the settings.

        :raises SettingsError: there is no such home, or a setting cannot work.
        """
        if not self.settings_file.is_file():
            raise SettingsError("FILE_MISSING", f"{self.path} is no node home: {self.settings_file} is missing")
        return Settings.from_file(self.settings_file)

    def genesis(self) -> Genesis:
        """Read the genesis.

        :raises MetanodeError: the file is missing or cannot be a genesis; names it.
        """
        from metanode.core.model.genesis import genesis_from_json  # here, so that help and `config` load no chain code

        try:
            with self.genesis_file.open("rb") as file:
                text = file.read(GENESIS_FILE_BYTES_MAX + 1)
            return genesis_from_json(text.decode())
        except FileNotFoundError:
            raise SettingsError("FILE_MISSING", f"{self.genesis_file} does not exist") from None
        except OSError as error:
            raise SettingsError("BAD_SETTING", f"{self.genesis_file}: {error.strerror}", "a readable file") from error
        except UnicodeDecodeError as error:
            raise SettingsError("BAD_SETTING", f"{self.genesis_file}: {error}", "JSON in UTF-8") from error
        except MetanodeError as error:
            raise SettingsError(error.code, f"{self.genesis_file}: {error.message}", error.expected) from error

    def passphrase(self) -> bytes | None:
        """Return the passphrase that lies in this home, None when it holds none.

        :raises SettingsError: the file cannot be read.
        """
        try:
            with self.passphrase_file.open("rb") as file:
                return file.readline(PASSPHRASE_BYTES_MAX).rstrip(b"\r\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            message = f"{self.passphrase_file}: {error.strerror}"
            raise SettingsError("BAD_SETTING", message, "a readable file") from error

    def identity(self, passphrase: bytes | None = None) -> Identity:
        """Open the node's keys.

        :param passphrase: taken from `keys/passphrase` when None.
        :raises MetanodeError: KEYSTORE_LOCKED, KEYSTORE_CORRUPT or FILE_MISSING.
        """
        from metanode.core.identity import load_identity  # here, so that help and `config` load no cryptography

        opened = self.passphrase() if passphrase is None else passphrase
        if opened is None:
            raise MetanodeError("KEYSTORE_LOCKED", f"no passphrase was given and {self.passphrase_file} does not exist")
        return load_identity(self.keys_dir, opened)

    def write_running(self, state: Mapping[str, Any]) -> None:
        """Tell other processes of this home what the node is doing; `pid` is added.

        Written aside and renamed, so a reader sees the old or the new text, never half.

        :raises StorageError: the disk refuses.
        """
        aside = self.running_file.with_suffix(".new")
        try:
            self.running_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            aside.write_text(json.dumps({"pid": os.getpid(), **state}, sort_keys=True) + "\n")
            aside.replace(self.running_file)
        except OSError as error:
            raise _refused(self.running_file, error) from error

    def forget_running(self) -> None:
        """Remove what `write_running` wrote.  A disk that turned read-only keeps it, naming a process that is gone."""
        with suppress(OSError):
            self.running_file.unlink(missing_ok=True)

    def read_running(self) -> dict[str, Any] | None:
        """Return what a node of this home says of itself; None when none runs (a killed one leaves its file)."""
        try:
            state: dict[str, Any] = json.loads(self.running_file.read_text())
            os.kill(int(state["pid"]), 0)
        except PermissionError:
            return None  # the process exists but is another user's: not the node that could write this home
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return state


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError("STORAGE_FULL", f"{path}: {error.strerror}", "a writable disk with free space, then restart")


def default_home() -> Path:
    """Return $METANODE_HOME, else ~/.metanode."""
    given = os.environ.get("METANODE_HOME")
    return Path(given) if given else Path.home() / ".metanode"


def solo_genesis(identity: Identity, *, genesis_ms: int, name: str = "devnet") -> Genesis:
    """Return the genesis of a chain whose one validator is `identity`; see `founders_genesis`."""
    return founders_genesis([identity], genesis_ms=genesis_ms, name=name)


def founders_genesis(identities: Sequence[Identity], *, genesis_ms: int, name: str = "devnet") -> Genesis:
    """Return the genesis of a chain whose validators are these, with equal bonds, their sponsors funded.

    :param name: a network of `core/model/data/networks.json`.
    """
    from metanode.core.discovery import PACKAGE_DIR
    from metanode.core.model.genesis import Genesis, network
    from metanode.core.model.validators import Validator, encode_set

    chosen = network((PACKAGE_DIR / "core/model/data/networks.json").read_text(), name)
    bond = max(1, chosen.params.bond_min)
    founders = sorted(identities, key=lambda identity: identity.sponsor.account)
    validators = [
        Validator(founder.sponsor.account, founder.consensus.public_key, founder.vrf.public_key, bond)
        for founder in founders
    ]
    return Genesis(
        chain_name=name,
        chain_id=chosen.chain_id,
        genesis_ms=genesis_ms,
        params=chosen.params,
        validators=encode_set(validators),
        accounts=tuple((founder.sponsor.account, SPONSOR_BALANCE) for founder in founders),
        treasury=0,
    )
