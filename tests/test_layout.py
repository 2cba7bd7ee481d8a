"""The architecture, held by tests: who may import whom, what each folder holds, how large a module may be.

The rules are read from the source by `ast`, so an import inside a function or behind a guard counts too;
what is only for the type checker (`if TYPE_CHECKING:`) does not.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from metanode.core.discovery import PACKAGE_DIR
from metanode.core.manifests import read_manifest
from metanode.core.roles import MANY_ROLES, SINGLE_ROLES

ROOT = PACKAGE_DIR.resolve().parent.parent
SHIPPED = ("core", "plugins", "miner", "fingerprint", "platforms")
MODULE_LINES_MAX = 400
"""A longer module holds more than one idea."""
LONGER = {"core/model/errors.py": 600, "core/roles.py": 500}
"""One idea of many rows: the table of codes, and the vocabulary that every plugin is written in."""
KERNEL_LINES_MAX = 1500
"""kernel, loading, settings, roles and hooks together (architecture.md section 4)."""

THIRD_PARTY = frozenset({
    "trio", "pluggy", "cffi", "nacl", "tomli", "cpuinfo", "h11", "httptools", "wsproto", "outcome", "sniffio", "pytest",
    "aioquic", "cryptography",
})
"""What any part of metanode may depend on; the rules below say which part."""
NOT_PURE = frozenset({
    "socket", "ssl", "time", "random", "secrets", "os", "logging", "asyncio", "threading", "subprocess",
})
"""Parts of the standard library that bring in the world."""
FORBIDDEN_TO_PURE = NOT_PURE | THIRD_PARTY
RUST_BUILT = frozenset({"cryptography", "blake3", "aioquic", "pydantic", "pydantic_core", "orjson", "bcrypt", "rpds"})
"""Distributions whose wheels need a Rust compiler where no wheel exists."""


def modules(folder: Path) -> list[Path]:
    """Every Python file of a shipped folder."""
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Return the dotted names a module imports at run time."""
    return frozenset(_imports(ast.parse(path.read_text("utf-8")), path))


def _imports(tree: ast.AST, path: Path) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for other in node.orelse:
                yield from _imports(other, path)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write metanode.<folder>"
            assert node.module is not None
            # `from metanode.core import crypto` imports the module metanode.core.crypto.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from _imports(node, path)


def within(name: str, *prefixes: str) -> bool:
    """Whether a dotted name is one of these modules or inside one."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def ours_and_others(path: Path) -> tuple[set[str], set[str]]:
    """Return (metanode modules, top-level names of everything else) that a module imports."""
    names = imports_of(path)
    ours = {name for name in names if within(name, "metanode")}
    return ours, {name.partition(".")[0] for name in names - ours}


def check(path: Path, *, allowed: tuple[str, ...], forbidden: frozenset[str]) -> None:
    """Fail when a module imports ours outside `allowed`, or a third party or other module that is `forbidden`."""
    ours, others = ours_and_others(path)
    where = path.relative_to(ROOT)
    strangers = sorted(name for name in ours if not within(name, *allowed))
    assert not strangers, f"{where} imports {strangers}; it may import {allowed}"
    assert not others & forbidden, f"{where} imports {sorted(others & forbidden)}"


@pytest.mark.parametrize("path", modules(ROOT / "core" / "model"), ids=lambda path: path.stem)
def test_the_model_is_pure(path: Path) -> None:
    """Standard library without the world, and itself."""
    check(path, allowed=("metanode.core.model",), forbidden=FORBIDDEN_TO_PURE)


def test_state_machines_are_as_pure_as_the_model() -> None:
    """A `machine.py` decides; its driver acts.  Its siblings count when it imports them."""
    found = sorted((ROOT / "plugins").rglob("machine.py"))
    assert found
    for path in found:
        package = "metanode." + ".".join(path.parent.relative_to(ROOT).parts)
        check(path, allowed=("metanode.core.model", package), forbidden=FORBIDDEN_TO_PURE)
        for name in ours_and_others(path)[0]:
            sibling = path.parent / f"{name.removeprefix(package + '.').partition('.')[0]}.py"
            if within(name, package) and sibling.is_file():
                check(sibling, allowed=("metanode.core.model", package), forbidden=FORBIDDEN_TO_PURE)


LOWER_CORE = (
    "metanode.core.model", "metanode.core.crypto", "metanode.core.wire", "metanode.core.light", "metanode.core.http",
    "metanode.core.version",
)


@pytest.mark.parametrize("folder", ["crypto", "wire", "light", "http.py"])
def test_lower_core_knows_no_loop_and_no_plugin_framework(folder: str) -> None:
    """Model and each other; crypto alone may guard nacl and the C shims."""
    paths = modules(ROOT / "core" / folder) if (ROOT / "core" / folder).is_dir() else [ROOT / "core" / folder]
    extra = ("metanode.platforms.shims",) if folder == "crypto" else ()
    forbidden = THIRD_PARTY - ({"nacl"} if folder == "crypto" else set())
    for path in paths:
        check(path, allowed=LOWER_CORE + extra, forbidden=frozenset(forbidden))


def test_the_rest_of_core_knows_roles_and_no_implementation() -> None:
    """No plugin, miner or fingerprint; of third parties trio, pluggy and tomli.

    The verbs of `core/cli` are programs of their own: they may start a miner as a process, not import one.
    """
    lower = {ROOT / "core" / name for name in ("model", "crypto", "wire", "light")}
    for path in modules(ROOT / "core"):
        if any(folder in path.parents for folder in lower) or path == ROOT / "core" / "http.py":
            continue
        allowed_third = {"trio", "pluggy", "tomli"}
        if ROOT / "core" / "testing" in path.parents:
            allowed_third |= {"pytest"}  # a kit for pytest may say so
        check(path, allowed=("metanode.core", "metanode.platforms"), forbidden=THIRD_PARTY - allowed_third)


def plugin_folders() -> list[Path]:
    """Every folder of a plugin; `_shared` is none."""
    return sorted(
        folder for folder in (ROOT / "plugins").glob("*/*")
        if folder.is_dir() and not folder.name.startswith("_")
    )


@pytest.mark.parametrize("folder", plugin_folders(), ids=lambda folder: f"{folder.parent.name}.{folder.name}")
def test_a_plugin_imports_no_other_plugin(folder: Path) -> None:
    """They speak through roles, hooks and services; a role's `_shared` is for all of that role."""
    role = folder.parent.name
    allowed = (
        "metanode.core", "metanode.fingerprint", "metanode.platforms",
        f"metanode.plugins.{role}.{folder.name}", f"metanode.plugins.{role}._shared",
    )
    for path in modules(folder):
        check(path, allowed=allowed, forbidden=frozenset({"pytest"}))


