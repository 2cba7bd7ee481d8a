"""Write a cpio archive of the format `newc`, which the Linux kernel unpacks as its first file system.

Source: Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
"""

from __future__ import annotations

import gzip
import stat
from pathlib import Path
from typing import Protocol

MAGIC = "070701"
TRAILER = "TRAILER!!!"
ALIGNMENT = 4
GZIP_LEVEL = 1
"""The fastest: the archive is read once, on this machine."""


class Writable(Protocol):
    """A file open for writing, compressed or not."""

    def write(self, data: bytes, /) -> object:
        """Write all of it."""


class Archive:
    """An archive, written as it is added to; the directories above a file are made where they are missing."""

    def __init__(self, out: Writable) -> None:
        self._out = out
        self._inode = 0
        self._known = {""}

    def directory(self, name: str) -> None:
        """Add a directory and those above it, each once."""
        if name in self._known:
            return
        self._parent(name)
        self._known.add(name)
        self._entry(name, stat.S_IFDIR | 0o755, b"")

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Add a file."""
        self._parent(name)
        self._entry(name, stat.S_IFREG | mode, content)

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._parent(name)
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, name: str, major: int, minor: int) -> None:
        """Add a device node."""
        self._parent(name)
        self._entry(name, stat.S_IFCHR | 0o600, b"", (major, minor))

    def tree(self, name: str, folder: Path, *, without: frozenset[str] = frozenset()) -> None:
        """Add a folder under a name, without the entries called in `without`."""
        self.directory(name)
        for path in sorted(folder.iterdir()):
            inside = f"{name}/{path.name}"
            if path.name in without:
                continue
            if path.is_symlink():
                self.link(inside, str(path.readlink()))
            elif path.is_dir():
                self.tree(inside, path, without=without)
            else:
                self.file(inside, path.read_bytes(), stat.S_IMODE(path.stat().st_mode))

    def close(self) -> None:
        """Write the entry that ends the archive."""
        self._entry(TRAILER, 0, b"")

    def _parent(self, name: str) -> None:
        self.directory(name.rpartition("/")[0])

    def _entry(self, name: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        raw = name.encode() + b"\0"
        # inode, mode, uid, gid, links, time, size, device of the file (2), device it stands for (2), name, checksum
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(raw), 0)
        head = MAGIC.encode() + b"".join(b"%08x" % field for field in fields) + raw
        self._out.write(_padded(head) + _padded(content))


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)


def open_compressed(path: Path) -> gzip.GzipFile:
    """Open a file that is written through gzip, the same bytes for the same content."""
    return gzip.GzipFile(path, "wb", compresslevel=GZIP_LEVEL, mtime=0)
