"""Finding plugins and verbs without importing any of their code.

Three places hold manifests: metanode's own `plugins/` folders, entry points of installed
packages, and single files of a directory.  Entry points are found by reading each
distribution's `entry_points.txt`: that works for wheels and for every kind of editable
install, and needs neither the time nor the memory of importlib.metadata.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from metanode.core.manifests import Manifest, read_manifest, read_single_file
from metanode.core.model.errors import MetanodeError, SettingsError

PACKAGE_DIR = Path(__file__).parent.parent
"""The directory that holds `core`, `plugins` and their siblings as `metanode` imports them."""
ENTRY_POINT_GROUP = "metanode.plugins"
"""Values name a package and its manifest file, `package:plugin.toml`."""


class Broken(NamedTuple):
    """A plugin that cannot be offered, under the name it seems to have, and why."""

    name: str
    source: str
    reason: str


@dataclass(frozen=True)
class Discovery:
    """Every manifest found, by full name, and every one that could not be read."""

    manifests: Mapping[str, Manifest]
    broken: tuple[Broken, ...]


class DataFile(NamedTuple):
    """What an entry point names: the file, or why there is none."""

    entry_point: str
    path: Path | None
    reason: str


def discover(*, plugins_dir: Path | None = None, safe_mode: bool = False) -> Discovery:
    """Find every plugin on this machine; a broken one is listed, never raised.

    The first to take a name keeps it: built-ins, then installed packages, then `plugins_dir`.

    :param plugins_dir: a directory of single-file plugins.
    :param safe_mode: built-ins only.
    :raises SettingsError: `plugins_dir` is not a directory.
    """
    found: dict[str, Manifest] = {}
    broken: list[Broken] = []

    def take(name: str, source: Path, read: Callable[[Path], Manifest]) -> None:
        try:
            manifest = read(source)
        except MetanodeError as error:
            broken.append(Broken(name, str(source), error.message))
            return
        if manifest.name in found:
            reason = f"the name {manifest.name} is taken by {found[manifest.name].source}"
            broken.append(Broken(manifest.name, str(source), reason))
        else:
            found[manifest.name] = manifest

    builtin = sorted((PACKAGE_DIR / "plugins").glob("*/*/plugin.toml"))
    for path in builtin:
        take(f"{path.parent.parent.name}.{path.parent.name}", path, read_manifest)
    if safe_mode:
        return Discovery(found, tuple(broken))
    known = {path.resolve() for path in builtin}
    for data in data_files(ENTRY_POINT_GROUP):
        if data.path is None:
            broken.append(Broken(data.entry_point, "entry point", data.reason))
        elif data.path.resolve() not in known:
            take(data.entry_point, data.path, read_manifest)
    if plugins_dir is not None:
        if not plugins_dir.is_dir():
            message = f"--plugins-dir {plugins_dir} is not a directory"
            raise SettingsError("BAD_SETTING", message, "a directory of .py files")
        for path in sorted(plugins_dir.glob("*.py")):
            take(path.stem, path, read_single_file)
    return Discovery(found, tuple(broken))


def data_files(group: str) -> Iterator[DataFile]:
    """Yield the data file behind each entry point of `group`, in the order of sys.path.

    No package of a plugin is imported: only its top-level package is located.
    """
    seen: set[str] = set()
    for entry in sys.path:
        directory = entry or os.curdir
        try:
            with os.scandir(directory) as rows:
                infos = sorted(row.path for row in rows if row.name.endswith((".dist-info", ".egg-info")))
        except OSError:
            continue  # sys.path may name what is not there, or a zip
        for info in infos:
            distribution = os.path.basename(info).partition("-")[0].lower()
            if distribution in seen:
                continue  # an earlier directory of sys.path shadows this one
            try:
                text = Path(info, "entry_points.txt").read_text("utf-8")
            except (OSError, UnicodeDecodeError):
                continue  # most distributions have none
            seen.add(distribution)
            for name, value in _entry_points(text, group):
                path = _locate(value)
                yield DataFile(name, path, "" if path else f"{name} = {value!r} in {info} names no file")


def _entry_points(text: str, group: str) -> Iterator[tuple[str, str]]:
    section = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == group and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()


def _locate(value: str) -> Path | None:
    package, _, file = value.partition(":")
    top, *inner = package.split(".")
    try:
        # Of a dotted name find_spec would import the parent, so only the first part is asked for.
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or not file:
        return None
    for location in spec.submodule_search_locations or ():
        path = Path(location, *inner, file)
        if path.is_file():
            return path
    return None
