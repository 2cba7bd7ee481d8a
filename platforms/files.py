"""Bounded, careful reading of small text files such as those of /proc and /sys."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

FILE_BYTES_MAX = 1 << 20
"""Longest text read from one file; /proc/cpuinfo of a 512-thread server stays below it."""


HEX_BYTES_MAX = 64
"""Longest binary property kept as hexadecimal digits."""


def read_text(path: Path, *, bytes_max: int = FILE_BYTES_MAX) -> tuple[str | None, str]:
    """Return (text, "") of a regular file, or (None, the reason in a few words).

    Bytes outside UTF-8 become U+FFFD, NUL bytes become spaces, text past `bytes_max` is cut.
    """
    data, reason = _read(path, bytes_max)
    return None if data is None else data.replace(b"\0", b" ").decode("utf-8", "replace"), reason


def read_files(root: Path, names: Iterable[str], files: dict[str, str], unread: dict[str, str]) -> None:
    """Read the files of these names below `root` into `files`, or the reason into `unread`."""
    for name in names:
        text, reason = read_text(root / name)
        if text is None:
            unread[name] = reason
        else:
            files[name] = text


def read_hex(path: Path) -> str | None:
    """Return the beginning of a binary file as hexadecimal digits, or None."""
    data, _ = _read(path, HEX_BYTES_MAX)
    return None if data is None else data.hex()


def _read(path: Path, bytes_max: int) -> tuple[bytes | None, str]:
    """Return (bytes, "") or (None, reason).  Devices, pipes and sockets are refused unread, so nothing can block."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None, "not there"
    except PermissionError:
        return None, "not readable by this user"
    except OSError as error:
        return None, _reason(error)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None, "not a regular file"
        data = b""
        while len(data) < bytes_max:
            piece = os.read(descriptor, min(65_536, bytes_max - len(data)))
            if not piece:
                break
            data += piece
    except OSError as error:
        return None, _reason(error)
    finally:
        os.close(descriptor)
    return data, ""


def link_target(path: Path) -> tuple[str | None, str]:
    """Return (where a symbolic link points, ""), or (None, the reason)."""
    try:
        return os.readlink(path), ""
    except FileNotFoundError:
        return None, "not there"
    except OSError as error:
        return None, _reason(error)


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
