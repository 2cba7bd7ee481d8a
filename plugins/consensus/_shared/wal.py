"""The write-ahead log of a consensus engine: what was promised, on disk before it is said.

One file in a directory of its own (a database beside it would sync the directory and hide a
missing sync of ours).  Layout: the 8 bytes `MNWALOG3`, 8 random bytes (the salt), the mark, then records
of u32_be length, u32_be CRC-32 of salt and payload, payload.  The mark is u64_be length of the file, u32_be
CRC-32 of that: up to there everything was durable.  It is written once a record is synced and
before anyone acts on that record, and needs no sync itself: lost, torn or old it says less, never more.

One record is written and synced at a time, so a power cut can tear only the last one: a torn tail above
the mark is left out.  Damage below the mark, or with a whole record behind it, may hide a promise: it is
corruption and stops the start.  Records hold what strangers sent: without the salt, a memo that looks like
a record would turn a torn tail into corruption.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from metanode.core.model.errors import StorageError
from metanode.platforms.durable import make_directory, replace, sync_file

MAGIC = b"MNWALOG3"
MAGIC_WITHOUT_MARK = b"MNWAL002"
"""What logs began with that had no mark; they are read, and opening writes them anew."""
SALT_BYTES = 8
MARK_AT = len(MAGIC) + SALT_BYTES
START_BYTES = MARK_AT + 12
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
            _write_all(self._fd, frame, self._bytes)
            sync_file(self._fd)
            _write_all(self._fd, _mark(self._bytes + len(frame)), MARK_AT)
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
        frames = b"".join(_frame(record, self._salt) for record in records)
        data = MAGIC + self._salt + _mark(START_BYTES + len(frames)) + frames
        replace(self._path, data)
        old, self._fd = self._fd, os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        if old >= 0:
            os.close(old)
        self._bytes = len(data)

    def _parse(self, data: bytes) -> list[bytes]:
        marked = data.startswith(MAGIC) and len(data) >= START_BYTES
        if not marked and not (data.startswith(MAGIC_WITHOUT_MARK) and len(data) >= MARK_AT):
            raise StorageError("WAL_CORRUPT", f"{self._path} does not start as a consensus log")
        salt, position = data[len(MAGIC) : MARK_AT], START_BYTES if marked else MARK_AT
        durable = _durable(data) if marked else 0
        records: list[bytes] = []
        while position < len(data):
            record, end = _read(data, position, salt)
            if record is None:
                behind = range(position + 1, len(data) - HEAD_BYTES)
                if any(_read(data, start, salt)[0] is not None for start in behind):
                    raise StorageError("WAL_CORRUPT", f"{self._path} is damaged at byte {position}, before its end")
                break
            records.append(record)
            position = end
        if position < durable:
            raise StorageError(
                "WAL_CORRUPT", f"{self._path} is damaged at byte {position}; {durable} bytes of it were durable"
            )
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


def _mark(length: int) -> bytes:
    raw = length.to_bytes(8, "big")
    return raw + zlib.crc32(raw).to_bytes(4, "big")


def _durable(data: bytes) -> int:
    """Return up to where the mark says that all was durable; 0 where a power cut has torn the mark itself."""
    length = int.from_bytes(data[MARK_AT : MARK_AT + 8], "big")
    return length if data[MARK_AT:START_BYTES] == _mark(length) else 0


def _write_all(fd: int, data: bytes, position: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, position)
        view, position = view[written:], position + written
