"""What a block tells the bus and the views about machines, attestations and rewards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from metanode.core.model.accounts import to_bech32m
from metanode.core.model.bodies import seal_commit
from metanode.plugins.ledger.attested.entries import Calibrated


def told(execution: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the names and data of a block's events."""
    return [(event.name, dict(event.data)) for event in execution.events]


def rows(execution: Any, table: str) -> list[tuple[Any, ...]]:
    """Return a block's rows of one view."""
    return [row.values for row in execution.rows if row.table == table]


def test_commit_reveal_and_displacement_are_told_in_order(chain: Any, kit: Any) -> None:
    """With everything a dashboard shows of them."""
    honest, copier = kit.box(1), kit.box(2, tag=kit.box(1).tag)
    first, second = (chain.reveal_body(box, chain.record(box)) for box in (honest, copier))
    commits = [chain.commit(first), chain.commit(second, kit.alice)]
    done = chain.block(*commits, after_ms=1)
    assert told(done) == [
        ("machine_committed", {
            "id": envelope.id.hex(), "commit": seal_commit(body.salt, body.inner).hex(), "sponsor": to_bech32m(sponsor),
        })
        for envelope, body, sponsor in (
            (commits[0], first, kit.sponsor.account), (commits[1], second, kit.alice.account)
        )
    ]  # fmt: skip
    reveals = [chain.reveal(second), chain.reveal(first, kit.alice)]
    done = chain.block(*reveals, after_ms=1)
    registered = [
        ("machine_registered", {
            "id": envelope.id.hex(), "machine": to_bech32m(box.key.account), "machine_index": index,
            "owner": to_bech32m(box.owner), "weight": 2_500_000_000,
        })
        for index, (envelope, box) in enumerate(zip(reveals, (copier, honest), strict=True))
    ]  # fmt: skip
    assert told(done) == [*registered, ("machine_displaced", {"machine_index": 0, "by_index": 1})]
    assert [(row[1], row[7], row[9]) for row in rows(done, "miners")] == [(0, 0, None), (1, 2_500_000_000, None)]


def test_a_reveal_uses_up_its_commit(chain: Any, kit: Any) -> None:
    """What waited for it no longer stands in the state."""
    body = chain.reveal_body(kit.box(1), chain.record(kit.box(1)))
    commit = seal_commit(body.salt, body.inner)
    chain.block(chain.commit(body), after_ms=1)
    assert chain.state.seal(commit) is not None
    chain.block(chain.reveal(body), after_ms=1)
    assert chain.state.seal(commit) is None


def test_attestations_are_told_as_counted_or_late(chain: Any, kit: Any) -> None:
    """Each with machine, interval and the interval's epoch."""
    box = kit.box(1)
    chain.register(box)
    counted = chain.attest(box)
    done = chain.block(counted, after_ms=1)
    data = {"machine": to_bech32m(box.key.account), "machine_index": 0, "epoch": 0}
    assert told(done) == [("attestation_counted", {"id": counted.id.hex(), "interval": 0, **data})]
    assert [row[9] for row in rows(done, "miners")] == [0]
    chain.block(after_ms=16_500)
    late = chain.attest(box)
    done = chain.to_epoch(1)
    done = chain.block(late, after_ms=1)
    assert told(done) == [("attestation_late", {"id": late.id.hex(), "interval": 4, **data})]
    assert [row[5] for row in rows(done, "attestations")] == [0]


def test_a_reward_is_told_with_who_earned_and_who_got_it(chain: Any, kit: Any) -> None:
    """In the view it looks like a transfer from machine to owner, at no place in the block and without a fee."""
    box = kit.box(1)
    chain.register(box)
    chain.block(chain.attest(box), after_ms=1)
    done = chain.to_epoch(1)
    machine, owner, height = to_bech32m(box.key.account), to_bech32m(box.owner), chain.head.height
    pot = 1_500_200
    assert told(done) == [
        ("epoch_settled", {"epoch": 0, "pot": pot, "machines": 1, "total_weight": 2_500_000_000}),
        ("reward_paid", {"epoch": 0, "machine": machine, "machine_index": 0, "owner": owner, "amount": pot,
                         "escrowed": 0}),
    ]
    assert rows(done, "transfers") == [("epoch:0:0", 0, height, "reward", machine, owner, pot, 0, 0)]


def test_only_machines_that_are_paid_are_counted(new_chain: Any, kit: Any) -> None:
    """A virtual machine at weight 0 attests, but is none of them; at the smallest weight there is, it is one."""
    for vm_weight, machines, paid in ((0, 1, 0), (2, 2, 1)):
        chain = new_chain(vm_weight=vm_weight)
        boxes = kit.box(1), kit.box(2, kit.vm)
        chain.register(*boxes)
        chain.block(*map(chain.attest, boxes), after_ms=1)
        name, data = told(chain.to_epoch(1))[0]
        assert name == "epoch_settled"
        assert data["machines"] == machines
        weights = [chain.entry(box).weight for box in boxes]
        assert data["total_weight"] == sum(weights)
        assert weights[1] == paid


def test_what_owners_do_is_told(chain: Any, kit: Any) -> None:
    """Who is paid from which epoch on, and that a machine is gone."""
    box = kit.box(1, owner=kit.alice)
    chain.register(box)
    machine = to_bech32m(box.key.account)
    envelope = chain.unbind(kit.alice, box, kit.bob.account)
    facts = {"id": envelope.id.hex(), "machine": machine, "machine_index": 0}
    assert told(chain.block(envelope, after_ms=1)) == [
        ("machine_handed_over", {**facts, "owner": to_bech32m(kit.bob.account), "epoch": 1})
    ]
    envelope = chain.unbind(kit.alice, box)
    assert told(chain.block(envelope, after_ms=1)) == [("machine_unbound", {**facts, "id": envelope.id.hex()})]
    (row,) = rows(chain.block(chain.transfer(kit.alice, kit.bob.account, 1), after_ms=1), "transfers")
    assert row[3] == "transfer"


def test_escrow_that_is_paid_is_told_like_a_reward(new_chain: Any, kit: Any) -> None:
    """A row and an event of its own, beside the reward of the epoch."""
    chain = new_chain(uncalibrated_cap=1_250_000_000)
    box = kit.box(1)
    chain.register(box)
    machine, owner = to_bech32m(box.key.account), to_bech32m(box.owner)
    chain.block(chain.attest(box), after_ms=1)
    pot = 1_500_200
    held = pot - pot // 2
    facts = {"epoch": 0, "machine": machine, "machine_index": 0, "owner": owner}
    assert told(chain.to_epoch(1))[1] == ("reward_paid", {**facts, "amount": pot // 2, "escrowed": held})
    chain.block(chain.attest(box), after_ms=1)
    state = chain.state
    state.put_calibrated("ppc pvr 8003", Calibrated(3, b"\x80"))
    chain.head = replace(chain.head, state=chain.head.state.update(dict(state.changes())))
    done = chain.to_epoch(2)
    assert told(done)[1:] == [
        ("escrow_paid", {**facts, "epoch": 1, "amount": held}),
        ("reward_paid", {**facts, "epoch": 1, "amount": 1_500_000, "escrowed": 0}),
    ]
    height = chain.head.height
    assert rows(done, "transfers") == [
        ("escrow:1:0", 0, height, "escrow", machine, owner, held, 0, 0),
        ("epoch:1:0", 0, height, "reward", machine, owner, 1_500_000, 0, 0),
    ]
