"""SHA-256 and SHA-512 without OpenSSL, where the interpreter brings code of its own for them.

`hashlib` loads libcrypto on import, which takes 3.7 MiB of a small machine; the interpreter's own code takes
0.1 MiB and is as fast on inputs as short as keys.  Some distributions leave it out: `hashlib` then.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Protocol


class Hash(Protocol):
    """What both functions return."""

    def digest(self) -> bytes:
        """Return the hash of all input: 32 or 64 bytes."""


sha256: Callable[[bytes], Hash]
sha512: Callable[[bytes], Hash]

try:
    sha256 = import_module("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256
    sha512 = import_module("_sha2" if sys.version_info >= (3, 12) else "_sha512").sha512
except ImportError:
    import hashlib

    sha256, sha512 = hashlib.sha256, hashlib.sha512
