"""Builds the BLAKE3 extension `metanode.platforms.shims._blake3` (cffi, API mode, abi3).

setup.py names `ffi` below; the extension is optional, so a wheel still builds without a compiler.
Developers run `python platforms/shims/build_blake3.py` to (re)build it next to this file.
"""

from __future__ import annotations

import importlib.machinery
import shutil
import tempfile
from pathlib import Path

from cffi import FFI

_SHIMS = Path(__file__).resolve().parent
_ROOT = _SHIMS.parents[1]
_MODULE = "metanode.platforms.shims._blake3"


def _declarations() -> str:
    """What blake3.h declares between its two marks: one text for C and Python."""
    header = (_SHIMS / "blake3.h").read_text(encoding="ascii")
    _, _, rest = header.partition("/* cffi: begin */")
    inside, mark, _ = rest.partition("/* cffi: end */")
    assert mark, "blake3.h has both cffi marks"
    return inside


ffi = FFI()
ffi.cdef(_declarations())
# Paths are relative to the directory of setup.py, as setuptools demands.
ffi.set_source(
    _MODULE,
    '#include "blake3.h"',
    sources=["platforms/shims/blake3_portable.c"],
    include_dirs=["platforms/shims"],
    depends=["platforms/shims/blake3.h"],
    optional=True,
)


def build_in_place() -> Path:
    """Compile in a temporary directory and put the extension next to this file; return its path."""
    with tempfile.TemporaryDirectory() as scratch:
        for part in ("blake3.h", "blake3_portable.c"):
            target = Path(scratch, "platforms", "shims", part)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_SHIMS / part, target)
        built = Path(ffi.compile(tmpdir=scratch))
        # cffi keeps to the stable ABI where there is one; setuptools says so in the name, distutils does not.
        stable = ".abi3.so"
        known = stable in importlib.machinery.EXTENSION_SUFFIXES
        target = _SHIMS / (built.name.partition(".")[0] + (stable if known else "".join(built.suffixes)))
        # Copied under another name and renamed: a running program keeps the file it has mapped.
        fresh = target.with_name(target.name + ".new")
        shutil.copyfile(built, fresh)
        return fresh.replace(target)


if __name__ == "__main__":
    print(build_in_place())
