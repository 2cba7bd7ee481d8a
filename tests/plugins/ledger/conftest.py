"""Machines and chains for the tests of the ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from metanode.core import crypto
from metanode.core.crypto.keys import KeyPair
from metanode.core.model import bodies, kinds
from metanode.core.model.envelope import Envelope, build_envelope
from metanode.core.model.hashing import H
from metanode.core.roles import Execution
from metanode.core.testing.contracts.ledger import LedgerChain, key_pair, sample_genesis
from metanode.fingerprint.inventory import SOURCES, Board, Cpu, Inventory, Sign
from metanode.fingerprint.keyed import PROBES, run_keyed
from metanode.plugins.ledger.attested.entries import Counters, Machine
from metanode.plugins.ledger.attested.ledger import AttestedLedger
from metanode.plugins.ledger.attested.state import LedgerState

# Pure code would take milliseconds a signature: these tests are about rules, not about cryptography.
crypto.install()

ALICE, BOB, SPONSOR = key_pair(1), key_pair(2), key_pair(3)

G4 = Inventory(
    platform="linux",
    machine="ppc",
    word_bits=32,
    byte_order="big",
    cpu=Cpu("", "7447A, altivec supported", 0, 0, 0, 0x80030101, 1500, 1, 1, 1),
    features=("altivec",),
    caches=(),
    memory_mib=1024,
    board=Board("", "", "", "", "", "PowerBook6,8", 0),
    signs=(),
    binding="mac",
    sources=(1 << len(SOURCES)) - 1,
)
"""A PowerBook, paid above 1.0 by every profile."""
PC = replace(
    G4,
    machine="x86_64",
    word_bits=64,
    byte_order="little",
    cpu=Cpu("GenuineIntel", "Intel(R) Xeon(R) CPU", 6, 143, 8, 0, 2100, 1, 4, 8),
    features=("cmov", "cx8", "fpu", "lm", "mmx", "nx", "pae", "sse", "sse2"),
    board=Board("ACME", "Server", "", "", "", "", 3),
)
"""A modern computer."""
VM = replace(PC, features=tuple(sorted((*PC.features, "hypervisor"))), signs=(Sign(1, "hypervisor"),))
"""The same inside a virtual machine."""


@dataclass(frozen=True)
class Box:
    """A machine under test: its key, its owner and what it looks like."""

    key: KeyPair
    owner: bytes
    inventory: Inventory
    tag: bytes

    @property
    def digest(self) -> bytes:
        """Its inventory's digest."""
        return bodies.inventory_digest(self.inventory.encode())


def box(number: int, inventory: Inventory = G4, *, tag: bytes | None = None) -> Box:
    """Return the machine of a number, owned by an account of its own."""
    own_tag = H("machine", b"tag" + number.to_bytes(4, "big"))
    return Box(key_pair(100 + number), key_pair(500 + number).account, inventory, tag or own_tag)


