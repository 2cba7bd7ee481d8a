"""Escrow: what an uncalibrated model earns above its cap waits, is paid by a calibration, or returns to the pot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from metanode.core.model.bodies import APPROVE, CALIBRATE, PROPOSE, proposal_id
from metanode.core.model.codec import encode
from metanode.fingerprint.probes.workload import FP_ADD, FP_DIV, FP_MUL, INT_ADD, PATCH, SCALAR, SIMD, STREAM
from metanode.plugins.ledger.attested.escrow import ESCROW_BUCKETS_MAX, ESCROW_EPOCHS
from metanode.plugins.ledger.attested.supply import is_whole, supply_parts

POT = 1_500_000
G4_PS = {
    INT_ADD: 1000, FP_ADD: 5000, FP_MUL: 5000, FP_DIV: 35000, SCALAR: 2000, SIMD: 1200, PATCH: 120_000, STREAM: 12000,
}  # fmt: skip
"""Picoseconds a step that fit a 7447A."""
FULL, AT_ONCE, LEGACY = 2_500_000_000, 1_500_000_000, 1_000_000_000


@pytest.fixture
def capped(new_chain: Any) -> Any:
    """A chain with the caps of the named networks and four members, epochs of 20 s."""
    return new_chain(members=4, uncalibrated_cap=AT_ONCE, legacy_cap=LEGACY, min_fee=1, pot_per_epoch=POT)


def attested(chain: Any, *machines: Any, **changes: Any) -> None:
    """Append a block in which machines attest to every check that they are asked for."""
    chain.block(*(chain.attest(machine, **{**asked(chain, machine), **changes}) for machine in machines), after_ms=1)


def asked(chain: Any, machine: Any, ps: dict[int, int] = G4_PS) -> dict[str, Any]:
    """Return what answers the epoch's checks."""
    probes = chain.probes_asked()
    found: dict[str, Any] = chain.timed(machine, {probe: ps[probe] for probe in probes})
    return found


def calibrate(chain: Any, kit: Any, composer: Any) -> None:
    """Propose and approve the model of the PowerBook, three of four members."""
    reports = [composer.signed(number, genesis_hash=chain.genesis.hash) for number in range(3)]
    proposal = encode([CALIBRATE, ["ppc pvr 8003", *reports]])
    ident = proposal_id(proposal, chain.genesis.hash)
    chain.block(chain.govern(kit.member(0), PROPOSE, proposal), after_ms=1)
    votes = [chain.govern(kit.member(i), APPROVE, ident) for i in (1, 2)]
    assert chain.codes(*votes) == [0, 0]


def test_a_real_g4_is_paid_from_day_one_and_the_rest_waits(capped: Any, kit: Any) -> None:
    """Its share of the pot is that of its full weight; at once it gets what the cap lets through, to the unit."""
    old, new = kit.box(1), kit.box(2, kit.pc)
    capped.register(old, new, cycles=G4_PS)
    entry = capped.entry(old)
    assert (entry.weight, entry.payable, entry.model) == (FULL, AT_ONCE, "ppc pvr 8003")
    capped.block(capped.attest(old, **asked(capped, old)), capped.attest(new, **asked(capped, new)), after_ms=1)
    assert [capped.counters(each).flags for each in (old, new)] == [0, 0]
    done = capped.to_epoch(1)
    pot, total = POT + 4, FULL + capped.entry(new).weight
    reward = pot * FULL // total
    at_once = reward * AT_ONCE // FULL
    assert capped.state.account(old.owner).balance == at_once == capped.entry(old).reward_total
    assert supply_parts(capped.head.state)["escrow"] == reward - at_once
    assert capped.state.claims(0).amounts == ((0, reward - at_once),)
    told = next(event for event in done.events if event.name == "reward_paid")
    assert (told.data["amount"], told.data["escrowed"]) == (at_once, reward - at_once)


