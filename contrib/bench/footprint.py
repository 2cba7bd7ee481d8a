"""install.mib: how much disk a default installation takes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from measuring import ROOT, Result, UnavailableError
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHIPPED = ("core", "plugins", "miner", "fingerprint", "platforms")


def install_mib() -> list[Result]:
    """Files of metanode and of everything its default installation requires, bytecode included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    sizes = {"metanode": _shipped_bytes()}
    try:
        waiting = _names(project["dependencies"])
        while waiting:
            name = waiting.pop()
            if name not in sizes:
                sizes[name] = _distribution_bytes(name)
                waiting += _names(metadata.requires(name) or ())
    except metadata.PackageNotFoundError as error:
        raise UnavailableError(f"a required package is not installed: {error}") from None
    largest = sorted(sizes, key=lambda name: -sizes[name])[:4]
    return [
        Result(
            "install.mib",
            sum(sizes.values()) / 2**20,
            "MiB",
            conditions=(
                f"{len(sizes)} distributions of the default install without extras and without pip; largest: "
                + ", ".join(f"{name} {sizes[name] / 2**20:.1f}" for name in largest)
                + "; no peer"
            ),
        )
    ]


def _shipped_bytes() -> int:
    return sum(
        path.stat().st_size for folder in SHIPPED for path in (ROOT / folder).rglob("*") if path.is_file()
    )


def _distribution_bytes(name: str) -> int:
    files = metadata.distribution(name).files or ()
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())


def _names(requirements: Iterable[str]) -> list[str]:
    """Return the normalised names of what is required on this machine without extras."""
    parsed = [Requirement(line) for line in requirements]
    return [canonicalize_name(row.name) for row in parsed if row.marker is None or row.marker.evaluate({"extra": ""})]
