"""What is checked before a database is trusted: whose it is, its structure, its head."""

from __future__ import annotations

import sqlite3
import zlib
from pathlib import Path

from metanode.core.model.errors import StorageError
from metanode.plugins.storage.sqlite.conversion import CONVERTIBLE
from metanode.plugins.storage.sqlite.failures import corrupt
from metanode.plugins.storage.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION

MAGIC = b"SQLite format 3\x00"
"""How every database begins."""
CHECK_BYTES_MAX = 64 << 20
"""Up to this size the whole structure is checked at every start (about 0.2 s)."""
CHECK_BYTES_MAX_UNCLEAN = 1 << 30
"""After a stop that was no clean one, up to this size; beyond it only the tables a start reads."""
CHECKED_TABLES = ("meta", "state", "pending")
"""What is checked of a database that is too large to be checked whole."""


def check_size(path: Path) -> None:
    """Refuse a file that does not begin as a database or ends inside a page, which SQLite would pad with zeros.

    Only when no log stands beside it: the log repairs a page that a crash left half written.
    Call before any connection: closing another descriptor of the file would drop SQLite's locks.

    :raises StorageError: STORAGE_CORRUPT.
    """
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size > 0:
        return
    with path.open("rb") as file:
        head = file.read(18)
    if not head.startswith(MAGIC):
        raise corrupt(path, "is not a database: it does not begin as one")
    page_bytes = int.from_bytes(head[16:18], "big")
    page_bytes = 65536 if page_bytes == 1 else page_bytes  # how the file format writes 65536
    size = path.stat().st_size
    if not page_bytes or size % page_bytes:
        raise corrupt(path, f"is {size} bytes long, which is not a whole number of pages")


def check_owner(connection: sqlite3.Connection, path: Path, genesis_hash: bytes) -> int:
    """Refuse a file of another program, another version or another chain; return its version.

    :raises StorageError: STORAGE_CORRUPT, STORAGE_VERSION or WRONG_CHAIN.
    """
    application = _number(connection, "PRAGMA application_id")
    version = _number(connection, "PRAGMA user_version")
    if application != APPLICATION_ID:
        raise corrupt(path, f"is not a metanode database (application id {application:#010x})")
    if version not in (SCHEMA_VERSION, *CONVERTIBLE):
        raise StorageError(
            "STORAGE_VERSION",
            f"{path} has schema version {version}",
            f"version {SCHEMA_VERSION}: the metanode that wrote it, or a fresh data directory",
        )
    row = connection.execute("SELECT genesis_hash FROM meta").fetchone()
    if row is None:
        raise corrupt(path, "its meta row is missing")
    if row[0] != genesis_hash:
        raise StorageError(
            "WRONG_CHAIN",
            f"{path} holds the chain of genesis {row[0].hex()}, this node runs {genesis_hash.hex()}",
            "the genesis.json the data was made with, or a fresh data directory",
        )
    return version


def check_structure(connection: sqlite3.Connection, path: Path) -> None:
    """Let SQLite check its pages, as far as the size allows in a start.

    :raises StorageError: STORAGE_CORRUPT.
    """
    pages, page_bytes = _number(connection, "PRAGMA page_count"), _number(connection, "PRAGMA page_size")
    running = _number(connection, "SELECT running FROM meta")
    whole = pages * page_bytes <= (CHECK_BYTES_MAX_UNCLEAN if running else CHECK_BYTES_MAX)
    checks = ["PRAGMA quick_check(1)"] if whole else [f"PRAGMA quick_check({table})" for table in CHECKED_TABLES]
    for check in checks:
        said = connection.execute(check).fetchone()[0]
        if said != "ok":
            raise corrupt(path, said)


def check_head(connection: sqlite3.Connection, path: Path, version: int) -> int:
    """Check that the newest block is whole and the one the file says is newest; return its height.

    :param version: of the file, not converted yet.

    :raises StorageError: STORAGE_CORRUPT.
    """
    head = _number(connection, "SELECT head_height FROM meta")
    first, last = connection.execute("SELECT (SELECT min(height) FROM blocks), max(height) FROM blocks").fetchone()
    begins = 1 if version in CONVERTIBLE else _number(connection, "SELECT ifnull(max(height), 1) FROM origin")
    if (last or 0) != head or (first or 0) != min(head, begins):
        raise corrupt(path, f"holds blocks {first} to {last} while its head is {head}")
    if head:
        row = connection.execute(
            "SELECT header, certificate, offsets, receipt_lengths, receipts, body, checksum FROM blocks "
            "WHERE height = ?",
            (head,),
        ).fetchone()
        if checksum(*row[:-1]) != row[-1]:
            raise corrupt(path, f"block {head} does not match its checksum")
    return head


def checksum(*parts: bytes) -> int:
    """Return the CRC-32 over the parts of a block's row: finds a flipped bit, proves nothing."""
    value = 0
    for part in parts:
        value = zlib.crc32(part, value)
    return value


def _number(connection: sqlite3.Connection, query: str) -> int:
    value: int = connection.execute(query).fetchone()[0]
    return value
