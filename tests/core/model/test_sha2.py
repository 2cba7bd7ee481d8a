"""The two hashes are the standard's, whoever computes them, and need no OpenSSL where the interpreter has its own."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys

import pytest

from metanode.core.model.sha2 import sha256, sha512

OWN_MODULES = ("_sha2",) if sys.version_info >= (3, 12) else ("_sha256", "_sha512")
HAS_OWN = all(importlib.util.find_spec(name) for name in OWN_MODULES)


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 1000])
def test_they_agree_with_hashlib_around_every_border(size: int) -> None:
    """Of blocks and of padding."""
    data = bytes(i % 251 for i in range(size))
    assert sha256(data).digest() == hashlib.sha256(data).digest()
    assert sha512(data).digest() == hashlib.sha512(data).digest()


@pytest.mark.skipif(not HAS_OWN, reason="this interpreter was built without SHA-2 of its own")
def test_openssl_is_not_loaded_for_them() -> None:
    """It takes 3.7 MiB."""
    assert run("import sys, metanode.core.model.sha2\nprint('_hashlib' in sys.modules)") == "False\n"


def test_an_interpreter_without_them_falls_back_on_hashlib() -> None:
    """Some distributions build it so."""
    missing = "".join(f"sys.modules[{name!r}] = None\n" for name in OWN_MODULES)
    code = f"import sys\n{missing}from metanode.core.model.sha2 import sha256, sha512\n"
    code += "print(sha256(b'abc').digest().hex(), sha512(b'abc').digest().hex())"
    assert run(code).split() == [hashlib.sha256(b"abc").hexdigest(), hashlib.sha512(b"abc").hexdigest()]
