"""`metanode machine` and `metanode govern` without a node: tickets, signatures, questions, and every way to fail."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metanode.core.cli import govern_reports, sending
from metanode.core.cli.console import Console
from metanode.core.cli.frame import main
from metanode.core.cli.machine import multiplier_text
from metanode.core.cli.node_api import NodeApi
from metanode.core.model import ed25519
from metanode.core.model.calibration import (
    ReportFile,
    decode_report,
    decode_signed_report,
    report_digest,
    report_file_from_json,
    ticket_from_json,
)
from metanode.core.model.errors import MetanodeError

KEY = "ab" * 32
ID = "cd" * 32


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Path:
    """A home with a genesis, the wallets `default` and `other`, and no node; nothing listens where one is expected."""
    monkeypatch.setenv("METANODE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("METANODE_PASSPHRASE", "abc")
    monkeypatch.setenv("METANODE_NODE", "http://127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    assert main(["wallet", "new"]) == 0
    assert main(["wallet", "new", "other"]) == 0
    capsys.readouterr()
    return tmp_path / "home"


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """Run with --json; return exit code and answer."""
    code = main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def public_key(capsys: Any, name: str) -> bytes:
    """Return a wallet's public key."""
    return bytes.fromhex(answer(capsys, "wallet", "show", name)[1]["public_key"])


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["machine"], 2, "USAGE"),
        (["machine", "list"], 1, "UNREACHABLE"),
        (["machine", "list", "--owner", "nobody"], 1, "FILE_MISSING"),
        (["machine", "list", "--owner", "mn1x", "--all"], 2, "USAGE"),
        (["machine", "show", "7"], 1, "UNREACHABLE"),
        (["machine", "show", "../head"], 1, "BAD_ADDRESS"),
        (["machine", "show", ""], 1, "BAD_ADDRESS"),
        (["machine", "unbind", "7"], 1, "UNREACHABLE"),
        (["machine", "unbind", "7", "--fee", "x"], 1, "BAD_AMOUNT"),
        (["machine", "hand-over", "7"], 2, "USAGE"),
        (["machine", "ticket", "7", "--genesis", "home/genesis.json"], 2, "USAGE"),
        (["machine", "ticket", KEY, "--genesis", "none"], 1, "FILE_MISSING"),
        (["machine", "ticket", KEY, "--genesis", "/dev/zero"], 1, "TOO_LARGE"),
        (["machine", "ticket", KEY, "--genesis", "home/genesis.json", "--wallet", "nobody"], 1, "FILE_MISSING"),
        (["machine", "ticket", "7"], 1, "UNREACHABLE"),
        (["machine", "calibrate", "7"], 2, "USAGE"),
        (["machine", "calibrate", "7", "--out", "home"], 1, "FILE_EXISTS"),
        (["machine", "sign", "none"], 1, "FILE_MISSING"),
        (["machine", "sign", "home/genesis.json"], 1, "BAD_SHAPE"),
        (["govern"], 2, "USAGE"),
        (["govern", "list"], 1, "UNREACHABLE"),
        (["govern", "approve", "abc"], 1, "BAD_HEX"),
        (["govern", "show", "../../v1/head"], 1, "BAD_HEX"),
        (["govern", "propose-calibration"], 2, "USAGE"),
        (["govern", "propose-seat", "admit"], 2, "USAGE"),
        (["govern", "propose-seat", "jail", "mn1x"], 2, "USAGE"),
        (["govern", "propose-seat", "admit", "mn1x"], 1, "BAD_ADDRESS"),
        (["govern", "propose-seat", "admit", "nobody"], 1, "FILE_MISSING"),
        (["govern", "propose-seat", "remove", "other"], 1, "UNREACHABLE"),
        (["stake"], 2, "USAGE"),
        (["stake", "show"], 1, "UNREACHABLE"),
        (["stake", "bond"], 2, "USAGE"),
        (["stake", "bond", "x"], 1, "BAD_AMOUNT"),
        (["stake", "bond", "1", "--fee", "x"], 1, "BAD_AMOUNT"),
        (["stake", "bond", "1"], 1, "UNREACHABLE"),
        (["stake", "unbond"], 1, "UNREACHABLE"),
        (["govern", "propose-calibration", "none"], 1, "UNREACHABLE"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    home: Path, capsys: Any, words: list[str], code: int, error: str
) -> None:
    """For people on standard error, for programs as an object; no file is left."""
    before = sorted(home.parent.rglob("*"))
    if words[:2] == ["govern", "approve"]:
        words = [*words, "--yes"]
    got, value = answer(capsys, *words)
    assert (got, value["ok"], value["code"]) == (code, False, error)
    assert main(words) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error {error}: ")
    assert sorted(home.parent.rglob("*")) == before


@pytest.mark.parametrize("verb", ["machine", "govern", "stake"])
def test_help_of_every_command_has_examples(verb: str, capsys: Any) -> None:
    """Whole command lines to copy."""
    assert main([verb, "--help"]) == 0
    listed = capsys.readouterr().out.split("options:")[0]
    commands = [line.split()[0] for line in listed.splitlines() if line.startswith("    ") and line[4] != " "]
    assert len(commands) >= 3
    for command in commands:
        assert main([verb, command, "--help"]) == 0
        assert f"examples:\n  metanode {verb} {command}" in capsys.readouterr().out


# --- tickets and signatures


