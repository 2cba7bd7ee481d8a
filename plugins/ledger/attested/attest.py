"""Attestations: which interval one is for, whether it counts, and that nothing counts twice.

The replay key is (machine, interval).  Counted intervals are bits of the machine's counters;
of late attestations one per machine and block epoch is kept, so one remembered interval is
enough to tell a repeated one.  Source: attestation.md section 3, "Attest".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.bodies import Attest
from metanode.core.model.errors import Rejection
from metanode.core.model.receipt import EventNumber
from metanode.fingerprint import rotation
from metanode.fingerprint.probes.summaries import proven
from metanode.fingerprint.probes.workload import ACTIVE_PROBES
from metanode.fingerprint.samples import decode_samples
from metanode.fingerprint.scoring import attest_flags
from metanode.plugins.ledger.attested import challenges
from metanode.plugins.ledger.attested.entries import Counters, Machine
from metanode.plugins.ledger.attested.rules import Events, Place, Rules, Slip
from metanode.plugins.ledger.attested.state import LedgerState
from metanode.plugins.ledger.attested.verdicts import Verdicts


@dataclass(frozen=True)
class Assessment:
    """What an attestation would do."""

    index: int
    machine: Machine
    header_hash: bytes
    """Of the challenge's header."""
    slot: int
    interval: int
    counted: bool
    """False: late, recorded for continuity only."""
    counters: Counters
    """The machine's counters after it."""
    asked: tuple[int, ...]
    """Compiled probes whose results it may carry."""


def machine_of(state: LedgerState, account: bytes) -> tuple[int, Machine]:
    """Return (index, record) of the machine whose key has this account id.

    :raises Rejection: MACHINE_UNKNOWN, HARDWARE_ALREADY_BOUND when its record was displaced, MACHINE_RETIRED.
    """
    index = state.machine_index(account)
    if index is None:
        raise Rejection("MACHINE_UNKNOWN", f"{to_bech32m(account)} is not a machine on record")
    machine = state.machine(index)
    if machine.displaced:
        raise Rejection("HARDWARE_ALREADY_BOUND", f"machine {index} lost its binding tag to an earlier commit")
    if machine.retired:
        raise Rejection("MACHINE_RETIRED", f"machine {index} was unbound in epoch {machine.retired - 1}")
    return index, machine


def rolled(place: Place, state: LedgerState, counters: Counters) -> Counters:
    """Return counters brought forward to the block's epoch.

    The bits stay as `prev_bits` while someone may ask for them: late attestations of the
    epoch before, and the settlement in progress, which epochs without blocks may separate
    from this one by more than one.
    """
    if counters.epoch == place.epoch:
        return counters
    settlement = state.settlement()
    settling = -1 if settlement is None else settlement.epoch
    bits, flags = (counters.bits, counters.flags) if counters.epoch in (place.epoch - 1, settling) else (0, 0)
    return replace(counters, epoch=place.epoch, bits=0, prev_bits=bits, flags=0, prev_flags=flags)


def checks_of(state: LedgerState, head_beta: bytes, epoch: int) -> tuple[str, ...]:
    """Return the active checks of the epoch that the newest block lies in.

    :param head_beta: of the newest block: what block 1 will draw by, while there is none.
    """
    drawn = state.rotation()
    return selected(head_beta, epoch) if drawn is None else selected(drawn.beta, drawn.epoch)


@lru_cache(maxsize=8)  # two epochs are asked about at a time
def selected(beta: bytes, epoch: int) -> tuple[str, ...]:
    """See `rotation.selected`."""
    return rotation.selected(beta, epoch)


