"""`metanode tx`, `prove` and `verify`: from a wallet to a proof that anyone checks offline, and every way to fail."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from metanode.core.cli.frame import main
from metanode.core.cli.node_api import NodeApi, checked_id
from metanode.core.home import Home
from metanode.core.model.errors import MetanodeError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "bundle.json").read_text())
BUNDLE = bytes.fromhex(VECTORS["cases"][0]["bundle"])
ID = "ab" * 32
ADDRESS = "RTC" + "11" * 20
START_S_MAX = 30.0


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """Run with --json; return exit code and answer."""
    code = main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


# --- what needs no node


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A home with the wallet `default` and no node; nothing listens where one is expected."""
    monkeypatch.setenv("METANODE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("METANODE_PASSPHRASE", "abc")
    monkeypatch.setenv("METANODE_NODE", "http://127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    assert main(["wallet", "new"]) == 0
    capsys.readouterr()
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["tx"], 2, "USAGE"),
        (["tx", "send", "1"], 2, "USAGE"),
        (["tx", "send", "1", ADDRESS, "--wait-s", "nan"], 2, "USAGE"),
        (["tx", "send", "1", ADDRESS, "--wait-s", "-1"], 2, "USAGE"),
        (["tx", "send", "1", ADDRESS, "--wait-s", "soon"], 2, "USAGE"),
        (["tx", "send", "one", ADDRESS], 1, "BAD_AMOUNT"),
        (["tx", "send", "1.0000001", ADDRESS], 1, "BAD_AMOUNT"),
        (["tx", "send", "1", ADDRESS, "--fee", "1e3"], 1, "BAD_AMOUNT"),
        (["tx", "send", "1", "nobody"], 1, "FILE_MISSING"),
        (["tx", "send", "1", "mn1xyz"], 1, "BAD_ADDRESS"),
        (["tx", "send", "1", ADDRESS, "--from", "nobody"], 1, "FILE_MISSING"),
        (["tx", "send", "1", ADDRESS, "--memo", "x" * 257], 1, "TOO_LARGE"),
        (["tx", "send", "1", ADDRESS], 1, "UNREACHABLE"),
        (["tx", "show", ID], 1, "UNREACHABLE"),
        (["tx", "show", "abc"], 1, "BAD_HEX"),
        (["tx", "show", "../../v1/head" + "x" * 51], 1, "BAD_HEX"),
        (["prove", "a b"], 1, "BAD_HEX"),
        (["prove", ID], 1, "UNREACHABLE"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    home: Path, capsys: Any, words: list[str], code: int, error: str
) -> None:
    """For people on standard error, for programs as an object; no file is left."""
    before = sorted(home.parent.rglob("*"))
    got, value = answer(capsys, *words)
    assert (got, value["ok"], value["code"]) == (code, False, error)
    assert main(words) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error {error}: ")
    assert sorted(home.parent.rglob("*")) == before


def test_an_id_is_64_hex_digits_of_either_case() -> None:
    """It becomes part of a path, so nothing else may stand in it."""
    assert checked_id("AB" * 32) == ID
    for text in ("", ID[1:], ID + "0", "g" * 64, "0x" + ID[2:], ID[:-1] + "\n", "é" * 64):
        with pytest.raises(MetanodeError) as caught:
            checked_id(text)
        assert caught.value.code == "BAD_HEX"


def test_a_transaction_that_stays_pending_is_not_to_be_sent_again(monkeypatch: Any) -> None:
    """A second send could pay twice: the line says what to do instead."""
    monkeypatch.setattr(NodeApi, "transaction", lambda self, envelope_id: {"status": "pending"})
    with pytest.raises(MetanodeError, match=ID) as caught:
        NodeApi("http://127.0.0.1:1").wait_final(ID, 0)
    assert caught.value.code == "TIMEOUT"
    assert "pay twice" in caught.value.expected


@pytest.mark.parametrize("words", [["tx", "send"], ["tx", "show"], ["tx"], ["prove"], ["verify"]])
def test_help_has_examples(words: list[str], capsys: Any) -> None:
    """Whole command lines to copy."""
    assert main([*words, "--help"]) == 0
    assert f"examples:\n  metanode {words[0]} " in capsys.readouterr().out


def test_a_bundle_without_a_genesis_is_not_proven(home: Path, tmp_path: Path, capsys: Any) -> None:
    """Anyone can make a chain of their own: without one to trust the exit code is 10, in words and in JSON."""
    (tmp_path / "receipt.bundle").write_bytes(BUNDLE)
    assert main(["verify", "receipt.bundle"]) == 10
    out = capsys.readouterr().out
    assert out.startswith("NOT PROVEN  block ")
    assert "--genesis FILE" in out
    assert "not checked  validator set not given" in out
    code, value = answer(capsys, "verify", "receipt.bundle")
    assert (code, value["ok"]) == (10, False)
    assert value["unchecked"][0].startswith("genesis not given")


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=lambda case: case["name"])
def test_a_bundle_that_does_not_prove_ends_with_20_or_2(
    home: Path, tmp_path: Path, capsys: Any, case: dict[str, Any]
) -> None:
    """20 for a false proof; 2 for what cannot even be read as a bundle; never 0, never a traceback."""
    (tmp_path / "x.bundle").write_bytes(bytes.fromhex(case["bundle"]))
    code, value = answer(capsys, "verify", "x.bundle")
    # What is wrong only against a trusted chain is, without one, at best not proven.
    assert code in ((10, 20) if case["code"] == "UNTRUSTED" else (2, 20))
    assert value["ok"] is False


