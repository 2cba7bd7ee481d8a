"""What a reader of any platform hands over: texts by where they came from, and facts about the process.

A dump is plain data: the same dump always gives the same inventory, so a machine that nobody here
owns can be replayed in a test.  Keys are paths without the leading slash, or begin with
`link:` (the target of that symbolic link), `mark:` (an existing file whose content does not matter),
`hex:` (a binary file as hexadecimal digits) or `cmd:` (the output of that command line).
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass

COMMAND = "cmd:"
"""Beginning of a key that holds a command's output."""


@dataclass(frozen=True)
class Dump:
    """What was read from a machine, and what was not."""

    files: Mapping[str, str]
    """Key to text."""
    unread: Mapping[str, str]
    """Key of a single source that could not be read, to the reason."""


@dataclass(frozen=True)
class ProcessFacts:
    """Facts about the process, independent of any file a container may hide."""

    system: str
    """`linux`, `darwin`, `freebsd14`, ... as `sys.platform`."""
    machine: str
    """The kernel's machine name, for example `x86_64`."""
    word_bits: int
    """Width of a pointer in this process."""
    byte_order: str
    """`little` or `big`."""
    has_vdso: bool | None
    """Whether the kernel mapped a vDSO; None when the auxiliary vector cannot be read."""


def own_process(has_vdso: bool | None = None) -> ProcessFacts:
    """Return the facts of this process."""
    return ProcessFacts(
        system=sys.platform,
        machine=os.uname().machine,
        word_bits=8 * struct.calcsize("P"),
        byte_order=sys.byteorder,
        has_vdso=has_vdso,
    )