class MachineChain(LedgerChain):
    """A chain whose ledger knows machines."""

    def __init__(self, *, treasury: int = 0, **params: int | str) -> None:
        super().__init__(AttestedLedger, sample_genesis([ALICE, BOB, SPONSOR], treasury=treasury, **params))

    @property
    def state(self) -> LedgerState:
        """The head's state, typed."""
        return LedgerState(self.head.state)

    def probe_results(self, machine: Box, height: int) -> bodies.ProbeResults:
        """Return right results for the challenge at a height."""
        header = self.at(height)
        assert header is not None, "the challenge's header is there"
        seed = bodies.challenge(header[0], machine.key.public_key)
        return tuple((probe, run_keyed(seed, probe)) for probe in PROBES)

    def record(self, machine: Box, height: int | None = None) -> bodies.MachineRecord:
        """Return the machine's record, for the head's challenge unless told otherwise."""
        height = self.head.height if height is None else height
        return bodies.MachineRecord(
            machine_key=machine.key.public_key,
            owner=machine.owner,
            binding_tag=machine.tag,
            inventory=machine.inventory.encode(),
            challenge_height=height,
            probe_results=self.probe_results(machine, height),
            samples=b"",
            agent="test/1",
        )

    def reveal_body(self, machine: Box, record: bodies.MachineRecord, salt: bytes = bytes(32)) -> bodies.MachineReveal:
        """Return the reveal of a record, signed by the machine."""
        inner = record.encode()
        signature = machine.key.sign(bodies.record_digest(inner, self.genesis.hash))
        return bodies.MachineReveal(salt, inner, signature)

    def commit(self, body: bodies.MachineReveal, sponsor: KeyPair = SPONSOR, **changes: int) -> Envelope:
        """Return the commit of a reveal."""
        commit = bodies.MachineCommit(bodies.seal_commit(body.salt, body.inner))
        return self.envelope(sponsor, kinds.MACHINE_COMMIT, commit.encode(), **changes)

    def reveal(self, body: bodies.MachineReveal, sponsor: KeyPair = SPONSOR, **changes: int) -> Envelope:
        """Return the reveal's envelope."""
        return self.envelope(sponsor, kinds.MACHINE_REVEAL, body.encode(), **changes)

    def register(self, *machines: Box, after_ms: int = 1) -> list[int]:
        """Commit and reveal machines in two blocks and return their indexes."""
        opened = [self.reveal_body(machine, self.record(machine)) for machine in machines]
        nonce = self.state.account(SPONSOR.account).nonce
        self.block(*(self.commit(body, nonce=nonce + i) for i, body in enumerate(opened)), after_ms=after_ms)
        nonce += len(opened)
        done = self.block(*(self.reveal(body, nonce=nonce + i) for i, body in enumerate(opened)), after_ms=after_ms)
        assert [receipt.code for receipt in done.receipts] == [0] * len(machines)
        return [self.index(machine) for machine in machines]

    def index(self, machine: Box) -> int:
        """Return a registered machine's index."""
        index = self.state.machine_index(machine.key.account)
        assert index is not None, "the machine is registered"
        return index

    def entry(self, machine: Box) -> Machine:
        """Return a registered machine's record in the state."""
        return self.state.machine(self.index(machine))

    def counters(self, machine: Box) -> Counters:
        """Return a registered machine's counters."""
        return self.state.counters(self.index(machine))

    def attest(self, machine: Box, height: int | None = None, **changes: object) -> Envelope:
        """Return an attestation for the challenge at a height (the head's); `changes` replaces fields of its body."""
        height = self.head.height if height is None else height
        fields: dict[str, object] = {
            "challenge_height": height,
            "inventory_digest": machine.digest,
            "samples": b"",
            "probe_results": self.probe_results(machine, height) if self.at(height) else ((1, 0),),
            "agent": "test/1",
            **changes,
        }
        return self.attest_envelope(machine.key, bodies.Attest(**fields).encode())  # type: ignore[arg-type]

    def attest_envelope(self, key: KeyPair, body: bytes, **changes: int) -> Envelope:
        """Return a nonceless envelope."""
        numbers = {"nonce": 0, "fee": 0, "valid_until": self.head.height + 100, **changes}
        return build_envelope(
            chain_id=self.genesis.chain_id,
            kind=kinds.ATTEST,
            sender=key.account,
            body=body,
            sign=key.sign,
            genesis_hash=self.genesis.hash,
            **numbers,
        )

    def to_epoch(self, epoch: int, after_ms: int = 1) -> Execution:
        """Append an empty block just after the start of an epoch: the block that settles what came before."""
        start = self.genesis.genesis_ms + epoch * self.genesis.params.slot_ms * self.genesis.params.slots_per_epoch
        return self.block(after_ms=start + after_ms - self.head.time_ms)

    def door(self, envelope: Envelope) -> str | None:
        """Return the code with which admission refuses an envelope, None when it takes it."""
        (error,) = self.ledger.check(self.head, [envelope])
        return None if error is None else error.code

    def codes(self, *envelopes: Envelope, after_ms: int = 1) -> list[int]:
        """Append a block and return the codes of its receipts."""
        return [receipt.code for receipt in self.block(*envelopes, after_ms=after_ms).receipts]


@pytest.fixture
def chain() -> MachineChain:
    """A chain with devnet's parameters: slots of 2 s, epochs of 20 s, intervals of 4 s."""
    return MachineChain()


@pytest.fixture
def new_chain() -> type[MachineChain]:
    """Makes chains with other parameters."""
    return MachineChain


@pytest.fixture
def kit() -> SimpleNamespace:
    """What tests make machines from."""
    return SimpleNamespace(alice=ALICE, bob=BOB, sponsor=SPONSOR, box=box, g4=G4, pc=PC, vm=VM)
