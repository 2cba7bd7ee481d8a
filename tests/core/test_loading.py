"""Loading: selected plugins become code, and whoever does not fit is named."""

from pathlib import Path
from typing import Any

import pytest

from metanode.core.hooks import hookimpl
from metanode.core.loading import Loaded, in_words, load
from metanode.core.model.errors import MetanodeError, PluginError, SettingsError
from metanode.core.settings import Settings
from metanode.core.testing.standins import bare_settings, stand_in, stand_ins


def single_file(directory: Path, body: str, *, name: str = "api.hello", role: str = "api", head: str = "") -> None:
    (directory / f"{name.partition('.')[2]}.py").write_text(
        f'# /// metanode\n# name = "{name}"\n# role = "{role}"\n{head}# ///\n{body}'
    )


def with_api(*names: str, **tables: Any) -> Settings:
    roles = {"storage": "memory", "ledger": "attested", "mempool": "fifo", "consensus": "solo", "api": [*names]}
    return Settings.from_mapping({"roles": roles, "plugins": tables})


IMPORT = "from metanode.core.hooks import hookimpl\n@hookimpl\n"
HOOK = f"{IMPORT}def on_block_finalized(context, height, header_hash): pass\n"
UNKNOWN_HOOK = f"{IMPORT}def on_blok(context): pass\n"


def load_with_file(directory: Path, **keywords: Any) -> Loaded:
    return load(with_api("hello"), inline=stand_ins(), plugins_dir=directory, **keywords)


def test_inline_plugins_are_selected_by_being_passed() -> None:
    """They take the place of the configured ones, and join the lists of the other roles."""
    loaded = load(Settings.devnet(), inline=stand_ins(stand_in("api", "mine")))
    assert list(loaded.plugins) == [
        "storage.standin", "ledger.standin", "mempool.standin", "consensus.standin", "api.mine",
    ]


def test_an_inline_plugin_replaces_an_installed_one_of_its_name() -> None:
    """A test can put its own `api.http` in place of the shipped one."""
    mine = stand_in("api", "http")
    loaded = load(with_api("http"), inline=stand_ins(mine))
    assert loaded.plugins["api.http"].code is mine


def test_two_inline_plugins_for_one_place_are_refused() -> None:
    """Both are named."""
    with pytest.raises(PluginError, match="storage.a and storage.b both fill storage"):
        load(bare_settings(), inline=[stand_in("storage", "a"), stand_in("storage", "b")])
    with pytest.raises(PluginError, match="api.a and api.a both fill api.a"):
        load(bare_settings(), inline=stand_ins(stand_in("api", "a"), stand_in("api", "a")))


def test_an_inline_plugin_needs_a_manifest() -> None:
    """An object without one is refused with what it needs."""
    with pytest.raises(PluginError, match="has no MANIFEST"):
        load(bare_settings(), inline=[object()])


def test_an_unknown_plugin_stops_the_start_with_the_nearest_name() -> None:
    """Also for a role that could be spared: it is a typo in the configuration."""
    with pytest.raises(PluginError) as caught:
        load(with_api("htpt"), inline=stand_ins())
    assert caught.value.code == "PLUGIN_UNKNOWN"
    assert caught.value.expected == "did you mean 'http'?"
    with pytest.raises(PluginError, match="storage names 'standin'"):
        load(bare_settings())


def test_a_single_file_plugin_is_imported_when_selected(tmp_path: Path) -> None:
    """Twice loading it gives one module, as import would."""
    single_file(tmp_path, HOOK)
    first, again = load_with_file(tmp_path), load_with_file(tmp_path)
    assert first.plugins["api.hello"].code is again.plugins["api.hello"].code
    assert list(first.plugins["api.hello"].hooks) == ["on_block_finalized"]


def test_single_files_of_one_name_in_two_directories_are_two_modules(tmp_path: Path) -> None:
    """Two nodes of one process may have a `hello.py` each."""
    codes = []
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        single_file(tmp_path / place, HOOK)
        codes.append(load_with_file(tmp_path / place).plugins["api.hello"].code)
    assert codes[0] is not codes[1]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import not_there\n", "failed in import: ModuleNotFoundError: No module named 'not_there' (hello.py"),
        ("1 / 0\n", "failed in import: ZeroDivisionError: division by zero (hello.py:5)"),
        ("def f(:\n", "failed in import: SyntaxError"),
        ("raise SystemExit(3)\n", "failed in import: SystemExit: 3"),
        ("x = 1\n", "implements no hook"),
        (UNKNOWN_HOOK, "unknown hook 'on_blok'"),
        (HOOK.replace("height", "hight"), "Argument(s) {'hight'}"),
    ],
)
def test_a_broken_plugin_of_a_many_role_is_named_and_spared(tmp_path: Path, body: str, message: str) -> None:
    """The node lives on without it."""
    single_file(tmp_path, body)
    loaded = load_with_file(tmp_path)
    error = loaded.failed["api.hello"]
    assert error.code == "PLUGIN_BROKEN"
    assert "api.hello" in error.message
    assert message in error.message
    assert "\n" not in error.line()
    assert "api.hello" not in loaded.plugins


