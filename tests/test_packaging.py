"""What is installed: a wheel that works in a bare environment, with or without a compiler, links or native code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from metanode.core.version import VERSION

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("core", "plugins", "miner", "fingerprint", "platforms")
SOURCE = (
    *SHIPPED, "src", "LICENSE", "README.md", "CHANGELOG.md", "MANIFEST.in", "pyproject.toml", "setup.py",
)  # fmt: skip
"""What a build reads; a clone has it and nothing that an earlier build left."""
STEP_S_MAX = 120
"""Longest wait for one build or one command."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with an empty environment but PATH and what is given; its output stands in a failure."""
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(cwd), "LC_ALL": "C.UTF-8", **environment}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd, env=env, capture_output=True, text=True, timeout=STEP_S_MAX, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done


def clone(target: Path) -> Path:
    """Copy the source as a clone has it: links stay links, nothing built comes along."""
    target.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.pyc", "*.egg-info", ".*")
    for name in SOURCE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, target / name)
    return target


def build_wheel(source: Path, out: Path, **environment: str) -> Path:
    """Build a wheel with this environment's tools and return it."""
    run(
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source,
        cwd=source.parent, **environment,
    )  # fmt: skip
    (wheel,) = out.glob("*.whl")
    return wheel


def names(wheel: Path) -> set[str]:
    """Return the paths inside a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def native(wheel: Path) -> list[str]:
    """Return the compiled files inside a wheel."""
    return [name for name in names(wheel) if name.endswith((".so", ".pyd", ".dylib"))]


def native_sources() -> set[str]:
    """Return every C file, header and native.toml of this checkout, relative to it."""
    folders = [listed.parent for listed in (ROOT / "platforms" / "shims").glob("*/native.toml")]
    assert folders, "native code is listed"
    found = (path for folder in folders for path in folder.iterdir() if path.suffix in (".c", ".h", ".toml"))
    return {path.relative_to(ROOT).as_posix() for path in found}


class Installed:
    """A bare virtual environment with one wheel in it; dependencies come from the environment that runs the tests."""

    def __init__(self, wheel: Path, directory: Path) -> None:
        venv.EnvBuilder(with_pip=False, symlinks=True).create(directory)
        self.directory = directory
        self.bin = directory / "bin"
        run(
            sys.executable, "-m", "pip", "--python", self.bin / "python", "install", "-q", "--no-index", "--no-deps",
            "--no-cache-dir", wheel, cwd=directory,
        )  # fmt: skip
        # A directory that a .pth names is searched, but the .pth files inside it are not read: an editable
        # install of metanode in the tests' own environment stays out of sight.
        (site,) = (directory / "lib").glob("python*/site-packages")
        others = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
        (site / "dependencies.pth").write_text("".join(f"{path}\n" for path in others), encoding="utf-8")

    def command(self, name: str, *words: str) -> str:
        """Run one of its programs and return what it printed."""
        return run(self.bin / name, *words, cwd=self.directory).stdout

    def python(self, code: str) -> str:
        """Run Python code in it and return what it printed."""
        return run(self.bin / "python", "-c", code, cwd=self.directory).stdout.strip()


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return (sdist, wheel), the wheel built from the sdist as pip would."""
    scratch = tmp_path_factory.mktemp("build")
    source = clone(scratch / "clone")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", scratch / "dist", source, cwd=scratch)
    (sdist,) = (scratch / "dist").glob("*.tar.gz")
    (wheel,) = (scratch / "dist").glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installed(distributions: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Return a bare environment with the wheel."""
    return Installed(distributions[1], tmp_path_factory.mktemp("bare"))


def test_the_version_is_the_same_everywhere() -> None:
    """In the package's data, in the code, and in the newest entry of the changelog."""
    assert PROJECT["version"] == VERSION
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert headings[0] == VERSION


def test_every_manifest_and_verbs_file_is_announced() -> None:
    """An entry point names each, and each entry point names a file that is there."""
    points = PROJECT["entry-points"]
    for group, pattern in (("metanode.plugins", "plugins/*/*/plugin.toml"), ("metanode.verbs", "**/verbs.toml")):
        announced = set()
        for value in points[group].values():
            package, _, file = value.partition(":")
            announced.add(Path(*package.split(".")[1:], file))
        there = {path.relative_to(ROOT) for folder in SHIPPED for path in (ROOT / folder).rglob(Path(pattern).name)}
        assert announced == there


@pytest.mark.endtoend
def test_the_wheel_holds_every_source_file_and_nothing_else(distributions: tuple[Path, Path]) -> None:
    """Code, manifests, data, headers and C, under metanode/, and one compiled module per folder of C."""
    found = names(distributions[1])
    expected = {
        f"metanode/{path.relative_to(ROOT)}"
        for folder in SHIPPED
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".toml", ".json", ".c", ".h", ".html") or path.name == "py.typed"
    }
    assert {Path(name).suffix for name in expected} >= {".py", ".toml", ".json", ".c", ".h"}
    shims = set(native(distributions[1]))
    folders = {listed.parent.name for listed in (ROOT / "platforms" / "shims").glob("*/native.toml")}
    assert {Path(name).name.split(".")[0] for name in shims} == {f"_{folder}" for folder in folders}
    info = {name for name in found if ".dist-info/" in name}
    assert found - info - shims == expected
    assert any(name.endswith("licenses/LICENSE") for name in info)


