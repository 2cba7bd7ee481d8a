"""What a miner keeps survives restarts; damage and a second miner are one clear line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from metanode.core.crypto.keystore import MEMORY_KIB, MEMORY_KIB_MIN
from metanode.core.model.errors import MetanodeError
from metanode.miner.store import QUEUE_MAX, Memory, Store, read_status


def test_memory_and_key_survive_a_restart(tmp_path: Path) -> None:
    """The same machine after a reboot is the same machine to the chain."""
    store = Store(tmp_path)
    memory = store.remember(store.open(), last_interval=7, node_key="ab")
    key = store.machine_key(None)
    store.close()
    again = Store(tmp_path)
    assert again.open() == memory == Memory(last_interval=7, node_key="ab")
    assert again.machine_key(None).public_key == key.public_key


def test_two_miners_never_share_a_directory(tmp_path: Path) -> None:
    """They would attest the same machine against each other."""
    first, second = Store(tmp_path), Store(tmp_path)
    first.open()
    with pytest.raises(MetanodeError) as caught:
        second.open()
    assert caught.value.code == "STORAGE_LOCKED"
    first.close()
    assert second.open() == Memory()


def test_damaged_memory_names_the_file_and_the_cure(tmp_path: Path) -> None:
    """Never a traceback, never a silent fresh start."""
    (tmp_path / "memory.json").write_text("{")
    with pytest.raises(MetanodeError) as caught:
        Store(tmp_path).open()
    assert caught.value.code == "STORAGE_CORRUPT"
    assert str(tmp_path / "memory.json") in caught.value.message


def test_the_queue_is_in_order_and_bounded(tmp_path: Path) -> None:
    """The oldest attestation is the first to be too late, so it goes first."""
    store = Store(tmp_path)
    store.open()
    for i in range(QUEUE_MAX + 3):
        store.queue(f"{i:012}.envelope", b"%d" % i)
    waiting = [envelope for _, envelope in store.queued()]
    assert waiting == [b"%d" % i for i in range(3, QUEUE_MAX + 3)]


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    """The key's passphrase lies beside it; nobody else may read either."""
    store = Store(tmp_path / "m")
    store.remember(store.open())
    store.machine_key(None)
    modes = {path.name: path.stat().st_mode & 0o077 for path in (tmp_path / "m").iterdir() if path.is_file()}
    assert set(modes.values()) == {0}, modes


def stretching(directory: Path) -> int:
    memory_kib: int = json.loads((directory / "machine.key").read_text())["kdf"]["memory_kib"]
    return memory_kib


def test_only_the_passphrase_the_miner_drew_itself_goes_unstretched(tmp_path: Path) -> None:
    """One that the owner chose, or that lay there already, may be weak, and its key file may be copied."""
    own, told, found = (tmp_path / name for name in ("own", "told", "found"))
    for directory, passphrase in ((own, None), (told, b"chosen")):
        store = Store(directory)
        store.open()
        store.machine_key(passphrase)
    store = Store(found)
    store.open()
    (found / "passphrase").write_bytes(b"chosen")
    store.machine_key(None)
    assert stretching(own) == MEMORY_KIB_MIN
    assert stretching(told) == stretching(found) == MEMORY_KIB


def test_status_before_any_run_says_so(tmp_path: Path) -> None:
    """`metanode-miner status` on a fresh machine."""
    with pytest.raises(MetanodeError) as caught:
        read_status(tmp_path)
    assert caught.value.code == "FILE_MISSING"
