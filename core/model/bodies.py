"""Bodies of the kinds that `ledger.attested` applies; wallets and miners build the same ones.

Each body is one canonical map; those about stake are in `stake_bodies`.  `KINDS` lists all for a `KindRegistry`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from metanode.core.model import codec, kinds
from metanode.core.model.errors import Rejection
from metanode.core.model.hashing import H
from metanode.core.model.limits import (
    ACCOUNT_BYTES,
    AGENT_BYTES_MAX,
    HASH_BYTES,
    INVENTORY_BYTES_MAX,
    MEMO_BYTES_MAX,
    PROBE_RESULTS_MAX,
    PROPOSAL_BYTES_MAX,
    PROPOSAL_ITEMS_MAX,
    PUBLIC_KEY_BYTES,
    RECORD_SAMPLES_BYTES_MAX,
    SAMPLES_BYTES_MAX,
    SIGNATURE_BYTES,
)
from metanode.core.model.stake_bodies import decode_bond, decode_evidence, decode_unbond

RECORD_VERSION = 1
SALT_BYTES = 32

_PROBES_DEPTH = 3
"""A body that lists probe results: a map, the list, its pairs."""

ProbeResults = tuple[tuple[int, int], ...]
"""(probe id, 64-bit result) by rising probe id."""


@dataclass(frozen=True)
class Transfer:
    """Move coins from the sender to `to`."""

    to: bytes
    amount: int
    """Micro-units, at least 1."""
    memo: bytes = b""

    def encode(self) -> bytes:
        """Return CBOR {0 to, 1 amount, 2 memo}."""
        return codec.encode({0: self.to, 1: self.amount, 2: self.memo})


def decode_transfer(data: bytes) -> Transfer:
    """Decode a transfer body; raises Rejection BAD_SHAPE or ZERO_AMOUNT, or CodecError."""
    fields = codec.read_small_map(data, range(3), "transfer")
    amount = codec.expect_uint(fields[1], "transfer.amount")
    if amount == 0:
        raise Rejection("ZERO_AMOUNT", "transfer of 0 micro-units")
    return Transfer(
        to=codec.expect_bytes(fields[0], "transfer.to", size=ACCOUNT_BYTES),
        amount=amount,
        memo=codec.expect_bytes(fields[2], "transfer.memo", maximum=MEMO_BYTES_MAX),
    )


@dataclass(frozen=True)
class MachineCommit:
    """Claim a machine's binding tag before anyone can read it; revealed by `MachineReveal`."""

    commit: bytes
    """`seal_commit(salt, inner)`."""

    def encode(self) -> bytes:
        """Return CBOR {0 commit}."""
        return codec.encode({0: self.commit})


def decode_machine_commit(data: bytes) -> MachineCommit:
    """Decode a machine commit; raises Rejection BAD_SHAPE, or CodecError."""
    fields = codec.read_small_map(data, range(1), "machine_commit")
    return MachineCommit(codec.expect_bytes(fields[0], "machine_commit.commit", size=HASH_BYTES))


@dataclass(frozen=True)
class MachineReveal:
    """Open a commit: the machine's record and its key's signature over `record_digest`."""

    salt: bytes
    inner: bytes = field(repr=False)
    """Bytes of a `MachineRecord`, as signed."""
    signature: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Return CBOR {0 salt, 1 inner, 2 signature}."""
        return codec.encode({0: self.salt, 1: self.inner, 2: self.signature})


def decode_machine_reveal(data: bytes) -> MachineReveal:
    """Decode a machine reveal and check that its inner bytes are a record of the right shape.

    :raises Rejection: BAD_SHAPE, BAD_VERSION or INVENTORY_TOO_LARGE.
    :raises CodecError: not canonical.
    """
    fields = codec.read_small_map(data, range(3), "machine_reveal")
    inner = codec.expect_bytes(fields[1], "machine_reveal.inner")
    decode_machine_record(inner)
    return MachineReveal(
        salt=codec.expect_bytes(fields[0], "machine_reveal.salt", size=SALT_BYTES),
        inner=inner,
        signature=codec.expect_bytes(fields[2], "machine_reveal.signature", size=SIGNATURE_BYTES),
    )


@dataclass(frozen=True)
class MachineRecord:
    """What a machine says of itself: everything from which validators compute class and weight."""

    machine_key: bytes
    """Ed25519 public key; its account sends the attestations."""
    owner: bytes
    """Account id that is paid."""
    binding_tag: bytes
    """32 bytes that stand for the physical machine."""
    inventory: bytes = field(repr=False)
    """Canonical inventory, at most 4 KiB; the state keeps `inventory_digest` of it."""
    challenge_height: int
    probe_results: ProbeResults
    samples: bytes = field(repr=False)
    """Summary of the probes' timings, at most 512 bytes."""
    agent: str
    """The program that measured, such as `metanode/0.1.0`."""

    def encode(self) -> bytes:
        """Return the CBOR map 0 to 8: the version, then the fields above in order."""
        return codec.encode(
            {
                0: RECORD_VERSION,
                1: self.machine_key,
                2: self.owner,
                3: self.binding_tag,
                4: self.inventory,
                5: self.challenge_height,
                6: self.probe_results,
                7: self.samples,
                8: self.agent,
            }
        )