def test_what_plugins_of_a_role_share_imports_no_plugin() -> None:
    """`_shared` is below the plugins, not beside them."""
    for folder in (ROOT / "plugins").glob("*/_shared"):
        allowed = ("metanode.core", "metanode.platforms", f"metanode.plugins.{folder.parent.name}._shared")
        for path in modules(folder):
            check(path, allowed=allowed, forbidden=frozenset({"pytest"}))


def test_what_is_built_with_rust_stays_with_the_transports_that_need_it() -> None:
    """A node without it lacks those transports and nothing else; `engine.py` alone reaches into aioquic."""
    for path in modules(ROOT / "plugins"):
        if path.parent.parent.name != "transport" or path.parent.name == "noise":
            assert not ours_and_others(path)[1] & RUST_BUILT, path.relative_to(ROOT)


def test_the_fingerprint_knows_no_loop_and_no_plugin() -> None:
    """It measures for the miner and scores for the ledger; py-cpuinfo runs in a process of its own."""
    for path in modules(ROOT / "fingerprint"):
        allowed = ("metanode.fingerprint", "metanode.platforms", "metanode.core.model", "metanode.core.version")
        check(path, allowed=allowed, forbidden=THIRD_PARTY)


def test_the_miner_knows_no_loop_no_kernel_and_no_plugin() -> None:
    """It runs where trio cannot."""
    lower = tuple(name for name in LOWER_CORE if name != "metanode.core.http")
    for path in modules(ROOT / "miner"):
        allowed = ("metanode.miner", "metanode.fingerprint", "metanode.platforms", *lower)
        # tomli is the standard library's tomllib for Python 3.10, in pure Python.
        check(path, allowed=allowed, forbidden=THIRD_PARTY - {"tomli"})


def test_platforms_know_nothing_of_ours() -> None:
    """All that differs by machine stands below everything; cffi is theirs."""
    for path in modules(ROOT / "platforms"):
        # What builds native code reads its list by tomli on Python 3.10; nothing that runs does.
        extra = {"tomli"} if path.name == "native_build.py" else set()
        check(path, allowed=("metanode.platforms",), forbidden=THIRD_PARTY - {"cffi"} - extra)


def test_only_declared_third_parties_are_imported() -> None:
    """A new dependency is a decision, not an import."""
    known = THIRD_PARTY | set(sys.stdlib_module_names) | {"_cffi_backend"}
    for folder in SHIPPED:
        for path in modules(ROOT / folder):
            strangers = ours_and_others(path)[1] - known
            assert not strangers, f"{path.relative_to(ROOT)} imports {sorted(strangers)}"


def test_bare_folder_names_are_never_imported() -> None:
    """`import core` would load a second copy of every module."""
    for folder in (*SHIPPED, "tests"):
        for path in modules(ROOT / folder):
            bare = ours_and_others(path)[1] & {"core", "plugins", "miner", "fingerprint"}
            assert not bare, f"{path.relative_to(ROOT)} imports {sorted(bare)}"
    assert "core" not in sys.modules