@pytest.mark.parametrize("data", [b"", b"x", b"root:x:0:0\n", BUNDLE[:-1], BUNDLE + b"\0"])
def test_what_is_no_bundle_ends_with_2(home: Path, tmp_path: Path, capsys: Any, data: bytes) -> None:
    """A wrong file name is a mistake of the caller, not a false proof."""
    (tmp_path / "x.bundle").write_bytes(data)
    code, value = answer(capsys, "verify", "x.bundle")
    assert (code, value["ok"]) == (2, False)


@pytest.mark.parametrize(
    ("genesis", "error"),
    [(None, "FILE_MISSING"), (b"{", "BAD_JSON"), (b"\xff", "BAD_JSON"), (b"{}", "BAD_SETTING")],
)
def test_a_genesis_that_cannot_be_read_is_named(
    home: Path, tmp_path: Path, capsys: Any, genesis: bytes | None, error: str
) -> None:
    """Never passed over: a proof against nothing would look like one."""
    (tmp_path / "receipt.bundle").write_bytes(BUNDLE)
    if genesis is not None:
        (tmp_path / "g.json").write_bytes(genesis)
    code, value = answer(capsys, "verify", "receipt.bundle", "--genesis", "g.json")
    assert (code, value["code"]) == (2, error)
    assert "g.json" in value["message"]


@pytest.mark.parametrize("words", [["verify", "/dev/zero"], ["verify", "b", "--genesis", "/dev/zero"], ["verify", "/"]])
def test_what_has_no_end_is_not_read_to_its_end(home: Path, tmp_path: Path, capsys: Any, words: list[str]) -> None:
    """Files are read up to a bound."""
    (tmp_path / "b").write_bytes(BUNDLE)
    code, value = answer(capsys, *words)
    assert (code, value["code"]) == (2, "FILE_MISSING" if words[1] == "/" else "TOO_LARGE")


# --- a real node


@dataclass
class Devnet:
    """A node process with fast blocks; its sponsor's million coins are the wallet `sponsor`."""

    home: Home
    url: str


