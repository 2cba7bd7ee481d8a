"""`metanode init`: a whole home or nothing, with keys only their owner can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from metanode.core.cli import init
from metanode.core.cli.frame import main
from metanode.core.home import Home
from metanode.core.identity import KEY_NAMES
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.errors import MetanodeError


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """Run `init --json`; return exit code and answer."""
    code = main(["init", "--json", *words])
    return code, json.loads(capsys.readouterr().out)


def names(path: Path) -> list[str]:
    """What lies in a directory."""
    return sorted(entry.name for entry in path.iterdir())


def test_a_new_home_is_complete(tmp_path: Path, capsys: Any) -> None:
    """Settings that check, a genesis with this validator and its funded sponsor, keys that open unattended."""
    code, value = answer(capsys, "--home", str(tmp_path / "home"), "--name", "node-1", "--port", "0")
    home = Home(tmp_path / "home")
    genesis, identity = home.genesis(), home.identity()
    assert (code, value["ok"], value["network"], value["home"]) == (0, True, "devnet", str(home.path))
    assert value["genesis_hash"] == genesis.hash.hex()
    assert value["sponsor"] == to_bech32m(identity.sponsor.account)
    assert dict(genesis.accounts)[identity.sponsor.account] > 0
    assert home.settings().node.name == "node-1"
    assert names(home.path) == ["genesis.json", "keys", "metanode.toml"]
    assert main(["config", "check", "--home", str(home.path)]) == 0


def test_keys_are_for_their_owner_only(tmp_path: Path, capsys: Any) -> None:
    """The passphrase lies beside them: nobody else may read either."""
    answer(capsys, "--home", str(tmp_path / "home"))
    home = Home(tmp_path / "home")
    assert home.path.stat().st_mode & 0o077 == home.keys_dir.stat().st_mode & 0o077 == 0
    assert names(home.keys_dir) == sorted([*(f"{name}.key" for name in KEY_NAMES), "passphrase"])
    assert {path.stat().st_mode & 0o777 for path in home.keys_dir.iterdir()} == {0o600}


def test_two_homes_are_two_chains(tmp_path: Path, capsys: Any) -> None:
    """Every home has keys and a genesis of its own."""
    first = answer(capsys, "--home", str(tmp_path / "a"))[1]
    second = answer(capsys, "--home", str(tmp_path / "b"))[1]
    assert first["genesis_hash"] != second["genesis_hash"]
    assert first["sponsor"] != second["sponsor"]


@pytest.mark.parametrize("network", init.NETWORKS)
def test_a_network_gives_its_parameters(tmp_path: Path, capsys: Any, network: str) -> None:
    """Of all that are offered."""
    assert answer(capsys, "--home", str(tmp_path / "home"), "--network", network)[0] == 0
    assert Home(tmp_path / "home").genesis().chain_name == network


def test_a_passphrase_of_the_operator_stays_where_it_is(tmp_path: Path, capsys: Any) -> None:
    """It opens the keys, is not copied into the home, and the next command names it."""
    secret = tmp_path / "my secret"
    secret.write_text("correct horse\n")
    words = ["--home", str(tmp_path / "home"), "--passphrase-file", str(secret)]
    assert main(["init", *words]) == 0
    home = Home(tmp_path / "home")
    assert "passphrase" not in names(home.keys_dir)
    assert home.identity(b"correct horse").sponsor.account
    next_line = capsys.readouterr().out.splitlines()[-1]
    assert next_line == f"next      metanode run --home {home.path} --passphrase-file '{secret}'"


def test_the_next_command_is_short_for_the_default_home(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    """What is printed can be typed as it stands."""
    monkeypatch.setenv("METANODE_HOME", str(tmp_path / "home"))
    assert main(["init"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "next      metanode run"


@pytest.mark.parametrize("there", ["metanode.toml", "genesis.json", "keys"])
def test_nothing_is_ever_overwritten(tmp_path: Path, capsys: Any, there: str) -> None:
    """Keys of a chain with money on it may lie there."""
    (tmp_path / there).write_text("mine")
    code, value = answer(capsys, "--home", str(tmp_path))
    assert (code, value["code"]) == (1, "FILE_EXISTS")
    assert str(tmp_path / there) in value["message"]
    assert names(tmp_path) == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_a_home_may_hold_other_things(tmp_path: Path, capsys: Any) -> None:
    """Wallets, for example, which exist before the node."""
    (tmp_path / "wallets").mkdir()
    assert answer(capsys, "--home", str(tmp_path))[0] == 0
    assert "wallets" in names(tmp_path)


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["--name", "a b"], 2, "USAGE"),
        (["--name", ""], 2, "USAGE"),
        (["--name", 'x"\n[roles]'], 2, "USAGE"),
        (["--port", "65536"], 2, "USAGE"),
        (["--port", "-1"], 2, "USAGE"),
        (["--port", "http"], 2, "USAGE"),
        (["--network", "moonnet"], 2, "USAGE"),
        (["--passphrase-file", "no-such-file"], 1, "FILE_MISSING"),
    ],
)
def test_a_mistake_leaves_nothing_behind(tmp_path: Path, capsys: Any, words: list[str], code: int, error: str) -> None:
    """Not even the directory."""
    got, value = answer(capsys, "--home", str(tmp_path / "home"), *words)
    assert (got, value["code"]) == (code, error)
    assert not (tmp_path / "home").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: Any) -> None:
    """A file where the home should be."""
    (tmp_path / "home").write_text("")
    code, value = answer(capsys, "--home", str(tmp_path / "home"))
    assert (code, value["code"]) == (1, "STORAGE_FULL")
    assert str(tmp_path / "home") in value["message"]


def test_a_failure_half_way_leaves_no_home(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    """It is built aside: what is not finished is never in place."""

    def fail(*args: object, **kwargs: object) -> None:
        raise MetanodeError("STORAGE_FULL", "the disk is full")

    monkeypatch.setattr(init, "solo_genesis", fail)
    code, value = answer(capsys, "--home", str(tmp_path / "home"))
    assert (code, value["code"]) == (1, "STORAGE_FULL")
    assert names(tmp_path / "home") == []


def test_help_says_what_happens_to_the_passphrase(capsys: Any) -> None:
    """It differs from other verbs: one is made."""
    assert main(["init", "--help"]) == 0
    assert "one is made and kept in keys/passphrase" in " ".join(capsys.readouterr().out.split())
