"""Settlement: pots, shares, paging, skipped epochs, decay; to the unit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from metanode.core.model.amounts import AMOUNT_MAX
from metanode.core.testing.contracts.ledger import RICH, check_sum
from metanode.fingerprint.scoring import decayed
from metanode.plugins.ledger.attested.entries import Counters, Machine
from metanode.plugins.ledger.attested.settlement import counted, worth
from metanode.plugins.ledger.attested.state import LedgerState
from metanode.plugins.ledger.attested.supply import supply_parts

POT = 1_500_000
FEE = 100
BOND = 10**9
"""Of the one validator of `sample_genesis`."""


def rewards(execution: Any) -> dict[str, int]:
    """Return what a block paid, by reward id."""
    rows = [row.values for row in execution.rows if row.table == "transfers" and row.values[3] == "reward"]
    return {str(row[0]): int(row[6]) for row in rows}


def epoch_rows(execution: Any) -> list[tuple[Any, ...]]:
    """Return the rows of the view `epochs`."""
    return [row.values for row in execution.rows if row.table == "epochs"]


def test_one_machine_earns_the_whole_pot_and_the_fees(chain: Any, kit: Any) -> None:
    """The first block of the next epoch pays its owner."""
    machine = kit.box(1)
    chain.register(machine)
    chain.block(chain.attest(machine), after_ms=1)
    done = chain.to_epoch(1)
    pot = POT + 2 * FEE
    assert chain.state.account(machine.owner).balance == pot
    assert chain.entry(machine).reward_total == pot
    assert rewards(done) == {"epoch:0:0": pot}
    assert epoch_rows(done) == [(0, 4, pot, pot, 1, 2_500_000_000)]
    assert [event.name for event in done.events] == ["epoch_settled", "reward_paid"]
    assert supply_parts(chain.head.state)["supply"] == chain.genesis.supply + POT


def test_shares_follow_weight_times_intervals(chain: Any, kit: Any) -> None:
    """A G4 with two intervals against a PC with one; what does not divide stays in the pot."""
    old, new = kit.box(1), kit.box(2, kit.pc)
    chain.register(old, new)
    chain.block(chain.attest(old), chain.attest(new), after_ms=1)
    chain.block(after_ms=4_000)
    chain.block(chain.attest(old), after_ms=1)
    weights = (2 * chain.entry(old).weight, chain.entry(new).weight)
    assert weights == (5_000_000_000, 800_000_000)
    pot = POT + 4 * FEE
    done = chain.to_epoch(1)
    shares = [pot * weight // sum(weights) for weight in weights]
    assert rewards(done) == {"epoch:0:0": shares[0], "epoch:0:1": shares[1]}
    assert supply_parts(chain.head.state)["pot"] == pot - sum(shares) > 0


def test_an_epoch_without_weight_rolls_its_pot_over(chain: Any, kit: Any) -> None:
    """The next epoch pays both; a late attestation adds nothing."""
    machine = kit.box(1)
    chain.block(after_ms=1)
    done = chain.to_epoch(1)
    assert epoch_rows(done) == [(0, 2, POT, 0, 0, 0)]
    assert supply_parts(chain.head.state)["pot"] == POT
    chain.register(machine)
    chain.block(chain.attest(machine), after_ms=1)
    assert rewards(chain.to_epoch(2)) == {"epoch:1:0": 2 * POT + 2 * FEE}


def test_an_epoch_without_blocks_mints_nothing(chain: Any) -> None:
    """Genesis' epoch when block 1 comes later, and any number of epochs in between."""
    supply = chain.genesis.supply
    chain.to_epoch(1000)
    assert supply_parts(chain.head.state)["supply"] == supply
    chain.to_epoch(1001)
    assert supply_parts(chain.head.state)["supply"] == supply + POT
    done = chain.to_epoch(5_000_000)
    assert supply_parts(chain.head.state)["supply"] == supply + 2 * POT
    assert epoch_rows(done)[0][0] == 1001


