"""`metanode wallet`: keys by name, accounts in both spellings, balances of a node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from metanode.core.cli import wallet
from metanode.core.cli.frame import main
from metanode.core.cli.node_api import NodeApi
from metanode.core.cli.wallet import open_wallet, wallet_account, wallet_path
from metanode.core.crypto import keystore
from metanode.core.model.accounts import account_id, parse_account, to_bech32m, to_rtc
from metanode.core.model.errors import MetanodeError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a node, and a passphrase in the environment."""
    monkeypatch.setenv("METANODE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("METANODE_PASSPHRASE", "abc")
    return tmp_path / "home"


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """Run with --json; return exit code and answer."""
    code = main(["wallet", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_new_wallet_is_one_private_file(home: Path, capsys: Any) -> None:
    """It opens with its passphrase only, and both spellings of its account are one id."""
    code, value = answer(capsys, "new", "savings")
    path = home / "wallets" / "savings.key"
    assert (code, value["ok"], value["name"]) == (0, True, "savings")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    account = account_id(bytes.fromhex(value["public_key"]))
    assert parse_account(value["account"]) == parse_account(value["rtc"]) == account
    assert open_wallet(home, "savings", None).account == account
    with pytest.raises(MetanodeError) as caught:
        keystore.open(path, b"abd")
    assert caught.value.code == "KEYSTORE_LOCKED"


def test_every_wallet_has_a_key_of_its_own(home: Path, capsys: Any) -> None:
    """And is listed by name, `default` when none was given."""
    made = {name: answer(capsys, "new", *([name] if name != "default" else []))[1] for name in ("b", "default", "a")}
    assert len({value["public_key"] for value in made.values()}) == 3
    code, listed = answer(capsys, "list")
    assert code == 0
    assert [row["name"] for row in listed["wallets"]] == ["a", "b", "default"]
    assert all(row["account"] == made[row["name"]]["account"] for row in listed["wallets"])
    assert main(["wallet", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["WALLET", "ACCOUNT"]


def test_an_empty_list_tells_how_to_begin(home: Path, capsys: Any) -> None:
    """And is an empty list for programs."""
    assert main(["wallet", "list"]) == 0
    assert "`metanode wallet new` makes one" in capsys.readouterr().out
    assert answer(capsys, "list") == (0, {"ok": True, "wallets": []})


def test_showing_a_wallet_needs_no_passphrase(home: Path, capsys: Any, monkeypatch: Any) -> None:
    """Its public half is readable."""
    made = answer(capsys, "new", "savings")[1]
    monkeypatch.delenv("METANODE_PASSPHRASE")
    assert answer(capsys, "show", "savings") == (0, made)
    assert main(["wallet", "show", "savings"]) == 0
    out = capsys.readouterr().out
    assert made["account"] in out
    assert made["rtc"] in out


def test_a_wallet_is_never_overwritten(home: Path, capsys: Any) -> None:
    """Its key may hold money."""
    made = answer(capsys, "new", "savings")[1]
    code, value = answer(capsys, "new", "savings")
    assert (code, value["code"]) == (1, "FILE_EXISTS")
    assert answer(capsys, "show", "savings")[1] == made


def test_the_longest_name_that_help_promises_makes_a_wallet(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And it opens again."""
    for length in (57, 58, 64):
        name = "a" * length
        code, made = answer(capsys, "new", name)
        assert (code, made["name"]) == (0, name)
        assert answer(capsys, "show", name)[1]["account"] == made["account"]


@pytest.mark.parametrize("name", ["", "A", "a b", "../a", "a/b", ".a", "-a", "a.key", "ä", "a" * 65])
def test_a_name_is_a_plain_word(home: Path, name: str) -> None:
    """It becomes a file name, on any file system."""
    with pytest.raises(MetanodeError) as caught:
        wallet_path(home, name)
    assert caught.value.code == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        ([], 2, "USAGE"),
        (["mint"], 2, "USAGE"),
        (["new", "a b"], 1, "BAD_REQUEST"),
        (["show", "nobody"], 1, "FILE_MISSING"),
        (["balance", "nobody"], 1, "FILE_MISSING"),
        (["balance", "No Body"], 1, "BAD_ADDRESS"),
        (["balance", "mn1xxx"], 1, "BAD_ADDRESS"),
        (["balance", "RTC12"], 1, "BAD_ADDRESS"),
        (["balance", to_bech32m(b"a" * 20), "--node", "http://127.0.0.1:1"], 1, "UNREACHABLE"),
        (["balance", to_bech32m(b"a" * 20), "--node", "127.0.0.1:1"], 1, "BAD_SETTING"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    home: Path, capsys: Any, words: list[str], code: int, error: str
) -> None:
    """For people on standard error, for programs as an object."""
    got, value = answer(capsys, *words)
    assert (got, value["ok"], value["code"]) == (code, False, error)
    assert main(["wallet", *words]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error {error}: ")


def test_a_missing_wallet_tells_how_to_make_it(home: Path, capsys: Any) -> None:
    """The command can be copied."""
    assert "metanode wallet new nobody" in answer(capsys, "show", "nobody")[1]["expected"]


def test_an_account_is_a_wallet_or_an_address(home: Path, capsys: Any) -> None:
    """In either spelling; an address wins over a wallet that looks like one."""
    made = answer(capsys, "new", "savings")[1]
    account = parse_account(made["account"])
    assert wallet_account(home, "savings") == account
    assert wallet_account(home, made["account"]) == wallet_account(home, made["account"].upper()) == account
    assert wallet_account(home, to_rtc(account)) == account


def test_a_balance_is_what_the_node_tells(home: Path, capsys: Any, monkeypatch: Any) -> None:
    """Of a wallet by name, at the node that was asked for."""
    asked: list[tuple[str, bytes]] = []

    class Api(NodeApi):
        def account(self, account: bytes) -> dict[str, Any]:
            asked.append((self._http.url, account))
            return {"ok": True, "account": "mn1x", "nonce": 4, "balance": {"micro": 1_500_000, "coins": "1.500000"}}

    monkeypatch.setattr(wallet, "NodeApi", Api)
    made = answer(capsys, "new", "savings")[1]
    assert main(["wallet", "balance", "savings", "--node", "http://10.0.0.1:8645"]) == 0
    assert capsys.readouterr().out == "1.500000 coins  (nonce 4)  mn1x\n"
    assert asked == [("http://10.0.0.1:8645", parse_account(made["account"]))]


def test_without_a_passphrase_nothing_is_made(home: Path, capsys: Any, monkeypatch: Any) -> None:
    """A service without a terminal fails at once."""
    monkeypatch.delenv("METANODE_PASSPHRASE")
    code, value = answer(capsys, "new")
    assert (code, value["code"]) == (1, "KEYSTORE_LOCKED")
    assert not home.exists()


@pytest.mark.parametrize("words", [["new"], ["list"], ["show"], ["balance"]])
def test_help_of_each_command_has_examples(words: list[str], capsys: Any) -> None:
    """Whole command lines to copy."""
    assert main(["wallet", *words, "--help"]) == 0
    assert f"examples:\n  metanode wallet {words[0]}" in capsys.readouterr().out