def decode_machine_record(data: bytes) -> MachineRecord:
    """Decode the inner part of a reveal; raises as `decode_machine_reveal`."""
    fields = codec.read_small_map(data, range(9), "machine_record", depth_max=_PROBES_DEPTH)
    version = codec.expect_uint(fields[0], "machine_record.v")
    if version != RECORD_VERSION:
        raise Rejection("BAD_VERSION", f"machine record version {version}", f"version {RECORD_VERSION}")
    inventory = codec.expect_bytes(fields[4], "machine_record.inventory")
    if len(inventory) > INVENTORY_BYTES_MAX:
        raise Rejection("INVENTORY_TOO_LARGE", f"inventory of {len(inventory)} bytes")
    return MachineRecord(
        machine_key=codec.expect_bytes(fields[1], "machine_record.machine_key", size=PUBLIC_KEY_BYTES),
        owner=codec.expect_bytes(fields[2], "machine_record.owner", size=ACCOUNT_BYTES),
        binding_tag=codec.expect_bytes(fields[3], "machine_record.binding_tag", size=HASH_BYTES),
        inventory=inventory,
        challenge_height=codec.expect_uint(fields[5], "machine_record.challenge_height"),
        probe_results=_probe_results(fields[6], "machine_record.probe_results"),
        samples=codec.expect_bytes(fields[7], "machine_record.samples", maximum=RECORD_SAMPLES_BYTES_MAX),
        agent=codec.expect_text(fields[8], "machine_record.agent", maximum=AGENT_BYTES_MAX),
    )


@dataclass(frozen=True)
class Attest:
    """A recorded machine answers a challenge; sent by the machine's own account."""

    challenge_height: int
    """Height of the header behind the challenge; 0 stands for genesis."""
    inventory_digest: bytes
    samples: bytes = field(repr=False)
    probe_results: ProbeResults
    agent: str

    def encode(self) -> bytes:
        """Return CBOR {0 challenge_height, 1 inventory_digest, 2 samples, 3 probe_results, 4 agent}."""
        return codec.encode(
            {
                0: self.challenge_height,
                1: self.inventory_digest,
                2: self.samples,
                3: self.probe_results,
                4: self.agent,
            }
        )


def decode_attest(data: bytes) -> Attest:
    """Decode an attestation; raises Rejection BAD_SHAPE, or CodecError."""
    fields = codec.read_small_map(data, range(5), "attest", depth_max=_PROBES_DEPTH)
    return Attest(
        challenge_height=codec.expect_uint(fields[0], "attest.challenge_height"),
        inventory_digest=codec.expect_bytes(fields[1], "attest.inventory_digest", size=HASH_BYTES),
        samples=codec.expect_bytes(fields[2], "attest.samples", maximum=SAMPLES_BYTES_MAX),
        probe_results=_probe_results(fields[3], "attest.probe_results"),
        agent=codec.expect_text(fields[4], "attest.agent", maximum=AGENT_BYTES_MAX),
    )


def _probe_results(value: codec.Value, what: str) -> ProbeResults:
    results: list[tuple[int, int]] = []
    for item in codec.expect_list(value, what, maximum=PROBE_RESULTS_MAX):
        pair = codec.expect_list(item, what, size=2)
        probe = codec.expect_uint(pair[0], f"{what}.probe")
        if results and probe <= results[-1][0]:
            raise Rejection("BAD_SHAPE", f"{what} lists probe {probe} after {results[-1][0]}", "rising probe ids")
        results.append((probe, codec.expect_uint(pair[1], f"{what}.result")))
    return tuple(results)


@dataclass(frozen=True)
class MachineUnbind:
    """The owner takes a machine off the record, or hands it over; sent by the owner's account."""

    machine: bytes
    """Account id of the machine's key."""
    new_owner: bytes = b""
    """Account that is paid from the next epoch on; empty unbinds the machine for good."""

    def encode(self) -> bytes:
        """Return CBOR {0 machine, 1 new_owner}."""
        return codec.encode({0: self.machine, 1: self.new_owner})


