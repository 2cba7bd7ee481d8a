"""Machines and chains for the tests of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from metanode.core import crypto
from metanode.core.crypto.keys import KeyPair
from metanode.core.model import bodies, kinds
from metanode.core.model.codec import encode
from metanode.core.model.envelope import Envelope, build_envelope
from metanode.core.model.hashing import H
from metanode.core.model.stake_bodies import Evidence, Unbond, make_bond
from metanode.core.model.validators import Validator, decode_set, encode_set
from metanode.core.model.vote import Vote, VoteType, vote_digest
from metanode.core.roles import Execution
from metanode.core.testing.contracts.ledger import LedgerChain, key_pair, sample_genesis
from metanode.fingerprint.inventory import SOURCES, Board, Cpu, Inventory, Sign
from metanode.fingerprint.keyed import PROBES, run_keyed
from metanode.fingerprint.probes.summaries import KIND_BASE
from metanode.fingerprint.probes.workload import recompute
from metanode.fingerprint.rotation import probes_of
from metanode.fingerprint.samples import Measurement, encode_samples
from metanode.fingerprint.scoring import CAP_MAX
from metanode.plugins.ledger.attested import attest
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


def box(
    number: int, inventory: Inventory = G4, *, tag: bytes | None = None, owner: KeyPair | None = None
) -> Box:
    """Return the machine of a number, owned by an account of its own."""
    own_tag = H("machine", b"tag" + number.to_bytes(4, "big"))
    return Box(key_pair(100 + number), (owner or key_pair(500 + number)).account, inventory, tag or own_tag)


def member(number: int) -> KeyPair:
    """Return the account key of a validator; number 0 is the one of `sample_genesis`."""
    return key_pair(900 + 10 * number)


def consensus(number: int) -> KeyPair:
    """Return the consensus key of a validator or candidate."""
    return key_pair(901 + 10 * number)


def vrf(number: int) -> KeyPair:
    """Return its VRF key."""
    return key_pair(902 + 10 * number)


class MachineChain(LedgerChain):
    """A chain whose ledger knows machines."""

    def __init__(self, *, treasury: int = 0, members: int = 0, candidates: int = 0, **params: int | str) -> None:
        """:param members: so many funded validators instead of one without coins; candidates' numbers follow."""
        # Without caps, unless a test is about them: most machines here measure nothing.
        params = {"uncalibrated_cap": CAP_MAX, "legacy_cap": CAP_MAX, **params}
        people = [ALICE, BOB, SPONSOR, *map(member, range(members + candidates))]
        genesis = sample_genesis(people, treasury=treasury, **params)
        if members:
            keys = [(consensus(i).public_key, vrf(i).public_key) for i in range(members)]
            rows = [Validator(member(i).account, *pair, 10**6) for i, pair in enumerate(keys)]
            genesis = replace(genesis, validators=encode_set(sorted(rows, key=lambda row: row.account)))
        super().__init__(AttestedLedger, genesis)

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

    def record(self, machine: Box, height: int | None = None, **changes: Any) -> bodies.MachineRecord:
        """Return the machine's record, for the head's challenge unless told otherwise."""
        height = self.head.height if height is None else height
        fields: dict[str, Any] = {
            "machine_key": machine.key.public_key,
            "owner": machine.owner,
            "binding_tag": machine.tag,
            "inventory": machine.inventory.encode(),
            "challenge_height": height,
            "probe_results": self.probe_results(machine, height),
            "samples": b"",
            "agent": "test/1",
        }
        return bodies.MachineRecord(**{**fields, **changes})

    def reveal_body(self, machine: Box, record: bodies.MachineRecord, salt: bytes = bytes(32)) -> bodies.MachineReveal:
        """Return the reveal of a record, signed by the machine."""
        inner = record.encode()
        signature = machine.key.sign(bodies.record_digest(inner, self.genesis.hash))
        return bodies.MachineReveal(salt, inner, signature)

    def probes_asked(self) -> tuple[int, ...]:
        """Return the compiled probes of the head's epoch."""
        epoch = self.ledger.rules.schedule.epoch(self.head.time_ms)
        return probes_of(attest.checks_of(self.state, self.head.beta, epoch))

    def unbind(self, owner: KeyPair, machine: Box, new_owner: bytes = b"", **changes: int) -> Envelope:
        """Return an owner's unbinding or hand-over."""
        body = bodies.MachineUnbind(machine.key.account, new_owner)
        return self.envelope(owner, kinds.MACHINE_UNBIND, body.encode(), **changes)

    def govern(self, sender: KeyPair, action: int, payload: bytes, **changes: int) -> Envelope:
        """Return a proposal or an approval."""
        return self.envelope(sender, kinds.GOVERN, bodies.Govern(action, payload).encode(), **changes)

    def bond(self, number: int, amount: int, *, keys: int | None = None, **changes: int) -> Envelope:
        """Return the bond of the account of a member or candidate, for its own keys or those of another."""
        which = number if keys is None else keys
        body = make_bond(
            amount, member(number).account, consensus_seed=consensus(which).seed, vrf_seed=vrf(which).seed,
            genesis_hash=self.genesis.hash,
        )  # fmt: skip
        return self.envelope(member(number), kinds.BOND, body.encode(), **changes)

    def unbond(self, number: int, *, key: int | None = None, **changes: int) -> Envelope:
        """Return the withdrawal of a bond."""
        body = Unbond(consensus(number if key is None else key).public_key)
        return self.envelope(member(number), kinds.UNBOND, body.encode(), **changes)

    def vote(self, number: int, height: int, value: int, *, signer: int | None = None, **changes: Any) -> Vote:
        """Return a member's commit to a block that is all one byte; `changes` replaces round and type."""
        fields = {"round": 0, "type": VoteType.COMMIT, **changes}
        digest = vote_digest(self.genesis.hash, height, fields["round"], fields["type"], bytes([value]) * 32)
        signed = consensus(number if signer is None else signer).sign(digest)
        return Vote(height, fields["round"], fields["type"], bytes([value]) * 32, 0, signed)

    def double_vote(self, number: int, height: int, **changes: Any) -> Evidence:
        """Return the evidence of two commits of a member at one height."""
        votes = (self.vote(number, height, value, **changes) for value in (1, 2))
        return Evidence.of(consensus(number).public_key, *votes)

    def accuse(self, evidence: Evidence, by: KeyPair = BOB, **changes: Any) -> Envelope:
        """Return the nonceless envelope of evidence, with the sender's key while the chain does not know it."""
        first = not self.state.account(by.account).public_key
        return build_envelope(
            chain_id=self.genesis.chain_id, kind=kinds.EVIDENCE, sender=by.account, body=evidence.encode(),
            sign=by.sign, genesis_hash=self.genesis.hash, public_key=by.public_key if first else b"",
            **{"nonce": 0, "fee": 0, "valid_until": self.head.height + 100, **changes},
        )  # fmt: skip

    def vote_seat(self, number: int, verdict: int, voters: tuple[int, ...]) -> None:
        """Propose and approve, in one block, to admit or remove an account."""
        proposal = encode([bodies.SEAT, [member(number).account, verdict]])
        ident = bodies.proposal_id(proposal, self.genesis.hash)
        first, *rest = voters
        votes = (self.govern(member(each), bodies.APPROVE, ident) for each in rest)
        assert self.codes(self.govern(member(first), bodies.PROPOSE, proposal), *votes) == [0] * len(voters)

    def seated(self) -> list[bytes]:
        """Return the accounts of the set that acts at the next height."""
        return [each.account for each in decode_set(self.state.next_set())]

    def timed(self, machine: Box, cycles: Mapping[int, int], height: int | None = None) -> dict[str, Any]:
        """Return right results and a summary of compiled probes that took so many picoseconds a step."""
        height = self.head.height if height is None else height
        header = self.at(height)
        assert header is not None, "the challenge's header is there"
        seed = bodies.challenge(header[0], machine.key.public_key)
        results = (*self.probe_results(machine, height), *((probe, recompute(seed, probe)) for probe in sorted(cycles)))
        rows = [Measurement(KIND_BASE + probe, (cycles[probe],) * 7) for probe in sorted(cycles)]
        return {"probe_results": results, "samples": encode_samples(rows, bytes_max=512)}

    def commit(self, body: bodies.MachineReveal, sponsor: KeyPair = SPONSOR, **changes: int) -> Envelope:
        """Return the commit of a reveal."""
        commit = bodies.MachineCommit(bodies.seal_commit(body.salt, body.inner))
        return self.envelope(sponsor, kinds.MACHINE_COMMIT, commit.encode(), **changes)

    def reveal(self, body: bodies.MachineReveal, sponsor: KeyPair = SPONSOR, **changes: int) -> Envelope:
        """Return the reveal's envelope."""
        return self.envelope(sponsor, kinds.MACHINE_REVEAL, body.encode(), **changes)

    def register(self, *machines: Box, after_ms: int = 1, cycles: Mapping[int, int] | None = None) -> list[int]:
        """Commit and reveal machines in two blocks and return their indexes."""
        opened = [
            self.reveal_body(machine, self.record(machine, **(self.timed(machine, cycles) if cycles else {})))
            for machine in machines
        ]
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
    return SimpleNamespace(
        alice=ALICE, bob=BOB, sponsor=SPONSOR, box=box, g4=G4, pc=PC, vm=VM, member=member,
        consensus=consensus, vrf=vrf,
    )  # fmt: skip
