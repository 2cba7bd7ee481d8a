"""What a miner keeps: its key, its record while it is being registered, and attestations not yet delivered.

A directory of its own.  Every file is written beside its place, synced and renamed, so that a crash leaves
the old one or the new one; the directory is locked, so that two miners never share a key.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from metanode.core.crypto import keystore
from metanode.core.crypto.keys import KeyPair
from metanode.core.model.errors import MetanodeError, StorageError
from metanode.platforms import durable
from metanode.platforms.durable import make_directory, sync_directory

LOCK_RETRY_S = 0.1
"""Wait before the lock is tried a second time."""
QUEUE_MAX = 64
"""Attestations kept while the node is away; the oldest is dropped, for it is the first to be too late."""


@dataclass(frozen=True)
class Memory:
    """What must survive a restart.  Texts are hex."""

    genesis_hash: str = ""
    """The chain this miner belongs to; another one needs another directory."""
    node_key: str = ""
    """The node whose signed replies are trusted, as first seen."""
    salt: str = ""
    record: str = ""
    signature: str = ""
    """The machine record being registered, kept until it is final."""
    last_interval: int = -1
    """The newest interval attested; -1 before the first."""


_STATUS_KEYS = {"state", "node_url", "machine", "owner", "attested", "refused", "updated_ms"}
"""What a status must have to be shown."""


class _SystemRandomness:
    """The operating system's randomness, in the shape a keystore asks for."""

    def bytes(self, n: int, /) -> bytes:
        return os.urandom(n)


class Store:
    """The miner's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = -1

    def open(self) -> Memory:
        """Make the directory where needed, lock it, and return what is remembered.

        :raises StorageError: another miner uses it, or a file is damaged.
        """
        self._lock_directory()
        path = self.directory / "memory.json"
        if not path.exists():
            return Memory()
        try:
            return _memory_from_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.close()
            raise StorageError(
                "STORAGE_CORRUPT", f"{path} cannot be read", "remove it: the key and queue stay"
            ) from error

    def _lock_directory(self) -> None:
        try:
            make_directory(self.directory)
            (self.directory / "queue").mkdir(mode=0o700, exist_ok=True)
            # A miner that was killed may have left what is read below to the page cache alone.
            sync_directory(self.directory)
            sync_directory(self.directory / "queue")
            self._lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._take_lock()
        except BlockingIOError:
            self.close()
            raise StorageError(
                "STORAGE_LOCKED", f"another miner uses {self.directory}", "one miner per directory"
            ) from None
        except OSError as error:
            raise StorageError("STORAGE_FULL", f"{self.directory}: {error.strerror}") from error

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_RETRY_S)  # `status` may be looking, which takes it for an instant
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Release the lock."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def remember(self, memory: Memory, **changes: Any) -> Memory:
        """Write the memory with `changes` and return it."""
        memory = replace(memory, **changes)
        self._write("memory.json", json.dumps(asdict(memory), indent=1).encode())
        return memory

    def machine_key(self, passphrase: bytes | None) -> KeyPair:
        """Open the machine's key, or make it.

        :param passphrase: of the keystore; None keeps one in the directory, readable by its owner only, since an
            unattended machine must start by itself.  What that protects is a copy of the key file alone.
        """
        path = self.directory / "machine.key"
        secret, drawn = (passphrase, False) if passphrase is not None else self._own_passphrase()
        if not path.exists():
            keystore.create(path, os.urandom(32), secret, label="machine", randomness=_SystemRandomness(), drawn=drawn)
        return KeyPair.from_seed(keystore.open(path, secret))

    def _own_passphrase(self) -> tuple[bytes, bool]:
        """Return the passphrase in the directory, and whether it was drawn just now: what lay there may be anyone's."""
        path = self.directory / "passphrase"
        if path.exists():
            return path.read_bytes(), False
        drawn = os.urandom(24).hex().encode()
        # The sync of the key's name makes this one durable too; without the key it opens nothing.
        self._write("passphrase", drawn, name_too=False)
        return drawn, True

    def queue(self, name: str, envelope: bytes) -> None:
        """Keep an attestation for later."""
        self._write(f"queue/{name}", envelope)
        waiting = sorted((self.directory / "queue").glob("*.envelope"))
        for path in waiting[: max(0, len(waiting) - QUEUE_MAX)]:
            path.unlink()

    def queued(self) -> Iterator[tuple[Path, bytes]]:
        """Yield (file, envelope) of what waits, oldest first."""
        for path in sorted((self.directory / "queue").glob("*.envelope")):
            yield path, path.read_bytes()

    def report(self, status: dict[str, Any]) -> None:
        """Write what `metanode-miner status` shows; the moment is added."""
        stamped = {**status, "updated_ms": time.time_ns() // 1_000_000}
        # For people: a cut may take the newest, so it costs one sync a report, not two.
        self._write("status.json", json.dumps(stamped, indent=1, sort_keys=True).encode(), name_too=False)

    def _write(self, name: str, data: bytes, *, name_too: bool = True) -> None:
        path = self.directory / name
        try:
            durable.replace(path, data, name_too=name_too)
        except OSError as error:
            raise StorageError("STORAGE_FULL", f"{path}: {error.strerror}") from error


def _memory_from_json(text: str) -> Memory:
    """Return a memory; raises ValueError, KeyError or TypeError for what none can be."""
    table = json.loads(text)
    values = {field.name: table[field.name] for field in fields(Memory)}
    for field in fields(Memory):
        value = values[field.name]
        if type(value) is not type(field.default):
            raise TypeError(f"{field.name} is {value!r}")
        if isinstance(value, str):
            bytes.fromhex(value)
    return Memory(**values)


def is_running(directory: Path) -> bool:
    """Return whether a miner uses the directory now: whether its lock is held, which no crash leaves behind."""
    try:
        lock = os.open(directory / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def read_status(directory: Path) -> dict[str, Any]:
    """Return what a miner last reported, `updated_ms` saying when (Unix milliseconds), and what waits now.

    :raises MetanodeError: FILE_MISSING when none ever ran there.
    """
    path = directory / "status.json"
    try:
        status: Any = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(status, dict) or not set(status) >= _STATUS_KEYS:
            raise ValueError("keys are missing")
    except OSError as error:
        raise MetanodeError(
            "FILE_MISSING", f"no miner has reported in {directory}", "`metanode-miner run` first"
        ) from error
    except ValueError as error:
        raise StorageError(
            "STORAGE_CORRUPT", f"{path} cannot be read", "remove it; the running miner writes it again"
        ) from error
    return {**status, "queued": sum(1 for _ in (directory / "queue").glob("*.envelope"))}