@pytest.mark.endtoend
def test_the_wheel_serves_every_later_python(distributions: tuple[Path, Path]) -> None:
    """The extension keeps to the stable ABI, so one wheel per platform is enough."""
    assert "-cp310-abi3-" in distributions[1].name
    assert all(".abi3." in name for name in native(distributions[1]))


@pytest.mark.endtoend
def test_the_sdist_can_build_and_holds_no_binaries(distributions: tuple[Path, Path]) -> None:
    """The wheel of these tests was built from it."""
    with tarfile.open(distributions[0]) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"setup.py", "pyproject.toml", "LICENSE"} <= inside
    assert native_sources() <= inside
    assert not [name for name in inside if name.endswith((".so", ".pyc"))]


@pytest.mark.endtoend
def test_the_wheel_holds_the_source_of_its_native_code(distributions: tuple[Path, Path]) -> None:
    """Every C file, header and list of them, so that what runs can be read and rebuilt."""
    assert {f"metanode/{name}" for name in native_sources()} <= names(distributions[1])


@pytest.mark.endtoend
def test_an_installed_metanode_comes_from_the_wheel(installed: Installed) -> None:
    """All five parts, and nothing of this checkout is on the path."""
    code = (
        "import json, sys, metanode, metanode.core, metanode.plugins, metanode.miner, metanode.fingerprint,"
        " metanode.platforms as last; print(json.dumps([list(metanode.__path__), metanode.core.__file__, sys.path]))"
    )
    folders, core, path = json.loads(installed.python(code))
    assert [Path(folder).is_relative_to(installed.directory) for folder in folders] == [True]
    assert Path(core).is_relative_to(installed.directory)
    assert not {(installed.directory / entry).resolve() for entry in path} & {ROOT, ROOT / "src"}


@pytest.mark.endtoend
def test_installed_programs_start(installed: Installed) -> None:
    """The three commands answer --help, with the verbs of every part."""
    overview = installed.command("metanode", "--help")
    for verb in ("demo", "init", "run", "wallet", "tx", "prove", "verify", "plugins", "miner", "fingerprint"):
        assert re.search(rf"^  {verb} ", overview, re.M), f"`metanode --help` does not list {verb}"
    assert installed.command("metanode", "--version").strip() == f"metanode {VERSION}"
    assert "run" in installed.command("metanode-miner", "--help")
    assert "--policy" in installed.command("metanode-fingerprint", "--help")
    assert "--rounds" in installed.command("metanode", "miner", "run", "--help")


@pytest.mark.endtoend
def test_an_installed_node_finds_its_plugins_and_its_extension(installed: Installed) -> None:
    """Manifests are found inside the wheel; a home can be made and its settings hold."""
    home = installed.directory / "home"
    listed = json.loads(installed.command("metanode", "--json", "plugins", "--home", str(home)))
    assert "storage.sqlite" in json.dumps(listed)
    installed.command("metanode", "init", "--home", str(home), "--port", "0")
    installed.command("metanode", "config", "check", "--home", str(home))
    assert installed.python("from metanode.core import crypto; print(crypto.install().hash)") == "shim"


@pytest.mark.endtoend
def test_an_installed_extension_has_the_paths_of_its_processor(installed: Installed) -> None:
    """Each file got its own flags on the way through sdist and wheel; none was dropped."""
    from metanode.platforms.shims import blake3

    code = (
        "from metanode.platforms.shims import blake3; s = blake3.status();"
        " print(s.selected, *[row.name for row in s.paths if row.usable])"
    )
    status = blake3.status()
    assert installed.python(code).split() == [status.selected, *(row.name for row in status.paths if row.usable)]
    answer = json.loads(installed.command("metanode", "doctor", "hashing", "--seconds", "0", "--json"))
    assert answer["ok"]
    assert answer["selected"] == status.selected


@pytest.mark.endtoend
def test_a_pure_wheel_has_no_native_code_and_works(tmp_path: Path) -> None:
    """METANODE_PURE=1 is for machines without a compiler: one wheel for all of them, and the pure hash."""
    wheel = build_wheel(clone(tmp_path / "clone"), tmp_path / "dist", METANODE_PURE="1")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert native(wheel) == []
    pure = Installed(wheel, tmp_path / "bare")
    code = (
        "from metanode.core import crypto; from metanode.core.model.hashing import H;"
        " print(crypto.install().hash, H('tx', b'').hex())"
    )
    name, digest = pure.python(code).split()
    assert name == "pure"
    assert digest == _tx_hash_of_nothing()
    assert "fingerprint" in pure.command("metanode", "--help")


