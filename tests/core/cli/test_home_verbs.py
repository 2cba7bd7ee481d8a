"""`plugins`, `config` and `completion`: what a home's settings and plugins are, without importing any plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from metanode.core.cli.completion import GLOBAL_OPTIONS, SHELLS, words_of
from metanode.core.cli.frame import main
from metanode.core.cli.verbs import VerbEntry
from metanode.core.crypto import install
from metanode.core.home import Home, solo_genesis
from metanode.core.identity import KEY_NAMES, fresh_identity
from metanode.core.manifests import parse_toml
from metanode.core.testing.clock import SeededRandomness

SETTINGS = (
    '[node]\nname = "a"\n[roles]\nstorage = "memory"\nledger = "attested"\nmempool = "fifo"\nconsensus = "solo"\n'
    'api = ["http"]\n[plugins.api.http]\nport = 0\n'
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose keys are only files: these verbs never open them."""
    install()
    made = Home(tmp_path)
    made.settings_file.write_text(SETTINGS)
    made.genesis_file.write_text(solo_genesis(fresh_identity(SeededRandomness(1)), genesis_ms=1).to_json())
    made.keys_dir.mkdir()
    for name in KEY_NAMES:
        (made.keys_dir / f"{name}.key").touch()
    return made


def answer_of(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, Any]]:
    """Run with --json; return exit code and answer."""
    code = main([*argv, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_plugins_lists_selected_ones_first(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Name, role, state, summary; as a table for people."""
    code, answer = answer_of(capsys, "plugins", "--home", str(home.path))
    assert code == 0
    names = [row["name"] for row in answer["plugins"]]
    assert names[:5] == ["storage.memory", "ledger.attested", "mempool.fifo", "consensus.solo", "api.http"]
    assert {row["state"] for row in answer["plugins"][:5]} == {"selected"}
    assert {row["state"] for row in answer["plugins"][5:]} == {"available"}
    assert main(["plugins", "--home", str(home.path), "--role", "storage"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "ROLE", "STATE", "SUMMARY"]
    assert [line.split()[0] for line in lines[1:]] == ["storage.memory", "storage.sqlite"]


def test_plugins_needs_no_home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What could be selected is worth a list before `init`."""
    code, answer = answer_of(capsys, "plugins", "--home", str(tmp_path / "nothing"))
    assert code == 0
    assert {row["state"] for row in answer["plugins"]} == {"available"}


def test_plugins_shows_broken_and_missing_ones(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the reason in place of the summary."""
    directory = tmp_path / "single"
    directory.mkdir()
    (directory / "plain.py").write_text("print(1)")
    home.settings_file.write_text(SETTINGS.replace('["http"]', '["nothing"]').partition("[plugins")[0])
    _, answer = answer_of(capsys, "plugins", "--home", str(home.path), "--plugins-dir", str(directory))
    rows = {row["name"]: row for row in answer["plugins"]}
    assert (rows["api.nothing"]["state"], rows["api.nothing"]["summary"]) == ("broken", "not installed")
    assert rows["plain"]["state"] == "broken"
    assert "has no manifest block" in rows["plain"]["summary"]


def test_plugins_shows_the_state_in_a_running_node(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """A quarantined plugin is seen here, with its cause."""
    home.write_running({"plugins": {
        "storage.memory": {"state": "running", "detail": ""},
        "api.http": {"state": "quarantined", "detail": "OSError: address in use"},
    }})
    _, answer = answer_of(capsys, "plugins", "--home", str(home.path))
    rows = {row["name"]: row for row in answer["plugins"]}
    assert rows["storage.memory"]["state"] == "running"
    assert rows["storage.memory"]["summary"].startswith("The chain in memory")
    assert (rows["api.http"]["state"], rows["api.http"]["summary"]) == ("quarantined", "OSError: address in use")


def test_config_show_prints_every_setting_as_toml(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed is a settings file again, defaults included."""
    assert main(["config", "show", "--home", str(home.path)]) == 0
    shown = parse_toml(capsys.readouterr().out.encode(), "shown")
    assert shown["node"]["name"] == "a"
    assert shown["node"]["failures_max"] == 5
    assert shown["roles"]["api"] == ["http"]
    assert shown["plugins"]["api"]["http"]["port"] == 0
    assert shown["plugins"]["api"]["http"]["host"] == "127.0.0.1"
    home.settings_file.write_text(_toml_of(capsys, home))
    assert _toml_of(capsys, home) == home.settings_file.read_text()


def _toml_of(capsys: pytest.CaptureFixture[str], home: Home) -> str:
    assert main(["config", "show", "--home", str(home.path)]) == 0
    return capsys.readouterr().out


def test_config_check_says_ok(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """With chain and plugins."""
    code, answer = answer_of(capsys, "config", "check", "--home", str(home.path))
    assert (code, answer["ok"], answer["chain"]) == (0, True, "devnet")
    assert "api.http" in answer["plugins"]


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("port = 0", "prot = 0", "BAD_SETTING", "[plugins.api.http] has no key 'prot'"),
        ("port = 0", "port = 70000", "BAD_SETTING", "[plugins.api.http] port = 70000 is not allowed"),
        ('["http"]', '["htpt"]', "PLUGIN_UNKNOWN", "[roles] api names 'htpt', which is not installed"),
        ("[node]", "[nod]", "BAD_SETTING", "has no key 'nod'"),
        ("[node]", "[node", "BAD_SETTING", "line 1"),
    ],
)
def test_config_check_names_what_would_stop_a_start(
    home: Home, old: str, new: str, code: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """File, key and value, before anything is started."""
    home.settings_file.write_text(SETTINGS.replace(old, new))
    exit_code, answer = answer_of(capsys, "config", "check", "--home", str(home.path))
    assert (exit_code, answer["code"]) == (1, code)
    assert message in answer["message"]
    assert str(home.settings_file) in answer["message"]


def test_config_check_looks_at_genesis_and_keys(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """A home that lost one of them cannot start."""
    (home.keys_dir / "vrf.key").unlink()
    _, answer = answer_of(capsys, "config", "check", "--home", str(home.path))
    assert "vrf.key does not exist" in answer["message"]
    home.genesis_file.write_text("{}")
    _, answer = answer_of(capsys, "config", "check", "--home", str(home.path))
    assert "genesis.json" in answer["message"]


def test_no_home_is_said_with_its_cure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`metanode init` makes one."""
    for verb in (["config", "check"], ["config", "show"], ["run"]):
        assert main([*verb, "--home", str(tmp_path / "nothing")]) == 1
        shown = capsys.readouterr()
        assert "is no node home" in shown.err
        assert "`metanode init` makes a new home" in shown.err
        assert len(shown.err.splitlines()) == 1


def test_these_verbs_import_no_plugin(home: Home) -> None:
    """Nor trio, nor cryptography."""
    code = (
        "import sys; from metanode.core.cli.frame import main\n"
        f"home = ['--home', {str(home.path)!r}]\n"
        "assert main(['plugins', *home]) == main(['config', 'show', *home]) == 0\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stderr.split())
    assert not {"trio", "pluggy", "nacl"} & loaded
    assert not {name for name in loaded if name.startswith("metanode.plugins.")}


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_every_verb(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And their options and sub-verbs."""
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("init", "run", "config", "plugins", "check", "safe-mode", "plugins-dir"):
        assert word in script


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["metanode", "pl"], ["plugins"]),
        (["metanode", "--home", "/x", "conf"], ["config"]),
        (["metanode", "config", "ch"], ["check"]),
        (["metanode", "run", "--safe"], ["--safe-mode"]),
        (["metanode", "nothing", "x"], []),
    ],
)
def test_bash_completes(words: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """In a real bash."""
    main(["completion", "bash"])
    script = capsys.readouterr().out
    line = f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _metanode; echo \"${{COMPREPLY[@]}}\""
    shown = subprocess.run(["bash", "-c", f"{script}\n{line}"], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == expected


def test_completion_survives_a_verb_that_cannot_be_loaded() -> None:
    """It still completes the global options."""
    broken = VerbEntry("x", "metanode.core.cli.nothing:VERB", "h", "other", (), Path("x.toml"))
    assert words_of(broken) == sorted(GLOBAL_OPTIONS)


def test_the_environment_is_left_alone(home: Home) -> None:
    """A verb run in another program's process changes nothing there."""
    before = dict(os.environ)
    main(["config", "show", "--home", str(home.path)])
    assert dict(os.environ) == before
