"""`sysctl` of macOS and the BSDs, and boot messages: what all of them print alike."""

from __future__ import annotations

import re
from collections.abc import Mapping

from metanode.fingerprint.parsers.text import bounded_lines, decimal, pairs

BOOT_MESSAGES = ("var/run/dmesg.boot", "cmd:dmesg", "cmd:dmesg -a")
_SYSCTL = "cmd:sysctl"
_STAMP = re.compile(r"^\[ *[0-9]{1,9}\.[0-9]{1,9}\] ?")


def sysctl_values(files: Mapping[str, str]) -> dict[str, str]:
    """Return all sysctl values of a dump; `: `, ` = ` and `=` are all in use, even within one output."""
    found: dict[str, str] = {}
    for key, text in sorted(files.items()):
        if key.startswith(_SYSCTL):
            for name, value in pairs(text).items():
                found.setdefault(name, value)
    return found


def number(values: Mapping[str, str], *names: str) -> int:
    """Return the first of these that is a whole number, or 0."""
    return next((value for name in names if (value := decimal(values.get(name, ""))) is not None), 0)


def boot_lines(files: Mapping[str, str]) -> list[str]:
    """Return the boot messages without time stamps, of the first source that has any."""
    for key in BOOT_MESSAGES:
        if text := files.get(key, ""):
            return [_STAMP.sub("", line) for line in bounded_lines(text)]
    return []
