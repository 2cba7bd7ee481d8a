"""Debian's Python for s390x and armhf: its packages extracted into a folder, nothing of them installed or started.

The mirror and the release are those that apt is configured with.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from foreign import ROOT, Foreign, Say, Unavailable, run
from staging import compile_all

PACKAGES = (
    "libc6", "libgcc-s1", "libssl3", "python3-minimal", "python3", "python3-cffi-backend", "python3-nacl",
    "libpython3.11-dev",
)  # fmt: skip
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "*.a")
MINOR = "python3.11"
EXTRACT_S_MAX = 240
ARCHIVE_S_MAX = 30
TOOLS = {"mmdebstrap": "mmdebstrap arch-test", "arch-test": "arch-test"}
SOURCES = ROOT / "platforms" / "vintage" / "sources.sh"


def interpreter(
    architecture: str, triplet: str, emulator: str, flags: tuple[str, ...], folder: Path, say: Say
) -> Foreign:
    """Return Debian's interpreter of an architecture, extracted below a folder.

    :raises Unavailable: a tool is missing, and what brings it.
    :raises Failure: the archive could not be read.
    """
    compiler = f"{triplet}-gcc"
    tools = {**TOOLS, emulator: "qemu-user-static", compiler: f"gcc-{triplet} libc6-dev-{architecture}-cross"}
    if missing := sorted({package for tool, package in tools.items() if shutil.which(tool) is None}):
        raise Unavailable(f"apt-get install {' '.join(missing)}")
    root = folder / "root"
    if not (folder / "extracted").is_file():
        say(f"{architecture}: extracting Debian's Python")
        _extract(architecture, root)
        compile_all(root / "usr" / "lib" / MINOR)
        compile_all(root / "usr" / "lib" / "python3")
        (folder / "extracted").touch()
    include = root / "usr" / "include"
    return Foreign(
        architecture=architecture,
        emulator=(emulator, "-L", str(root)),
        python=root / "usr" / "bin" / MINOR,
        compiler=(compiler, *flags),
        headers=(include / MINOR, include),
        search=(root / "usr" / "lib" / "python3" / "dist-packages",),
    )


def _extract(architecture: str, root: Path) -> None:
    archive = run(["sh", "-c", f". '{SOURCES}'; debian_archive"], ARCHIVE_S_MAX).split()
    if len(archive) != 2:
        raise Unavailable("apt knows no Debian archive: apt-get update")
    mirror, release = archive
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    run(
        [
            "mmdebstrap", "--quiet", f"--mode={'root' if os.geteuid() == 0 else 'auto'}", "--variant=extract",
            f"--architectures={architecture}", f"--include={','.join(PACKAGES)}",
            '--aptopt=Acquire::Languages "none"', *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
            release, str(root), mirror,
        ],
        EXTRACT_S_MAX,
    )  # fmt: skip
