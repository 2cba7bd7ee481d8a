"""Manifests: data about a plugin, strict enough that nothing of it is guessed."""

from pathlib import Path
from typing import Any

import pytest

from metanode.core import manifests
from metanode.core.manifests import manifest_from_mapping, read_manifest, read_single_file
from metanode.core.model.errors import MetanodeError, PluginError, SettingsError

GOOD: dict[str, Any] = {"name": "api.hello", "role": "api", "import": "hello", "summary": "says hello"}


def test_a_manifest_holds_what_its_file_says(tmp_path: Path) -> None:
    """Every key of a plugin.toml arrives."""
    path = tmp_path / "plugin.toml"
    path.write_text(
        'name = "storage.x"\nrole = "storage"\nimport = "x.plugin"\nsummary = "s"\nfailure = "critical"\nram_mib = 3\n'
        'start_timeout_s = 9\n[api]\nroles = 1\n[settings.depth]\ntype = "int"\ndefault = 2\nmin = 1\nhelp = "h"\n'
    )
    found = read_manifest(path)
    assert (found.name, found.short_name, found.role, found.import_path) == ("storage.x", "x", "storage", "x.plugin")
    assert (found.critical, found.ram_mib, found.start_timeout_s, found.api) == (True, 3, 9, {"roles": 1})
    assert (found.settings["depth"].default, found.settings["depth"].min, found.settings["depth"].help) == (2, 1, "h")
    assert found.source == str(path)


def test_failure_classes_follow_the_role() -> None:
    """Single roles are critical; others restart unless they ask to be critical."""
    assert not manifest_from_mapping(GOOD, source="x").critical
    assert manifest_from_mapping({**GOOD, "failure": "critical"}, source="x").critical
    assert manifest_from_mapping({"name": "ledger.x", "role": "ledger"}, source="x").critical


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nmae": 1}, "unknown manifest key 'nmae'"),
        ({"name": "hello"}, "name = 'hello'"),
        ({"name": "Api.hello"}, "name = 'Api.hello'"),
        ({"name": 3}, "name = 3"),
        ({"role": "cooking", "name": "cooking.x"}, "role = 'cooking'"),
        ({"name": "storage.hello"}, "does not begin with its role"),
        ({"failure": "ignore"}, "failure = 'ignore'"),
        ({"role": "ledger", "name": "ledger.x", "failure": "restart"}, "failure = 'restart' for the role ledger"),
        ({"ram_mib": -1}, "ram_mib = -1"),
        ({"start_timeout_s": 10**9}, "start_timeout_s = 1000000000"),
        ({"api": {"roles": "1"}}, "api = "),
        ({"settings": []}, "settings = []"),
        ({"settings": {"a": 1}}, "[settings.a] is not a setting"),
        ({"settings": {"a": {"type": "float"}}}, "[settings.a] is not a setting"),
        ({"settings": {"a": {"type": "int", "defualt": 1}}}, "[settings.a] is not a setting"),
        ({"settings": {"a": {"type": "int", "default": "1"}}}, "[settings.a] default = '1'"),
    ],
)
def test_what_is_no_manifest_is_named(change: dict[str, Any], message: str) -> None:
    """One line with the source and the key."""
    with pytest.raises(PluginError) as caught:
        manifest_from_mapping({**GOOD, **change}, source="here.toml")
    assert caught.value.message.startswith("here.toml: ")
    assert message in caught.value.message
    assert "\n" not in caught.value.line()


def test_a_single_file_carries_its_manifest_in_comments(tmp_path: Path) -> None:
    """The block is that of PEP 723 with the type `metanode`; reading it runs nothing."""
    path = tmp_path / "hello.py"
    path.write_text(
        '#!/usr/bin/env python3\n"""Doc."""\n# /// metanode\n# name = "api.hello"\n# role = "api"\n#\n'
        '# [settings.greeting]\n# type = "text"\n# default = "hi"\n# ///\nraise SystemExit("must not run")\n'
    )
    found = read_single_file(path)
    assert (found.name, found.file, found.settings["greeting"].default) == ("api.hello", path, "hi")


def test_line_endings_of_other_systems_are_read(tmp_path: Path) -> None:
    """A file edited elsewhere is the same plugin."""
    path = tmp_path / "hello.py"
    path.write_bytes(b'# /// metanode\r\n# name = "api.hello"\r\n# role = "api"\r\n# ///\r\n')
    assert read_single_file(path).name == "api.hello"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("print(1)\n", "has no manifest block"),
        ('# /// script\n# name = "api.x"\n# ///\n', "has no manifest block"),
        ('# /// metanode\n# name = "api.x"\n', "has no manifest block"),
        ('# /// metanode\n# name = \n# ///\n', "Invalid value"),
        ("#\n" * 20_000 + '# /// metanode\n# name = "api.x"\n# role = "api"\n# ///\n', "has no manifest block"),
    ],
)
def test_a_single_file_without_a_readable_block_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """Other tools' blocks, open ends, bad TOML, and blocks beyond the first 16 KiB do not count."""
    path = tmp_path / "x.py"
    path.write_text(text)
    with pytest.raises(MetanodeError, match=message):
        read_single_file(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A directory in place of a file is named."""
    for read in (manifests.read_manifest, manifests.read_single_file):
        with pytest.raises(MetanodeError, match="cannot be read"):
            read(tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"type": []}, "is not a setting"),
        ({"type": "int", "choices": 5}, "is not a setting"),
        ({"type": "text", "choices": [1]}, "is not a setting"),
        ({"type": "int", "default": 3, "min": "x"}, "is not a setting"),
        ({"type": "int", "default": 3, "max": 1 << 40_000}, "is not a setting"),
        ({"type": "int", "default": 3, "max": True}, "is not a setting"),
        ({"type": "int", "help": 3}, "is not a setting"),
        ({"type": "int", "default": 1 << 40_000}, "default = a int beyond all measure"),
    ],
)
def test_a_setting_of_any_shape_is_refused_in_one_line(row: dict[str, Any], message: str) -> None:
    """A manifest is a stranger's file: whatever stands in it costs that plugin and nothing else."""
    with pytest.raises(PluginError, match=message) as caught:
        manifest_from_mapping({**GOOD, "settings": {"a": row}}, source="here.toml")
    assert caught.value.line().isprintable()


def test_a_setting_is_named_like_one() -> None:
    """A key with a line break would break the one line that every refusal is."""
    with pytest.raises(PluginError, match="a setting is named") as caught:
        manifest_from_mapping({**GOOD, "settings": {"a\nb": {"type": "int"}}}, source="here.toml")
    assert caught.value.line().isprintable()


@pytest.mark.parametrize("text", ["a = " + "9" * 5000, "a = " + "[" * 50_000])
def test_numbers_and_nesting_that_python_cannot_read_are_refused(text: str) -> None:
    """Python gives up on integers of more than 4,300 digits and on deep nesting with errors of its own."""
    with pytest.raises(SettingsError, match="here.toml"):
        manifests.parse_toml(text.encode(), "here.toml")


def test_any_value_is_shown_in_one_bounded_line() -> None:
    """Also what Python itself cannot spell."""
    nested: dict[str, Any] = {}
    for _ in range(5_000):
        nested = {"a": nested}
    for value in (1 << 40_000, [1 << 40_000], nested, "a\nb", "x" * 10_000, 1.5):
        assert manifests.shown(value).isprintable()
        assert len(manifests.shown(value)) <= manifests.SHOWN_CHARS_MAX
