"""Discovery: plugins are found in wheels, editable installs, source trees and files, and nothing is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from metanode.core import discovery
from metanode.core.discovery import PACKAGE_DIR, data_files, discover
from metanode.core.model.errors import SettingsError

SINGLE = '# /// metanode\n# name = "{name}"\n# role = "{role}"\n# ///\nraise SystemExit("must not run")\n'


def install(site: Path, distribution: str, entry_points: str, files: dict[str, str]) -> None:
    """Lay out what an installer would: a `.dist-info` and, for a wheel, the package beside it."""
    info = site / f"{distribution}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "entry_points.txt").write_text(entry_points)
    for name, text in files.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_built_ins_are_found_without_an_install() -> None:
    """A checkout on the path is enough."""
    found = discover(safe_mode=True)
    folders = {f"{path.parent.parent.name}.{path.parent.name}" for path in PACKAGE_DIR.glob("plugins/*/*/plugin.toml")}
    assert set(found.manifests) == folders
    assert found.broken == ()


def test_an_installed_package_is_found_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code would end the process if it were imported."""
    install(
        tmp_path, "hello", "[console_scripts]\nx = y:z\n[metanode.plugins]\napi-hello = hello_pkg.inner:plugin.toml\n",
        {
            "hello_pkg/__init__.py": "raise SystemExit('must not run')",
            "hello_pkg/inner/plugin.toml": 'name = "api.hello"\nrole = "api"\nimport = "hello_pkg.inner"\n',
        },
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = discover()
    assert found.manifests["api.hello"].import_path == "hello_pkg.inner"
    assert "hello_pkg" not in sys.modules
    assert "api.hello" not in discover(safe_mode=True).manifests


def test_an_editable_install_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the `.dist-info` stands in one directory and the package in another."""
    install(tmp_path / "site", "hello", "[metanode.plugins]\nh = editable_hello:plugin.toml\n", {})
    source = tmp_path / "source" / "editable_hello"
    source.mkdir(parents=True)
    (source / "__init__.py").touch()
    (source / "plugin.toml").write_text('name = "api.editable"\nrole = "api"\nimport = "editable_hello"\n')
    monkeypatch.syspath_prepend(str(tmp_path / "source"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert "api.editable" in discover().manifests


def test_a_broken_package_is_listed_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never stops the others from being found."""
    install(
        tmp_path, "bad", "[metanode.plugins]\nno-package = not_there_pkg:plugin.toml\nno-file = bad_pkg:nothing.toml\n"
        "no-toml = bad_pkg:broken.toml\nbuilt-in = bad_pkg:taken.toml\n",
        {
            "bad_pkg/__init__.py": "",
            "bad_pkg/broken.toml": "name =",
            "bad_pkg/taken.toml": 'name = "storage.memory"\nrole = "storage"\nimport = "bad_pkg"\n',
        },
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = discover()
    assert {row.name for row in found.broken} == {"no-package", "no-file", "no-toml", "storage.memory"}
    reasons = {row.name: row.reason for row in found.broken}
    assert "names no file" in reasons["no-package"]
    assert "names no file" in reasons["no-file"]
    assert "Invalid value" in reasons["no-toml"]
    assert "is taken by" in reasons["storage.memory"]
    assert str(PACKAGE_DIR) in found.manifests["storage.memory"].source


def test_the_first_directory_of_the_path_shadows_a_later_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As import itself would choose."""
    for place in ("first", "second"):
        install(tmp_path / place, "shadow", f"[metanode.plugins]\n{place} = shadow_pkg:plugin.toml\n", {})
        monkeypatch.syspath_prepend(str(tmp_path / place))
    names = [row.entry_point for row in data_files("metanode.plugins")]
    assert "second" in names
    assert "first" not in names


def test_single_files_of_a_directory_are_found(tmp_path: Path) -> None:
    """Broken ones are listed; other files are left alone."""
    (tmp_path / "hello.py").write_text(SINGLE.format(name="api.hello", role="api"))
    (tmp_path / "again.py").write_text(SINGLE.format(name="api.http", role="api"))
    (tmp_path / "plain.py").write_text("print(1)")
    (tmp_path / "notes.txt").write_text("no plugin")
    found = discover(plugins_dir=tmp_path)
    assert found.manifests["api.hello"].file == tmp_path / "hello.py"
    assert sorted(row.name for row in found.broken) == ["api.http", "plain"]
    assert "api.hello" not in discover(plugins_dir=tmp_path, safe_mode=True).manifests


def test_a_plugins_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    """A typo in --plugins-dir must not pass for an empty directory."""
    with pytest.raises(SettingsError, match="is not a directory"):
        discover(plugins_dir=tmp_path / "nothing")


def test_discovery_loads_no_plugin_and_no_importlib_metadata() -> None:
    """The listing of plugins stays cheap in time and memory."""
    code = "from metanode.core.discovery import discover; discover(); import sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert not {name for name in loaded if name.startswith("metanode.plugins.")}
    assert not {"importlib.metadata", "trio", "asyncio", "nacl"} & loaded


def test_every_built_in_has_an_entry_point() -> None:
    """Other tools look for plugins by entry point only."""
    text = (PACKAGE_DIR.resolve().parent.parent / "pyproject.toml").read_text()
    for name in discover(safe_mode=True).manifests:
        assert f'"metanode.plugins.{name}:plugin.toml"' in text
    assert f'"{discovery.ENTRY_POINT_GROUP}"' in text
