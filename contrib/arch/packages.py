"""Install Debian packages when this is Debian and we are root; otherwise say in one line what to install."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence

INSTALL_S_MAX = 600
"""Longest wait for apt-get, which fetches some 400 MB of compilers the first time."""


def install(packages: Sequence[str], say: Callable[[str], None]) -> str:
    """Install packages and return why that was not possible; empty when it was, or when there is nothing to do."""
    if not packages:
        return ""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return f"missing, and only root on Debian can install them here: apt-get install {' '.join(packages)}"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        say(f"apt-get {' '.join(words)}")
        try:
            done = subprocess.run(
                ["apt-get", "-q", *words],
                capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False, env=environment,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"apt-get {words[0]} took longer than {INSTALL_S_MAX} s"
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            return f"apt-get {words[0]} failed: {last[:200]}"
    return ""
