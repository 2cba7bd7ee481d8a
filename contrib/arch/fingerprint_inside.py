"""Runs the fingerprint command in an interpreter that is emulated and shows nothing of it.

    python fingerprint_inside.py DUMP

Every text that this process would read of its machine is that of the dump, as if the emulator had been patched down to
the last byte: vDSO, process state, device tree, /proc/cpuinfo.  Only the compiled probes are left to tell.
"""

from __future__ import annotations

import sys
from pathlib import Path

from metanode.fingerprint import collect as collecting
from metanode.fingerprint import command
from metanode.fingerprint.capture import read_capture
from metanode.platforms.captured import Dump, ProcessFacts


def main() -> int:
    """Return the command's exit code."""
    told = read_capture(Path(sys.argv[1]))

    def look(root: Path = Path("/")) -> tuple[Dump, ProcessFacts]:
        return told

    collecting.look = look
    return command.main(["--json", "--no-crosscheck"])


if __name__ == "__main__":
    sys.exit(main())
