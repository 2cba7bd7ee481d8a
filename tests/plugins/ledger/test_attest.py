"""Attestations: freshness, replay keys, late ones, and every refusal by its code."""

from __future__ import annotations

from typing import Any

import pytest

from metanode.core.model.errors import InvalidBlock
from metanode.core.model.receipt import EventNumber
from metanode.core.testing.contracts.ledger import key_pair

HOUR_SLOTS = {"slot_ms": 600_000, "slots_per_epoch": 144, "attest_every_slots": 6}
"""Mainnet's calendar: intervals of an hour, epochs of a day."""
HOUR_MS = 3_600_000


@pytest.fixture
def machine(kit: Any) -> Any:
    """A machine."""
    return kit.box(1)


def test_a_fresh_attestation_counts_for_its_interval(chain: Any, machine: Any) -> None:
    """A bit of the machine's counters, a row, a receipt."""
    chain.register(machine)
    chain.block(after_ms=4_500)
    envelope = chain.attest(machine)
    assert chain.door(envelope) is None
    done = chain.block(envelope, after_ms=1)
    assert done.receipts[0].events == ((EventNumber.ATTEST_COUNTED, 0, 1),)
    assert (done.receipts[0].code, done.receipts[0].fee) == (0, 0)
    counters = chain.counters(machine)
    assert (counters.epoch, counters.bits, counters.last_interval) == (0, 0b10, 1)
    (row,) = [row.values for row in done.rows if row.table == "attestations"]
    assert row[1:4] == (1, 0, 4)
    assert row[5] == 1


def test_each_interval_counts_once(chain: Any, machine: Any) -> None:
    """Other bytes for a used interval are CHALLENGE_USED, in one block or in two."""
    chain.register(machine)
    one, other = chain.attest(machine), chain.attest(machine, agent="other")
    with pytest.raises(InvalidBlock) as caught:
        chain.ledger.execute(chain.head, chain.fields(1), [one, other], assemble=False)
    assert caught.value.code == "CHALLENGE_USED"
    built = chain.assemble(one, other, after_ms=1)
    assert [dropped.error.code for dropped in built.dropped] == ["CHALLENGE_USED"]
    assert chain.door(other) == chain.door(one) == "CHALLENGE_USED"


def test_every_interval_of_an_epoch_can_count(chain: Any, machine: Any) -> None:
    """Five intervals of four seconds make an epoch of twenty."""
    chain.register(machine)
    for _ in range(5):
        chain.block(chain.attest(machine), after_ms=1)
        chain.block(after_ms=3_999)
    assert chain.counters(machine).bits == 0b11111


def test_an_attestation_names_the_slot_of_its_challenge(chain: Any, machine: Any) -> None:
    """Included in interval 1, it still is for interval 0, whose header it answers."""
    chain.register(machine)
    envelope = chain.attest(machine)
    done = chain.block(envelope, after_ms=6_000)
    assert done.receipts[0].events == ((EventNumber.ATTEST_COUNTED, 0, 0),)


def test_across_an_epoch_s_end_it_is_late(chain: Any, machine: Any) -> None:
    """Fresh, but for an epoch that is over: kept for continuity, weight 0."""
    chain.register(machine)
    chain.block(after_ms=15_000)
    envelope = chain.attest(machine)
    done = chain.block(envelope, after_ms=10_000)
    assert done.receipts[0].events == ((EventNumber.ATTEST_LATE, 0, 3),)
    counters = chain.counters(machine)
    assert (counters.epoch, counters.bits, counters.late_mark, counters.late_interval) == (1, 0, 2, 3)
    assert [row.values[5] for row in done.rows if row.table == "attestations"] == [0]


def test_an_old_challenge_of_the_same_epoch_is_late(new_chain: Any, machine: Any) -> None:
    """300 s of block time is the last moment that counts."""
    for age_ms, event in ((300_000, EventNumber.ATTEST_COUNTED), (300_001, EventNumber.ATTEST_LATE)):
        chain = new_chain(**HOUR_SLOTS)
        chain.register(machine)
        envelope = chain.attest(machine)
        assert chain.block(envelope, after_ms=age_ms).receipts[0].events[0][0] == event


