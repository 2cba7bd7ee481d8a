"""Builds the probes' extension `metanode.platforms.shims._probes` (cffi, API mode, abi3).

setup.py finds `ffi` below.  Developers run `python platforms/shims/probes/build_native.py` to (re)build it in place.
"""

from __future__ import annotations

from pathlib import Path

from metanode.platforms.shims.native_build import build_in_place, ffi_of

FOLDER = Path(__file__).resolve().parent
ffi = ffi_of(FOLDER)

if __name__ == "__main__":
    print(build_in_place(FOLDER))
