"""Everything this project reads from FreeBSD."""

from __future__ import annotations

from pathlib import Path

from metanode.platforms.captured import Dump
from metanode.platforms.commands import read_commands
from metanode.platforms.files import read_files

FILES = ("var/run/dmesg.boot", "etc/os-release", "var/run/os-release")
COMMANDS = (
    ("sysctl", "hw"),
    ("sysctl", "machdep"),
    ("sysctl", "kern.vm_guest"),
    ("sysctl", "kern.ostype", "kern.osrelease"),
    ("sysctl", "dev.cpu.0"),
    ("pciconf", "-lv"),
    ("kenv",),
    ("ifconfig", "-a"),
    ("geom", "disk", "list"),
)
"""kenv holds what PC firmware calls the machine (smbios.*), among it serial numbers: identifiers, never shown."""
COMMAND_SECONDS_MAX = 5.0
"""Longest wait for one command."""


def read_dump(root: Path = Path("/")) -> Dump:
    """Read the files below `root` and ask the system.  Never raises."""
    files: dict[str, str] = {}
    unread: dict[str, str] = {}
    read_files(root, FILES, files, unread)
    read_commands(COMMANDS, files, unread, seconds_max=COMMAND_SECONDS_MAX)
    return Dump(files, unread)
