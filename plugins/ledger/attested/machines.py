"""Machine records: commit, reveal at least one block later, and who wins a contested binding tag.

A commit hides the record, so nobody can copy a tag seen in the pool; the earlier commit owns
the tag, so a copier whose reveal lands first is displaced.  Source: attestation.md section 3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from metanode.core.model import ed25519
from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.bodies import (
    MachineCommit,
    MachineRecord,
    MachineReveal,
    decode_machine_record,
    inventory_digest,
    record_digest,
    seal_commit,
)
from metanode.core.model.errors import Rejection
from metanode.core.model.receipt import Event, EventNumber
from metanode.fingerprint import rotation
from metanode.fingerprint.classes import classify, processor_key
from metanode.fingerprint.evidence import judge_evidence
from metanode.fingerprint.inventory import decode_inventory
from metanode.fingerprint.multipliers import Table
from metanode.fingerprint.probes.summaries import proven
from metanode.fingerprint.probes.workload import ACTIVE_PROBES
from metanode.fingerprint.samples import decode_samples
from metanode.fingerprint.scoring import Policy, Score, score
from metanode.plugins.ledger.attested import challenges, unbind
from metanode.plugins.ledger.attested.entries import Machine, Seal, SponsorCount, Tag
from metanode.plugins.ledger.attested.rules import Events, Place, Slip
from metanode.plugins.ledger.attested.state import LedgerState
from metanode.plugins.ledger.attested.tables import Global
from metanode.plugins.ledger.attested.verdicts import Verdicts


def commits_this_epoch(place: Place, state: LedgerState, sponsor: bytes) -> int:
    """Return how many machines a sponsor committed in the block's epoch."""
    count = state.sponsor_count(sponsor)
    return count.commits if count is not None and count.epoch == place.epoch else 0


def check_cap(place: Place, state: LedgerState, sponsor: bytes) -> None:
    """Check that a sponsor may commit one more machine; a commit above the cap may not stand in the block.

    :raises Rejection: SPONSOR_CAP.
    """
    cap = place.rules.params.machines_per_sponsor_epoch
    if commits_this_epoch(place, state, sponsor) >= cap:
        raise Rejection("SPONSOR_CAP", f"{to_bech32m(sponsor)} committed {cap} machines in epoch {place.epoch}")


def check_commit(state: LedgerState, body: MachineCommit) -> None:
    """Check a commit that is within its sponsor's cap; raises Rejection SEAL_TAKEN."""
    if state.seal(body.commit) is not None:
        raise Rejection("SEAL_TAKEN", f"commit {body.commit.hex()} waits for its reveal")


def apply_commit(state: LedgerState, slip: Slip, body: MachineCommit) -> Events:
    """Apply a commit; raises as `check_commit`, having changed nothing."""
    check_commit(state, body)
    place = slip.place
    state.put_seal(body.commit, Seal(place.height, slip.position, slip.sender))
    commits = commits_this_epoch(place, state, slip.sender) + 1
    state.put_sponsor_count(slip.sender, SponsorCount(place.epoch, commits))
    slip.journal.event(
        "machine_committed", id=slip.id.hex(), commit=body.commit.hex(), sponsor=to_bech32m(slip.sender)
    )
    return ((EventNumber.MACHINE_COMMITTED, body.commit),)


@dataclass(frozen=True)
class Registration:
    """What a reveal would do."""

    commit: bytes
    machine: Machine
    score: Score
    tag: Tag
    displaced: int | None
    """Index of the machine that loses the binding tag."""


def score_record(record: MachineRecord, policy: Policy, table: Table, *, calibrated: bool = False) -> Score:
    """Score a record whose keyed probes are right.

    :param calibrated: whether the chain calibrated the record's model.
    :raises Rejection: the inventory or the samples have the wrong shape.
    :raises CodecError: one of them is not canonical.
    """
    inventory = decode_inventory(record.inventory)
    row = table.row(*classify(inventory))
    samples = decode_samples(record.samples)
    checks = judge_evidence(record.probe_results, samples, processor_key(inventory), row)
    return score(inventory, checks, policy, table=table, calibrated=calibrated)


