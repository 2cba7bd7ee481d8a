"""A model's way to full pay, with real processes: reports of three owners, a vote, and what was held back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from metanode.core.cli.frame import main
from metanode.core.cli.node_api import NodeApi
from metanode.core.crypto import keystore
from metanode.core.crypto.keys import KeyPair
from metanode.core.home import Home
from metanode.core.light.http_client import HttpClient
from metanode.core.model import bodies, codec, kinds
from metanode.core.model.calibration import (
    CalibrationReport,
    ReportFile,
    SignedReport,
    Ticket,
    decode_report,
    report_digest,
    report_file_from_json,
    ticket_from_json,
)
from metanode.core.model.envelope import build_envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.model.hashing import H
from metanode.fingerprint import rotation
from metanode.fingerprint.samples import decode_samples
from metanode.platforms.shims import probes as shim

pytestmark = pytest.mark.endtoend

START_S_MAX = 30.0
EPOCHS_S_MAX = 60.0
"""Longest wait for something that a few epochs of 4 s bring about."""
PASSPHRASE = "abc"
OWNERS = ("anna", "ben", "clara")


@dataclass
class Chain:
    """A node process whose epochs last 4 s; its sponsor is the one validator."""

    home: Home
    api: NodeApi
    url: str


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """One node for the module, with the wallets of three owners in its home."""
    home = Home(tmp_path_factory.mktemp("chain") / "home")
    command = [sys.executable, "-m", "metanode.core.cli"]
    subprocess.run([*command, "init", "--home", str(home.path), "--port", "0"], check=True, capture_output=True)
    text = home.genesis_file.read_text().replace('"block_ms": 1000', '"block_ms": 100')
    home.genesis_file.write_text(text.replace('"slot_ms": 2000', '"slot_ms": 400'))
    (home.path / "wallets").mkdir()
    for name in OWNERS:
        key, path = owner(name), home.path / "wallets" / f"{name}.key"
        keystore.create(path, key.seed, PASSPHRASE.encode(), label=name, randomness=_Fixed(), drawn=True)
    with (home.path / "log").open("wb") as log:
        process = subprocess.Popen([*command, "run", "--home", str(home.path)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_S_MAX
        while (state := home.read_running()) is None or not state["addresses"]:
            assert process.poll() is None, (home.path / "log").read_text()
            assert time.monotonic() < deadline, "the node did not start in time"
            time.sleep(0.02)
        yield Chain(home, NodeApi(state["addresses"][0]), state["addresses"][0])
    finally:
        process.terminate()
        process.wait(START_S_MAX)


class _Fixed:
    """Salts of wallets that hold nothing."""

    def bytes(self, n: int) -> bytes:
        """Return n bytes."""
        return bytes(n)


def owner(name: str) -> KeyPair:
    """Return the key of an owner's wallet."""
    return KeyPair.from_seed(H("machine", name.encode()))