def test_credits_are_paged_by_machine_index(new_chain: Any, kit: Any) -> None:
    """Two of five in each block, the total known from the first, the leftover carried at the end."""
    chain = new_chain(settle_per_block=2)
    machines = [kit.box(i) for i in range(5)]
    chain.register(*machines)
    chain.block(*(chain.attest(machine) for machine in machines), after_ms=1)
    pot = POT + 10 * FEE
    share = pot // 5
    blocks = [chain.to_epoch(1), chain.block(after_ms=1), chain.block(after_ms=1), chain.block(after_ms=1)]
    assert [sorted(rewards(done)) for done in blocks] == [
        ["epoch:0:0", "epoch:0:1"], ["epoch:0:2", "epoch:0:3"], ["epoch:0:4"], [],
    ]  # fmt: skip
    told = [epoch_rows(done)[0][1:4] for done in blocks[:3]]
    assert told == [(4, pot, 2 * share), (5, pot, 4 * share), (6, pot, 5 * share)]
    assert epoch_rows(blocks[3]) == []
    assert all(chain.state.account(machine.owner).balance == share for machine in machines)
    assert chain.state.settlement() is None


def test_attesting_while_credits_are_paged_changes_none_of_them(new_chain: Any, kit: Any) -> None:
    """Counters that moved on keep the settled epoch's bits, also across skipped epochs."""
    for epoch in (1, 7):
        chain = new_chain(settle_per_block=1)
        machines = [kit.box(i) for i in range(4)]
        chain.register(*machines)
        chain.block(*(chain.attest(machine) for machine in machines), after_ms=1)
        share = (POT + 8 * FEE) // 4
        chain.to_epoch(epoch)
        chain.block(*(chain.attest(machine) for machine in machines), after_ms=1)
        for _ in range(2):
            chain.block(after_ms=1)
        assert [chain.state.account(machine.owner).balance for machine in machines] == [share] * 4
        assert all(chain.counters(machine).epoch == epoch for machine in machines)


