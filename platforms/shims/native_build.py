"""How a folder of C becomes an extension module: what setup.py and each folder's build_native.py ask.

A folder `<name>/` holds C sources, a header whose part between the two cffi marks is also what Python sees, and
`native.toml`, the one list of sources and of the compiler flags that each file is tried with.  Its extension is
`metanode.platforms.shims._<name>`.  Used when building, never when running.
"""

from __future__ import annotations

import importlib.machinery
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cffi import FFI

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHIMS = Path(__file__).resolve().parent
ROOT = SHIMS.parents[1]
LISTED = "native.toml"
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wshadow", "-Werror")
"""What METANODE_WERROR=1 adds for our own files; cffi's generated one is not ours to correct."""
COMPILER_S_MAX = 60
"""Longest wait for a compiler to take or refuse a flag."""
BUILD_S_MAX = 900
"""Longest build in place; an emulated machine is slow."""


class Native(NamedTuple):
    """One folder of C, as its native.toml describes it."""

    folder: Path
    headers: tuple[str, ...]
    """The first is the one that Python sees."""
    sources: tuple[str, ...]
    flags: dict[str, tuple[str, ...]]
    """Flags by source, each tried on its own."""
    libraries: tuple[str, ...]
    """What is linked on this system."""

    @property
    def name(self) -> str:
        """The folder's name, which is that of the shim."""
        return self.folder.name

    @property
    def module(self) -> str:
        """The dotted name of the extension."""
        return f"metanode.platforms.shims._{self.name}"

    def paths(self, *names: str) -> list[str]:
        """Return files relative to setup.py, with slashes, as setuptools demands."""
        return [(self.folder / name).relative_to(ROOT).as_posix() for name in names]


def read(folder: Path) -> Native:
    """Read a folder's list."""
    table: dict[str, Any] = tomllib.loads((folder / LISTED).read_text(encoding="utf-8"))
    paths = table.get("paths", {}).values()
    return Native(
        folder=folder,
        headers=tuple(table["headers"]),
        sources=(*table["sources"], *(path["source"] for path in paths)),
        flags={path["source"]: tuple(path["flags"]) for path in paths},
        libraries=tuple(table.get("libraries", {}).get(sys.platform, ())),
    )


def natives() -> Iterator[Native]:
    """Yield every folder that is built, in the order of their names."""
    for build in sorted(SHIMS.glob("*/build_native.py")):
        yield read(build.parent)


def ffi_of(folder: Path) -> FFI:
    """Return the cffi object that builds a folder's extension; optional, so a wheel builds without a compiler."""
    native = read(folder)
    _, _, rest = (folder / native.headers[0]).read_text(encoding="ascii").partition("/* cffi: begin */")
    declared, mark, _ = rest.partition("/* cffi: end */")
    assert mark, f"{native.headers[0]} has both cffi marks"
    ffi = FFI()
    ffi.cdef(declared)
    ffi.set_source(
        native.module,
        f'#include "{native.headers[0]}"',
        sources=native.paths(*native.sources),
        include_dirs=native.paths("."),
        depends=native.paths(LISTED, *native.headers),
        libraries=list(native.libraries),
        optional=True,
    )
    return ffi


class Flags:
    """Which flags each source gets from one compiler.  No flag is for the whole program: a vector flag there would
    let the compiler put vector instructions where no check of the processor stands before them."""

    def __init__(self, compiler: Sequence[str]) -> None:
        self._compiler = tuple(compiler)
        self._accepted: dict[str, bool] = {}
        self._wanted = {path: native.flags.get(name, ())
                        for native in natives() for name in native.sources for path in native.paths(name)}  # fmt: skip

    def of(self, source: str) -> list[str]:
        """Return the flags for one source; none for what is not ours."""
        wanted = self._wanted.get(Path(source).as_posix())
        if wanted is None:
            return []
        return [flag for flag in wanted if self.accepts(flag)] + list(WARNINGS if strict() else ())

    def accepts(self, flag: str) -> bool:
        """Return whether the compiler takes a flag, asked once by an empty file.  No compiler takes none."""
        if flag not in self._accepted:
            # A flag that is only warned of has no effect; but what warns anyway must not cost every flag.
            if "" not in self._accepted:
                self._accepted[""] = self._compiles("-Werror")
            self._accepted[flag] = self._compiles(flag, *(["-Werror"] if self._accepted[""] else []))
        return self._accepted[flag]

    def _compiles(self, *flags: str) -> bool:
        with tempfile.TemporaryDirectory() as scratch:
            empty = Path(scratch, "empty.c")
            empty.write_text("typedef int metanode_empty;\n", encoding="ascii")
            command = [*self._compiler, *flags, "-c", str(empty), "-o", str(empty.with_suffix(".o"))]
            try:
                done = subprocess.run(command, capture_output=True, timeout=COMPILER_S_MAX, check=False)
            except (OSError, subprocess.TimeoutExpired):
                return False
            return done.returncode == 0


def strict() -> bool:
    """Return whether warnings and a missing extension fail the build: for CI, not for users."""
    return os.environ.get("METANODE_WERROR") == "1"


def build_in_place(folder: Path) -> Path:
    """Build a folder's extension with setup.py in a temporary directory and put it next to the folder.

    :raises RuntimeError: the compiler failed; the text holds what it said.
    """
    native = read(folder)
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", scratch, "--build-temp", scratch]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=BUILD_S_MAX, check=False)
        stem = native.module.rpartition(".")[2]
        built = [path for suffix in importlib.machinery.EXTENSION_SUFFIXES
                 for path in Path(scratch).rglob(stem + suffix)]  # fmt: skip
        if not built:
            raise RuntimeError(f"{native.module} was not built:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        target = SHIMS / built[0].name
        # Copied under another name and renamed: a running program keeps the file it has mapped.
        fresh = target.with_name(target.name + ".new")
        fresh.write_bytes(built[0].read_bytes())
        fresh.chmod(0o755)
        return fresh.replace(target)