@pytest.fixture
def verb(chain: Chain, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> Any:
    """Run a verb with --json at that node; return exit code and answer."""
    monkeypatch.setenv("METANODE_HOME", str(chain.home.path))
    monkeypatch.setenv("METANODE_NODE", chain.url)
    monkeypatch.setenv("METANODE_PASSPHRASE", PASSPHRASE)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        code = main([*words, "--json"])
        out = capsys.readouterr().out
        return code, json.loads(out.splitlines()[-1])

    return run


def ticket_of(chain: Chain, name: str) -> Ticket:
    """Return a ticket for a machine of an owner."""
    head = chain.api.head()
    header_hash = bytes.fromhex(head["header_hash"])
    genesis_hash = chain.api.genesis().hash
    return Ticket(genesis_hash, head["height"], header_hash, owner(name).public_key, machine_key(name).public_key)


def machine_key(name: str) -> KeyPair:
    """Return the key of an owner's machine."""
    return KeyPair.from_seed(H("seal", name.encode()))


def propose(chain: Chain, model: str, signed: list[bytes]) -> None:
    """Propose past the verb, which would judge first."""
    passphrase = chain.home.passphrase()
    assert passphrase is not None
    key = KeyPair.from_seed(keystore.open(chain.home.keys_dir / "sponsor.key", passphrase))
    body = bodies.Govern(bodies.PROPOSE, codec.encode([bodies.CALIBRATE, [model, *signed]])).encode()
    chain.api.submit([chain.api.envelope(key, chain.api.genesis(), kinds.GOVERN, body)])


# --- this machine


@pytest.mark.skipif(shim.load() is None, reason="the compiled probes are not built")
def test_three_owners_measure_this_machine_and_a_virtual_one_calibrates_nothing(chain: Chain, verb: Any) -> None:
    """Ticket, measuring and signature by the real programs; the chain refuses one machine under three names, and a
    virtual machine even when its tags were forged and nobody judged the reports before the vote."""
    for name in OWNERS:
        key = machine_key(name).public_key.hex()
        code, answer = verb("machine", "ticket", key, "--wallet", name, "--out", f"{name}.ticket")
        assert (code, ticket_from_json(Path(f"{name}.ticket").read_text()).height > 0) == (0, True)
        words = [sys.executable, "-m", "metanode.fingerprint.command"]
        made = [*words, "--calibrate", f"{name}.report", "--ticket", f"{name}.ticket"]
        subprocess.run(made, check=True, capture_output=True)
        code, answer = verb("machine", "sign", f"{name}.report", "--wallet", name)
        assert (code, answer["signed"]) == (0, True), answer
    assert verb("machine", "sign", "ben.report", "--wallet", "anna")[1]["code"] == "INVALID_SIGNATURE"
    files = [f"{name}.report" for name in OWNERS]
    code, answer = verb("govern", "propose-calibration", *files, "--yes")
    assert (code, answer["code"]) == (1, "CALIBRATION_SAME_MACHINE")

    signed, reports = [], []
    for name in OWNERS:
        file = report_file_from_json(Path(f"{name}.report").read_text())
        report = decode_report(file.report)
        forged = replace(report, binding_tag=H("identity", name.encode())).encode()
        signature = owner(name).sign(report_digest(forged, file.genesis_hash))
        Path(f"{name}.report").write_text(ReportFile(file.genesis_hash, forged, signature).to_json())
        signed.append(SignedReport(forged, signature).encode())
        reports.append(report)
    assert len(decode_samples(reports[0].samples)) > 20, "every probe that this machine has"
    code, answer = verb("govern", "propose-calibration", *files, "--yes")
    if not _is_virtual():
        pytest.skip("a real machine: what refuses a virtual one has nothing to refuse")
    assert (code, answer["code"]) == (1, "CALIBRATION_NOT_REAL")
    assert "VM_DETECTED" in answer["message"]
    with pytest.raises(MetanodeError) as caught:
        propose(chain, reports[0].model, signed)
    assert caught.value.code == "CALIBRATION_NOT_REAL", "the node checks for itself"
    assert verb("govern", "list")[1]["proposals"] == []


def test_one_command_does_it_all_where_everything_is_in_one_place(chain: Chain, verb: Any) -> None:
    """Measured for the newest header and signed; an existing file is never written over."""
    if shim.load() is None:
        pytest.skip("the compiled probes are not built")
    words = ["machine", "calibrate", machine_key("anna").public_key.hex(), "--wallet", "anna", "--out", "all.report"]
    code, answer = verb(*words)
    assert (code, answer["signed"], answer["file"]) == (0, True, "all.report"), answer
    file = report_file_from_json(Path("all.report").read_text())
    assert owner("anna").public_key == decode_report(file.report).owner_key
    assert verb(*words)[1]["code"] == "FILE_EXISTS"


def _is_virtual() -> bool:
    words = [sys.executable, "-m", "metanode.fingerprint.command", "--no-probes", "--no-crosscheck", "--json"]
    found = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return any(sign["severity"] == "declared" for sign in found["signs"])


# --- three machines that exist in the corpus alone


class PowerBook:
    """A miner of a PowerBook G4 that attests what such a machine would."""

    def __init__(self, chain: Chain, composer: Any, name: str, number: int) -> None:
        self._chain, self._composer, self._number = chain, composer, number
        self.owner, self.key = owner(name), machine_key(name)
        self._http = HttpClient(chain.url)
        self.genesis = chain.api.genesis()
        self._last = -1

    def challenge(self) -> dict[str, Any]:
        """Ask the node."""
        answer: dict[str, Any] = self._http.post(
            "/v1/attest/challenge", {"machine_key": self.key.public_key.hex()}
        ).require()
        return answer

    def report(self, asked: dict[str, Any]) -> CalibrationReport:
        """Return what it measures for a challenge."""
        report: CalibrationReport = self._composer.report(
            self._number, genesis_hash=self.genesis.hash, height=asked["height"],
            header_hash=bytes.fromhex(asked["header_hash"]), owner=self.owner, machine=self.key,
        )  # fmt: skip
        return report

    def signed(self) -> bytes:
        """Return its signed calibration report."""
        signed: bytes = self._composer.sign(self.report(self.challenge()), self.owner, self.genesis.hash)
        return signed

    def register(self) -> None:
        """Commit and reveal its record."""
        made = self.report(self.challenge())
        inner = bodies.MachineRecord(
            machine_key=made.machine_key, owner=made.owner, binding_tag=made.binding_tag, inventory=made.inventory,
            challenge_height=made.challenge_height, probe_results=made.probe_results, samples=made.samples,
            agent=made.agent,
        ).encode()  # fmt: skip
        salt = bytes(32)
        reveal = bodies.MachineReveal(salt, inner, self.key.sign(bodies.record_digest(inner, self.genesis.hash)))
        for part, data in (("commit", bodies.seal_commit(salt, inner)), ("reveal", reveal.encode())):
            answer = self._http.post("/v1/attest/submit", {part: data.hex()}).require()
            if answer["status"] != "final":
                assert self._chain.api.wait_final(answer["id"], START_S_MAX)["receipt"]["code"] == "OK"

    def attest(self) -> None:
        """Answer one challenge with the checks that it asks for; at most once per interval."""
        asked = self.challenge()
        if asked["interval"] <= self._last:
            return
        self._last = asked["interval"]
        made = self.report(asked)
        probes = rotation.probes_of(asked["checks"])
        kept = [s for s in decode_samples(made.samples) if s.kind - 32 in probes]
        body = bodies.Attest(
            challenge_height=asked["height"],
            inventory_digest=bodies.inventory_digest(made.inventory),
            samples=codec.encode([[s.kind, s.count, s.minimum, s.median, s.maximum] for s in kept]),
            probe_results=tuple(pair for pair in made.probe_results if pair[0] < 16 or pair[0] in probes),
            agent=made.agent,
        ).encode()
        envelope = build_envelope(
            chain_id=self.genesis.chain_id, kind=kinds.ATTEST, sender=self.key.account, nonce=0, fee=0,
            valid_until=asked["height"] + 100, body=body, sign=self.key.sign, genesis_hash=self.genesis.hash,
        )  # fmt: skip
        reply = self._http.post("/v1/attest/submit", {"envelope": envelope.raw.hex()})
        if reply.json().get("code") != "CHALLENGE_LATE":  # the epoch may turn meanwhile
            reply.require()

    def until(self, holds: Any, what: str) -> dict[str, Any]:
        """Mine until something holds of the machine's view, and return the view."""
        deadline = time.monotonic() + EPOCHS_S_MAX
        while True:
            self.attest()
            view = self._chain.api.machine(self.key.public_key.hex())
            if holds(view):
                return view
            assert time.monotonic() < deadline, f"{what}: {view}"
            time.sleep(0.1)


def test_a_vote_of_the_validators_pays_an_old_machine_what_was_held_back(
    chain: Chain, verb: Any, composer: Any
) -> None:
    """Paid from the first epoch, capped; then three owners, one proposal, and all of it, from the next epoch on."""
    books = [PowerBook(chain, composer, name, number) for number, name in enumerate(OWNERS)]
    books[0].register()
    before = books[0].until(lambda view: view["escrow"]["micro"] > 0, "nothing was held back")
    assert (before["model"], before["calibrated"]) == ("ppc pvr 8003", False)
    assert 0 < before["payable"] < before["weight"]
    assert before["reward_total"]["micro"] > 0, "it is paid from day one"
    assert "uncalibrated" in [cap["name"] for cap in before["caps"]]
    code, listed = verb("machine", "list", "--owner", "anna")
    assert code == 0, listed
    assert (code, [row["machine"] for row in listed["machines"]]) == (0, [before["machine"]])

    for book, name in zip(books, OWNERS, strict=True):
        signed = SignedReport(*codec.decode(book.signed()).values())  # type: ignore[union-attr]
        Path(f"{name}.report").write_text(ReportFile(book.genesis.hash, signed.report, signed.signature).to_json())
    files = [f"{name}.report" for name in OWNERS]
    assert verb("govern", "propose-calibration", *files)[1]["code"] == "USAGE", "nobody said yes"
    assert verb("govern", "propose-calibration", *files[:2], "--yes")[1]["code"] == "CALIBRATION_TOO_FEW"
    assert verb("govern", "propose-calibration", *files, "--from", "anna", "--yes")[1]["code"] in (
        "NOT_VALIDATOR", "INSUFFICIENT_FUNDS"
    )  # fmt: skip
    code, view = verb("govern", "propose-calibration", *files, "--yes")
    assert (code, view["receipt"]["code"]) == (0, "OK"), view
    proposals = verb("govern", "list")[1]["proposals"]
    if proposals:  # else the epoch ended in this very moment
        code, shown = verb("govern", "show", proposals[0]["id"], "--out", "fetched")
        assert (code, shown["missing"], len(shown["files"])) == (0, 0, 3), shown
        fetched = sorted(Path(name).read_text() for name in shown["files"])
        assert fetched == sorted(Path(name).read_text() for name in files), "what is voted on is what was signed"
        assert verb("govern", "approve", proposals[0]["id"], "--yes")[0] == 1, "the proposer's vote is counted already"

    paid = books[0].until(lambda view: view["calibrated"] and not view["escrow"]["micro"], "escrow was not paid")
    assert paid["payable"] == paid["weight"]
    assert paid["reward_total"]["micro"] >= before["reward_total"]["micro"] + before["escrow"]["micro"]
    assert "uncalibrated" not in [cap["name"] for cap in paid["caps"]]
    answer = verb("govern", "list")[1]
    assert ([row["model"] for row in answer["models"]], answer["proposals"]) == (["ppc pvr 8003"], [])
    assert verb("govern", "propose-calibration", *files, "--yes")[0] == 1, "a model is calibrated once"


def test_an_owner_hands_a_machine_over_and_the_new_one_gives_it_up(chain: Chain, verb: Any, composer: Any) -> None:
    """Only the owner may; the next owner is paid from the next epoch on; an unbound machine never mines again."""
    book = PowerBook(chain, composer, "ben", 7)
    book.register()
    sponsor = chain.home.path / "wallets" / "sponsor.key"
    shutil.copy(chain.home.keys_dir / "sponsor.key", sponsor)
    passphrase = chain.home.passphrase()
    assert passphrase is not None
    Path("secret").write_bytes(passphrase + b"\n")
    for name in ("ben", "clara"):
        code, view = verb("tx", "send", "1", name, "--from", "sponsor", "--passphrase-file", "secret")
        assert (code, view["receipt"]["code"]) == (0, "OK")
    machine = chain.api.machine(book.key.public_key.hex())["machine"]
    code, view = verb("machine", "show", machine)
    assert (code, view["owner"]) == (0, verb("wallet", "show", "ben")[1]["account"])
    assert verb("machine", "unbind", machine, "--from", "anna", "--yes")[1]["code"] == "NOT_OWNER"
    assert verb("machine", "hand-over", machine, "clara", "--from", "ben")[1]["code"] == "USAGE", "nobody said yes"
    code, view = verb("machine", "hand-over", machine, "clara", "--from", "ben", "--yes")
    assert (code, view["receipt"]["code"]) == (0, "OK")
    clara = verb("wallet", "show", "clara")[1]["account"]
    assert verb("machine", "show", machine)[1]["next_owner"] == clara
    book.until(lambda view: view["owner"] == clara, "the new owner is not paid")
    code, view = verb("machine", "unbind", machine, "--from", "clara", "--yes")
    assert (code, view["receipt"]["code"]) == (0, "OK")
    view = verb("machine", "show", machine)[1]
    assert (view["unbound"], view["weight"]) == (True, 0)
    assert verb("machine", "unbind", machine, "--from", "clara", "--yes")[0] == 1