def test_a_calibration_pays_what_waited_and_then_in_full(capped: Any, kit: Any, composer: Any) -> None:
    """At the settlement after the vote; the owner of that epoch gets it."""
    machine = kit.box(1)
    capped.register(machine, cycles=G4_PS)
    attested(capped, machine)
    capped.to_epoch(1)
    held = capped.state.escrow().total
    assert held > 0
    attested(capped, machine)
    calibrate(capped, kit, composer)
    before = capped.state.account(machine.owner).balance
    assert capped.state.calibrated("ppc pvr 8003") is None, "nothing counts before a settlement"
    done = capped.to_epoch(2)
    assert capped.state.calibrated("ppc pvr 8003").height == capped.head.height
    paid = {row.values[3]: row.values[6] for row in done.rows if row.table == "transfers"}
    assert paid["escrow"] == held
    assert capped.state.account(machine.owner).balance - before == held + paid["reward"]
    assert (capped.state.escrow().amounts, capped.state.claims(0).amounts) == ((), ())
    assert capped.entry(machine).payable == FULL
    late = kit.box(3)
    capped.register(late, cycles=G4_PS)
    assert capped.entry(late).payable == FULL, "the model is known by now"
    assert done.events[0].name == "proposal_adopted"


def test_escrow_that_ran_out_returns_to_the_pot(capped: Any, kit: Any) -> None:
    """After 90 epochs, with its bucket of ten; the machine's entry is of no use from then on."""
    machine = kit.box(1)
    capped.register(machine, cycles=G4_PS)
    attested(capped, machine)
    capped.to_epoch(1)
    held = capped.state.escrow().total
    capped.to_epoch(ESCROW_EPOCHS + 9)
    capped.to_epoch(ESCROW_EPOCHS + 10)
    assert capped.state.escrow().total == held
    carried = supply_parts(capped.head.state)["pot"]
    capped.to_epoch(ESCROW_EPOCHS + 11)
    parts = supply_parts(capped.head.state)
    assert (parts["escrow"], parts["pot"]) == (0, carried + POT + held)
    assert capped.state.claims(0).total == held, "still listed"
    attested(capped, machine)
    capped.to_epoch(ESCROW_EPOCHS + 12)
    assert capped.state.claims(0) == capped.state.escrow(), "gone with the next credit"


def test_entries_stay_small_however_long_a_model_is_not_calibrated(capped: Any, kit: Any) -> None:
    """A machine that attests in every epoch for half a year."""
    machine = kit.box(1)
    capped.register(machine, cycles=G4_PS)
    for epoch in range(1, 2 * ESCROW_EPOCHS):
        attested(capped, machine)
        capped.to_epoch(epoch)
        held = capped.state.escrow()
        assert held == capped.state.claims(0)
        assert len(held.amounts) <= ESCROW_BUCKETS_MAX
        assert is_whole(supply_parts(capped.head.state))
    assert len(held.amounts) == ESCROW_BUCKETS_MAX


def test_a_displaced_machine_never_gets_its_escrow(capped: Any, kit: Any, composer: Any) -> None:
    """It stays in escrow until it runs out, whatever is calibrated."""
    copier, honest = kit.box(2), kit.box(3, tag=kit.box(2).tag)
    body = capped.reveal_body(honest, capped.record(honest))
    capped.block(capped.commit(body), after_ms=1)
    capped.register(copier, cycles=G4_PS)
    attested(capped, copier)
    capped.to_epoch(1)
    held, paid = capped.state.escrow().total, capped.entry(copier).reward_total
    attested(capped, copier)
    assert capped.codes(capped.reveal(body)) == [0]
    attested(capped, honest)
    calibrate(capped, kit, composer)
    capped.to_epoch(2)
    assert capped.state.escrow().total == capped.state.claims(0).total == held
    assert (capped.entry(copier).reward_total, capped.entry(honest).reward_total > 0) == (paid, True)


