"""Make execution.json and snapshot.json: whole chains, block by block, as the production ledger executes them.

Every block carries a real header, VRF proof and certificate, so that a second implementation can follow the chain
from its genesis alone.

Run: python tests/vectors/make_execution.py   (deterministic: same bytes every time)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from metanode.core.light.bundle import verify_bundle
from metanode.core.model import bodies, codec, ecvrf, ed25519, kinds, leader
from metanode.core.model.accounts import account_id
from metanode.core.model.block import Block, receipts_root, tx_root
from metanode.core.model.bundle import Bundle, Item, ReceiptItem, StateItem
from metanode.core.model.calibration import CalibrationReport, SignedReport, report_digest
from metanode.core.model.envelope import Envelope, build_envelope, signing_digest
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import Genesis, network
from metanode.core.model.header import Header, Roots, header_hash
from metanode.core.model.merkle import prove
from metanode.core.model.stake_bodies import Evidence, Unbond, make_bond
from metanode.core.model.state_map import StateMap
from metanode.core.model.validators import Validator, decode_set, encode_set, set_hash
from metanode.core.model.vote import Certificate, Vote, VoteType, quorum, vote_digest
from metanode.core.roles import BlockFields, Execution, Head
from metanode.fingerprint.inventory import SOURCES, Board, Cpu, Inventory
from metanode.fingerprint.keyed import PROBE_CHAIN, run_keyed
from metanode.fingerprint.probes.workload import recompute
from metanode.fingerprint.rotation import probes_of, selected
from metanode.plugins.consensus._shared.headers import HeaderIndex
from metanode.plugins.ledger.attested.ledger import AttestedLedger
from metanode.plugins.ledger.attested.state import LedgerState

HERE = Path(__file__).resolve().parent
NETWORKS = (HERE.parents[1] / "core" / "model" / "data" / "networks.json").read_text()
SOURCE = "metanode protocol v1 (docs/wire_format.md), made by tests/vectors/make_execution.py"
GENESIS_MS = 1_790_000_000_000
DAY_MS = 86_400_000
VALIDATORS = ("validator 0", "validator 1", "validator 2")
PEOPLE = (*VALIDATORS, "alice", "bob")

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
PC = replace(
    G4,
    machine="x86_64",
    word_bits=64,
    byte_order="little",
    cpu=Cpu("GenuineIntel", "Intel(R) Xeon(R) CPU", 6, 143, 8, 0, 2100, 1, 4, 8),
    features=("cmov", "cx8", "fpu", "lm", "mmx", "nx", "pae", "sse", "sse2"),
    board=Board("ACME", "Server", "", "", "", "", 3),
)
VM = replace(PC, features=tuple(sorted((*PC.features, "hypervisor"))))


def seed(name: str) -> bytes:
    """Return a 32-byte seed: the name, padded with zero bytes."""
    return name.encode().ljust(32, b"\0")


def key(name: str) -> bytes:
    """Return the Ed25519 public key of a named seed."""
    return ed25519.public_key(seed(name))


def account(name: str) -> bytes:
    """Return the account id of a named seed."""
    return account_id(key(name))


def genesis(chain_name: str, **params: Any) -> Genesis:
    """Return a genesis with three validators, named accounts and short epochs: 4 slots of 2 s, 2 intervals."""
    small: dict[str, Any] = {
        "slots_per_epoch": 4, "attest_every_slots": 2, "challenge_fresh_ms": 3_000, "max_valid": 50,
        "pot_per_epoch": 1_000_000, "settle_per_block": 1, "reveal_window_blocks": 5, "machines_per_sponsor_epoch": 3,
        "block_bytes_max": 65_536, "block_envelopes_max": 14, "attests_per_block_max": 2, "vm_weight": 250_000_000,
        "uncalibrated_cap": 10_000_000_000, "legacy_cap": 10_000_000_000,
    }  # fmt: skip
    _, chain_id, devnet = network(NETWORKS, "devnet")
    members = [
        Validator(account(name), key(f"{name} consensus"), key(f"{name} vrf"), 1_000_000 * (i + 1), b"")
        for i, name in enumerate(VALIDATORS)
    ]
    funded = {"alice": 5_000_000, "bob": 2_000_000, "sponsor": 1_000_000, "poor": 50}
    funded.update(dict.fromkeys(VALIDATORS, 10_000))
    return Genesis(
        chain_name=chain_name,
        chain_id=chain_id,
        genesis_ms=GENESIS_MS,
        params=replace(devnet, **{**small, **params}),
        validators=encode_set(sorted(members, key=lambda member: member.account)),
        accounts=tuple(sorted((account(name), balance) for name, balance in funded.items())),
        treasury=250_000,
    )


class Chain:
    """A chain that grows by certified blocks, and what its vectors say."""

    def __init__(self, origin: Genesis) -> None:
        self.origin = origin
        self.ledger = AttestedLedger(origin)
        self.seat(origin.validators)
        self.index = HeaderIndex(origin.hash, GENESIS_MS, origin.params.look_back_ms)
        state = self.ledger.genesis_state()
        self.genesis_entries = list(state.items())
        self.head = Head(
            0, origin.hash, GENESIS_MS, leader.beta_zero(origin.hash), state, None, None, ancestors=self.index
        )
        self.blocks: list[dict[str, Any]] = []
        self.refused: list[dict[str, Any]] = []
        self.bundles: list[dict[str, Any]] = []
        self.nonces: dict[str, int] = {}
        self.newest: tuple[Header, list[Envelope], list[bytes]] | None = None

    def seat(self, encoded: bytes) -> None:
        """Let a set act from the next block on."""
        self.members = decode_set(encoded)
        self.names = [next(name for name in PEOPLE if account(name) == m.account) for m in self.members]
        self.acting = set_hash(encoded)

    # -- envelopes --

    def send(self, who: str, kind: int, body: bytes, **changes: Any) -> Envelope:
        """Return the next envelope of an account; with `probe` it is not counted as sent."""
        count = not changes.pop("probe", False)
        nonce = self.nonces.get(who, 0)
        fields: dict[str, Any] = {
            "chain_id": self.origin.chain_id,
            "nonce": nonce,
            "fee": self.origin.params.min_fee,
            "valid_until": self.head.height + 20,
            "public_key": key(who) if nonce == 0 else b"",
            "sign": lambda digest: ed25519.sign(seed(who), digest),
            **changes,
        }
        if count:
            self.nonces[who] = nonce + 1
        return build_envelope(
            kind=kind, sender=account(who), body=body, genesis_hash=self.origin.hash, **fields
        )

    def pay(self, who: str, to: str, amount: int, memo: bytes = b"", **changes: Any) -> Envelope:
        """Return a transfer."""
        return self.send(who, kinds.TRANSFER, bodies.Transfer(account(to), amount, memo).encode(), **changes)

    def record(self, machine: str, looks: Inventory, height: int = 0, **changes: Any) -> bodies.MachineRecord:
        """Return a machine's record, for the challenge at a height."""
        fields: dict[str, Any] = {
            "machine_key": key(machine),
            "owner": account(f"owner of {machine}"),
            "binding_tag": machine.encode().ljust(32, b"\xaa"),
            "inventory": looks.encode(),
            "challenge_height": height,
            "probe_results": self.probes(machine, height),
            "samples": b"",
            "agent": "vectors/1",
            **changes,
        }
        return bodies.MachineRecord(**fields)

    def probes(self, machine: str, height: int) -> bodies.ProbeResults:
        """Return the right answer to the challenge at a height."""
        found = self.index.at(height)
        if found is None:
            return ((PROBE_CHAIN, 0),)
        return ((PROBE_CHAIN, run_keyed(bodies.challenge(found[0], key(machine)), PROBE_CHAIN)),)

    def asked(self) -> dict[int, int]:
        """Return the compiled probes of the newest block's epoch and what they take on a G4."""
        drawn = LedgerState(self.head.state).rotation()
        assert drawn is not None
        return {probe: PS[probe] for probe in probes_of(selected(drawn.beta, drawn.epoch))}

    def timed(self, machine: str, height: int, ps: dict[int, int]) -> dict[str, Any]:
        """Return right results of compiled probes and the summary of their timings."""
        found = self.index.at(height)
        assert found is not None
        challenge = bodies.challenge(found[0], key(machine))
        results = (*self.probes(machine, height), *((probe, recompute(challenge, probe)) for probe in sorted(ps)))
        return {"probe_results": results, "samples": samples_of(ps)}

    def opened(self, machine: str, record: bodies.MachineRecord, salt: int = 0, signer: str = "") -> bytes:
        """Return the body of a reveal."""
        inner = record.encode()
        signature = ed25519.sign(seed(signer or machine), bodies.record_digest(inner, self.origin.hash))
        return bodies.MachineReveal(bytes([salt]) * 32, inner, signature).encode()

    def commit(self, who: str, reveal: bytes, **changes: Any) -> Envelope:
        """Return the commit of a reveal's body."""
        body = bodies.decode_machine_reveal(reveal)
        commit = bodies.MachineCommit(bodies.seal_commit(body.salt, body.inner))
        return self.send(who, kinds.MACHINE_COMMIT, commit.encode(), **changes)

    def reveal(self, who: str, body: bytes, **changes: Any) -> Envelope:
        """Return the reveal's envelope."""
        return self.send(who, kinds.MACHINE_REVEAL, body, **changes)

    def attest(self, machine: str, inventory: Inventory, height: int, **changes: Any) -> Envelope:
        """Return an attestation for the challenge at a height."""
        fields: dict[str, Any] = {
            "challenge_height": height,
            "inventory_digest": bodies.inventory_digest(inventory.encode()),
            "samples": b"",
            "probe_results": self.probes(machine, height),
            "agent": "vectors/1",
        }
        own = {name: changes.pop(name) for name in list(changes) if name in fields}
        changes = {"nonce": 0, "fee": 0, "public_key": b"", "probe": True, **changes}
        return self.send(machine, kinds.ATTEST, bodies.Attest(**{**fields, **own}).encode(), **changes)

    def unbind(self, who: str, machine: str, new_owner: str = "", **changes: Any) -> Envelope:
        """Return an owner's unbinding of a machine, or its hand-over."""
        body = bodies.MachineUnbind(account(machine), account(new_owner) if new_owner else b"")
        return self.send(who, kinds.MACHINE_UNBIND, body.encode(), **changes)

    def propose(self, who: str, proposal: bytes, **changes: Any) -> Envelope:
        """Return a member's proposal."""
        return self.send(who, kinds.GOVERN, bodies.Govern(bodies.PROPOSE, proposal).encode(), **changes)

    def approve(self, who: str, ident: bytes, **changes: Any) -> Envelope:
        """Return a member's approval."""
        return self.send(who, kinds.GOVERN, bodies.Govern(bodies.APPROVE, ident).encode(), **changes)

    def keys(self, name: str) -> dict[str, Any]:
        """Return what a bond of somebody's keys is made from."""
        return {
            "consensus_seed": seed(f"{name} consensus"),
            "vrf_seed": seed(f"{name} vrf"),
            "genesis_hash": self.origin.hash,
        }

    def bond(self, who: str, amount: int, *, keys: str = "", spoilt: dict[str, bytes] | None = None) -> Envelope:
        """Return somebody's bond, for the keys of another when `keys` says so; `spoilt` replaces fields of it."""
        body = replace(make_bond(amount, account(who), **self.keys(keys or who)), **(spoilt or {}))
        return self.send(who, kinds.BOND, body.encode())

    def unbond(self, who: str, keys: str = "") -> Envelope:
        """Return somebody's withdrawal."""
        return self.send(who, kinds.UNBOND, Unbond(key(f"{keys or who} consensus")).encode())

    def double(self, who: str, height: int, round_number: int = 0, *, liar: str = "") -> Evidence:
        """Return two contradicting commits of somebody, the second one signed by `liar`."""
        votes = []
        for value, signer in ((1, who), (2, liar or who)):
            hash32 = bytes([value]) * 32
            digest = vote_digest(self.origin.hash, height, round_number, VoteType.COMMIT, hash32)
            signature = ed25519.sign(seed(f"{signer} consensus"), digest)
            votes.append(Vote(height, round_number, VoteType.COMMIT, hash32, 0, signature))
        return Evidence.of(key(f"{who} consensus"), *votes)

    def accuse(self, who: str, evidence: Evidence, **changes: Any) -> Envelope:
        """Return the envelope of evidence; whoever never sent anything shows its key."""
        first = b"" if self.nonces.get(who) else key(who)
        changes = {"nonce": 0, "fee": 0, "public_key": first, "probe": True, **changes}
        return self.send(who, kinds.EVIDENCE, evidence.encode(), **changes)

    # -- blocks --

    def execute(self, at_ms: int, envelopes: Sequence[Envelope]) -> tuple[BlockFields, Execution]:
        """Execute envelopes as the next block, `at_ms` after genesis."""
        height = self.head.height + 1
        proposer = leader.leader(self.head.beta, height, 0, self.members)
        fields = BlockFields(height, GENESIS_MS + at_ms, proposer)
        return fields, self.ledger.execute(self.head, fields, envelopes, assemble=False)

    def block(self, note: str, at_ms: int, *envelopes: Envelope, codes: Sequence[int] = ()) -> None:
        """Append a block.

        :param codes: what its receipts must say; all 0 when empty.
        """
        fields, done = self.execute(at_ms, envelopes)
        assert [receipt.code for receipt in done.receipts] == list(codes or [0] * len(envelopes)), (
            fields.height, [receipt.code for receipt in done.receipts],
        )  # fmt: skip
        receipts = [receipt.encode() for receipt in done.receipts]
        roots = Roots(tx_root([each.id for each in envelopes]), receipts_root(receipts), done.state.root)
        secret = seed(f"{self.names[fields.proposer_index]} vrf")
        header = Header(
            version=1,
            chain_id=self.origin.chain_id,
            height=fields.height,
            time_ms=fields.time_ms,
            proposer_index=fields.proposer_index,
            prev_hash=self.head.header_hash,
            roots=roots,
            validator_set_hash=self.acting,
            next_validator_set_hash=set_hash(done.validator_set),
            params_hash=done.params_hash,
            vrf_proof=ecvrf.prove(secret, leader.alpha(self.head.beta, fields.height)),
        )
        identity = header_hash(header.encode())
        certificate = self.certify(header)
        self.blocks.append(
            {
                "note": note,
                "block": Block.build(header.encode(), [each.raw for each in envelopes]).encode().hex(),
                "certificate": certificate.encode().hex(),
                "receipts": [receipt.hex() for receipt in receipts],
                "changes": [[name.hex(), None if value is None else value.hex()] for name, value in done.changes],
            }
        )
        self.newest = header, list(envelopes), receipts
        self.seat(done.validator_set)
        self.index.append(identity, fields.time_ms)
        self.head = Head(
            fields.height, identity, fields.time_ms, ecvrf.proof_to_hash(header.vrf_proof), done.state, header,
            certificate, ancestors=self.index,
        )  # fmt: skip

    def certify(self, header: Header, round_number: int = 0) -> Certificate:
        """Return the certificate of the first members, as few as are a quorum."""
        identity = header_hash(header.encode())
        digest = vote_digest(self.origin.hash, header.height, round_number, VoteType.COMMIT, identity)
        commits = {i: ed25519.sign(seed(f"{self.names[i]} consensus"), digest) for i in range(quorum(len(self.names)))}
        return Certificate.build(header.height, round_number, identity, commits, len(self.members))

    def refuse(self, note: str, code: str, at_ms: int, *envelopes: Envelope) -> None:
        """Note down a block that nobody may build on the head."""
        found = ""
        try:
            self.execute(at_ms, envelopes)
        except MetanodeError as error:
            found = error.code
        assert found == code, (note, found)
        self.refused.append(
            {"note": note, "after": self.head.height, "time_ms": GENESIS_MS + at_ms,
             "envelopes": [each.raw.hex() for each in envelopes], "code": code}
        )  # fmt: skip

    def bundle(self, name: str, code: str, *items: Item, round_number: int = 0, **changes: Any) -> None:
        """Note down a bundle of the newest block; `changes` alter its header before it is certified anew."""
        assert self.newest is not None
        header = replace(self.newest[0], **changes)
        data = Bundle(
            self.origin.hash, header.encode(), self.certify(header, round_number).encode(), self.origin.validators,
            tuple(items),
        ).encode()  # fmt: skip
        found = ""
        try:
            verify_bundle(data, trusted_genesis_hash=self.origin.hash, trusted_set_hash=self.acting)
        except MetanodeError as error:
            found = error.code
        assert found == code, (name, found)
        self.bundles.append({"name": name, "height": header.height, "bundle": data.hex(), "code": code})

    def receipt_item(self, place: int) -> ReceiptItem:
        """Return the proof of an envelope and its receipt in the newest block."""
        assert self.newest is not None
        _, envelopes, receipts = self.newest
        ids = [each.id for each in envelopes]
        paths = tuple(prove(ids, place)), tuple(prove(receipts, place))
        return ReceiptItem(envelopes[place].raw, receipts[place], place, len(ids), *paths)

    def state_item(self, entry: bytes) -> StateItem:
        """Return the proof of a key of the newest state."""
        return StateItem(entry, self.head.state.get(entry), self.head.state.prove(entry))

    def document(self) -> dict[str, Any]:
        """Return what execution.json says of this chain."""
        return {
            "genesis": json.loads(self.origin.to_json()),
            "genesis_hash": self.origin.hash.hex(),
            "genesis_state": [[name.hex(), value.hex()] for name, value in self.genesis_entries],
            "genesis_state_root": self.ledger.genesis_state().root.hex(),
            "blocks": self.blocks,
            "refused": self.refused,
            "bundles": self.bundles,
        }


