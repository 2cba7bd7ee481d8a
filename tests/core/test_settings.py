"""Settings: what cannot work is refused with file, key, value, what is allowed and the nearest key."""

from pathlib import Path
from typing import Any

import pytest

from metanode.core.discovery import Broken, Discovery
from metanode.core.manifests import Manifest, manifest_from_mapping
from metanode.core.model.errors import SettingsError
from metanode.core.settings import DEVNET_ROLES, NODE_SETTINGS, Settings, not_installed

ROLES = {"storage": "memory", "ledger": "attested", "mempool": "fifo", "consensus": "solo"}


def manifest(**settings: Any) -> Manifest:
    return manifest_from_mapping({"name": "api.http", "role": "api", "settings": settings}, source="plugin.toml")


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    """Node, roles and plugin tables come out checked, with defaults."""
    path = tmp_path / "metanode.toml"
    path.write_text(
        '[node]\nname = "a"\n[roles]\nstorage = "sqlite"\nledger = "attested"\nmempool = "fifo"\nconsensus = "solo"\n'
        'api = ["http", "jsonrpc"]\n[plugins.api.http]\nport = 1\n'
    )
    settings = Settings.from_file(path)
    assert settings.node.name == "a"
    assert settings.node.start_timeout_s == NODE_SETTINGS["start_timeout_s"].default
    assert settings.roles["api"] == ("http", "jsonrpc")
    assert settings.plugins == {"api.http": {"port": 1}}
    assert settings.source == str(path)
    assert settings.selected == (
        "storage.sqlite", "ledger.attested", "mempool.fifo", "consensus.solo", "api.http", "api.jsonrpc",
    )


def test_a_devnet_needs_no_file() -> None:
    """The ten-line node: everything in memory, plugin tables by full name."""
    settings = Settings.devnet(api=["http"], plugins={"api.http": {"port": 0}})
    assert settings.roles["storage"] == (DEVNET_ROLES["storage"],)
    assert settings.roles["api"] == ("http",)
    assert settings.plugins == {"api.http": {"port": 0}}


@pytest.mark.parametrize(
    ("table", "message", "expected"),
    [
        ({"nodes": {}, "roles": ROLES}, "top level has no key 'nodes'", "did you mean 'node'?"),
        ({"node": {"nmae": "x"}, "roles": ROLES}, "[node] has no key 'nmae'", "did you mean 'name'?"),
        ({"node": {"qqq": 1}, "roles": ROLES}, "[node] has no key 'qqq'", "one of blocked_ms, failure_window_s"),
        ({"node": {"name": 3}, "roles": ROLES}, "[node] name = 3", "a text"),
        ({"node": {"blocked_ms": True}, "roles": ROLES}, "[node] blocked_ms = True", "an integer from 0 to 60000"),
        ({"node": {"start_timeout_s": 0}, "roles": ROLES}, "[node] start_timeout_s = 0", "an integer from 1 to 3600"),
        ({"node": {"log_level": "loud"}, "roles": ROLES}, "[node] log_level = 'loud'", "one of debug, info"),
        ({"node": [], "roles": ROLES}, "node = [] is not a table", "[node]"),
        ({"roles": {"storage": "memory"}}, "[roles] lacks ledger", "the name of a ledger plugin"),
        ({"roles": {**ROLES, "storage": ["a"]}}, "[roles] storage = ['a']", "a text"),
        ({"roles": {**ROLES, "api": "http"}}, "[roles] api = 'http'", "a list of texts"),
        ({"roles": {**ROLES, "api": ["http", "http"]}}, "names a plugin twice", "each name once"),
        ({"roles": {**ROLES, "apis": []}}, "[roles] has no key 'apis'", "did you mean 'api'?"),
        ({"roles": ROLES, "plugins": {"storge": {}}}, "[plugins] has no key 'storge'", "did you mean 'storage'?"),
        ({"roles": ROLES, "plugins": {"api": {"http": 1}}}, "http = 1 is not a table", "a table"),
    ],
)
def test_what_cannot_work_is_named(table: dict[str, Any], message: str, expected: str) -> None:
    """One line with source, key and value, and what would be right."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping(table, source="my.toml")
    assert caught.value.code == "BAD_SETTING"
    assert caught.value.message.startswith("my.toml: ")
    assert message in caught.value.message
    assert expected in caught.value.expected
    assert "\n" not in caught.value.line()


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"[node\n", "BAD_SETTING", "line 1"),
        (b"name = \xff", "BAD_SETTING", "utf-8"),
        (b"a = 1\n" * 100_000, "TOO_LARGE", "too large"),
        (b"a = " + b"[" * 100_000, "BAD_SETTING", "my.toml"),
    ],
)
def test_a_file_that_is_no_toml_is_named_with_the_place(tmp_path: Path, data: bytes, code: str, message: str) -> None:
    """Broken, binary, huge and deeply nested files are refused, not crashed on."""
    path = tmp_path / "my.toml"
    path.write_bytes(data)
    with pytest.raises(SettingsError, match=message) as caught:
        Settings.from_file(path)
    assert caught.value.code == code


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """FILE_MISSING, whose cure is `metanode init`."""
    with pytest.raises(SettingsError, match="nothing.toml does not exist") as caught:
        Settings.from_file(tmp_path / "nothing.toml")
    assert caught.value.code == "FILE_MISSING"


def test_a_plugins_table_is_completed_and_read_only() -> None:
    """A plugin sees every setting of its manifest and cannot change them."""
    wanted = manifest(port={"type": "int", "default": 8645}, origins={"type": "list", "default": ["*"]})
    values = Settings.devnet(plugins={"api.http": {"port": 1}}).for_plugin(wanted)
    assert values == {"port": 1, "origins": ("*",)}
    with pytest.raises(TypeError):
        values["port"] = 2  # type: ignore[index]  # that is the point


def test_a_setting_without_default_must_be_given() -> None:
    """The line names the plugin's table and key."""
    with pytest.raises(SettingsError, match=r"\[plugins.api.http\] lacks certificate"):
        Settings.devnet().for_plugin(manifest(certificate={"type": "text"}))


