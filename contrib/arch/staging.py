"""A copy of this checkout for a foreign Python: our folders without what was built for this machine, and the tests."""

from __future__ import annotations

import shutil
from pathlib import Path

from foreign import ROOT, Say, run

SHIPPED = ("core", "plugins", "miner", "fingerprint", "platforms")
OTHERS = ("tests", "docs")
REQUIREMENTS = Path(__file__).with_name("python_site.txt")
"""Pure Python that the tests need, with exact versions: the same code on every processor."""
PIP_S_MAX = 180
COMPILE_S_MAX = 120
UNICODE_TABLE = "from hypothesis.internal.charmap import charmap; charmap()"
"""hypothesis keeps what it works out of Unicode; every Python of one version works out the same."""
HOST_PYTHON = "/usr/bin/python3.11"
"""Writes the bytecode that the foreign interpreters of the same version read; emulated, that costs seconds a start."""


def stage(folder: Path, extensions: dict[str, Path]) -> Path:
    """Copy the checkout below a folder, with extension modules of another processor, and return the copy."""
    copy = folder / "tree"
    shutil.rmtree(copy, ignore_errors=True)
    package = copy / "src" / "metanode"
    package.mkdir(parents=True)
    foreign_files = shutil.ignore_patterns("__pycache__", "*.so", "*.new")
    for name in (*SHIPPED, *OTHERS):
        shutil.copytree(ROOT / name, copy / name, ignore=foreign_files, symlinks=True)
    for name in SHIPPED:
        (package / name).symlink_to(Path("..", "..", name))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for name, built in extensions.items():
        shutil.copy(built, copy / "platforms" / "shims" / name)
    compile_all(copy)
    return copy


def site(folder: Path, python: str, say: Say) -> Path:
    """Return a folder with pytest and what else the tests import, fetched once.

    :raises Failure: pip could not fetch it.
    """
    target = folder / "site"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    stamp = folder / "site.txt"
    if not (stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted):
        say("python: fetching pytest and its kin")
        shutil.rmtree(target, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        # Only wheels that fit every processor: what a package has in Rust or C is not asked for.
        fits_all = ["--only-binary=:all:", "--platform", "any", "--implementation", "py", "--abi", "none"]
        run(
            [python, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--target", str(target), *fits_all,
             "--python-version", "3.11", "-r", str(REQUIREMENTS)], PIP_S_MAX,
        )  # fmt: skip
        compile_all(target)
        if Path(HOST_PYTHON).is_file():
            environment = {"PYTHONPATH": str(target), "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis")}
            run([HOST_PYTHON, "-c", UNICODE_TABLE], COMPILE_S_MAX, env=environment)
        stamp.write_text(wanted, encoding="utf-8")
    return target


def compile_all(folder: Path) -> None:
    """Write bytecode for a folder, where this machine has the Python for it: nothing but time depends on it."""
    if Path(HOST_PYTHON).is_file():
        # Files of the standard library that are wrong on purpose make the code 1.
        run(["sh", "-c", f"{HOST_PYTHON} -m compileall -q -j2 '{folder}' || :"], COMPILE_S_MAX)