SETTLEMENT = b"\x09\x06"


def main_chain() -> Chain:
    """Return a chain that meets every rule: transfers, records, a contested tag, attestations, settlements."""
    chain = Chain(genesis("execution"))
    a = chain.opened("machine A", chain.record("machine A", G4), 1)
    tag: dict[str, Any] = {"binding_tag": b"machine A".ljust(32, b"\xaa")}
    v = chain.opened("machine V", chain.record("machine V", VM), 2)
    copier = chain.opened("machine C", chain.record("machine C", PC, **tag), 3)
    v_again = chain.opened("machine V", chain.record("machine V", VM), 4)
    unlucky = chain.opened("machine P", chain.record("machine P", G4, probe_results=((1, 7),)), 5)
    odd = chain.opened("machine X", chain.record("machine X", G4, inventory=b"\xa0"), 6)
    never = chain.opened("machine N", chain.record("machine N", G4), 7)
    no_probe = chain.opened("machine P", chain.record("machine P", G4, probe_results=()), 8)
    samples = chain.opened("machine S", chain.record("machine S", G4, samples=b"\xa0"), 9)

    ok = chain.pay("alice", "bob", 1, probe=True)
    chain.refuse("time of the parent", "BAD_HEADER", 0)
    chain.refuse("signature of another key", "INVALID_SIGNATURE", 1_000,
                 chain.pay("alice", "bob", 1, probe=True, sign=lambda digest: ed25519.sign(seed("bob"), digest)))
    chain.refuse("signed for another genesis", "INVALID_SIGNATURE", 1_000, chain.pay(
        "alice", "bob", 1, probe=True,
        sign=lambda _, signed=ok.signed: ed25519.sign(seed("alice"), signing_digest(signed, bytes(32)))))
    chain.refuse("no key", "PUBKEY_MISSING", 1_000, chain.pay("alice", "bob", 1, probe=True, public_key=b""))
    chain.refuse("valid until before the block", "EXPIRED", 1_000,
                 chain.pay("alice", "bob", 1, probe=True, valid_until=0))
    chain.refuse("valid too long", "VALID_TOO_LONG", 1_000, chain.pay("alice", "bob", 1, probe=True, valid_until=52))
    chain.refuse("fee below min_fee", "FEE_TOO_LOW", 1_000, chain.pay("alice", "bob", 1, probe=True, fee=99))
    chain.refuse("nonce ahead", "BAD_NONCE", 1_000, chain.pay("alice", "bob", 1, probe=True, nonce=1))
    chain.refuse("fee above the balance", "INSUFFICIENT_FUNDS", 1_000, chain.pay("poor", "bob", 1, probe=True))
    chain.refuse("another chain", "WRONG_CHAIN", 1_000, chain.pay("alice", "bob", 1, probe=True, chain_id=1))
    chain.refuse("a second time in one block", "REPLAYED", 1_000, ok, ok)
    chain.refuse("attestation of nobody", "MACHINE_UNKNOWN", 1_000, chain.attest("machine A", G4, 0))
    chain.refuse("a body that does not decode", "NOT_CANONICAL", 1_000,
                 chain.send("alice", kinds.TRANSFER, b"x", probe=True))

    chain.block(
        "transfers, one above the balance, one to oneself; commits, one of them twice", 1_000,
        chain.pay("alice", "bob", 1_000_000, b"rent"),
        chain.pay("alice", "bob", 9_000_000),
        chain.pay("alice", "alice", 1),
        chain.pay("alice", "newcomer", 500),
        chain.commit("sponsor", a), chain.commit("sponsor", v), chain.commit("bob", copier), chain.commit("sponsor", a),
        chain.commit("sponsor", odd), chain.commit("bob", v_again), chain.commit("bob", unlucky),
        chain.commit("alice", no_probe), chain.commit("alice", samples),
        codes=(0, 162, 201, 0, 0, 0, 0, 252, 0, 0, 0, 0, 0),
    )  # fmt: skip
    chain.bundle("height 1", "", chain.receipt_item(0), chain.receipt_item(1),
                 chain.state_item(b"\x01" + account("bob")))
    chain.refuse("a fourth commit in one epoch", "SPONSOR_CAP", 2_000, chain.commit("sponsor", never, probe=True))
    chain.refuse("the key again", "PUBKEY_UNEXPECTED", 2_000,
                 chain.pay("alice", "bob", 1, probe=True, public_key=key("alice")))
    chain.refuse("nonce used", "REPLAYED", 2_000, chain.pay("alice", "bob", 1, probe=True, nonce=0))
    chain.refuse("15 envelopes", "KIND_CAP", 2_000, *(
        chain.pay("alice", "bob", 1, probe=True, nonce=chain.nonces["alice"] + i) for i in range(15)))
    chain.refuse("attestation in the block of its record", "MACHINE_UNKNOWN", 2_000,
                 chain.reveal("sponsor", v, probe=True), chain.attest("machine V", VM, 1))

    chain.block(
        "reveals: the copier's first, one sent by somebody else, and all that fail", 2_000,
        chain.reveal("bob", copier),
        chain.reveal("newcomer", v),
        chain.reveal("alice", never),
        chain.reveal("alice", v),
        chain.reveal("alice", chain.opened("machine A", chain.record("machine A", G4), 1, signer="machine V")),
        chain.reveal("bob", v_again),
        chain.reveal("bob", unlucky),
        chain.reveal("sponsor", odd),
        chain.reveal("alice", no_probe),
        chain.reveal("alice", samples),
        codes=(0, 0, 250, 250, 150, 254, 260, 101, 260, 101),
    )  # fmt: skip
    chain.bundle("a record and its tag", "", chain.receipt_item(0), chain.state_item(b"\x02" + bytes(8)),
                 chain.state_item(b"\x04" + b"machine A".ljust(32, b"\xaa")), chain.state_item(SETTLEMENT))
    late_twin = chain.opened("machine T", chain.record("machine T", PC, 2, **tag), 10)
    stale = chain.opened("machine E", chain.record("machine E", PC, 0), 11)
    chain.refuse("another digest", "DIGEST_MISMATCH", 2_900, chain.attest("machine V", PC, 2))
    chain.refuse("challenge of the block itself", "CHALLENGE_UNKNOWN", 2_900, chain.attest("machine V", VM, 3))
    chain.refuse("wrong probe result", "PROBE_MISMATCH", 2_900,
                 chain.attest("machine V", VM, 2, probe_results=((1, 1),)))
    chain.refuse("a second probe", "PROBE_MISMATCH", 2_900,
                 chain.attest("machine V", VM, 2, probe_results=(*chain.probes("machine V", 2), (2, 0))))
    chain.refuse("samples that are none", "BAD_SHAPE", 2_900, chain.attest("machine V", VM, 2, samples=b"\xa0"))
    chain.refuse("attestation with a key", "PUBKEY_UNEXPECTED", 2_900,
                 chain.attest("machine V", VM, 2, public_key=key("machine V")))
    chain.refuse("attestation signed by another", "INVALID_SIGNATURE", 2_900,
                 chain.attest("machine V", VM, 2, sign=lambda digest: ed25519.sign(seed("bob"), digest)))
    chain.refuse("attestation with a fee", "FEE_NOT_ZERO", 2_900, chain.attest("machine V", VM, 2, fee=100))

    chain.block(
        "the copier attests, then loses its tag to the earlier commit", 2_900,
        chain.attest("machine C", PC, 2),
        chain.reveal("sponsor", a),
        chain.attest("machine V", VM, 2),
        chain.commit("newcomer", late_twin),
    )  # fmt: skip
    chain.refuse("attestation of a displaced machine", "HARDWARE_ALREADY_BOUND", 4_900,
                 chain.attest("machine C", PC, 3))
    chain.refuse("an interval twice", "CHALLENGE_USED", 4_900, chain.attest("machine V", VM, 3))
    chain.refuse("an interval twice in one block", "CHALLENGE_USED", 4_900, chain.attest("machine A", G4, 3),
                 chain.attest("machine A", G4, 2))

    m = chain.opened("machine M", chain.record("machine M", G4, 3), 12)
    chain.block(
        "a record whose tag is taken; commits for later", 5_000,
        chain.reveal("newcomer", late_twin),
        chain.attest("machine A", G4, 3),
        chain.commit("alice", stale),
        codes=(253, 0, 0),
    )  # fmt: skip
    chain.block("one more machine commits", 5_100, chain.commit("newcomer", m))
    chain.block("and reveals within the same interval", 5_200, chain.reveal("bob", m))
    chain.refuse("three attestations", "KIND_CAP", 7_500, chain.attest("machine A", G4, 6),
                 chain.attest("machine V", VM, 6), chain.attest("machine M", G4, 6))
    chain.block("second interval of the epoch", 7_500, chain.attest("machine A", G4, 6),
                chain.attest("machine V", VM, 6))
    waiting = chain.opened("machine W", chain.record("machine W", G4, 50), 13)

    chain.block("epoch 1: settlement begins; a late attestation for epoch 0", 9_000,
                chain.attest("machine M", G4, 7), chain.commit("sponsor", waiting))
    chain.bundle("a settlement in progress", "", chain.state_item(SETTLEMENT), chain.receipt_item(0))
    chain.bundle("proof of nothing above height 1", "", vrf_proof=bytes(80))
    chain.bundle("another parent above height 1", "", prev_hash=bytes(32))
    chain.bundle("certified in round 3", "", round_number=3)
    chain.bundle("proposer 3 of 3", "BAD_HEADER", proposer_index=3)
    chain.bundle("another set", "UNTRUSTED", validator_set_hash=bytes(32))
    chain.refuse("a second late attestation in an epoch", "CHALLENGE_LATE", 9_500, chain.attest("machine M", G4, 3))
    chain.block("credits go on while a credited machine attests", 10_000,
                chain.attest("machine A", G4, 8))
    chain.refuse("an interval of the epoch before, used there", "CHALLENGE_USED", 10_400,
                 chain.attest("machine A", G4, 6))
    chain.block("A is credited", 10_500)
    chain.block("M is passed over, the rest of the pot is carried over", 11_000, chain.pay("bob", "alice", 5))
    chain.bundle("no settlement in progress", "", chain.state_item(SETTLEMENT))
    chain.block("fresh no more: late; a seal too old, a challenge yet to come", 12_500,
                chain.attest("machine V", VM, 8), chain.reveal("bob", stale), chain.reveal("sponsor", waiting),
                codes=(0, 251, 256))
    chain.block("V counts in the other interval", 13_500, chain.attest("machine V", VM, 12))
    chain.block("epoch 21600, two days later: epoch 1 settles, old seals go", 2 * DAY_MS + 1_000)
    chain.block("attesting while the settlement goes on", 2 * DAY_MS + 1_500, chain.attest("machine A", G4, 14),
                chain.attest("machine V", VM, 14))
    chain.block("epoch 21601: what is left of the old settlement first", 2 * DAY_MS + 9_000)
    chain.block("credits, with the multiplier decayed by two days", 2 * DAY_MS + 9_100,
                chain.attest("machine M", G4, 16))
    chain.block("A is credited", 2 * DAY_MS + 9_200)
    chain.block("epoch 21602", 2 * DAY_MS + 17_000, chain.pay("bob", "poor", 7))
    chain.block("epoch 21603: the one before has no weight, its pot is carried over", 2 * DAY_MS + 25_000)
    chain.block("the next one mints again", 2 * DAY_MS + 33_000)
    return chain