def test_a_ticket_is_made_offline_from_the_genesis(home: Path, capsys: Any) -> None:
    """Printed, or written to a new file; it rests on the genesis itself and asks for no passphrase."""
    words = ["machine", "ticket", KEY, "--genesis", "home/genesis.json"]
    assert main(words) == 0
    ticket = ticket_from_json(capsys.readouterr().out)
    assert (ticket.height, ticket.header_hash) == (0, ticket.genesis_hash)
    assert ticket.machine_key.hex() == KEY
    assert ticket.owner_key == public_key(capsys, "default")
    code, value = answer(capsys, *words, "--out", "t")
    assert (code, value["genesis_hash"]) == (0, ticket.genesis_hash.hex())
    assert ticket_from_json(Path("t").read_text()) == ticket
    assert answer(capsys, *words, "--out", "t")[1]["code"] == "FILE_EXISTS"


def test_the_owner_signs_and_nobody_else_can(home: Path, composer: Any, capsys: Any) -> None:
    """Over H(record, genesis_hash || report), in the file itself; signing again changes nothing."""
    key = public_key(capsys, "default")
    report = replace(composer.report(1), owner_key=key).encode()
    path = Path("r.report")
    path.write_text(ReportFile(bytes(32), report).to_json())
    assert answer(capsys, "machine", "sign", "r.report", "--wallet", "other")[1]["code"] == "INVALID_SIGNATURE"
    assert report_file_from_json(path.read_text()).signature == b""
    code, value = answer(capsys, "machine", "sign", "r.report")
    assert (code, value["signed"], value["model"]) == (0, True, "ppc pvr 8003")
    file = report_file_from_json(path.read_text())
    assert ed25519.verify(key, report_digest(report, bytes(32)), file.signature)
    before = path.read_text()
    assert main(["machine", "sign", "r.report"]) == 0
    assert path.read_text() == before
    assert "give it to a validator" in capsys.readouterr().out


# --- questions


@pytest.mark.parametrize(("typed", "goes_on"), [("yes\n", True), (" YES \n", True), ("y\n", False), ("", False)])
def test_nothing_is_sent_without_a_yes(typed: str, goes_on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The consequences are told first; anything but a yes ends it."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    err = io.StringIO()
    console = Console(err=err)
    if goes_on:
        sending.confirm(console, ["it cannot be undone"], yes=False)
    else:
        with pytest.raises(MetanodeError) as caught:
            sending.confirm(console, ["it cannot be undone"], yes=False)
        assert (caught.value.code, "nothing was sent" in caught.value.message) == ("USAGE", True)
    assert err.getvalue() == "it cannot be undone\ntype yes to go on: "


def test_without_a_terminal_only_yes_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script must say so itself."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    with pytest.raises(MetanodeError):
        sending.confirm(Console(err=io.StringIO()), [], yes=False)
    sending.confirm(Console(err=io.StringIO()), [], yes=True)


def test_a_report_that_names_another_chains_block_is_not_proposed(
    composer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that the node does not keep is a note; one that it knows otherwise is a refusal."""
    api = NodeApi("http://127.0.0.1:1")
    genesis: Any = type("Genesis", (), {"hash": bytes(32)})
    made = [ReportFile(bytes(32), composer.report(1, height=7, header_hash=b"\7" * 32).encode())]
    monkeypatch.setattr(NodeApi, "header_hash", lambda self, height: bytes([height]) * 32)
    assert govern_reports.unknown_headers(api, genesis, made) == []
    other = [ReportFile(bytes(32), composer.report(1, height=8, header_hash=b"\7" * 32).encode())]
    with pytest.raises(MetanodeError) as caught:
        govern_reports.unknown_headers(api, genesis, other)
    assert caught.value.code == "CHALLENGE_UNKNOWN"

    def pruned(self: NodeApi, height: int) -> bytes:
        raise MetanodeError("NOT_FOUND", f"block {height} is not kept by this node")

    monkeypatch.setattr(NodeApi, "header_hash", pruned)
    offline = [ReportFile(bytes(32), composer.report(1).encode())]
    notes = govern_reports.unknown_headers(api, genesis, [*made, *offline])
    assert ["block 7 is not kept" in notes[0], "rests on the genesis" in notes[1]] == [True, True]


def test_reports_are_judged_by_the_fingerprint_itself(composer: Any, tmp_path: Path) -> None:
    """In a process of its own, whose refusal is raised as it was given."""
    paths = []
    for number in range(3):
        signed = decode_signed_report(composer.signed(number))
        paths.append(tmp_path / f"{number}.report")
        paths[-1].write_text(ReportFile(bytes(32), signed.report, signed.signature).to_json())
    judged = govern_reports.judge(paths)
    assert (judged["model"], judged["accepted"]) == ("ppc pvr 8003", True)
    assert decode_report(report_file_from_json(paths[0].read_text()).report).model == judged["model"]
    with pytest.raises(MetanodeError) as caught:
        govern_reports.judge(paths[:2])
    assert caught.value.code == "CALIBRATION_TOO_FEW"


@pytest.mark.parametrize(
    ("billionths", "text"), [(0, "0.0"), (1, "0.000000001"), (1_500_000_000, "1.5"), (10**10, "10.0")]
)
def test_a_weight_is_read_as_a_decimal(billionths: int, text: str) -> None:
    """Without the zeros that nobody needs."""
    assert multiplier_text(billionths) == text
