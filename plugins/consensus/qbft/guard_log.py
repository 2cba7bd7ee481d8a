"""The sign-guard of a home on disk, for whoever is not the running node: looked at, made, raised, carried elsewhere."""

from __future__ import annotations

import json

from metanode.core.home import Home
from metanode.core.model.errors import MetanodeError, StorageError
from metanode.core.model.limits import PUBLIC_KEY_BYTES, UINT_MAX
from metanode.core.model.strict_json import expect_hex, expect_int, expect_keys, load_object
from metanode.plugins.consensus._shared.wal import WriteAheadLog
from metanode.plugins.consensus.qbft.guard import SignGuard, start_record

PLUGIN = "consensus.qbft"
DIRECTORY = "guard"
"""Below the plugin's data: the log that is both sign-guard and write-ahead log."""


def read_guard(home: Home, key: bytes) -> SignGuard:
    """Return what the home's guard says; one that was never made has no floor.

    :raises StorageError: STORAGE_LOCKED while the node runs; WAL_CORRUPT.
    """
    log = WriteAheadLog(home.data_dir(PLUGIN) / DIRECTORY)
    try:
        return _restored(log, key)
    finally:
        log.close()


def raise_guard(home: Home, key: bytes, above: int) -> SignGuard:
    """Make the guard, or raise it: from now on only heights above `above` are signed.

    :raises StorageError: STORAGE_LOCKED while the node runs; WAL_CORRUPT.
    :raises MetanodeError: FILE_EXISTS, the guard there is stricter or knows of later votes: it is never lowered.
    """
    log = WriteAheadLog(home.data_dir(PLUGIN) / DIRECTORY)
    try:
        guard = _restored(log, key)
        if guard.floor is not None and above <= guard.floor:
            raise MetanodeError(
                "FILE_EXISTS",
                f"{log.path} already allows only heights above {guard.floor}",
                "a height above that: a guard is never lowered",
            )
        log.append(start_record(key, above))
        guard.start(above)
        guard.settle(above)
        return guard
    finally:
        log.close()


def export_text(guard: SignGuard, key: bytes) -> str:
    """Return what another home must know to sign with this key: up to where it may have signed.

    :raises StorageError: WAL_CORRUPT, there is no guard.
    """
    if guard.floor is None:
        raise StorageError("WAL_CORRUPT", "this home has no sign-guard to export")
    return json.dumps({"consensus_key": key.hex(), "signed_up_to": guard.signed_up_to}) + "\n"


def import_text(text: str, key: bytes) -> int:
    """Return up to where the key has signed.

    :raises SettingsError: the text is no export.
    :raises StorageError: WAL_CORRUPT, it is of another key.
    """
    entries = load_object(text, "guard export")
    expect_keys(entries, ("consensus_key", "signed_up_to"), "guard export")
    theirs = expect_hex(entries["consensus_key"], "guard export consensus_key", size=PUBLIC_KEY_BYTES)
    if theirs != key:
        raise StorageError("WAL_CORRUPT", f"the export is of consensus key {theirs.hex()}", f"one of {key.hex()}")
    return expect_int(entries["signed_up_to"], "guard export signed_up_to", maximum=UINT_MAX)


def _restored(log: WriteAheadLog, key: bytes) -> SignGuard:
    guard = SignGuard(key)
    guard.restore(log.open(), str(log.path))
    return guard