def test_one_bad_hook_does_not_spoil_the_plugins_after_it(tmp_path: Path) -> None:
    """What does not fit leaves the manager again."""
    single_file(tmp_path, UNKNOWN_HOOK)
    loaded = load(with_api("hello"), inline=stand_ins(stand_in("api", "after")), plugins_dir=tmp_path)
    assert list(loaded.failed) == ["api.hello"]
    assert "api.after" in loaded.plugins


def test_a_broken_plugin_of_a_single_role_stops_the_start() -> None:
    """Without it there is no node."""
    with pytest.raises(PluginError, match="storage.standin does not implement provide_storage"):
        load(bare_settings(), inline=stand_ins(_without_its_hook()))


def _without_its_hook() -> Any:
    plugin = stand_in("storage")
    del plugin.provide_storage
    plugin.on_block_finalized = hookimpl(_on_block_finalized)  # type: ignore[attr-defined]
    return plugin


def _on_block_finalized(context: object, height: int, header_hash: bytes) -> None:
    pass


def test_a_broken_plugin_that_is_not_selected_is_not_imported(tmp_path: Path) -> None:
    """It can never stop a boot."""
    single_file(tmp_path, "raise RuntimeError\n", name="storage.bad", role="storage")
    single_file(tmp_path, HOOK)
    assert "api.hello" in load_with_file(tmp_path).plugins


def test_a_selected_plugin_with_a_broken_manifest_is_named(tmp_path: Path) -> None:
    """With the reason, under the name its file seems to have."""
    (tmp_path / "api.hello.py").write_text("no block")
    loaded = load_with_file(tmp_path)
    assert "has no manifest block" in loaded.failed["api.hello"].message


@pytest.mark.parametrize(
    ("api", "message"), [("roles = 2", "hooks roles 2; this node has version 1"), ("cooking = 1", "knows only roles")]
)
def test_a_plugin_for_other_hook_versions_is_refused(tmp_path: Path, api: str, message: str) -> None:
    """Each hook group has a version of its own."""
    single_file(tmp_path, HOOK, head=f"# [api]\n# {api}\n")
    assert message in load_with_file(tmp_path).failed["api.hello"].message


def test_safe_mode_knows_built_ins_only(tmp_path: Path) -> None:
    """A selected single file is left out, with its table, and so is whatever nobody installed."""
    single_file(tmp_path, "raise RuntimeError\n")
    settings = with_api("hello", "gone", api={"hello": {"x": 1}, "gone": {}})
    loaded = load(settings, inline=stand_ins(), plugins_dir=tmp_path, safe_mode=True)
    assert {name: error.message for name, error in loaded.failed.items()} == {
        "api.hello": "api.hello is left out in safe mode", "api.gone": "api.gone is left out in safe mode",
    }


def test_safe_mode_cannot_replace_a_single_role() -> None:
    """Whether another storage would do is not for the node to decide."""
    roles = {**dict.fromkeys(("ledger", "mempool", "consensus"), "standin"), "storage": "theirs"}
    with pytest.raises(PluginError, match="names 'theirs', which is not installed"):
        load(Settings.from_mapping({"roles": roles}), safe_mode=True)


def test_a_wrong_table_stops_the_start_before_any_import(tmp_path: Path) -> None:
    """Configuration is checked first."""
    single_file(tmp_path, "raise RuntimeError\n")
    with pytest.raises(SettingsError, match="has no key 'x'"):
        load(with_api("hello", api={"hello": {"x": 1}}), inline=stand_ins(), plugins_dir=tmp_path)


def test_a_hook_that_raises_is_named_and_our_own_errors_pass() -> None:
    """A refusal says already what is wrong; anything else gets the plugin's name."""

    def divide(context: object) -> object:
        return 1 / 0

    def refuse(context: object) -> object:
        raise SettingsError("BAD_SETTING", "no")

    wrong, refusing = stand_in("api", "a", hooks={"register_api": divide}), stand_in("api", "b")
    refusing.register_api = hookimpl(refuse)  # type: ignore[attr-defined]  # a module made by hand
    loaded = load(bare_settings(), inline=stand_ins(wrong, refusing))
    with pytest.raises(PluginError, match=r"api.a failed in register_api: ZeroDivisionError: .* \(test_loading"):
        loaded.plugins["api.a"].call("register_api", context=None)
    with pytest.raises(SettingsError, match="no"):
        loaded.plugins["api.b"].call("register_api", context=None)
    assert loaded.plugins["api.a"].call("register_routes", context=None) is None


def test_an_error_in_words_is_one_line_and_names_the_innermost_cause() -> None:
    """A group of one is its member; our own errors are their text."""

    class Group(Exception):
        def __init__(self, *inner: Exception) -> None:
            self.exceptions = inner

    assert in_words(Group(Group(ValueError("a\nb")))) == "ValueError: a b"
    assert in_words(Group(ValueError(), MetanodeError("TIMEOUT", "late"))) == "TIMEOUT: late"
