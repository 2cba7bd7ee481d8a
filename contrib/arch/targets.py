"""Read targets.toml: which programs are built for which architectures, and on which processors each one runs."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
TARGETS = Path(__file__).with_name("targets.toml")
HERE = "here"
"""The architecture of this machine, in targets.toml."""
PATHS = ("portable", "sse41", "avx2", "avx512", "neon", "altivec")
"""By bit number, as in blake3.h."""
_X86 = ("sse41", "avx2", "avx512")
BUILT_HERE = {"x86_64": _X86, "aarch64": ("neon",), "ppc": ("altivec",), "ppc64": ("altivec",), "ppc64le": ("altivec",)}
"""What the compiler of this machine must build."""
SAID_BY_KERNEL = {
    "sse41": {"sse4_1"},
    "avx2": {"avx2"},
    "avx512": {"avx512f", "avx512bw", "avx512vl"},
    "neon": {"asimd"},
    "altivec": {"altivec"},
}
"""Words of /proc/cpuinfo that all must stand there for a path to be expected on this machine."""


@dataclass(frozen=True)
class Run:
    """One processor."""

    cpu: str
    paths: tuple[str, ...] | None
    """Must be found beside `portable`; every other built path must be refused.  None: whatever is found."""
    machine: str
    """A machine that had it."""


@dataclass(frozen=True)
class Build:
    """One static program and where it runs."""

    name: str
    """As targets.toml calls it."""
    architecture: str
    """As the table calls it: this machine's name in the place of `here`."""
    compiler: str
    packages: tuple[str, ...]
    flags: tuple[str, ...]
    path_flags: Mapping[str, tuple[str, ...]]
    """More flags for the file of a path."""
    added: tuple[str, ...]
    """C files beside targets.toml that are linked as well."""
    built: tuple[str, ...] | None
    """The paths beside `portable` that must be in it, no more and no less.  None: whatever is built."""
    emulator: str
    """Empty: it runs here, without one."""
    ci: bool
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Link:
    """One system that the shims are linked for and not run on; `target` as zig calls it."""

    target: str
    built: tuple[str, ...]


@dataclass(frozen=True)
class Targets:
    """All of targets.toml."""

    emulators: tuple[str, ...]
    """Debian's packages with the emulators."""
    builds: tuple[Build, ...]
    links: tuple[Link, ...]


def load(path: Path = TARGETS) -> Targets:
    """Read the file.

    :raises ValueError: an unknown key or path, a missing key, a run that expects a path nobody built.
    """
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    _known("the file", data, {"packages", "build", "link"})
    builds = tuple(_build(entry) for entry in data["build"])
    names = [build.name for build in builds]
    if len(set(names)) != len(names):
        raise ValueError("two builds have the same architecture")
    links = []
    for entry in data["link"]:
        _known("a link", entry, {"target", "built"})
        links.append(Link(entry["target"], _paths(entry["target"], entry["built"])))
    return Targets(tuple(data["packages"]["emulators"]), builds, tuple(links))


def _build(entry: Mapping[str, Any]) -> Build:
    name = entry["architecture"]
    keys = {"architecture", "compiler", "packages", "flags", "path_flags", "added", "built", "emulator", "ci", "runs"}
    _known(name, entry, keys)
    architecture = name
    built: tuple[str, ...] | None
    runs = []
    if name == HERE:
        architecture = platform.machine()
        built = BUILT_HERE.get(architecture)
    else:
        built = _paths(name, entry.get("built", []))
    for run in entry["runs"]:
        _known(f"a run of {name}", run, {"cpu", "paths", "machine"})
        paths = _paths(name, run["paths"]) if "paths" in run else _said_by_kernel(built)
        if strangers := set(paths or ()) - set(built or paths or ()):
            raise ValueError(f"{name} on {run['cpu']} expects {', '.join(sorted(strangers))}, which is not built")
        runs.append(Run(run["cpu"], paths, run["machine"]))
    return Build(
        name, architecture, entry["compiler"], tuple(entry["packages"]), tuple(entry.get("flags", ())),
        {path: tuple(flags) for path, flags in entry.get("path_flags", {}).items()},
        tuple(entry.get("added", ())), built,
        entry.get("emulator", ""), entry.get("ci", False), tuple(runs),
    )  # fmt: skip


def _said_by_kernel(built: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return which paths this machine's kernel says it can run, a second opinion on our own detection."""
    cpuinfo = Path("/proc/cpuinfo")
    if built is None or not cpuinfo.is_file():
        return None
    words = set(cpuinfo.read_text(encoding="utf-8", errors="replace").lower().replace(",", " ").split())
    return tuple(path for path in built if words >= SAID_BY_KERNEL[path])


def _paths(where: str, names: list[str]) -> tuple[str, ...]:
    if strangers := set(names) - set(PATHS[1:]):
        raise ValueError(f"{where}: unknown path {', '.join(sorted(strangers))}; there are {', '.join(PATHS[1:])}")
    return tuple(names)


def _known(where: str, entry: Mapping[str, Any], keys: set[str]) -> None:
    if strangers := set(entry) - keys:
        raise ValueError(f"{where}: unknown key {', '.join(sorted(strangers))}; there are {', '.join(sorted(keys))}")