@pytest.fixture(scope="module")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """One node for the module."""
    home = Home(tmp_path_factory.mktemp("devnet") / "home")
    command = [sys.executable, "-m", "metanode.core.cli"]
    made = [*command, "init", "--home", str(home.path), "--port", "0"]
    subprocess.run(made, check=True, capture_output=True, timeout=START_S_MAX)
    genesis = home.genesis_file
    genesis.write_text(genesis.read_text().replace('"block_ms": 1000', '"block_ms": 100'))
    (home.path / "wallets").mkdir()
    shutil.copy(home.keys_dir / "sponsor.key", home.path / "wallets" / "sponsor.key")
    with (home.path / "log").open("wb") as log:
        process = subprocess.Popen([*command, "run", "--home", str(home.path)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_S_MAX
        while (state := home.read_running()) is None or not state["addresses"]:
            assert process.poll() is None, (home.path / "log").read_text()
            assert time.monotonic() < deadline, "the node did not start in time"
            time.sleep(0.02)
        yield Devnet(home, state["addresses"][0])
    finally:
        process.terminate()
        process.wait(START_S_MAX)


@pytest.fixture
def at_devnet(devnet: Devnet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Devnet:
    """Verbs ask that node with the sponsor's passphrase, from an empty directory."""
    passphrase = devnet.home.passphrase()
    assert passphrase is not None
    monkeypatch.setenv("METANODE_HOME", str(devnet.home.path))
    monkeypatch.setenv("METANODE_NODE", devnet.url)
    monkeypatch.setenv("METANODE_PASSPHRASE", passphrase.decode())
    monkeypatch.chdir(tmp_path)
    return devnet


def sent(capsys: Any, *words: str) -> dict[str, Any]:
    """Send out of the sponsor's wallet and wait for the block."""
    code, view = answer(capsys, "tx", "send", *words, "--from", "sponsor")
    assert (code, view["status"], view["receipt"]["code"]) == (0, "final", "OK")
    return view


@pytest.mark.endtoend
def test_a_transfer_is_sent_shown_proven_and_verified(at_devnet: Devnet, capsys: Any) -> None:
    """The whole way of the README, for people and for programs."""
    words = ["tx", "send", "1.5", ADDRESS, "--from", "sponsor", "--memo", "rent"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("accepted    ")
    assert lines[1].strip().startswith("1.500000 coins to mn1")
    assert lines[3] == "status      final"
    assert lines[-1] == "receipt     OK, fee 0.000100 coins"
    envelope_id = lines[0].split()[1]

    code, view = answer(capsys, "tx", "show", envelope_id.upper())
    assert (code, view["id"], view["status"]) == (0, envelope_id, "final")

    assert main(["prove", envelope_id]) == 0
    bundle = Path(f"{envelope_id[:16]}.bundle")
    assert f"wrote {bundle}" in capsys.readouterr().out
    code, value = answer(capsys, "prove", envelope_id, "--out", "again")
    assert (code, value["ok"], value["id"], value["height"]) == (0, True, envelope_id, view["height"])
    assert bundle.read_bytes() == Path("again").read_bytes()
    code, value = answer(capsys, "prove", envelope_id, "--out", "again")
    assert (code, value["code"]) == (1, "FILE_EXISTS")
    assert answer(capsys, "prove", envelope_id, "--out", "no/such/place")[1]["code"] == "STORAGE_FULL"

    genesis = str(at_devnet.home.genesis_file)
    assert main(["verify", str(bundle), "--genesis", genesis]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"VALID  block {view['height']}  ")
    assert "proves       transfer of 1.500000 from mn1" in out
    assert "not checked  clock: age not checked" in out
    code, value = answer(capsys, "verify", str(bundle))
    assert (code, value["ok"], value["items"][0]["id"]) == (0, True, envelope_id), "the home's genesis is the default"


@pytest.mark.endtoend
def test_every_flipped_bit_breaks_a_proof(at_devnet: Devnet, capsys: Any) -> None:
    """No byte of a bundle is decoration: each one changed ends with 2, 10 or 20."""
    envelope_id = sent(capsys, "0.25", ADDRESS)["id"]
    assert main(["prove", envelope_id, "--out", "b"]) == 0
    data = Path("b").read_bytes()
    codes = set()
    for at in range(0, len(data), 7):
        changed = bytearray(data)
        changed[at] ^= 0x10
        Path("changed").write_bytes(changed)
        code = main(["verify", "changed"])
        codes.add(code)
        assert code in (2, 10, 20), f"byte {at}"
    assert codes == {2, 10, 20}
    capsys.readouterr()


@pytest.mark.endtoend
def test_a_proof_of_another_chain_is_refused(at_devnet: Devnet, tmp_path: Path, capsys: Any) -> None:
    """Exit code 10: well made, but not what this verifier trusts."""
    envelope_id = sent(capsys, "0.25", ADDRESS)["id"]
    assert main(["prove", envelope_id, "--out", "b"]) == 0
    assert main(["init", "--home", str(tmp_path / "other")]) == 0
    capsys.readouterr()
    code, value = answer(capsys, "verify", "b", "--genesis", str(tmp_path / "other" / "genesis.json"))
    assert (code, value["code"]) == (10, "UNTRUSTED")


@pytest.mark.endtoend
@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["0", ADDRESS], "ZERO_AMOUNT"),
        (["1", "sponsor"], "SELF_TRANSFER"),
        (["1", ADDRESS, "--fee", "0.000001"], "FEE_TOO_LOW"),
        (["2000000", ADDRESS], "INSUFFICIENT_FUNDS"),
        (["1", ADDRESS, "--passphrase-file", "wrong"], "KEYSTORE_LOCKED"),
    ],
)
def test_what_the_chain_refuses_is_told_in_the_nodes_words(
    at_devnet: Devnet, capsys: Any, words: list[str], error: str
) -> None:
    """One line, exit code 1, nothing spent."""
    Path("wrong").write_text("wrong\n")
    before = answer(capsys, "wallet", "balance", "sponsor")[1]["next_nonce"]
    code, value = answer(capsys, "tx", "send", *words, "--from", "sponsor")
    assert (code, value["code"]) == (1, error)
    assert answer(capsys, "wallet", "balance", "sponsor")[1]["next_nonce"] == before


@pytest.mark.endtoend
def test_without_waiting_the_id_is_the_answer(at_devnet: Devnet, capsys: Any) -> None:
    """And what became of it is asked later; an id nobody knows is a failure."""
    code, value = answer(capsys, "tx", "send", "0.1", ADDRESS, "--from", "sponsor", "--no-wait")
    assert (code, value["ok"], value["status"]) == (0, True, "pending")
    NodeApi(at_devnet.url).wait_final(value["id"], 30)
    assert main(["tx", "show", value["id"]]) == 0
    capsys.readouterr()
    assert main(["tx", "show", ID]) == 1
    assert "unknown to this node" in capsys.readouterr().out
    assert answer(capsys, "prove", ID)[1]["code"] == "NOT_FOUND"


@pytest.mark.endtoend
def test_coins_arrive_whole(at_devnet: Devnet, capsys: Any) -> None:
    """What was sent is what the receiver holds; what left the sender is that and the fee."""
    receiver = "RTC" + "77" * 20
    before = answer(capsys, "wallet", "balance", "sponsor")[1]
    view = sent(capsys, "12.345678", receiver)
    after = answer(capsys, "wallet", "balance", "sponsor")[1]
    assert answer(capsys, "wallet", "balance", receiver)[1]["balance"]["micro"] == 12_345_678
    spent = before["balance"]["micro"] - after["balance"]["micro"]
    assert spent == 12_345_678 + view["receipt"]["fee"]["micro"]
    assert after["nonce"] == before["nonce"] + 1