def decode_machine_unbind(data: bytes) -> MachineUnbind:
    """Decode an unbinding or hand-over; raises Rejection BAD_SHAPE, or CodecError."""
    fields = codec.read_small_map(data, range(2), "machine_unbind")
    new_owner = codec.expect_bytes(fields[1], "machine_unbind.new_owner", maximum=ACCOUNT_BYTES)
    if len(new_owner) not in (0, ACCOUNT_BYTES):
        raise Rejection("BAD_SHAPE", f"machine_unbind.new_owner of {len(new_owner)} bytes", "20 bytes, or none")
    return MachineUnbind(codec.expect_bytes(fields[0], "machine_unbind.machine", size=ACCOUNT_BYTES), new_owner)


PROPOSE, APPROVE = 0, 1
"""Actions of a `Govern`."""
CALIBRATE = 1
"""Type of a proposal: [model, report, report, ...].  2 (parameters) is kept for later rules."""
SEAT = 3
"""Type of a proposal: [account, ADMIT or REMOVE], who may have a seat in the validator set."""
REMOVE, ADMIT = 0, 1


@dataclass(frozen=True)
class Govern:
    """A member of the validator set proposes a change of the rules' data, or approves one."""

    action: int
    payload: bytes = field(repr=False)
    """PROPOSE: a proposal, CBOR [type, content]; APPROVE: the `proposal_id` of one."""

    def encode(self) -> bytes:
        """Return CBOR {0 action, 1 payload}."""
        return codec.encode({0: self.action, 1: self.payload})


def decode_govern(data: bytes) -> Govern:
    """Decode a govern body, all but a proposal's content; raises Rejection BAD_SHAPE, or CodecError."""
    fields = codec.read_small_map(data, range(2), "govern")
    action = codec.expect_uint(fields[0], "govern.action", maximum=APPROVE)
    payload = codec.expect_bytes(fields[1], "govern.payload", maximum=PROPOSAL_BYTES_MAX)
    if action == APPROVE:
        codec.expect_bytes(payload, "govern.payload", size=HASH_BYTES)
    else:
        decode_proposal(payload)
    return Govern(action, payload)


def decode_proposal(data: bytes) -> tuple[int, list[codec.Value]]:
    """Return (type, content) of a proposal; raises Rejection BAD_SHAPE, or CodecError."""
    parts = codec.expect_list(codec.decode_small(data, "proposal", depth_max=2), "proposal", size=2)
    content = codec.expect_list(parts[1], "proposal.content", maximum=PROPOSAL_ITEMS_MAX)
    return codec.expect_uint(parts[0], "proposal.type"), content


def proposal_id(proposal: bytes, genesis_hash: bytes) -> bytes:
    """Return H(policy, genesis_hash || proposal): what an approval names."""
    return H("policy", genesis_hash + proposal)


def record_digest(inner: bytes, genesis_hash: bytes) -> bytes:
    """Return what the machine key signs: H(machine, genesis_hash || inner)."""
    return H("machine", genesis_hash + inner)


def seal_commit(salt: bytes, inner: bytes) -> bytes:
    """Return the commit of a machine record: H(seal, salt || inner)."""
    return H("seal", salt + inner)


def inventory_digest(inventory: bytes) -> bytes:
    """Return H(identity, inventory bytes)."""
    return H("identity", inventory)


def challenge(header_hash: bytes, machine_key: bytes) -> bytes:
    """Return H(challenge, header_hash || machine_key); the genesis hash stands in for height 0."""
    return H("challenge", header_hash + machine_key)


KINDS = (
    kinds.Kind(kinds.TRANSFER, "transfer", False, kinds.Lane.TRANSACTION, decode_transfer),
    kinds.Kind(kinds.MACHINE_COMMIT, "machine_commit", False, kinds.Lane.TRANSACTION, decode_machine_commit),
    kinds.Kind(kinds.MACHINE_REVEAL, "machine_reveal", False, kinds.Lane.TRANSACTION, decode_machine_reveal),
    kinds.Kind(kinds.ATTEST, "attest", True, kinds.Lane.ATTESTATION, decode_attest),
    kinds.Kind(kinds.MACHINE_UNBIND, "machine_unbind", False, kinds.Lane.TRANSACTION, decode_machine_unbind),
    kinds.Kind(kinds.BOND, "bond", False, kinds.Lane.TRANSACTION, decode_bond),
    kinds.Kind(kinds.UNBOND, "unbond", False, kinds.Lane.TRANSACTION, decode_unbond),
    kinds.Kind(kinds.GOVERN, "govern", False, kinds.Lane.TRANSACTION, decode_govern),
    kinds.Kind(kinds.EVIDENCE, "evidence", True, kinds.Lane.CONSENSUS, decode_evidence),
)
"""The kinds built in version 1, for `KindRegistry.register`."""
