"""What the kernel tells the running process in its auxiliary vector."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Literal

from metanode.platforms.captured import ProcessFacts, own_process

AT_NULL = 0
AT_SYSINFO_EHDR = 33
"""Address of the vDSO; a kernel maps one into every process, a user-mode emulator often does not."""


def read_process(auxv: Path = Path("/proc/self/auxv")) -> ProcessFacts:
    """Return the facts of this process."""
    return own_process(_has_vdso(auxv))


def _has_vdso(path: Path) -> bool | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return vdso_in_auxv(data, struct.calcsize("P"), sys.byteorder)


def vdso_in_auxv(data: bytes, word_bytes: int, byte_order: str) -> bool | None:
    """Tell whether an auxiliary vector names a vDSO; None when it is not a whole vector.

    Source: getauxval(3); pairs of machine words (type, value), ended by AT_NULL.
    """
    pair = 2 * word_bytes
    order: Literal["big", "little"] = "big" if byte_order == "big" else "little"
    for at in range(0, len(data) - pair + 1, pair):
        kind = int.from_bytes(data[at : at + word_bytes], order)
        value = int.from_bytes(data[at + word_bytes : at + pair], order)
        if kind == AT_SYSINFO_EHDR:
            return value != 0
        if kind == AT_NULL:
            return False
    return None