def _tx_hash_of_nothing() -> str:
    from metanode.core.model.blake3 import PureProvider

    return PureProvider().derive_key("metanode/v1/tx", b"").hex()


@pytest.mark.endtoend
@pytest.mark.parametrize("compiler", ["/bin/false", "/nowhere/cc"])
def test_a_failing_or_missing_compiler_costs_the_extension_only(tmp_path: Path, compiler: str) -> None:
    """The native part is optional: the build goes on without it."""
    wheel = build_wheel(clone(tmp_path / "clone"), tmp_path / "dist", CC=compiler)
    assert native(wheel) == []
    assert "metanode/core/kernel.py" in names(wheel)


@pytest.mark.endtoend
def test_a_strict_build_fails_without_its_extension(tmp_path: Path) -> None:
    """METANODE_WERROR=1 is for CI: nothing is optional there."""
    source = clone(tmp_path / "clone")
    with pytest.raises(AssertionError, match="_blake3"):
        build_wheel(source, tmp_path / "dist", CC="/bin/false", METANODE_WERROR="1")


@pytest.mark.endtoend
@pytest.mark.parametrize("links", ["missing", "copied", "text"])
def test_an_archive_without_links_builds_the_same_wheel(tmp_path: Path, links: str) -> None:
    """Some archives drop links, some turn them into copies, and some checkouts into files that hold their target."""
    source = clone(tmp_path / "clone")
    for name in SHIPPED:
        link = source / "src/metanode" / name
        assert link.is_symlink(), f"src/metanode/{name} is a link"
        target = os.readlink(link)
        assert not Path(target).is_absolute(), "the links are relative"
        link.unlink()
        if links == "copied":
            shutil.copytree(source / name, link)
        elif links == "text":
            link.write_text(target, encoding="utf-8")
    if links == "missing":
        (source / "src/metanode").rmdir()
        (source / "src").rmdir()
    wheel = build_wheel(source, tmp_path / "dist", METANODE_PURE="1")
    expected = {
        f"metanode/{path.relative_to(source)}" for name in SHIPPED for path in (source / name).rglob("*.py")
    }
    assert {name for name in names(wheel) if name.endswith(".py")} == expected


RUST = ("cryptography", "blake3", "pydantic_core", "hypothesis", "rpds", "orjson", "jiter", "wasmtime", "aioquic")
"""Packages with Rust inside that are easily pulled in by accident."""

IMPORT_ALL = """
import importlib, json, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for found in pkgutil.walk_packages(package.__path__, name + "."):
        if not found.name.endswith(".__main__"):
            importlib.import_module(found.name)
files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
print(json.dumps(files))
"""


def everything_below(*packages: str) -> dict[str, str | None]:
    """Import every module of packages in a fresh process; return what was loaded, with its files."""
    done = run(
        sys.executable, "-c", IMPORT_ALL, *packages, cwd=ROOT, PYTHONPATH=os.pathsep.join(filter(None, sys.path))
    )
    loaded: dict[str, str | None] = json.loads(done.stdout)
    return loaded


@pytest.mark.parametrize("package", ["core", "miner", "fingerprint"])
def test_nothing_built_with_rust_is_loaded(package: str) -> None:
    """There is no Rust for many of our machines: every module below, and all that they pull in, does without."""
    loaded = everything_below(f"metanode.{package}")
    assert len([name for name in loaded if name.startswith(f"metanode.{package}.")]) > 5
    assert not [name for name in loaded if name.partition(".")[0] in RUST]
    for name, file in loaded.items():
        if file is not None and file.endswith((".so", ".pyd", ".dylib")):
            data = Path(file).read_bytes()
            assert b"/rustc/" not in data, f"{name} is built with Rust: {file}"
            assert b"cargo/registry" not in data, f"{name} is built with Rust: {file}"


def test_the_miner_loads_no_event_loop_no_kernel_and_no_tls() -> None:
    """It runs where trio cannot be imported, on a Python without OpenSSL, and stays small."""
    loaded = everything_below("metanode.miner", "metanode.fingerprint")
    tops = {name.partition(".")[0] for name in loaded}
    assert not tops & {"trio", "pluggy", "asyncio", "ssl", "_ssl", "http", "email", "sqlite3", "httptools", "h11"}
    assert "metanode.core.kernel" not in loaded
    assert not [name for name in loaded if name.startswith("metanode.plugins")]


def test_every_dependency_is_imported_somewhere() -> None:
    """What is required is used; what is not used is not required."""
    modules = {"pynacl": "nacl", "py-cpuinfo": "cpuinfo"}
    text = "\n".join(path.read_text(encoding="utf-8") for name in SHIPPED for path in (ROOT / name).rglob("*.py"))
    for requirement in PROJECT["dependencies"]:
        name = re.split(r"[\s<>=;\[]", requirement)[0].lower()
        module = modules.get(name, name.replace("-", "_"))
        assert re.search(rf"\b(import|from) {module}\b|[\"']{module}[\"']", text), f"nothing imports {name}"
