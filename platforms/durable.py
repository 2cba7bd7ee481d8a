"""Names and small files that a power cut cannot take back.

POSIX makes a file's bytes durable when the file is synced and its name when the directory that holds it
is: `fsync` of a file promises nothing about the names on the way to it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

_FULL_SYNC = getattr(fcntl, "F_FULLFSYNC", None)
"""On macOS `fsync` leaves the bytes in the drive's own cache; this does not."""


def sync_file(descriptor: int) -> None:
    """Return once the bytes of an open file are durable.

    Never call it again after it failed: the system forgets the bytes that it could not write, and the next call
    succeeds without them.  What was being written has to be written anew.

    :raises OSError: the system refuses.
    """
    if _FULL_SYNC is not None:
        try:
            fcntl.fcntl(descriptor, _FULL_SYNC)
        except OSError as error:
            # Some network file systems know only fsync.
            if error.errno not in (errno.ENOTSUP, errno.EINVAL, errno.ENOTTY):
                raise
        else:
            return
    os.fsync(descriptor)


def sync_directory(path: Path) -> None:
    """Return once the names in a directory are durable.

    :raises OSError: the system refuses.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Make a directory and its missing parents, mode 0700, and return once their names are durable.

    :raises OSError: the system refuses.
    """
    missing = [directory for directory in (path, *path.parents) if not directory.exists()]
    # Whoever made the nearest one that is there may have been killed before its name was synced.
    outside = (missing[-1].parent if missing else path).parent
    if os.access(outside, os.R_OK):
        sync_directory(outside)
    for directory in reversed(missing):
        directory.mkdir(mode=0o700, exist_ok=True)
        sync_directory(directory.parent)


def write_new(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file that must not exist and return once its bytes are durable; its name is the caller's to sync.

    :raises OSError: the system refuses.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        sync_file(file.fileno())


def replace(path: Path, data: bytes, *, name_too: bool = True) -> None:
    """Put `data` under a name, aside first, so that the name never stands for less; return once that is durable.

    :param name_too: False where a cut may bring back what the name stood for, or leave it free.
    :raises OSError: the system refuses; what the name stands for is then unknown until it is read.
    """
    aside = path.with_name(path.name + ".new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        sync_file(file.fileno())
    os.replace(aside, path)
    if name_too:
        sync_directory(path.parent)