def look_back_chain(name: str, fresh_ms: int, window_ms: int) -> Chain:
    """Return a chain that looks back as far as it may, and a millisecond further.

    Where a challenge is outside the window, its interval is not asked for: the code tells.
    """
    chain = Chain(genesis(name, challenge_fresh_ms=fresh_ms, min_fee=1))
    one, two, three = (
        chain.opened(f"machine {letter}", chain.record(f"machine {letter}", replace(G4, memory_mib=512 + salt)), salt)
        for salt, letter in enumerate("ABC")
    )
    chain.block("commits", 1_000, *(chain.commit("alice", each) for each in (one, two, three)))
    chain.block("a machine", 1_500, chain.reveal("alice", one))
    chain.block("its late attestation of interval 0", 9_000, chain.attest("machine A", replace(G4, memory_mib=512), 1))
    fresh = range(fresh_ms - 1, fresh_ms + 2)
    edges = (window_ms, window_ms + 1, window_ms + 1_000, window_ms + 1_001)
    for at_ms in sorted({*fresh, *edges}):
        if at_ms == fresh_ms:
            chain.block("genesis is a fresh challenge to the last", at_ms, chain.reveal("alice", two))
        elif at_ms == fresh_ms + 1:
            chain.block("and no longer", at_ms, chain.reveal("alice", three), codes=(257,))
        else:
            chain.block("an empty block", at_ms)
        for height, asked_ms in ((0, 0), (1, 1_000)):
            if at_ms >= window_ms:
                known = at_ms - asked_ms <= window_ms
                chain.refuse(
                    f"interval 0 again, asked {asked_ms} ms after genesis, the parent is {at_ms} ms after it",
                    "CHALLENGE_USED" if known else "CHALLENGE_LATE", at_ms + 1,
                    chain.attest("machine A", replace(G4, memory_mib=512), height),
                )  # fmt: skip
    return chain


