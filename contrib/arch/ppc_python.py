"""CPython for 32-bit big-endian PowerPC, which no Debian archive has: unpacked where it is kept, or built by recipe.

platforms/vintage/python_powerpc.sh is the recipe; it takes some minutes.  A tarball that it has made is
looked for in `shared/vintage` beside the checkout and where METANODE_PPC_PYTHON says.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from foreign import ROOT, Foreign, Say, Unavailable, run
from staging import compile_all

RECIPE = ROOT / "platforms" / "vintage" / "python_powerpc.sh"
PACKED = "python-*-powerpc.tar.zst"
PREFIX = "pyppc"
MINOR = "python3.11"
LIBRARIES = Path("/usr/powerpc-linux-gnu")
"""Where Debian's libc6-powerpc-cross puts the C library."""
COMPILER = ("powerpc-linux-gnu-gcc", "-mcpu=750")
UNPACK_S_MAX = 120
STAGE_S_MAX = 400
NO_SSL = Path(__file__).with_name("no_ssl")
TOOLS = {
    "qemu-ppc-static": "qemu-user-static",
    "powerpc-linux-gnu-gcc": "gcc-powerpc-linux-gnu libc6-dev-powerpc-cross",
    "zstd": "zstd",
    "make": "make",
    "dpkg-source": "dpkg-dev",
}  # fmt: skip


def interpreter(folder: Path, say: Say) -> Foreign:
    """Return the interpreter, unpacked below a folder, with what cffi modules need to load.

    :raises Unavailable: a tool or the tarball is missing, and what brings it.
    :raises Failure: a step went wrong.
    """
    if missing := sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None}):
        raise Unavailable(f"apt-get install {' '.join(missing)}")
    prefix = _unpacked(folder, say)
    backend = folder / "recipe" / "sysroot" / "python"
    if not (folder / "recipe" / "nacl.done").is_file():
        say("ppc: building cffi's backend and libsodium")
        environment = {**os.environ, "PYPPC": str(prefix), "CFFI_PYTHON": sys.executable}
        run(["sh", str(RECIPE), str(folder / "recipe"), "libffi", "cffi", "nacl"], STAGE_S_MAX, env=environment)
        compile_all(backend)
    return Foreign(
        architecture="ppc",
        emulator=("qemu-ppc-static", "-L", str(LIBRARIES)),
        python=prefix / "bin" / MINOR,
        compiler=COMPILER,
        headers=(prefix / "include" / MINOR,),
        search=(backend, NO_SSL),
    )


def _unpacked(folder: Path, say: Say) -> Path:
    built = folder / "recipe" / PREFIX
    if built.with_name("pack.done").is_file():
        if not (built / "lib" / MINOR / "__pycache__").is_dir():
            compile_all(built / "lib" / MINOR)
        return built
    prefix = folder / PREFIX
    if not (prefix / "unpacked").is_file():
        packed = _packed()
        say(f"ppc: unpacking {packed.name}")
        shutil.rmtree(prefix, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        run(["tar", "--use-compress-program=zstd", "-xf", str(packed), "-C", str(folder)], UNPACK_S_MAX)
        compile_all(prefix / "lib" / MINOR)
        (prefix / "unpacked").touch()
    return prefix


def _packed() -> Path:
    told = os.environ.get("METANODE_PPC_PYTHON")
    if told:
        if not Path(told).is_file():
            raise Unavailable(f"METANODE_PPC_PYTHON names no file: {told}")
        return Path(told)
    kept = sorted((ROOT.parent / "shared" / "vintage").glob(PACKED))
    if not kept:
        raise Unavailable(f"no PowerPC Python yet; it takes some minutes: sh {RECIPE.relative_to(ROOT)}")
    return kept[-1]