def loaded_by(statement: str) -> set[str]:
    """Return the modules a fresh process has loaded after a statement."""
    code = f"{statement}\nimport sys; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("folder", ["miner", "fingerprint"])
def test_miner_and_fingerprint_load_no_loop_and_nothing_built_with_rust(folder: str) -> None:
    """Every module of theirs, really imported: a 2005 machine has neither trio nor a Rust compiler."""
    names = [
        "metanode." + ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in modules(ROOT / folder) if path.stem not in ("__main__", "verb")
    ]
    loaded = loaded_by("import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in names))
    assert set(names) <= loaded
    top = {name.partition(".")[0] for name in loaded}
    assert not top & ({"trio", "pluggy", "asyncio"} | RUST_BUILT)
    assert not {name for name in loaded if within(name, "metanode.plugins", "metanode.core.kernel")}


def test_the_core_loads_nothing_built_with_rust() -> None:
    """Neither does a whole node with every built-in plugin."""
    names = ["metanode.core.kernel", "metanode.core.crypto.keystore"]
    names += [read_manifest(path).import_path for path in (ROOT / "plugins").glob("*/*/plugin.toml")]
    loaded = loaded_by("\n".join(f"import {name}" for name in names))
    assert not {name.partition(".")[0] for name in loaded} & RUST_BUILT


@pytest.mark.parametrize("folder", plugin_folders(), ids=lambda folder: f"{folder.parent.name}.{folder.name}")
def test_a_plugins_folder_holds_manifest_hooks_and_a_word_on_itself(folder: Path) -> None:
    """One name in three places: the folder, the manifest and the configuration."""
    role, name = folder.parent.name, folder.name
    assert role in SINGLE_ROLES + MANY_ROLES
    manifest = read_manifest(folder / "plugin.toml")
    assert (manifest.name, manifest.role) == (f"{role}.{name}", role)
    assert manifest.import_path == f"metanode.plugins.{role}.{name}.plugin"
    assert manifest.summary
    assert manifest.api
    assert (folder / "plugin.py").is_file()
    package = ast.parse((folder / "__init__.py").read_text())
    assert ast.get_docstring(package), "says what it is, what it may import, what to read first"
    assert len(package.body) == 1, "an __init__ of a plugin holds its docstring only"
    for key, setting in manifest.settings.items():
        assert setting.help, f"[settings.{key}] has no help"


def test_a_manifests_spelling_follows_one_style() -> None:
    """Names are listed side by side by `metanode plugins`."""
    for path in (ROOT / "plugins").glob("*/*/plugin.toml"):
        assert "\n" not in read_manifest(path).summary
        assert not read_manifest(path).summary.endswith(".")


@pytest.mark.parametrize("folder", SHIPPED)
def test_every_package_and_module_says_what_it_is(folder: str) -> None:
    """A docstring on top of each file."""
    for path in modules(ROOT / folder):
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), f"{path.relative_to(ROOT)} has no docstring"


@pytest.mark.parametrize("folder", SHIPPED)
def test_no_module_is_too_long(folder: str) -> None:
    """One idea a file."""
    for path in modules(ROOT / folder):
        lines = len(path.read_text("utf-8").splitlines())
        where = path.relative_to(ROOT)
        limit = LONGER.get(str(where), MODULE_LINES_MAX)
        assert lines <= limit, f"{where} has {lines} lines, at most {limit}"


def test_the_kernel_stays_small() -> None:
    """What every node runs must be readable in one sitting."""
    names = ("kernel", "loading", "settings", "roles", "hooks")
    lines = {name: len((ROOT / "core" / f"{name}.py").read_text().splitlines()) for name in names}
    assert sum(lines.values()) <= KERNEL_LINES_MAX, lines


def test_every_shipped_folder_is_linked_once() -> None:
    """`src/metanode/` is five relative links, so that every tool sees one copy."""
    links = {path.name: path.readlink() for path in (ROOT / "src" / "metanode").iterdir() if path.is_symlink()}
    assert {name: str(target) for name, target in links.items()} == {name: f"../../{name}" for name in SHIPPED}


def test_importing_core_imports_nothing() -> None:
    """So that a miner which needs `core.model` never loads trio."""
    loaded = loaded_by("import metanode.core")
    assert {name for name in loaded if within(name, "metanode")} == {"metanode", "metanode.core"}


def test_tests_mirror_the_folders() -> None:
    """A test of `core/x` stands in `tests/core`; helpers are fixtures of a conftest or ship in core/testing."""
    assert not list((ROOT / "tests").rglob("__init__.py"))
    for folder in SHIPPED:
        assert list((ROOT / "tests" / folder).rglob("test_*.py")), f"{folder} has no tests"
