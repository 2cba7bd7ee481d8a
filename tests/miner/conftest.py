"""A scripted node, seen over HTTP only, and a machine that needs no hardware: a miner's world without waiting."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from metanode.core import crypto
from metanode.core.crypto.keys import KeyPair
from metanode.core.home import solo_genesis
from metanode.core.identity import fresh_identity
from metanode.core.light.http_client import Reply
from metanode.core.light.signed_reply import reply_digest
from metanode.core.model import ed25519
from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.bodies import (
    challenge,
    decode_attest,
    decode_machine_record,
    decode_machine_reveal,
    inventory_digest,
    record_digest,
    seal_commit,
)
from metanode.core.model.envelope import decode_envelope, signing_digest
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import Genesis
from metanode.core.model.hashing import H
from metanode.core.testing.clock import SeededRandomness
from metanode.fingerprint.checks import PASS
from metanode.fingerprint.collect import Report
from metanode.fingerprint.inventory import SOURCES, Board, Cpu, Inventory, Sign
from metanode.fingerprint.keyed import PROBES, check_active, check_keyed, run_keyed
from metanode.fingerprint.probes import Progress
from metanode.fingerprint.progress import ProgressLine
from metanode.fingerprint.rotation import selected
from metanode.fingerprint.samples import TIMER_STEP, Measurement, encode_samples
from metanode.miner import command, measure
from metanode.miner.config import Config
from metanode.miner.loop import Miner, World
from metanode.miner.node import Node
from metanode.miner.status import Status
from metanode.miner.store import Memory, Store

GENESIS_MS = 1_700_000_000_000

PC = Inventory(
    platform="linux",
    machine="x86_64",
    word_bits=64,
    byte_order="little",
    cpu=Cpu("GenuineIntel", "Intel(R) Core(TM)2 Duo CPU P8400 @ 2.26GHz", 6, 23, 6, 0, 2300, 1, 2, 2),
    features=("cmov", "cx8", "fpu", "lm", "mmx", "nx", "pae", "pni", "sse", "sse2", "ssse3"),
    caches=(),
    memory_mib=2048,
    board=Board("LENOVO", "7454CTO", "LENOVO", "7454CTO", "LENOVO", "", 10),
    signs=(),
    binding="mac",
    sources=(1 << len(SOURCES)) - 1,
)
"""A notebook of 2008."""
HYPERVISOR = Sign(1, "hypervisor")


def machine_of(inventory: Inventory) -> measure.Machine:
    """A machine as `measure.look` gives it."""
    report = Report(
        inventory=inventory, identifiers=(), os_name="Debian", total_kib=2_000_000, clock_khz=2_260_000,
        flags=frozenset(), unread={}, problems=(),
    )  # fmt: skip
    return measure.Machine(report, inventory.encode(), H("machine", b"tag"))


@pytest.fixture
def notebook() -> measure.Machine:
    """Bare hardware."""
    return machine_of(PC)


@pytest.fixture
def virtual_machine() -> measure.Machine:
    """The same inside a virtual machine that says so."""
    return machine_of(replace(PC, features=tuple(sorted((*PC.features, "hypervisor"))), signs=(HYPERVISOR,)))


class ScriptedNode:
    """The routes a miner uses, signed by a real key.  It checks what it is sent; the test moves its clock."""

    url = "http://node.test"

    def __init__(self, genesis: Genesis, seed: int = 9) -> None:
        self.genesis = genesis
        self.key = KeyPair.from_seed(bytes([seed]) * 32)
        self.blocks: list[tuple[bytes, int]] = [(genesis.hash, genesis.genesis_ms)]
        self.registered: dict[bytes, str] = {}
        self.inventories: dict[bytes, bytes] = {}
        """Of machines that were revealed here; every other one is `PC`."""
        self.balance = 0
        self.answers: dict[bytes, dict[str, Any]] = {}
        self.codes: dict[str, str] = {}
        self.pending: list[Callable[[], None]] = []
        self.final: set[str] = set()
        self.asked: list[str] = []
        self.failures: list[tuple[str, MetanodeError]] = []
        self.checks = [{"name": "keyed", "verdict": "pass", "reason": "KEYED_RIGHT", "numbers": {"probes": 1}}]
        self.bend: Callable[[dict[str, Any]], dict[str, Any]] = lambda value: value
        self.signed = True
        self.sent: list[tuple[str, bytes]] = [("", b"")]
        """(method and path, body) of each request."""
        self._commits: set[bytes] = set()

    def advance(self, seconds: float) -> None:
        """Let time pass: a block a second, and the one that is due by then."""
        for _ in range(math.ceil(seconds)):
            height, time_ms = len(self.blocks), self.blocks[-1][1] + 1000
            self.blocks.append((H("header", b"%d" % height), time_ms))
            for act in self.pending:
                act()
            self.pending.clear()

    def fail(self, route: str, code: str, times: int = 1) -> None:
        """Refuse the next requests whose path or part contains `route`."""
        self.failures += [(route, MetanodeError(code, f"scripted {code}"))] * times

    def parts(self) -> list[str]:
        """What was submitted, in order."""
        return [name for name in self.asked if name in ("commit", "reveal", "envelope")]

    # --- the two methods of an HttpClient

    def get(self, path: str) -> Reply:
        self._refuse(path)
        if path == "/v1/genesis":
            return self._reply({"genesis": json.loads(self.genesis.to_json()), "genesis_hash": self.genesis.hash.hex()})
        if path.startswith("/v1/accounts/"):
            return self._reply({"balance": {"micro": self.balance, "coins": ""}})
        envelope_id = path.removeprefix("/v1/tx/")
        if envelope_id in self.final:
            return self._reply({"status": "final", "receipt": {"code": self.codes.get(envelope_id, "OK")}})
        return self._reply({"status": "pending"})

    def post(self, path: str, value: dict[str, str]) -> Reply:
        self.sent.append((f"POST {path}", json.dumps(value, separators=(",", ":")).encode()))
        try:
            return self._answer(path, value)
        except MetanodeError as error:
            if error.code in ("UNREACHABLE", "TIMEOUT", "BAD_REPLY"):  # what the client itself finds
                raise
            return self._reply(error.reply(), error.status)

    def _answer(self, path: str, value: dict[str, str]) -> Reply:
        if path == "/v1/attest/challenge":
            self._refuse("challenge")
            return self._reply(self.bend(self._challenge(bytes.fromhex(value["machine_key"]))))
        ((part, text),) = value.items()
        self._refuse(part)
        return self._reply(self.bend(getattr(self, f"_{part}")(bytes.fromhex(text))))

    def _refuse(self, what: str) -> None:
        self.asked.append(what)
        if self.failures and self.failures[0][0] in what:
            raise self.failures.pop(0)[1]

    def _reply(self, value: dict[str, Any], status: int = 200) -> Reply:
        body = json.dumps(value).encode()
        signature = self.key.sign(reply_digest(self.genesis.hash, *self.sent[-1], body))
        headers = {"content-type": "application/json"}
        if self.signed:
            headers |= {"metanode-node": self.key.public_key.hex(), "metanode-signature": signature.hex()}
        target, request = self.sent[-1]
        return Reply(status, headers, body, target, request)

    def _challenge(self, machine_key: bytes) -> dict[str, Any]:
        header_hash, time_ms = self.blocks[-1]
        owner = self.registered.get(machine_key)
        return {
            "challenge": challenge(header_hash, machine_key).hex(),
            "header_hash": header_hash.hex(),
            "height": len(self.blocks) - 1,
            "time_ms": time_ms,
            "registered": owner is not None,
            "checks": list(selected(bytes(64), 0)),
            "owner": owner,
        }

    def _later(self, envelope_id: bytes, act: Callable[[], None]) -> dict[str, Any]:
        def happen() -> None:
            self.final.add(envelope_id.hex())
            if self.codes.get(envelope_id.hex(), "OK") == "OK":
                act()

        self.pending.append(happen)
        return {"status": "pending", "id": envelope_id.hex()}

    def _commit(self, commit: bytes) -> dict[str, Any]:
        return self._later(H("tx", commit), lambda: self._commits.add(commit))

    def _reveal(self, data: bytes) -> dict[str, Any]:
        body = decode_machine_reveal(data)
        record = decode_machine_record(body.inner)
        if seal_commit(body.salt, body.inner) not in self._commits:
            raise MetanodeError("SEAL_UNKNOWN", "no commit stands on chain for this reveal")
        assert ed25519.verify(record.machine_key, record_digest(body.inner, self.genesis.hash), body.signature)
        self._check_probes(record.machine_key, record.challenge_height, record.probe_results)
        owner = to_bech32m(record.owner)
        self.inventories[record.machine_key] = record.inventory
        return self._later(H("tx", data), lambda: self.registered.update({record.machine_key: owner}))

    def _envelope(self, raw: bytes) -> dict[str, Any]:
        if raw in self.answers:
            return self.answers[raw]
        envelope = decode_envelope(raw)
        (machine_key,) = [key for key in self.registered if account_id(key) == envelope.sender]
        assert ed25519.verify(machine_key, signing_digest(envelope.signed, self.genesis.hash), envelope.signature)
        body = decode_attest(envelope.body)
        assert body.inventory_digest == inventory_digest(self.inventories.get(machine_key, PC.encode()))
        self._check_probes(machine_key, body.challenge_height, body.probe_results)
        asked_ms, now_ms = self.blocks[body.challenge_height][1], self.blocks[-1][1]
        length_ms = self.genesis.params.slot_ms * self.genesis.params.attest_every_slots
        epoch_ms = self.genesis.params.slot_ms * self.genesis.params.slots_per_epoch
        start = self.genesis.genesis_ms
        answer = {
            "status": "pending",
            "id": envelope.id.hex(),
            "interval": (asked_ms - start) // length_ms,
            "epoch": (asked_ms - start) // epoch_ms,
            "counted": (asked_ms - start) // epoch_ms == (now_ms - start) // epoch_ms,
            "weight": 1_300_000_000,
            "class": "retro",
            "checks": self.checks,
        }
        self.answers[raw] = answer
        return answer

    def _check_probes(self, machine_key: bytes, height: int, results: Any) -> None:
        asked = challenge(self.blocks[height][0], machine_key)
        keyed = [pair for pair in results if pair[0] in PROBES]
        active = [pair for pair in results if pair[0] not in PROBES]
        assert check_keyed(asked, keyed).verdict == PASS
        assert not active or check_active(asked, active).verdict == PASS


@dataclass
class Bench:
    """A miner's whole world, from which miners can be made again and again as after a crash."""

    node: ScriptedNode
    directory: Path
    config: Config
    told: list[dict[str, Any]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    draws: float = 0.0
    measured: int = 0
    checks: list[tuple[str, ...] | None] = field(default_factory=list)
    """What each measurement was asked for; None is everything."""
    interrupt: Callable[[], None] = lambda: None

    @property
    def world(self) -> World:
        """Sleeping moves the node's clock."""
        return World(self._sleep, lambda: self.draws, SeededRandomness(1).bytes, self._tell, ProgressLine())

    def _sleep(self, seconds: float) -> None:
        self.interrupt()
        if seconds:
            self.slept.append(seconds)
        self.node.advance(seconds)

    def _tell(self, text: str, event: dict[str, Any]) -> None:
        assert event["text"] == text
        assert json.dumps(event)
        self.told.append(event)

    def events(self) -> list[str]:
        """What was told, by kind, checks left out."""
        return [event["event"] for event in self.told if event["event"] != "check"]

    def start(self, config: Config | None = None) -> tuple[Miner, Store, Status]:
        """Make a miner on the directory, as the command does."""
        chosen = config or self.config
        store = Store(self.directory)
        memory: Memory = store.open()
        key = store.machine_key(None)
        node_key = bytes.fromhex(memory.node_key) if memory.node_key else None
        status = Status(self.node.url, to_bech32m(chosen.owner), to_bech32m(key.account))
        node = Node(self.node, self.node.genesis, node_key)  # type: ignore[arg-type]  # what it uses of an HttpClient
        return Miner(chosen, store, memory, key, node, self.world, status), store, status

    def until_attested(self, miner: Miner) -> None:
        """Run rounds until one attestation was answered."""
        before = self.events().count("attested")
        for _ in range(5):
            wait = miner.round()
            if self.events().count("attested") > before:
                return
            self._sleep(wait)
        raise AssertionError(self.events())


@pytest.fixture
def genesis() -> Genesis:
    """A devnet: slots of 2 s, intervals of 4 s, epochs of 20 s."""
    crypto.install()
    return solo_genesis(fresh_identity(SeededRandomness(1)), genesis_ms=GENESIS_MS)


@pytest.fixture
def node(genesis: Genesis) -> ScriptedNode:
    """A node of that chain at height 1."""
    scripted = ScriptedNode(genesis)
    scripted.advance(1)
    return scripted


@pytest.fixture
def bench(node: ScriptedNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The world of one miner; only measuring is replaced, the answers to challenges are real."""
    made = Bench(node, tmp_path / "miner", Config(wallet_id=to_bech32m(b"o" * 20), retry_attempts=1))

    def answer(
        machine: measure.Machine, asked: bytes, checks: tuple[str, ...] | None = None, progress: Progress | None = None
    ) -> measure.Answer:
        made.measured += 1
        made.checks.append(checks)
        if progress is not None:
            progress(1, 2, "memory copies")
        samples = encode_samples((Measurement(TIMER_STEP, (30, 31, 30)),))
        return measure.Answer(samples, tuple((probe, run_keyed(asked, probe)) for probe in PROBES), ())

    monkeypatch.setattr(measure, "look", lambda genesis_hash: machine_of(PC))
    monkeypatch.setattr(measure, "answer", answer)
    return made


@pytest.fixture(autouse=True)
def _same_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that runs the command in its own process keeps its priority: nothing could raise it again."""
    monkeypatch.setattr(command, "lower_priority", lambda: None)
