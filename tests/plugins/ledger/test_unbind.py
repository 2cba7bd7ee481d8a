"""Unbinding, hand-over and twins: who is paid for which epoch, and when hardware may be bound again."""

from __future__ import annotations

from typing import Any

import pytest

from metanode.core.model.errors import ERROR_CODES, InvalidBlock
from metanode.core.model.receipt import EventNumber

POT = 1_500_000
FEE = 100


def number(code: str) -> int:
    """Return what a receipt stores for a code."""
    return ERROR_CODES[code].number


def refused(chain: Any, envelope: Any) -> str:
    """Return the code with which an envelope fails, at the door and in a block alike."""
    code = chain.door(envelope)
    assert code is not None
    assert chain.codes(envelope) == [number(code)]
    return str(code)


def opening(chain: Any, machine: Any) -> Any:
    """Return the reveal of a machine whose commit has just been put on the chain."""
    body = chain.reveal_body(machine, chain.record(machine))
    chain.block(chain.commit(body), after_ms=1)
    return body


def test_an_unbound_machine_is_paid_for_what_it_attested_and_attests_no_more(chain: Any, kit: Any) -> None:
    """Its record stays, its key never registers again."""
    machine = kit.box(1, owner=kit.alice)
    (index,) = chain.register(machine)
    chain.block(chain.attest(machine), after_ms=1)
    done = chain.block(chain.unbind(kit.alice, machine), after_ms=1)
    assert done.receipts[0].events == ((EventNumber.MACHINE_UNBOUND, index),)
    assert chain.door(chain.attest(machine)) == "MACHINE_RETIRED"
    with pytest.raises(InvalidBlock, match="MACHINE_RETIRED"):
        chain.block(chain.attest(machine))
    before = chain.state.account(kit.alice.account).balance
    chain.to_epoch(1)
    assert chain.state.account(kit.alice.account).balance - before == POT + 3 * FEE
    again = kit.box(1, tag=b"t" * 32)
    assert refused(chain, chain.reveal(opening(chain, again))) == "MACHINE_KNOWN"
    assert refused(chain, chain.unbind(kit.alice, machine)) == "MACHINE_RETIRED"


def test_a_freed_tag_is_bound_again_from_the_next_epoch_on(chain: Any, kit: Any) -> None:
    """At once, one machine could attest an interval twice under two keys; a later commit displaces nobody."""
    old, new = kit.box(1, owner=kit.alice), kit.box(2, tag=kit.box(1).tag)
    chain.register(old)
    chain.block(chain.attest(old), chain.unbind(kit.alice, old), after_ms=1)
    assert refused(chain, chain.reveal(opening(chain, new))) == "HARDWARE_ALREADY_BOUND"
    chain.to_epoch(1)
    earned = chain.entry(old).reward_total
    assert chain.codes(chain.reveal(opening(chain, new))) == [0]
    assert chain.state.tag(old.tag).index == chain.index(new)
    assert not chain.entry(old).displaced
    chain.block(chain.attest(new), after_ms=1)
    chain.to_epoch(2)
    assert chain.entry(new).reward_total > 0
    assert chain.entry(old).reward_total == earned


def test_an_earlier_commit_displaces_a_machine_that_was_unbound_in_this_epoch(chain: Any, kit: Any) -> None:
    """A copier cannot save its reward by leaving."""
    copier, honest = kit.box(2, owner=kit.alice), kit.box(3, tag=kit.box(2).tag)
    body = opening(chain, honest)
    chain.register(copier)
    chain.block(chain.attest(copier), chain.unbind(kit.alice, copier), after_ms=1)
    assert chain.codes(chain.reveal(body)) == [0]
    assert chain.entry(copier).displaced
    chain.to_epoch(1)
    assert chain.entry(copier).reward_total == 0


def test_a_hand_over_pays_the_new_owner_from_the_next_epoch_on(new_chain: Any, kit: Any) -> None:
    """What is earned stays the former owner's, also when it is credited later."""
    chain = new_chain(settle_per_block=1)
    machines = [kit.box(9), kit.box(8), kit.box(1, owner=kit.alice)]
    chain.register(*machines)
    machine, carol = machines[2], kit.box(77).owner
    chain.block(*map(chain.attest, machines), after_ms=1)
    done = chain.block(chain.unbind(kit.alice, machine, carol), after_ms=1)
    assert done.receipts[0].events == ((EventNumber.MACHINE_HANDED_OVER, 2, carol, 1),)
    assert chain.entry(machine).payee(0) == kit.alice.account
    assert chain.entry(machine).payee(1) == carol
    share = (POT + 7 * FEE) // 3
    before = chain.state.account(kit.alice.account).balance
    chain.to_epoch(1)
    chain.block(*map(chain.attest, machines), after_ms=1)
    chain.block(after_ms=1)
    assert chain.state.account(kit.alice.account).balance - before == share
    assert chain.state.account(carol).balance == 0
    chain.to_epoch(2)
    chain.block(after_ms=1)
    chain.block(after_ms=1)
    assert chain.state.account(carol).balance > 0
    assert chain.state.account(kit.alice.account).balance - before == share
    (row,) = [row for row in done.rows if row.table == "miners"]
    assert row.values[2] != done.rows[0].values[0], "the view names the heir"


