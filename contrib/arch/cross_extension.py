"""Compile our cffi extension modules for a foreign Python: C code written here, the cross compiler, no emulator.

The list of sources and the flags of each file are those of native.toml, asked through the same code that setup.py asks.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from foreign import Foreign, Say, run

from metanode.platforms.shims import native_build
from metanode.platforms.shims.native_build import Flags, Native

COMPILE_S_MAX = 240
"""Longest wait for one file."""
OPTIONS = ("-O2", "-fPIC", "-DNDEBUG")
EMIT = """
import pathlib, sys
from metanode.platforms.shims.native_build import ffi_of
ffi_of(pathlib.Path(sys.argv[1])).emit_c_code(sys.argv[2])
"""
LIMITED = "-DPy_LIMITED_API=0x030a0000"
"""The stable ABI from Python 3.10 on, as the wheels have it."""


def extensions(foreign: Foreign, folder: Path, say: Say) -> dict[str, Path]:
    """Build every extension module and return them by file name; what has not changed is not built again.

    :raises Failure: a file does not compile without a warning, or the objects do not link.
    """
    built = {}
    for native in native_build.natives():
        name = f"_{native.name}.abi3.so"
        built[name] = _extension(foreign, native, folder / native.name, name, say)
    return built


def _extension(foreign: Foreign, native: Native, folder: Path, name: str, say: Say) -> Path:
    parts = [path for path in native.folder.iterdir() if path.suffix in (".c", ".h", ".toml")]
    newest = max(path.stat().st_mtime for path in (*parts, Path(native_build.__file__), Path(__file__)))
    target = folder / name
    if target.is_file() and target.stat().st_mtime > newest:
        return target
    say(f"{foreign.architecture}: compiling {name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    generated = folder / f"_{native.name}.c"
    # A process of its own: cffi says on standard output what it writes.
    run([sys.executable, "-c", EMIT, str(native.folder), str(generated)], COMPILE_S_MAX)
    compiler = (*foreign.compiler, *OPTIONS)
    headers = (f"-I{header}" for header in foreign.headers)
    flags = Flags(compiler)
    objects = [str(folder / "generated.o")]
    # The generated file is cffi's to keep free of warnings.
    includes = [*headers, f"-I{native.folder}"]
    run([*compiler, LIMITED, *includes, "-w", "-c", str(generated), "-o", objects[0]], COMPILE_S_MAX)
    for source in native.sources:
        objects.append(str(folder / Path(source).with_suffix(".o").name))
        own = [*native_build.WARNINGS, *(flag for flag in native.flags.get(source, ()) if flags.accepts(flag))]
        run([*compiler, *own, "-c", str(native.folder / source), "-o", objects[-1]], COMPILE_S_MAX)
    fresh = folder / "linked"
    run([*compiler, "-shared", *objects, "-o", str(fresh)], COMPILE_S_MAX)
    return fresh.replace(target)
