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
from metanode.core.model import bodies, ecvrf, ed25519, kinds, leader
from metanode.core.model.accounts import account_id
from metanode.core.model.block import Block, receipts_root, tx_root
from metanode.core.model.bundle import Bundle, Item, ReceiptItem, StateItem
from metanode.core.model.envelope import Envelope, build_envelope, signing_digest
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import Genesis, network
from metanode.core.model.header import Header, Roots, header_hash
from metanode.core.model.merkle import prove
from metanode.core.model.state_map import StateMap
from metanode.core.model.validators import Validator, decode_set, encode_set, set_hash
from metanode.core.model.vote import Certificate, VoteType, vote_digest
from metanode.core.roles import BlockFields, Execution, Head
from metanode.fingerprint.inventory import SOURCES, Board, Cpu, Inventory
from metanode.fingerprint.keyed import PROBE_CHAIN, run_keyed
from metanode.plugins.consensus._shared.headers import HeaderIndex
from metanode.plugins.ledger.attested.ledger import AttestedLedger

HERE = Path(__file__).resolve().parent
NETWORKS = (HERE.parents[1] / "core" / "model" / "data" / "networks.json").read_text()
SOURCE = "metanode protocol v1 (docs/wire_format.md), made by tests/vectors/make_execution.py"
GENESIS_MS = 1_790_000_000_000
DAY_MS = 86_400_000
VALIDATORS = ("validator 0", "validator 1", "validator 2")

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
    }  # fmt: skip
    _, chain_id, devnet = network(NETWORKS, "devnet")
    members = [
        Validator(account(name), key(f"{name} consensus"), key(f"{name} vrf"), 1_000_000 * (i + 1), b"")
        for i, name in enumerate(VALIDATORS)
    ]
    funded = {"alice": 5_000_000, "bob": 2_000_000, "sponsor": 1_000_000, "poor": 50}
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
        self.members = decode_set(origin.validators)
        self.names = [next(name for name in VALIDATORS if account(name) == m.account) for m in self.members]
        self.acting = set_hash(origin.validators)
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
        self.index.append(identity, fields.time_ms)
        self.head = Head(
            fields.height, identity, fields.time_ms, ecvrf.proof_to_hash(header.vrf_proof), done.state, header,
            certificate, ancestors=self.index,
        )  # fmt: skip

    def certify(self, header: Header, round_number: int = 0) -> Certificate:
        """Return the certificate of the first two members, which are a quorum."""
        identity = header_hash(header.encode())
        digest = vote_digest(self.origin.hash, header.height, round_number, VoteType.COMMIT, identity)
        commits = {i: ed25519.sign(seed(f"{self.names[i]} consensus"), digest) for i in range(2)}
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
                look_back_chain("look-back-two-epochs", fresh_ms=12_000, window_ms=16_000),
                look_back_chain("look-back-while-fresh", fresh_ms=20_000, window_ms=20_000),
            )
        ],
    )
    make_snapshot(chain.head.state)


if __name__ == "__main__":
    main()
