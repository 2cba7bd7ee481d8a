"""The recorder sees every call: its records are what `strace` counts of the same process."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("helpers")]

CALLS = {
    "openat": "OPEN", "write": "WRITE", "pwrite64": "WRITE", "writev": "WRITE", "ftruncate": "TRUNCATE",
    "rename": "RENAME", "renameat": "RENAME", "renameat2": "RENAME", "unlink": "UNLINK", "unlinkat": "UNLINK",
    "link": "LINK", "linkat": "LINK", "mkdir": "MKDIR", "mkdirat": "MKDIR", "rmdir": "UNLINK", "fsync": "SYNC",
    "fdatasync": "SYNC",
}  # fmt: skip
"""What strace may call them; unlinkat removes directories too."""


@pytest.mark.parametrize("name", ["wal", "database", "miner", "init"])
def test_the_record_is_what_strace_counts(name: str, recorder: Path, tmp_path: Path) -> None:
    """One process under both: every successful call below the root that could change a disk, by kind."""
    from powercut import recording

    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    root = tmp_path / "root"
    (root / "one").mkdir(parents=True)
    preload = f"LD_PRELOAD={recorder}"
    command = [strace, "-f", "-y", "-s", "0", "-o", str(tmp_path / "trace"), "-E", preload]
    command += ["-e", f"trace={','.join(CALLS)}", sys.executable, "-m", "powercut.components", name, str(root / "one")]
    environment = recording.environment(recorder, tmp_path / "log", root)
    del environment["LD_PRELOAD"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr:
        pytest.skip("this system lets nobody trace")
    assert done.returncode == 0, done.stderr[-2000:]

    traced: Counter[str] = Counter()
    for line in (tmp_path / "trace").read_text().splitlines():
        found = re.match(r"\d+ +(\w+)\(.*\) = \d+", line)
        # Directories listed by name are opened with O_NONBLOCK inside the C library; a listing changes nothing.
        if found is not None and str(root) in line and "-shm" not in line and "O_NONBLOCK" not in line:
            traced[CALLS[found.group(1)]] += 1
    seen = Counter(
        record.op.name.replace("RMDIR", "UNLINK")
        for record in recording.read(tmp_path / "log")
        if record.op.name in CALLS.values() or record.op.name == "RMDIR"
        if not record.path.endswith("-shm")
    )
    assert traced == seen
    assert seen["SYNC"]