def assess(place: Place, state: LedgerState, sender: bytes, body: Attest) -> Assessment:
    """Judge an attestation, all but its signature and probes; changes nothing.

    :raises Rejection: MACHINE_UNKNOWN, HARDWARE_ALREADY_BOUND, MACHINE_RETIRED, DIGEST_MISMATCH, CHALLENGE_UNKNOWN,
        CHALLENGE_USED, CHALLENGE_LATE, BAD_SHAPE or TOO_LARGE for the samples.
    :raises CodecError: the samples are not canonical.
    """
    index, machine = machine_of(state, sender)
    if machine.record_height >= place.height:
        raise Rejection("MACHINE_UNKNOWN", f"machine {index} counts from the block after its record")
    if body.inventory_digest != machine.inventory_digest:
        raise Rejection(
            "DIGEST_MISMATCH", f"inventory digest {body.inventory_digest.hex()}", machine.inventory_digest.hex()
        )
    summaries = decode_samples(body.samples)
    found = challenges.find(place, body.challenge_height)
    schedule = place.rules.schedule
    slot = schedule.slot(found.time_ms)
    epoch = slot // schedule.slots_per_epoch
    interval = schedule.interval(slot)
    before = rolled(place, state, state.counters(index))
    if is_used(place.rules, before, interval, epoch):
        raise Rejection(
            "CHALLENGE_USED",
            f"machine {index} already attested in interval {interval}",
            f"the next attestation in interval {interval + 1}",
        )
    last_interval = max(before.last_interval, interval)
    counted = found.fresh and epoch == place.epoch
    asked = ACTIVE_PROBES
    if counted:
        drawn = state.rotation()
        assert drawn is not None, "a block stands, so the epoch's checks are drawn"
        assert drawn.epoch == epoch, "its challenge lies in this epoch, and so does a block"
        checks = selected(drawn.beta, epoch)
        asked = rotation.probes_of(checks)
        shown, recorded = proven(summaries, body.probe_results), rotation.from_bits(machine.measured)
        flags = before.flags | attest_flags(shown, checks, machine.model, recorded)
        bits = before.bits | schedule.interval_bit(interval)
        after = replace(before, bits=bits, flags=flags, last_interval=last_interval)
    else:
        # Late: at most one per machine and block epoch, from this epoch or the one before.
        if epoch < place.epoch - 1 or before.late_mark == place.epoch + 1:
            raise challenges.late(found, place)
        after = replace(before, late_mark=place.epoch + 1, late_interval=interval, last_interval=last_interval)
    return Assessment(index, machine, found.header_hash, slot, interval, counted, after, asked)


def is_used(rules: Rules, counters: Counters, interval: int, epoch: int) -> bool:
    """Return whether an interval of `epoch` is taken.

    :param counters: the machine's, brought forward by `rolled`.
    """
    bit = rules.schedule.interval_bit(interval)
    if epoch == counters.epoch and counters.bits & bit:
        return True
    if epoch == counters.epoch - 1 and counters.prev_bits & bit:
        return True
    return counters.late_mark > 0 and counters.late_interval == interval


def check_probes(verdicts: Verdicts, assessment: Assessment, body: Attest) -> None:
    """Recompute the keyed probes; raises Rejection PROBE_MISMATCH."""
    key = assessment.machine.machine_key
    challenges.check_probes(verdicts, assessment.header_hash, key, body.probe_results, assessment.asked)


def apply(state: LedgerState, verdicts: Verdicts, slip: Slip, body: Attest) -> Events:
    """Apply an attestation; raises as `assess` and `check_probes`, having changed nothing."""
    place = slip.place
    done = assess(place, state, slip.sender, body)
    check_probes(verdicts, done, body)
    state.put_counters(done.index, done.counters)
    machine = to_bech32m(account_id(done.machine.machine_key))
    epoch = place.rules.schedule.epoch_of_interval(done.interval)
    slip.journal.row(
        "attestations", machine, done.interval, epoch, place.height, slip.id.hex(), 1 if done.counted else 0
    )
    slip.journal.event(
        "attestation_counted" if done.counted else "attestation_late",
        id=slip.id.hex(),
        machine=machine,
        machine_index=done.index,
        interval=done.interval,
        epoch=epoch,
    )
    number = EventNumber.ATTEST_COUNTED if done.counted else EventNumber.ATTEST_LATE
    return ((number, done.index, done.interval),)