def test_an_unfinished_settlement_is_finished_by_the_next_one(new_chain: Any, kit: Any) -> None:
    """Nothing is lost when epochs are shorter than the paging."""
    chain = new_chain(settle_per_block=1)
    machines = [kit.box(i) for i in range(4)]
    chain.register(*machines)
    chain.block(*(chain.attest(machine) for machine in machines), after_ms=1)
    chain.to_epoch(1)
    chain.block(*(chain.attest(machine) for machine in machines), after_ms=1)
    done = chain.to_epoch(2)
    assert sorted(rewards(done)) == ["epoch:0:2", "epoch:0:3", "epoch:1:0"]
    assert [row[0] for row in epoch_rows(done)] == [0, 1]
    for _ in range(3):
        chain.block(after_ms=1)
    assert {chain.entry(machine).reward_total for machine in machines} == {(POT + 8 * FEE) // 4 + POT // 4}


def test_a_machine_displaced_during_paging_gets_nothing_more(new_chain: Any, kit: Any) -> None:
    """Its share joins the next pot: payments never exceed the pot."""
    chain = new_chain(settle_per_block=1)
    first, copier, honest = kit.box(1), kit.box(2), kit.box(3, tag=kit.box(2).tag)
    body = chain.reveal_body(honest, chain.record(honest))
    chain.block(chain.commit(body), after_ms=1)
    chain.register(first, copier)
    chain.block(chain.attest(first), chain.attest(copier), after_ms=1)
    chain.block(after_ms=1)
    chain.to_epoch(1)
    pot, share = POT + 5 * FEE, (POT + 5 * FEE) // 2
    assert chain.codes(chain.reveal(body)) == [0]
    assert chain.entry(copier).reward_total == share, "its page came before its displacement"
    chain.block(chain.attest(honest), chain.attest(first), after_ms=1)
    assert chain.door(chain.attest(copier)) == "HARDWARE_ALREADY_BOUND"
    assert supply_parts(chain.head.state)["pot"] == pot - 2 * share


def test_a_displaced_machine_weighs_nothing_at_settlement(chain: Any, kit: Any) -> None:
    """What it attested before does not pay the copier."""
    copier, honest = kit.box(2), kit.box(3, tag=kit.box(2).tag)
    body = chain.reveal_body(honest, chain.record(honest))
    chain.block(chain.commit(body), after_ms=1)
    chain.register(copier)
    chain.block(chain.attest(copier), after_ms=1)
    assert chain.codes(chain.reveal(body)) == [0]
    chain.block(chain.attest(honest), after_ms=1)
    assert list(rewards(chain.to_epoch(1))) == [f"epoch:0:{chain.index(honest)}"]


def test_a_virtual_machine_without_weight_earns_nothing(new_chain: Any, kit: Any) -> None:
    """Its attestations stand, its weight is 0, the pot rolls over."""
    chain = new_chain(vm_weight=0)
    machine = kit.box(1, kit.vm)
    chain.register(machine)
    chain.block(chain.attest(machine), after_ms=1)
    assert rewards(chain.to_epoch(1)) == {}
    assert supply_parts(chain.head.state)["pot"] == POT + 2 * FEE


def test_the_supply_never_leaves_64_bits(new_chain: Any) -> None:
    """Minting stops at the top instead of breaking the chain."""
    chain = new_chain(treasury=AMOUNT_MAX - 3 * RICH - BOND - 5)
    chain.block(after_ms=1)
    chain.to_epoch(1)
    assert supply_parts(chain.head.state)["supply"] == AMOUNT_MAX
    chain.to_epoch(2)
    assert supply_parts(chain.head.state)["supply"] == AMOUNT_MAX


DECAY = [(0, 2_500_000_000), (365, 2_275_000_000), (1825, 1_375_000_000), (2433, 1_000_205_479),
         (2434, 1_000_000_000), (3650, 1_000_000_000)]  # fmt: skip
"""Days from genesis, and what is left of 2.5."""


@pytest.mark.parametrize(("days", "expected"), DECAY)
def test_a_bonus_decays_and_what_is_no_bonus_does_not(new_chain: Any, days: int, expected: int) -> None:
    """1.0 and below never changes; policy takes its share of what is left."""
    rules = new_chain(vm_weight=500_000_000).ledger.rules
    ids = (bytes(32), bytes(20), bytes(20), bytes(32), bytes(32))
    paid = {"base_multiplier": 2_500_000_000, "weight": 2_500_000_000, "payable": 2_500_000_000}
    machine = Machine(*ids, "", "", "vintage", "", **paid, measured=0, record_height=1)
    assert decayed(2_500_000_000, days) == worth(rules, machine, days).weight == expected
    half_paid = replace(machine, klass="virtual", weight=1_250_000_000, payable=1_250_000_000)
    assert worth(rules, half_paid, days) == (expected // 2, expected // 2)
    for base in (0, 800_000_000, 1_000_000_000):
        assert worth(rules, replace(machine, base_multiplier=base, weight=base), days).weight == base


@pytest.mark.parametrize(("days", "expected"), DECAY)
def test_settlement_pays_the_decayed_weight(new_chain: Any, kit: Any, days: int, expected: int) -> None:
    """Epochs of a day: days are counted to the settled epoch's start."""
    chain = new_chain(slot_ms=600_000, slots_per_epoch=144, attest_every_slots=6)
    if days:
        chain.to_epoch(days)
    machine = kit.box(1)
    chain.register(machine)
    chain.block(chain.attest(machine), after_ms=1)
    assert epoch_rows(chain.to_epoch(days + 1))[0][5] == expected


def test_counters_of_other_epochs_do_not_count() -> None:
    """Older bits never, newer counters by their previous bits; what attestations showed goes with them."""
    counters = Counters(epoch=5, bits=0b111, prev_bits=0b1, flags=1, prev_flags=4)
    assert [counted(counters, epoch) for epoch in (4, 5, 6)] == [(1, 4), (3, 1), (0, 0)]


def test_settled_state_sums_after_many_epochs(new_chain: Any, kit: Any) -> None:
    """Fifty epochs of three machines and a transfer each, every block checked."""
    chain = new_chain(settle_per_block=1, pot_per_epoch=1_000_003)
    machines = [kit.box(1), kit.box(2, kit.pc), kit.box(3, kit.vm)]
    chain.register(*machines)
    for epoch in range(1, 50):
        attests = [chain.attest(machine) for machine in machines[: 1 + epoch % 3]]
        done = chain.block(*attests, chain.transfer(kit.alice, kit.bob.account, epoch), after_ms=1)
        check_sum(chain.ledger, done)
        chain.to_epoch(epoch)
    paid = sum(chain.entry(machine).reward_total for machine in machines)
    held = sum(chain.state.account(machine.owner).balance for machine in machines)
    assert paid == held > 0


def test_settlement_reads_the_state_and_nothing_else(chain: Any, kit: Any) -> None:
    """Nobody can censor it: no envelope asks for it."""
    machine = kit.box(1)
    chain.register(machine)
    chain.block(chain.attest(machine), after_ms=1)
    done = chain.to_epoch(1)
    assert not done.included
    assert LedgerState(done.state).account(machine.owner).balance > 0