def test_the_last_hand_over_of_an_epoch_counts(chain: Any, kit: Any) -> None:
    """The owner may think again; the heir has no say before its first epoch."""
    machine = kit.box(1, owner=kit.alice)
    chain.register(machine)
    chain.block(chain.unbind(kit.alice, machine, kit.bob.account), after_ms=1)
    assert refused(chain, chain.unbind(kit.bob, machine)) == "NOT_OWNER"
    chain.block(chain.unbind(kit.alice, machine, kit.alice.account), after_ms=1)
    chain.to_epoch(1)
    assert refused(chain, chain.unbind(kit.bob, machine)) == "NOT_OWNER"
    assert chain.codes(chain.unbind(kit.alice, machine)) == [0]


def test_an_heir_passes_on_only_what_the_former_owner_was_paid_for(new_chain: Any, kit: Any) -> None:
    """There is room for one former owner; unbinding waits for nobody."""
    chain = new_chain(settle_per_block=1)
    machines = [kit.box(1, owner=kit.alice), kit.box(8), kit.box(9)]
    chain.register(*machines)
    chain.block(*map(chain.attest, machines), after_ms=1)
    chain.block(chain.unbind(kit.alice, machines[0], kit.bob.account), after_ms=1)
    chain.to_epoch(1)
    assert refused(chain, chain.unbind(kit.bob, machines[0], kit.alice.account)) == "HANDOVER_WAITS"
    chain.block(after_ms=1)
    assert chain.state.settlement() is None
    assert chain.codes(chain.unbind(kit.bob, machines[0], kit.sponsor.account)) == [0]
    assert [chain.entry(machines[0]).payee(epoch) for epoch in (1, 2)] == [kit.bob.account, kit.sponsor.account]


def test_only_the_owner_unbinds_and_only_what_is_on_record(chain: Any, kit: Any) -> None:
    """Neither the sponsor nor the machine itself, and not a machine that lost its tag."""
    machine, stranger = kit.box(1, owner=kit.alice), kit.box(5)
    copier, honest = kit.box(2, owner=kit.alice), kit.box(3, tag=kit.box(2).tag)
    body = opening(chain, honest)
    chain.register(machine, copier)
    assert chain.codes(chain.reveal(body)) == [0]
    assert refused(chain, chain.unbind(kit.sponsor, machine)) == "NOT_OWNER"
    assert refused(chain, chain.unbind(kit.alice, stranger)) == "MACHINE_UNKNOWN"
    assert refused(chain, chain.unbind(kit.alice, copier)) == "HARDWARE_ALREADY_BOUND"


def test_a_sponsor_has_so_many_machines_of_one_inventory(new_chain: Any, kit: Any) -> None:
    """Another sponsor or another inventory is none of them; unbinding and displacing make room."""
    chain = new_chain(twins_per_sponsor=2)
    one, two, three = (kit.box(i, owner=kit.alice) for i in (1, 2, 3))
    early = opening(chain, kit.box(4, kit.pc, tag=two.tag))
    chain.register(one, two, kit.box(5, kit.pc))
    body = opening(chain, three)
    assert refused(chain, chain.reveal(body)) == "SPONSOR_TWINS"
    chain.block(chain.unbind(kit.alice, one), after_ms=1)
    assert chain.codes(chain.reveal(body)) == [0]
    assert refused(chain, chain.reveal(opening(chain, kit.box(6)))) == "SPONSOR_TWINS"
    assert chain.codes(chain.reveal(early)) == [0]
    assert chain.entry(two).displaced
    again = chain.reveal_body(kit.box(7), chain.record(kit.box(7)))
    chain.block(chain.commit(again), after_ms=1)
    assert chain.codes(chain.reveal(again)) == [0]
    other = chain.reveal_body(kit.box(8), chain.record(kit.box(8)))
    chain.block(chain.commit(other, kit.bob), after_ms=1)
    assert chain.codes(chain.reveal(other)) == [0]
    digest = one.digest
    assert chain.state.twins(kit.sponsor.account, digest) == 2
    assert chain.state.twins(kit.bob.account, digest) == 1
