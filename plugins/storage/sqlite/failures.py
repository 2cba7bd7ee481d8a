"""SQLite's and the system's failures in the words of `StorageError`: one line, the file, the cure."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from metanode.core.model.errors import StorageError

_CODES = {
    sqlite3_code: code
    for code, sqlite3_codes in {
        "STORAGE_LOCKED": (5, 6),  # BUSY, LOCKED
        "STORAGE_FULL": (8, 10, 13, 14),  # READONLY, IOERR, FULL, CANTOPEN
        "STORAGE_CORRUPT": (11, 26),  # CORRUPT, NOTADB
    }.items()
    for sqlite3_code in sqlite3_codes
}
"""Primary result codes of https://www.sqlite.org/rescode.html."""

_TEXTS = (
    ("is locked", "STORAGE_LOCKED"),
    ("malformed", "STORAGE_CORRUPT"),
    ("not a database", "STORAGE_CORRUPT"),
    ("disk is full", "STORAGE_FULL"),
    ("readonly", "STORAGE_FULL"),
    ("disk I/O error", "STORAGE_FULL"),
    ("unable to open", "STORAGE_FULL"),
)
"""The same by message: Python 3.10 does not tell the result code."""

_IOERR = 10

_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


@contextmanager
def translated(path: Path, *, opening: bool = False) -> Iterator[None]:
    """Raise what SQLite or the system refuses inside the block as a `StorageError` about `path`.

    A failure that is neither the disk's nor the file's (a wrong statement) is our mistake and passes
    unchanged.  While opening, the same statements have worked on every sound file: there it is the file's.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = _code_of(error) or ("STORAGE_CORRUPT" if opening else None)
        if code is None:
            raise
        raise StorageError(code, f"{path}: {' '.join(str(error).split())}", _cure(code, path)) from error
    except OSError as error:
        code = "STORAGE_FULL" if error.errno in _FULL_ERRNOS else "BAD_SETTING"
        raise StorageError(code, f"{path}: {error.strerror}", _cure(code, path)) from error


def lost_writes(error: StorageError) -> bool:
    """Whether the disk failed to take what it was given, so that nothing more may be built on it.

    A full disk refuses before it takes anything, and a locked file has nothing to do with the disk.
    """
    cause = error.__cause__
    if not isinstance(cause, sqlite3.Error):
        return isinstance(cause, OSError)
    number = getattr(cause, "sqlite_errorcode", None)
    return number & 0xFF == _IOERR if number is not None else "disk I/O error" in str(cause)


def corrupt(path: Path, what: str) -> StorageError:
    """Return the error for a damaged file."""
    return StorageError("STORAGE_CORRUPT", f"{path}: {' '.join(what.split())}", _cure("STORAGE_CORRUPT", path))


def _code_of(error: sqlite3.Error) -> str | None:
    number = getattr(error, "sqlite_errorcode", None)
    if number is not None:
        return _CODES.get(number & 0xFF)
    text = str(error)
    return next((code for part, code in _TEXTS if part in text), None)


def _cure(code: str, path: Path) -> str:
    if code == "STORAGE_CORRUPT":
        return "a backup of the whole node home, or a new home made by `metanode init`"
    if code == "STORAGE_FULL":
        return f"a writable disk with free space at {path.parent}, then restart"
    if code == "BAD_SETTING":
        return "a path where the node may keep a file"
    return "no other program that writes this file; one node per data directory"