def test_one_late_attestation_per_machine_and_epoch(new_chain: Any, machine: Any) -> None:
    """The second one is refused, in the next epoch another may come."""
    chain = new_chain(**HOUR_SLOTS)
    chain.register(machine)
    heights = []
    for _ in range(3):
        heights.append(chain.head.height)
        chain.block(after_ms=HOUR_MS)
    assert chain.codes(chain.attest(machine, heights[0])) == [0]
    assert chain.door(chain.attest(machine, heights[1])) == "CHALLENGE_LATE"
    chain.to_epoch(1)
    assert chain.codes(chain.attest(machine, heights[1])) == [0]
    assert chain.door(chain.attest(machine, heights[2])) == "CHALLENGE_LATE"
    chain.to_epoch(2)
    assert chain.door(chain.attest(machine, heights[2])) == "CHALLENGE_LATE", "older than the previous epoch"


def test_a_late_interval_cannot_be_used_again(new_chain: Any, machine: Any) -> None:
    """Neither late once more nor counted: the replay key is the interval."""
    chain = new_chain(**HOUR_SLOTS)
    chain.register(machine)
    height = chain.head.height
    chain.block(after_ms=301_000)
    assert chain.codes(chain.attest(machine, height)) == [0]
    assert chain.door(chain.attest(machine, height, agent="other")) == "CHALLENGE_USED"
    assert chain.door(chain.attest(machine)) == "CHALLENGE_USED", "fresh, but of the same interval"
    chain.to_epoch(1)
    assert chain.door(chain.attest(machine, height)) == "CHALLENGE_USED"


def test_a_counted_interval_cannot_come_late(new_chain: Any, machine: Any) -> None:
    """Counters keep the previous epoch's bits for that."""
    chain = new_chain(**HOUR_SLOTS)
    chain.register(machine)
    height = chain.head.height
    chain.block(chain.attest(machine), after_ms=1)
    chain.to_epoch(1)
    assert chain.door(chain.attest(machine, height)) == "CHALLENGE_USED"
    assert chain.codes(chain.attest(machine)) == [0]
    assert chain.door(chain.attest(machine, height)) == "CHALLENGE_USED"


def test_a_header_no_rule_looks_back_to_is_late(chain: Any, machine: Any) -> None:
    """Consensus keeps headers while a rule may look back to them; what it no longer knows is older than that."""
    chain.register(machine)
    envelope = chain.attest(machine, 1)
    chain.at = lambda height: None
    assert chain.door(envelope) == "CHALLENGE_LATE"


def test_a_future_challenge_is_unknown(chain: Any, machine: Any) -> None:
    """The including block's own height too."""
    chain.register(machine)
    for height in (chain.head.height + 1, 10**9):
        assert chain.door(chain.attest(machine, height)) == "CHALLENGE_UNKNOWN"


def test_only_machines_on_record_attest(chain: Any, kit: Any, machine: Any) -> None:
    """Others are told to register first; ordinary accounts are no machines."""
    assert chain.door(chain.attest(machine)) == "MACHINE_UNKNOWN"
    assert chain.door(chain.attest_envelope(kit.alice, chain.attest(machine).body)) == "MACHINE_UNKNOWN"


def test_a_machine_counts_from_the_block_after_its_record(chain: Any, kit: Any, machine: Any) -> None:
    """In the block of its reveal it is not one yet."""
    body = chain.reveal_body(machine, chain.record(machine))
    chain.block(chain.commit(body), after_ms=1)
    built = chain.assemble(chain.reveal(body), chain.attest(machine), after_ms=1)
    assert [dropped.error.code for dropped in built.dropped] == ["MACHINE_UNKNOWN"]
    assert chain.door(chain.attest(machine)) is None


def test_the_inventory_must_be_the_recorded_one(chain: Any, machine: Any) -> None:
    """Changed hardware needs a new record."""
    chain.register(machine)
    assert chain.door(chain.attest(machine, inventory_digest=bytes(32))) == "DIGEST_MISMATCH"