def owners_chain() -> Chain:
    """Return a chain of owners and members: caps and escrow, unbinding, hand-over, twins, proposals that fail."""
    chain = Chain(
        genesis("owners-and-members", challenge_fresh_ms=10_000, uncalibrated_cap=1_500_000_000,
                legacy_cap=2_000_000_000, twins_per_sponsor=2)
    )
    owned: dict[str, Any] = {"owner": account("alice")}
    one, two, three, again = (
        chain.opened(f"machine {letter}", chain.record(f"machine {letter}", G4, **owned), salt)
        for salt, letter in enumerate("ABCD")
    )
    tag: dict[str, Any] = {"binding_tag": b"machine A".ljust(32, b"\xaa"), **owned}
    modern = chain.opened("machine M", chain.record("machine M", PC, **owned), 9)
    chain.block("commits", 500, *(chain.commit("bob", each) for each in (one, two)), chain.commit("alice", modern),
                chain.commit("sponsor", again))
    chain.block("reveals", 1_000, *(chain.reveal("bob", each) for each in (one, two, modern)),
                chain.commit("bob", three))
    chain.block(
        "a third twin of one sponsor, and one of another; who does not own, nobody's machine", 1_500,
        chain.reveal("bob", three),
        chain.reveal("sponsor", again),
        chain.unbind("bob", "machine A"),
        chain.unbind("alice", "machine N"),
        codes=(266, 0, 267, 255),
    )  # fmt: skip
    chain.block("attestations that prove nothing of the processor", 2_100,
                chain.attest("machine A", G4, 3), chain.attest("machine B", G4, 3))
    chain.block("a modern machine attests", 2_200,
                chain.attest("machine M", PC, 3))
    chain.block(
        "one machine goes, one changes hands, twice in one epoch", 2_300,
        chain.unbind("alice", "machine A"),
        chain.unbind("alice", "machine B", "newcomer"),
        chain.unbind("alice", "machine B", "bob"),
        chain.unbind("alice", "machine A"),
        chain.unbind("bob", "machine B"),
        codes=(0, 0, 0, 268, 267),
    )  # fmt: skip
    chain.refuse("attestation of an unbound machine", "MACHINE_RETIRED", 4_500, chain.attest("machine A", G4, 5))
    taken = chain.opened("machine E", chain.record("machine E", G4, 6, **tag), 5)
    late = chain.opened("machine F", chain.record("machine F", G4, 6, **tag), 6)
    chain.block("the tag of a machine that is gone is asked for", 2_400,
                chain.commit("sponsor", taken), chain.commit("sponsor", late))
    chain.block("but it is bound to the end of the epoch", 2_500, chain.reveal("bob", taken), codes=(253,))
    chain.block("epoch 1: A is paid though it is gone, a part of it is escrowed", 8_100)
    chain.block(
        "the tag is free; B has another owner, who may pass it on only once the former one is paid", 8_200,
        chain.reveal("bob", taken),
        chain.unbind("bob", "machine B", "alice"),
        chain.unbind("alice", "machine B"),
        codes=(0, 269, 267),
    )  # fmt: skip
    chain.block("who binds it later comes too late", 8_300, chain.reveal("bob", late), codes=(253,))
    chain.block("both attest", 8_400, chain.attest("machine E", G4, 10), chain.attest("machine B", G4, 10))
    chain.block("all are paid", 8_500, chain.unbind("bob", "machine B", "alice"))
    chain.block("epoch 2: B's reward of epoch 1 is bob's", 16_100)
    chain.block(
        "B is alice's by now, and bob is still to be paid", 16_200,
        chain.unbind("alice", "machine B", "bob"), chain.unbind("bob", "machine B"), codes=(269, 267),
    )
    for at_ms in (16_300, 16_400, 16_500):
        chain.block("credits go on, parts are escrowed", at_ms)
    chain.bundle("what is escrowed", "", chain.state_item(b"\x09\x08"), chain.state_item(b"\x0a" + bytes(8)))
    proposal = codec.encode([1, ["ppc pvr 8003", b"1", b"2", b"3"]])
    odd = codec.encode([2, []])
    ident = bodies.proposal_id(proposal, chain.origin.hash)
    chain.block(
        "members alone govern; proposals that are none, approvals of nothing", 16_700,
        chain.propose("alice", proposal),
        chain.approve("alice", ident),
        chain.propose("validator 0", proposal),
        chain.propose("validator 0", odd),
        chain.propose("validator 0", codec.encode([1, []])),
        chain.propose("validator 0", codec.encode([1, [7]])),
        chain.propose("validator 0", codec.encode([1, ["ppc pvr 8003"]])),
        chain.approve("validator 0", ident),
        codes=(330, 330, 100, 335, 101, 101, 290, 331),
    )  # fmt: skip
    chain.refuse("a proposal that does not decode", "NOT_CANONICAL", 16_800,
                 chain.propose("validator 0", b"", probe=True))
    epoch_ms = 8_000
    chain.block("epoch 98: escrow of epochs 0 to 9 still waits", 98 * epoch_ms)
    chain.block("epoch 100", 100 * epoch_ms)
    chain.block("epoch 101: it is in the pot of epoch 100", 101 * epoch_ms)
    chain.block("B attests once more", 101 * epoch_ms + 100,
                chain.attest("machine B", G4, chain.head.height))
    chain.block("epoch 102: B's parts that ran out leave the list", 102 * epoch_ms)
    for at_ms in (100, 200, 300, 400):
        chain.block("credits go on", 102 * epoch_ms + at_ms)
    chain.bundle("what is escrowed anew", "", chain.state_item(b"\x09\x08"),
                 chain.state_item(b"\x0a" + bytes(7) + b"\1"))
    return chain