@pytest.mark.parametrize(
    ("row", "value", "expected"),
    [
        ({"type": "int", "min": 0}, -1, "an integer from 0"),
        ({"type": "int", "max": 9}, 10, "an integer to 9"),
        ({"type": "int"}, 1.0, "an integer"),
        ({"type": "bool"}, 1, "true or false"),
        ({"type": "list"}, [1], "a list of texts"),
        ({"type": "list", "choices": ["a"]}, ["a", "b"], "a list of one of a"),
        ({"type": "text", "choices": ["a", "b"]}, "c", "one of a, b"),
    ],
)
def test_each_type_says_what_it_allows(row: dict[str, Any], value: object, expected: str) -> None:
    """Types are exact: true is no integer, and 1 is no truth."""
    with pytest.raises(SettingsError) as caught:
        Settings.devnet(plugins={"api.http": {"key": value}}).for_plugin(manifest(key=row))
    assert caught.value.expected == expected
    assert f"[plugins.api.http] key = {value!r}" in caught.value.message


def test_tables_of_plugins_that_are_not_selected_are_checked_too() -> None:
    """A typo in a table must not wait until the plugin is switched on; an unknown plugin is a typo."""
    known = Discovery({"api.http": manifest(port={"type": "int", "default": 1})}, (Broken("api.bad", "x", "y"),))
    Settings.devnet(plugins={"api.http": {"port": 2}, "api.bad": {"any": 1}}).check_tables(known)
    with pytest.raises(SettingsError, match="no key 'prot'"):
        Settings.devnet(plugins={"api.http": {"prot": 2}}).check_tables(known)
    with pytest.raises(SettingsError, match="no key 'api.htpt'") as caught:
        Settings.devnet(plugins={"api.htpt": {}}).check_tables(known)
    assert caught.value.expected == "did you mean 'api.http'?"


def test_a_plugin_that_is_not_installed_is_named_with_the_nearest() -> None:
    """Only plugins of the same role are suggested."""
    known = Discovery({"api.http": manifest()}, ())
    assert not_installed("api.htp", known, "f").expected == "did you mean 'http'?"
    assert not_installed("api.zzz", known, "f").expected == "one of http"
    assert not_installed("storage.zzz", known, "f").expected == "one of none installed"


@pytest.mark.parametrize(
    "table",
    [
        {"node": {"blocked_ms": 1 << 40_000}, "roles": ROLES},
        {"roles": {**ROLES, "storage": 1 << 40_000}},
        {"roles": ROLES, "plugins": {"api": {"a\nb": 1 << 40_000}}},
        {"roles": ROLES, "a\nb": {}},
    ],
)
def test_values_that_cannot_be_spelled_are_refused_in_one_line(table: dict[str, Any]) -> None:
    """Hexadecimal TOML integers may have any length, and quoted keys hold anything."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping(table)
    assert caught.value.line().isprintable()
    assert len(caught.value.line()) < 1_000
