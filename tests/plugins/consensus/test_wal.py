"""The write-ahead log: what was appended is there after any cut, and damage is never taken for a cut."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from metanode.core.model.errors import StorageError
from metanode.plugins.consensus._shared import wal as wal_module
from metanode.plugins.consensus._shared.wal import WriteAheadLog

RECORDS = [b"first", b"second" * 50, b"third"]


def written(directory: Path) -> Path:
    """A log that holds `RECORDS`."""
    log = WriteAheadLog(directory)
    assert log.open() == []
    for record in RECORDS:
        log.append(record)
    log.close()
    return log.path


def test_records_come_back_in_order(tmp_path: Path) -> None:
    """What was appended is what a restart reads."""
    written(tmp_path)
    assert WriteAheadLog(tmp_path).open() == RECORDS


def parsed(log: WriteAheadLog, data: bytes) -> list[bytes] | str:
    """The records of a file, or the code of the refusal."""
    try:
        return log._parse(data)
    except StorageError as error:
        return error.code


def unmarked(data: bytes) -> bytes:
    """What a power cut leaves that came before the mark of the newest record was written back."""
    empty = bytes(wal_module.START_BYTES - wal_module.MARK_AT)
    return data[: wal_module.MARK_AT] + empty + data[wal_module.START_BYTES :]


def test_every_cut_leaves_a_prefix_of_whole_records(tmp_path: Path) -> None:
    """A power cut at any byte loses at most the record that was being written."""
    data = unmarked(written(tmp_path).read_bytes())
    for cut in range(wal_module.START_BYTES, len(data)):
        directory = tmp_path / str(cut)
        directory.mkdir()
        (directory / "wal.log").write_bytes(data[:cut])
        log = WriteAheadLog(directory)
        records = log.open()
        assert records == RECORDS[: len(records)]
        log.append(b"after the cut")
        log.close()
        assert WriteAheadLog(directory).open() == [*records, b"after the cut"]


def test_no_damage_to_what_was_durable_is_taken_for_a_cut(tmp_path: Path) -> None:
    """The file cut at every byte, and every bit of it flipped: all records come back, or the start is refused."""
    path = written(tmp_path)
    data = path.read_bytes()
    cuts = [data[:cut] for cut in range(len(data))]
    flips = [data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :] for at in range(len(data)) for bit in range(8)]
    whole = 0
    for damaged in [*cuts, *flips]:
        found = parsed(WriteAheadLog(tmp_path), damaged)
        assert found in (RECORDS, "WAL_CORRUPT")
        whole += found == RECORDS
    assert whole == 8 * (wal_module.START_BYTES - wal_module.MARK_AT), "only a damaged mark changes nothing"


def test_a_log_without_a_mark_is_taken_over(tmp_path: Path) -> None:
    """The form before: its records come back, and from the first start on it has a mark."""
    data = written(tmp_path).read_bytes()
    salt = data[len(wal_module.MAGIC) : wal_module.MARK_AT]
    (tmp_path / "wal.log").write_bytes(wal_module.MAGIC_WITHOUT_MARK + salt + data[wal_module.START_BYTES :])
    assert WriteAheadLog(tmp_path).open() == RECORDS
    assert (tmp_path / "wal.log").read_bytes().startswith(wal_module.MAGIC)


def test_damage_before_a_whole_record_stops_the_start(tmp_path: Path) -> None:
    """Cutting there would forget a promise; the error names the file and the place."""
    path = written(tmp_path)
    data = bytearray(path.read_bytes())
    data[wal_module.START_BYTES + wal_module.HEAD_BYTES] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageError, match="damaged at byte 28") as caught:
        WriteAheadLog(tmp_path).open()
    assert caught.value.code == "WAL_CORRUPT"
    assert str(path) in caught.value.message


def test_a_record_within_a_record_does_not_turn_a_cut_into_damage(tmp_path: Path) -> None:
    """Blocks hold memos, and anyone may write a memo that looks like a whole record."""
    log = WriteAheadLog(tmp_path)
    log.open()
    log.append(b"first")
    forged = b"".join(wal_module._frame(b"x", salt) for salt in (b"", bytes(wal_module.SALT_BYTES)))
    log.append(bytes(2000) + forged + bytes(2000))
    log.close()
    log.path.write_bytes(unmarked(log.path.read_bytes())[:-1000])
    assert WriteAheadLog(tmp_path).open() == [b"first"]


def test_opening_writes_anew_what_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records may be in the page cache alone, and after a sync that failed no other sync writes them."""
    path = written(tmp_path)
    before, synced, sync = path.stat().st_ino, [], os.fsync

    def spy(fd: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name)
        sync(fd)

    monkeypatch.setattr(os, "fsync", spy)
    assert WriteAheadLog(tmp_path).open() == RECORDS
    assert path.stat().st_ino != before
    assert synced[-2:] == ["wal.log.new", tmp_path.name]


@pytest.mark.parametrize("after", [0, 1])
def test_a_log_whose_sync_failed_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Another sync would succeed without having written anything, and the name may stand for another file by now."""
    monkeypatch.setattr(wal_module, "FILE_BYTES_MAX", 0)
    log, left, sync = WriteAheadLog(tmp_path), [after], os.fsync
    log.open()

    def fail(fd: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(fd)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="Input/output error") as caught:
        log.compact([b"kept"])
    assert caught.value.code == "STORAGE_FULL"
    monkeypatch.undo()
    with pytest.raises(StorageError):
        log.append(b"record")
    assert WriteAheadLog(tmp_path).open() in ([], [b"kept"])


def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    """Another program's file in the place of the log is not overwritten."""
    (tmp_path / "wal.log").write_bytes(b"not a log at all")
    with pytest.raises(StorageError, match="does not start as a consensus log"):
        WriteAheadLog(tmp_path).open()


def test_a_large_log_is_replaced_by_what_still_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log stays bounded; appending goes on in the new file."""
    monkeypatch.setattr(wal_module, "FILE_BYTES_MAX", 100)
    log = WriteAheadLog(tmp_path)
    log.open()
    log.append(b"x" * 200)
    log.compact([b"kept"])
    log.append(b"new")
    log.close()
    assert WriteAheadLog(tmp_path).open() == [b"kept", b"new"]


def test_a_full_disk_closes_the_log_with_one_clear_line(tmp_path: Path) -> None:
    """Nothing may be written behind a torn record, so the log refuses further use."""
    log = WriteAheadLog(tmp_path)
    log.open()
    log._fd = __import__("os").open("/dev/full", 1)
    with pytest.raises(StorageError) as caught:
        log.append(b"record")
    assert caught.value.code == "STORAGE_FULL"
    with pytest.raises(StorageError):
        log.append(b"record")