def stake_chain() -> Chain:
    """Return a chain whose set changes: bonds, votes on seats, withdrawals, double votes, and coins that come back."""
    chain = Chain(genesis("stake-and-seats", evidence_epochs=2, trust_period_s=10, slash_permille=125))
    seat = {
        (who, verdict): codec.encode([bodies.SEAT, [account(who), verdict]])
        for who in ("alice", "bob", *VALIDATORS)
        for verdict in (bodies.ADMIT, bodies.REMOVE)
    }

    def ident(who: str, verdict: int) -> bytes:
        return bodies.proposal_id(seat[who, verdict], chain.origin.hash)

    chain.block(
        "a bond, and what is none", 500,
        chain.bond("alice", 1_500_000),
        chain.bond("bob", 999_999),
        chain.bond("sponsor", 2_000_000),
        chain.bond("bob", 1_000_000, keys="alice"),
        chain.bond("bob", 1_000_000, keys="validator 0"),
        chain.bond("bob", 1_000_000, spoilt={"vrf_key": key("bob consensus")}),
        chain.bond("bob", 1_000_000, spoilt={"vrf_key": key("bob")}),
        chain.bond("bob", 1_000_000, spoilt={"signature": bytes(64)}),
        chain.bond("bob", 1_000_000, spoilt={"vrf_proof": chain_proof("bob", b"")}),
        chain.unbond("bob"),
        chain.unbond("alice", keys="bob"),
        codes=(0, 341, 162, 340, 340, 340, 340, 150, 353, 337, 337),
    )  # fmt: skip
    chain.block(
        "more of it; members vote on a seat", 1_000,
        chain.bond("alice", 500_000),
        chain.bond("alice", 500_000, keys="bob"),
        chain.propose("validator 0", seat["alice", bodies.ADMIT]),
        chain.propose("validator 0", seat["bob", bodies.ADMIT]),
        chain.propose("validator 0", seat["alice", bodies.REMOVE]),
        chain.propose("validator 0", seat["validator 1", bodies.ADMIT]),
        chain.propose("validator 0", codec.encode([bodies.SEAT, [account("alice")]])),
        chain.propose("validator 0", codec.encode([bodies.SEAT, [account("alice"), 2]])),
        chain.propose("validator 0", codec.encode([bodies.SEAT, [b"alice", 1]])),
        chain.approve("validator 1", ident("alice", bodies.ADMIT)),
        codes=(0, 339, 0, 337, 345, 345, 101, 101, 101, 0),
    )  # fmt: skip
    twice = chain.double("validator 2", 3)
    chain.refuse("evidence of a height to come", "EVIDENCE_LATE", 1_500,
                 chain.accuse("poor", chain.double("validator 2", 4)))
    chain.refuse("evidence against nobody", "STAKE_UNKNOWN", 1_500, chain.accuse("poor", chain.double("bob", 3)))
    vrf = replace(twice, key=key("validator 2 vrf"))
    chain.refuse("evidence against a VRF key", "STAKE_UNKNOWN", 1_500, chain.accuse("poor", vrf))
    chain.refuse("one of the votes is another's", "INVALID_SIGNATURE", 1_500,
                 chain.accuse("poor", chain.double("validator 2", 3, liar="validator 1")))
    chain.refuse("votes of two rounds are no evidence", "NOT_EQUIVOCATION", 1_500, chain.accuse(
        "poor", Evidence.of(twice.key, twice.first, chain.double("validator 2", 3, 1).second)))
    chain.refuse("evidence with a fee", "FEE_NOT_ZERO", 1_500, chain.accuse("poor", twice, fee=100))
    chain.refuse("evidence without the key of an account that has none", "PUBKEY_MISSING", 1_500,
                 chain.accuse("poor", twice, public_key=b""))
    chain.block("two votes for one height cost an eighth, rounded down", 1_500, chain.accuse("poor", twice))
    chain.refuse("once is enough", "VALIDATOR_JAILED", 2_000, chain.accuse("poor", chain.double("validator 2", 3, 1)))
    chain.block(
        "a member leaves; a bond that leaves cannot grow, nor be voted on", 2_000,
        chain.unbond("validator 1"),
        chain.unbond("validator 1"),
        chain.bond("validator 1", 1),
        chain.propose("validator 0", seat["validator 1", bodies.REMOVE]),
        codes=(0, 338, 338, 338),
    )  # fmt: skip
    chain.block("epoch 1, certified by the old set: one comes, two go; the old set's votes count", 8_100,
                chain.propose("validator 1", seat["validator 2", bodies.ADMIT]),
                chain.propose("alice", seat["validator 0", bodies.REMOVE]), codes=(0, 330))
    chain.block(
        "certified by the new set: its votes count", 8_200,
        chain.approve("alice", ident("validator 2", bodies.ADMIT)),
        chain.propose("validator 1", seat["validator 0", bodies.REMOVE]),
        chain.approve("validator 0", ident("validator 2", bodies.ADMIT)),
        chain.bond("validator 2", 1_000),
        codes=(0, 330, 0, 0),
    )  # fmt: skip
    chain.block("epoch 2: out of jail", 16_100)
    chain.refuse("punished before", "REPLAYED", 16_200, chain.accuse("poor", twice))
    chain.block("another double vote of that height, in another round", 16_200,
                chain.accuse("alice", chain.double("validator 2", 3, 1)))
    chain.block("epoch 3: marks of heights that are too old go", 24_100,
                chain.bond("bob", 1_000_000), chain.propose("alice", seat["bob", bodies.ADMIT]))
    chain.refuse("too old", "EVIDENCE_LATE", 24_200, chain.accuse("poor", chain.double("alice", 4)))
    chain.block("a vote on a bond that leaves meanwhile", 24_200,
                chain.approve("validator 0", ident("bob", bodies.ADMIT)), chain.unbond("bob"))
    chain.block("both members leave, the last ones; the vote has no effect", 32_100,
                chain.unbond("alice"), chain.unbond("validator 0"))
    chain.block("epoch 5: a change that would leave nobody is dropped", 40_100)
    chain.block("epoch 6: the first bond comes back", 48_100)
    chain.block("its keys are free, and its account may bond again", 48_200,
                chain.bond("validator 1", 1_000_000), chain.propose("alice", seat["validator 1", bodies.ADMIT]),
                chain.approve("validator 0", ident("validator 1", bodies.ADMIT)))
    chain.block("epoch 7: one has a seat, so the two leave at last", 56_100)
    chain.block("epoch 9: bob's comes back", 72_100)
    chain.block("epoch 12: theirs do", 96_100)
    return chain


