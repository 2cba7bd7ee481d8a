"""The write-ahead log of a consensus engine: what was promised, on disk before it is said.

One file in a directory of its own (a database beside it would sync the directory and hide a
missing sync of ours).  Layout: the 8 bytes `MNWAL002`, 8 random bytes (the salt), then records of
u32_be length, u32_be CRC-32 of salt and payload, payload.  One record is written and synced at a
time, so a power cut can tear only the last one: a torn tail is left out, damage with a whole record
behind it is corruption and stops the start.  Records hold what strangers sent: without the salt, a
memo that looks like a record would turn a torn tail into corruption.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from metanode.core.model.errors import StorageError
from metanode.platforms.durable import make_directory, replace, sync_file

MAGIC = b"MNWAL002"
SALT_BYTES = 8
START_BYTES = len(MAGIC) + SALT_BYTES
HEAD_BYTES = 8
RECORD_BYTES_MAX = 4 << 20
"""Largest record: a full block with room to spare."""
FILE_BYTES_MAX = 8 << 20
"""The log is rewritten with only what still matters once it grows past this."""


class WriteAheadLog:
    """Append-only records with one `fsync` per batch.  Blocking: call from a worker thread."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "wal.log"
        self._directory = directory
        self._fd = -1
        self._lock = -1
        self._bytes = 0
        self._salt = b""

    @property
    def path(self) -> Path:
        """The log file."""
        return self._path

    def open(self) -> list[bytes]:
        """Open or make the log and return its records in order; what is returned is durable.

        :raises StorageError: WAL_CORRUPT when a record before the last one is damaged; STORAGE_LOCKED
            when another process signs with this log; STORAGE_FULL when the disk refuses.
        """
        try:
            make_directory(self._directory)
            self._take_lock()
            records = self._parse(self._path.read_bytes()) if self._path.exists() else []
            # What was read may be in the page cache alone: its writer was killed before the sync, or stopped because
            # the sync failed, and then another sync of these bytes would do nothing and say that it worked.  Nobody
            # may act on a record that the next power cut takes back, so they are written anew.
            self._rewrite(records)
        except OSError as error:
            self.close()
            raise self._refused(error) from error
        return records

    def append(self, record: bytes) -> None:
        """Write one record and return once it is durable.

        :raises StorageError: STORAGE_FULL.  The log is closed then: nothing may be written behind a torn record,
            and no sync may be tried again; the next `open` writes anew what is whole.
        """
        frame = _frame(record, self._salt)
        try:
            _write_all(self._fd, frame)
            sync_file(self._fd)
        except OSError as error:
            self.close()
            raise self._refused(error) from error
        self._bytes += len(frame)

    def compact(self, keep: Sequence[bytes]) -> None:
        """Once the log is large, replace it by `keep`, atomically.

        :raises StorageError: STORAGE_FULL.  The log is closed then: its name may stand for another file already.
        """
        if self._bytes < FILE_BYTES_MAX:
            return
        try:
            self._rewrite(keep)
        except OSError as error:
            self.close()
            raise self._refused(error) from error

    def close(self) -> None:
        """Close the file and give the lock up; every appended record is already durable."""
        fds, self._fd, self._lock = (self._fd, self._lock), -1, -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    def _take_lock(self) -> None:
        """Two processes with one log would sign twice at one height."""
        self._lock = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            self._lock = -1
            raise StorageError("STORAGE_LOCKED", f"another process uses {self._directory}") from None

    def _rewrite(self, records: Sequence[bytes]) -> None:
        """Replace the log by one of these records, or make it, and hold it open for appending."""
        self._salt = os.urandom(SALT_BYTES)
        data = MAGIC + self._salt + b"".join(_frame(record, self._salt) for record in records)
        replace(self._path, data)
        old, self._fd = self._fd, os.open(self._path, os.O_WRONLY | os.O_CLOEXEC | os.O_APPEND)
        if old >= 0:
            os.close(old)
        self._bytes = len(data)

    def _parse(self, data: bytes) -> list[bytes]:
        if data[: len(MAGIC)] != MAGIC or len(data) < START_BYTES:
            raise StorageError("WAL_CORRUPT", f"{self._path} does not start as a consensus log")
        records: list[bytes] = []
        position, salt = START_BYTES, data[len(MAGIC) : START_BYTES]
        while position < len(data):
            record, end = _read(data, position, salt)
            if record is None:
                behind = range(position + 1, len(data) - HEAD_BYTES)
                if any(_read(data, start, salt)[0] is not None for start in behind):
                    raise StorageError("WAL_CORRUPT", f"{self._path} is damaged at byte {position}, before its end")
                break
            records.append(record)
            position = end
        return records

    def _refused(self, error: OSError) -> StorageError:
        cure = f"a writable disk with free space at {self._directory}, then restart"
        return StorageError("STORAGE_FULL", f"{self._path}: {error.strerror or error}", cure)


def _frame(record: bytes, salt: bytes) -> bytes:
    assert 0 < len(record) <= RECORD_BYTES_MAX, "a record is neither empty nor larger than a block"
    return len(record).to_bytes(4, "big") + zlib.crc32(salt + record).to_bytes(4, "big") + record


def _read(data: bytes, position: int, salt: bytes) -> tuple[bytes | None, int]:
    length = int.from_bytes(data[position : position + 4], "big")
    end = position + HEAD_BYTES + length
    if not 0 < length <= RECORD_BYTES_MAX or end > len(data):
        return None, position
    record = data[position + HEAD_BYTES : end]
    if zlib.crc32(record, zlib.crc32(salt)) != int.from_bytes(data[position + 4 : position + HEAD_BYTES], "big"):
        return None, position
    return record, end


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