def assess(place: Place, state: LedgerState, verdicts: Verdicts, body: MachineReveal) -> Registration:
    """Judge a reveal, cheapest check first; changes nothing.

    Anyone may send it: what it says is fixed by the commit, and its sponsor is the commit's.

    :raises Rejection: SEAL_UNKNOWN, SEAL_EXPIRED, MACHINE_KNOWN, HARDWARE_ALREADY_BOUND, SPONSOR_TWINS,
        CHALLENGE_UNKNOWN, CHALLENGE_LATE, INVALID_SIGNATURE, PROBE_MISMATCH, or what the inventory's decoder says.
    """
    commit = seal_commit(body.salt, body.inner)
    seal = state.seal(commit)
    if seal is None or seal.height >= place.height:
        raise Rejection("SEAL_UNKNOWN", f"no commit {commit.hex()} stands before block {place.height}")
    window = place.rules.params.reveal_window_blocks
    if place.height - seal.height > window:
        raise Rejection("SEAL_EXPIRED", f"committed at height {seal.height}, the next block is {place.height}",
                        f"a reveal within {window} blocks")  # fmt: skip
    record = decode_machine_record(body.inner)
    known = state.machine_index(account_id(record.machine_key))
    if known is not None:
        raise Rejection("MACHINE_KNOWN", f"machine key {record.machine_key.hex()} has record {known}")
    index = state.number(Global.MACHINES)
    tag = Tag(index, seal.height, seal.position)
    holder = state.tag(record.binding_tag)
    if holder is not None and state.machine(holder.index).freed(place.epoch):
        holder = None
    if holder is not None and holder.commit_place < tag.commit_place:
        why, cure = f"machine {holder.index} holds this binding tag", ""
        if state.machine(holder.index).retired:
            why, cure = f"{why} to the end of this epoch", "a reveal in the next epoch"
        raise Rejection("HARDWARE_ALREADY_BOUND", why, cure)
    digest = inventory_digest(record.inventory)
    twins = place.rules.params.twins_per_sponsor
    if state.twins(seal.sponsor, digest) >= twins:
        raise Rejection("SPONSOR_TWINS", f"{to_bech32m(seal.sponsor)} has {twins} machines of this inventory")
    found = challenges.find(place, record.challenge_height)
    if not found.fresh:
        raise challenges.late(found, place)
    signed = record_digest(body.inner, place.rules.genesis_hash)
    if not ed25519.verify(record.machine_key, signed, body.signature):
        raise Rejection("INVALID_SIGNATURE", "the machine key's signature over its record does not verify")
    challenges.check_probes(verdicts, found.header_hash, record.machine_key, record.probe_results, ACTIVE_PROBES)
    calibrated = state.calibrated(processor_key(decode_inventory(record.inventory))) is not None
    scored = score_record(record, place.rules.policy, place.rules.table, calibrated=calibrated)
    machine = Machine(
        machine_key=record.machine_key,
        owner=record.owner,
        sponsor=seal.sponsor,
        binding_tag=record.binding_tag,
        inventory_digest=digest,
        family=scored.family,
        arch=scored.arch,
        klass=scored.klass,
        model=scored.model,
        base_multiplier=scored.base_multiplier,
        weight=scored.weight,
        payable=scored.payable,
        measured=rotation.to_bits(rotation.measured(proven(decode_samples(record.samples), record.probe_results))),
        record_height=place.height,
    )
    return Registration(commit, machine, scored, tag, None if holder is None else holder.index)


def apply_reveal(state: LedgerState, verdicts: Verdicts, slip: Slip, body: MachineReveal) -> Events:
    """Apply a reveal; raises as `assess`, having changed nothing."""
    done = assess(slip.place, state, verdicts, body)
    machine, index = done.machine, done.tag.index
    account = account_id(machine.machine_key)
    state.put_seal(done.commit, None)
    state.put_machine(index, machine)
    state.put_machine_index(account, index)
    state.put_tag(machine.binding_tag, done.tag)
    state.put_number(Global.MACHINES, index + 1)
    twins = state.twins(machine.sponsor, machine.inventory_digest)
    state.put_twins(machine.sponsor, machine.inventory_digest, twins + 1)
    state.put_account(account, replace(state.account(account), public_key=machine.machine_key))
    slip.journal.event(
        "machine_registered",
        id=slip.id.hex(),
        machine=to_bech32m(account),
        machine_index=index,
        owner=to_bech32m(machine.owner),
        weight=machine.weight,
    )
    registered: Event = (EventNumber.MACHINE_REGISTERED, index, account, machine.owner, machine.weight)
    if done.displaced is None:
        return (registered,)
    loser = state.machine(done.displaced)
    state.put_machine(done.displaced, replace(loser, displaced=1))
    if not loser.retired:
        unbind.forget_twin(state, loser)
    slip.journal.event("machine_displaced", machine_index=done.displaced, by_index=index)
    return registered, (EventNumber.MACHINE_DISPLACED, done.displaced)