def chain_proof(name: str, alpha: bytes) -> bytes:
    """Return somebody's VRF proof of another input than a bond's."""
    return ecvrf.prove(seed(f"{name} vrf"), alpha)


PS = {16: 1000, 19: 5000, 20: 5000, 21: 35000, 22: 2000, 23: 1200, 25: 120_000, 26: 12000}
"""Picoseconds a step of the compiled probes that fit a 7447A."""
MODEL = "ppc pvr 8003"


def samples_of(timed: dict[int, int]) -> bytes:
    """Return the summary of compiled probes, by picoseconds a step."""
    return codec.encode([[32 + probe, 7, ps, ps + 1, ps + 2] for probe, ps in sorted(timed.items())])


def report(chain: Chain, number: int, ps: dict[int, int], **changes: Any) -> bytes:
    """Return a signed calibration report."""
    owner, machine = seed(f"owner {number}"), key(f"reported {number}")
    challenge = bodies.challenge(chain.origin.hash, machine)
    results = [(1, run_keyed(challenge, 1)), *((probe, recompute(challenge, probe)) for probe in sorted(ps))]
    fields: dict[str, Any] = {
        "owner_key": ed25519.public_key(owner), "machine_key": machine, "binding_tag": bytes([number]) * 32,
        "model": MODEL, "inventory": G4.encode(), "challenge_height": 0, "header_hash": chain.origin.hash,
        "probe_results": tuple(results), "samples": samples_of(ps), "agent": "vectors/1", **changes,
    }  # fmt: skip
    data = CalibrationReport(**fields).encode()
    return SignedReport(data, ed25519.sign(owner, report_digest(data, chain.origin.hash))).encode()