@pytest.mark.parametrize(
    ("slower", "flags", "weight"),
    [
        ({}, 0, FULL),
        ({STREAM: 100}, 1, 800_000_000),
        ({FP_ADD: 60_000, FP_DIV: 5_000, SIMD: 90_000, PATCH: 100}, 2, FULL // 4),
        (None, 4, LEGACY),
    ],
)
def test_what_attestations_show_lowers_their_epoch(
    new_chain: Any, kit: Any, slower: dict[int, int] | None, flags: int, weight: int
) -> None:
    """Memory that is too fast, ratios of an emulator, nothing measured at all; the next epoch begins anew."""
    chain = new_chain(legacy_cap=LEGACY, vm_weight=250_000_000)
    machine = kit.box(1)
    chain.register(machine, cycles=G4_PS)
    while STREAM not in chain.probes_asked():
        chain.to_epoch(chain.ledger.rules.schedule.epoch(chain.head.time_ms) + 1)
    epoch = chain.ledger.rules.schedule.epoch(chain.head.time_ms)
    answer = {} if slower is None else asked(chain, machine, {**G4_PS, **slower})
    chain.block(chain.attest(machine, **answer), after_ms=1)
    assert chain.counters(machine).flags == flags
    done = chain.to_epoch(epoch + 1)
    (row,) = [row.values for row in done.rows if row.table == "epochs"]
    assert row[5] == weight
    chain.block(chain.attest(machine, **asked(chain, machine)), after_ms=1)
    assert (chain.counters(machine).flags, chain.counters(machine).prev_flags) == (0, flags)


@pytest.mark.parametrize(
    ("recorded", "sent", "flags"),
    [
        (range(16, 27), (16, 19), 4),
        (range(16, 27), (16, 19, 20, 21), 0),
        ((16, 19, 20, 21), (16, 19, 20, 21), 0),
        ((16, 19, 20, 21), (20, 21), 4),
        ((16, 19, 20, 21), (), 4),
    ],
)
def test_an_attestation_owes_what_its_record_measured(
    new_chain: Any, kit: Any, recorded: Sequence[int], sent: Sequence[int], flags: int
) -> None:
    """Or two ratios that agree; a machine that can measure two only is asked for no third one."""
    chain = new_chain(legacy_cap=LEGACY)
    machine = kit.box(1)
    chain.register(machine, cycles={probe: ps for probe, ps in G4_PS.items() if probe in recorded})
    while not {FP_ADD, FP_DIV} <= set(chain.probes_asked()):
        chain.to_epoch(chain.ledger.rules.schedule.epoch(chain.head.time_ms) + 1)
    assert chain.entry(machine).measured == (31 if len(recorded) > 4 else 3)
    answer = chain.timed(machine, {probe: ps for probe, ps in G4_PS.items() if probe in sent})
    chain.block(chain.attest(machine, **answer), after_ms=1)
    assert chain.counters(machine).flags == flags


def test_flags_of_an_epoch_add_up(new_chain: Any, kit: Any) -> None:
    """One attestation that proves nothing is not made good by another that does."""
    chain = new_chain(legacy_cap=LEGACY)
    machine = kit.box(1)
    chain.register(machine, cycles=G4_PS)
    attested(chain, machine)
    chain.block(after_ms=4_000)
    chain.block(chain.attest(machine), after_ms=1)
    assert chain.counters(machine).flags == 4
    done = chain.to_epoch(1)
    assert [row.values[5] for row in done.rows if row.table == "epochs"] == [2 * LEGACY]


def test_the_checks_of_an_epoch_are_drawn_in_its_first_block(new_chain: Any) -> None:
    """By the VRF output of the block before, which nobody knew while the last epoch ran."""
    chain = new_chain()
    beta = chain.head.beta
    chain.block(after_ms=1)
    assert (chain.state.rotation().epoch, chain.state.rotation().beta) == (0, beta)
    chain.block(after_ms=1)
    assert chain.state.rotation().beta == beta
    beta = chain.head.beta
    chain.to_epoch(7)
    assert (chain.state.rotation().epoch, chain.state.rotation().beta) == (7, beta)


def test_an_attestation_carries_no_probe_that_the_epoch_did_not_ask_for(new_chain: Any, kit: Any) -> None:
    """A late one may: nobody knows any more what was asked."""
    chain = new_chain()
    machine = kit.box(1)
    chain.register(machine, cycles=G4_PS)
    asked_height, every = chain.head.height, chain.timed(machine, G4_PS)
    every["samples"] = b""
    assert set(chain.probes_asked()) < set(G4_PS)
    assert chain.door(chain.attest(machine, **every)) == "PROBE_MISMATCH"
    chain.to_epoch(1)
    late = chain.attest(machine, asked_height, **every)
    assert chain.codes(late) == [0]
    assert chain.counters(machine).flags == 0
