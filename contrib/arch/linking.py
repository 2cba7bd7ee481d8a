"""Rows of the systems that have no emulator: the shims compiled and linked against macOS and FreeBSD with `zig cc`.

PyPI's `ziglang` brings compiler, linker and the libraries' interfaces of both systems; it goes into a virtual
environment of its own below the build folder, never into the one that metanode runs in.
"""

from __future__ import annotations

import subprocess
import time
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from table import Options, Row
from targets import Link, Targets
from toolchain import BuildError, Toolchain, shim_sources

ZIG = "ziglang==0.17.0"
"""The first with libraries for FreeBSD was 0.15."""
INSTALL_S_MAX = 300
"""Longest wait for pip, which fetches about 100 MB once."""
WHAT = "linked"


def rows(options: Options, targets: Targets) -> Iterator[Row]:
    """Link the driver for each system that was asked for."""
    chosen = _chosen(options, targets)
    if not _ready(options).is_file():
        reason = f"{ZIG} is not installed: contrib/arch/run.py --install"
        yield from (Row(link.target, "-", "-", WHAT, "skipped", reason, 0.0) for link in chosen)
        return
    with ThreadPoolExecutor(options.jobs) as pool:
        yield from pool.map(lambda link: _link(link, options), chosen)  # cancels what has not begun when closed early


def install(options: Options, targets: Targets) -> str:
    """Install the compiler unless it is there or not needed; return why that failed, or nothing."""
    if not _chosen(options, targets) or _ready(options).is_file():
        return ""
    options.say(f"installing {ZIG}")
    try:
        venv.create(_folder(options), with_pip=True, clear=True)
        subprocess.run(
            [_python(options), "-m", "pip", "install", "-q", "--no-input", ZIG],
            capture_output=True, text=True, timeout=INSTALL_S_MAX, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", None) or error).strip().splitlines()
        return f"{ZIG} could not be installed: {said[-1][:200] if said else error}"
    _ready(options).write_text("", "ascii")
    return ""


def _chosen(options: Options, targets: Targets) -> list[Link]:
    return [link for link in targets.links if options.wants(link.target, WHAT)]


def _folder(options: Options) -> Path:
    return options.build / "zig"


def _python(options: Options) -> Path:
    return _folder(options) / "bin" / "python"


def _ready(options: Options) -> Path:
    """The file that says that the installation came to its end, and of which version."""
    return _folder(options) / ZIG


def _link(link: Link, options: Options) -> Row:
    start = time.monotonic()
    options.say(f"{link.target}: linking")
    cache = options.build / "zig-cache"
    environment = ("env", f"ZIG_GLOBAL_CACHE_DIR={cache}", f"ZIG_LOCAL_CACHE_DIR={cache}")
    toolchain = Toolchain(
        (*environment, str(_python(options)), "-m", "ziglang", "cc", "-target", link.target),
        options.build / link.target,
        link_flags=(),
    )
    try:
        toolchain.driver()
        paths = [source for source in shim_sources() if source.instructions]
        built = [source.instructions for source in paths if not toolchain.is_empty(source)]
    except BuildError as error:
        return Row(link.target, "-", "-", WHAT, "FAIL", str(error), time.monotonic() - start)
    found, expected = " ".join(("portable", *built)), " ".join(("portable", *link.built))
    seconds = time.monotonic() - start
    if set(built) != set(link.built):
        return Row(link.target, "-", "-", WHAT, "FAIL", f"built are {found}; must be {expected}", seconds)
    return Row(link.target, "-", "all", WHAT, "ok", f"not run; {found}", seconds)