def calibration_chain() -> Chain:
    """Return a chain that calibrates a model: refused reports, votes, escrow that is paid, flags of attestations."""
    chain = Chain(genesis("calibration", challenge_fresh_ms=10_000, attests_per_block_max=3, settle_per_block=2,
                          uncalibrated_cap=1_500_000_000, legacy_cap=1_000_000_000))
    machines = "machine A", "machine B", "machine C"
    opened = [
        chain.opened(name, chain.record(name, replace(G4, memory_mib=512 + i), **chain.timed(name, 0, PS)), i)
        for i, name in enumerate(machines)
    ]
    emulated = chain.opened("machine E", chain.record("machine E", G4, **chain.timed("machine E", 0, {
        **PS, 19: 60_000, 21: 5_000, 23: 90_000})), 7)
    too_fast = chain.opened("machine F", chain.record("machine F", PC, **chain.timed("machine F", 0, PS)), 8)
    wrong = chain.timed("machine W", 0, PS)
    wrong["probe_results"] = (*wrong["probe_results"][:-1], (26, 1))
    mistaken = chain.opened("machine W", chain.record("machine W", G4, **wrong), 9)
    chain.block("commits", 500, *(chain.commit("sponsor", each) for each in opened),
                *(chain.commit("bob", each) for each in (emulated, too_fast, mistaken)))
    chain.block("records with compiled probes, one of an emulator, one with a wrong result", 1_000,
                *(chain.reveal("sponsor", each) for each in (*opened, emulated, too_fast, mistaken)),
                codes=(0, 0, 0, 0, 0, 260))
    asked = chain.asked()
    looks = [replace(G4, memory_mib=512 + i) for i in range(3)]
    other = {probe: PS[probe] for probe in PS if probe not in asked}
    chain.refuse("a probe that was not asked for", "PROBE_MISMATCH", 1_500,
                 chain.attest("machine A", looks[0], 2, **chain.timed("machine A", 2, {**asked, **other})))
    fast = {probe: (ps if probe != 26 else 10) for probe, ps in asked.items()}
    odd = {19: (20, 1), 21: (1, 20), 23: (20, 1), 25: (1, 20)}
    slow = {probe: ps * odd.get(probe, (1, 1))[0] // odd.get(probe, (1, 1))[1] for probe, ps in asked.items()}
    chain.block(
        "as a G4 does; with memory that none has; with the ratios of an emulator", 1_500,
        *(chain.attest(name, each, 2, **chain.timed(name, 2, ps))
          for name, each, ps in zip(machines, looks, (asked, fast, slow), strict=True)),
    )  # fmt: skip
    good = [report(chain, number, {**PS, 17: 4000, 24: 12000 + number}) for number in range(4)]

    def refusing(reports: list[bytes], model: str = MODEL) -> Envelope:
        return chain.propose("validator 0", codec.encode([1, [model, *reports]]))

    chain.block(
        "reports that calibrate nothing", 1_700,
        refusing(good[:2]),
        refusing([*good[:2], good[1]]),
        refusing([*good[:2], report(chain, 2, PS, binding_tag=bytes([1]) * 32)]),
        refusing([*good[:2], report(chain, 2, PS, model="ppc pvr 8004")]),
        refusing([*good[:2], good[2][:-1] + bytes([good[2][-1] ^ 1])]),
        refusing([*good[:2], report(chain, 2, {16: 1000, 19: 5000, 26: 12000})]),
        refusing([*good[:2], report(chain, 2, {**PS, 26: 10})]),
        refusing([*good[:2], report(chain, 2, {**PS, 19: 60_000, 21: 5_000})]),
        refusing([*good[:2], report(chain, 2, {**PS, 17: 9000})], MODEL),
        refusing([*good[:2], report(chain, 2, {**PS, 19: 10_001})]),
        refusing(good[:3], "ppc pvr 8004"),
        refusing([*good[:2], report(chain, 2, PS, inventory=VM.encode(), model="x86_64 GenuineIntel 6 143")]),
        codes=(290, 291, 292, 293, 150, 296, 295, 295, 294, 294, 293, 293),
    )  # fmt: skip
    proposals = [codec.encode([1, [MODEL, *each]]) for each in (good[:3], good[1:], good[1:3] + good[:1])]
    names = [bodies.proposal_id(each, chain.origin.hash) for each in proposals]
    chain.block(
        "a second proposal, a third of one member, and votes", 1_800,
        chain.propose("validator 0", proposals[0]),
        chain.propose("validator 0", proposals[1]),
        chain.propose("validator 0", proposals[2]),
        chain.propose("validator 1", proposals[2]),
        chain.propose("validator 2", proposals[0]),
        chain.approve("validator 0", names[0]),
        codes=(0, 0, 334, 0, 332, 333),
    )  # fmt: skip
    chain.bundle("an open proposal", "", chain.state_item(b"\x0d" + names[0]))
    chain.block("epoch 1: no quorum yet; parts of what is earned are escrowed", 8_100)
    chain.block("one vote is enough", 8_200, chain.approve("validator 2", names[0]))
    for at_ms in (8_300, 8_400):
        chain.block("credits go on", at_ms)
    asked = chain.asked()
    height = chain.head.height
    chain.block("A attests", 8_500,
                chain.attest("machine A", looks[0], height, **chain.timed("machine A", height, asked)))
    chain.block("epoch 2: the model is calibrated, escrow is paid", 16_100)
    chain.block("it is, and stays", 16_200, chain.propose("validator 1", proposals[0]),
                chain.approve("validator 1", names[0]), codes=(336, 331))
    for at_ms in (16_300, 16_400):
        chain.block("credits go on", at_ms)
    chain.bundle("a calibrated model", "", chain.state_item(b"\x22" + MODEL.encode()))
    late = chain.opened("machine L", chain.record("machine L", replace(G4, memory_mib=700), chain.head.height,
                                                  **chain.timed("machine L", chain.head.height, PS)), 11)
    chain.block("a machine of the model comes", 16_500, chain.commit("sponsor", late))
    chain.block("and is paid in full from its record on", 16_600, chain.reveal("sponsor", late))
    epoch_ms = 8_000
    chain.block("epoch 30: what was proposed in epoch 0 still waits", 30 * epoch_ms)
    chain.block("epoch 31: it lapses", 31 * epoch_ms)
    return chain


def write(name: str, note: str, **content: Any) -> None:
    """Write one vector file."""
    document = {"source": SOURCE, "note": note, **content}
    (HERE / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="ascii")


def make_snapshot(state: StateMap) -> None:
    """Write snapshot.json."""
    rows = [[name.hex(), value.hex()] for name, value in state.items()]
    grown = state.update({b"\xff": b""})
    cases = [
        {"name": "a whole state", "entries": rows, "root": state.root.hex()},
        {"name": "an empty value", "entries": [*rows, ["ff", ""]], "root": grown.root.hex()},
        {"name": "nothing", "entries": [], "root": StateMap.empty().root.hex()},
    ]
    changed = [[rows[0][0], rows[0][1] + "00"], *rows[1:]]
    invalid = [
        {"name": name, "entries": entries, "root": state.root.hex()}
        for name, entries in (
            ("one entry missing", rows[:-1]),
            ("one entry more", [*rows, ["ff", ""]]),
            ("a value changed", changed),
            ("a key changed", [[rows[0][0] + "00", rows[0][1]], *rows[1:]]),
            ("values of two keys swapped", [[rows[0][0], rows[1][1]], [rows[1][0], rows[0][1]], *rows[2:]]),
            ("nothing", []),
        )
    ]
    write(
        "snapshot",
        "`entries`: [key, value] by rising key; they rebuild `root`, those under `invalid` do not.",
        cases=cases,
        invalid=invalid,
    )


def main() -> None:
    """Write both files."""
    chain = main_chain()
    write(
        "execution",
        "Whole chains. Each block stands on the one before; `receipts` and `changes` (of the state, null removes) "
        "follow from it. A block with `envelopes` at `time_ms` on top of height `after` is refused with `code`. "
        "Bundles verify for the chain's genesis and set, or are refused with `code`.",
        chains=[
            each.document()
            for each in (
                chain,
                owners_chain(),
                stake_chain(),
                calibration_chain(),
                look_back_chain("look-back-two-epochs", fresh_ms=12_000, window_ms=16_000),
                look_back_chain("look-back-while-fresh", fresh_ms=20_000, window_ms=20_000),
            )
        ],
    )
    make_snapshot(chain.head.state)


if __name__ == "__main__":
    main()