@pytest.mark.parametrize("results", [(), ((1, 1),), ((3, 1),)])
def test_a_wrong_probe_result_is_refused(chain: Any, machine: Any, results: Any) -> None:
    """It would make the block invalid: attestations must succeed."""
    chain.register(machine)
    envelope = chain.attest(machine, probe_results=results)
    assert chain.door(envelope) == "PROBE_MISMATCH"
    with pytest.raises(InvalidBlock) as caught:
        chain.ledger.execute(chain.head, chain.fields(), [envelope], assemble=False)
    assert caught.value.code == "PROBE_MISMATCH"


def test_results_for_another_challenge_are_wrong(chain: Any, machine: Any) -> None:
    """A recording is useless: every header asks for another workload."""
    chain.register(machine)
    recorded = chain.probe_results(machine, chain.head.height)
    chain.block(after_ms=1)
    assert chain.door(chain.attest(machine, probe_results=recorded)) == "PROBE_MISMATCH"


def test_a_machine_signs_its_own_attestations(chain: Any, machine: Any) -> None:
    """Its key is on chain, so the envelope carries none."""
    chain.register(machine)
    body = chain.attest(machine).body
    envelope = chain.attest_envelope(machine.key, body)
    thief = key_pair(66)

    class Impostor:
        account = machine.key.account
        sign = staticmethod(thief.sign)

    assert chain.door(chain.attest_envelope(Impostor(), body)) == "INVALID_SIGNATURE"
    assert chain.door(envelope) is None


def test_samples_must_be_well_formed(chain: Any, machine: Any) -> None:
    """What nobody can read is no evidence."""
    chain.register(machine)
    assert chain.door(chain.attest(machine, samples=b"\xff")) == "NOT_CANONICAL"


def test_a_failed_attestation_burns_nothing(chain: Any, machine: Any) -> None:
    """The interval is still free for a right answer."""
    chain.register(machine)
    built = chain.assemble(chain.attest(machine, probe_results=((1, 1),)), after_ms=1)
    assert [dropped.error.code for dropped in built.dropped] == ["PROBE_MISMATCH"]
    assert chain.codes(chain.attest(machine)) == [0]


def test_a_block_holds_so_many_attestations(new_chain: Any, kit: Any) -> None:
    """The rest waits; transfers have their own room."""
    chain = new_chain(attests_per_block_max=2)
    machines = [kit.box(i) for i in range(3)]
    chain.register(*machines)
    attests = [chain.attest(machine) for machine in machines]
    transfer = chain.transfer(kit.alice, kit.bob.account, 1)
    with pytest.raises(InvalidBlock) as caught:
        chain.ledger.execute(chain.head, chain.fields(), attests, assemble=False)
    assert caught.value.code == "KIND_CAP"
    built = chain.assemble(*attests, transfer, after_ms=1)
    assert [envelope.id for envelope in built.included] == [attests[0].id, attests[1].id, transfer.id]
    assert not built.dropped
    assert chain.codes(attests[2]) == [0]


@pytest.mark.parametrize("height", [0, 2])
def test_how_far_back_a_challenge_may_lie_is_the_ledgers_rule(new_chain: Any, machine: Any, height: int) -> None:
    """Measured from the parent's time; headers that happen to be held longer, as they are here, change nothing."""
    chain = new_chain(challenge_fresh_ms=1_000)
    chain.register(machine)
    chain.block(after_ms=20_000)
    assert chain.codes(chain.attest(machine, 2)) == [0], "late, so that interval 0 is used for as long as it is known"
    header_hash, time_ms = chain.at(height)
    last_ms = time_ms + chain.genesis.params.look_back_ms
    chain.block(after_ms=last_ms - chain.head.time_ms)
    assert chain.door(chain.attest(machine, height)) == "CHALLENGE_USED"
    chain.block(after_ms=1)
    assert chain.head.ancestors.at(height) == (header_hash, time_ms)
    assert chain.door(chain.attest(machine, height)) == "CHALLENGE_LATE"
    with pytest.raises(InvalidBlock) as caught:
        chain.block(chain.attest(machine, height), after_ms=1)
    assert caught.value.code == "CHALLENGE_LATE"
