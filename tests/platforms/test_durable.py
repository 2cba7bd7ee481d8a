"""Names and files that a power cut cannot take back: what is synced, in which order.

That it suffices is shown by tests/durability, which cuts the power at every moment.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from metanode.platforms.durable import make_directory, replace, write_new


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths in the order they are synced."""
    paths: list[str] = []
    sync = os.fsync

    def spy(descriptor: int) -> None:
        paths.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    return paths


def test_every_name_on_the_way_is_synced_before_the_next_is_made(tmp_path: Path, synced: list[str]) -> None:
    """A file synced in a directory whose own name is lost is lost with it."""
    make_directory(tmp_path / "a" / "b")
    assert synced == [str(tmp_path.parent), str(tmp_path), str(tmp_path / "a")]
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_directory_that_is_there_is_synced_too(tmp_path: Path, synced: list[str]) -> None:
    """Whoever made it may have been killed before its name was durable."""
    make_directory(tmp_path)
    assert synced == [str(tmp_path.parent)]


def test_a_parent_that_may_not_be_read_is_left_alone(
    tmp_path: Path, synced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below somebody else's directory a home can still be used."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    make_directory(tmp_path / "a")
    assert synced == [str(tmp_path)]


def test_a_new_file_is_synced_and_nothing_is_overwritten(tmp_path: Path, synced: list[str]) -> None:
    """The bytes are durable when the call returns."""
    write_new(tmp_path / "file", b"text")
    assert synced == [str(tmp_path / "file")]
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "file", b"other")
    assert (tmp_path / "file").read_bytes() == b"text"


def test_what_replaces_a_file_is_durable_before_it_has_the_name(tmp_path: Path, synced: list[str]) -> None:
    """The bytes, then the name; the name is left to a later sync where the caller says so."""
    replace(tmp_path / "file", b"one")
    assert synced == [str(tmp_path / "file.new"), str(tmp_path)]
    replace(tmp_path / "file", b"two", name_too=False)
    assert synced[2:] == [str(tmp_path / "file.new")]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"two"
