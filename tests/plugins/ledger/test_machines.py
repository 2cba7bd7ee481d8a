"""Machine records: commit, reveal, and who owns a binding tag."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from metanode.core.model.bodies import MachineRecord
from metanode.core.model.errors import ERROR_CODES, InvalidBlock
from metanode.core.model.receipt import EventNumber
from metanode.core.testing.contracts.ledger import key_pair
from metanode.plugins.ledger.attested.tables import Global, global_key


def number(code: str) -> int:
    """Return what a receipt stores for a code."""
    return ERROR_CODES[code].number


def fails(chain: Any, body: Any, **changes: int) -> str:
    """Return the code with which a reveal is refused at the door; it stands in a block with the same one."""
    envelope = chain.reveal(body, **changes)
    code = chain.door(envelope)
    assert code is not None
    before = chain.state.account(envelope.sender)
    done = chain.block(envelope, after_ms=1)
    assert [receipt.code for receipt in done.receipts] == [number(code)]
    after = chain.state.account(envelope.sender)
    assert (after.balance, after.nonce) == (before.balance - envelope.fee, before.nonce + 1)
    # The first block of an epoch draws the rotation and notes its height, whatever it holds.
    begun = {global_key(Global.ROTATION), global_key(Global.EPOCHS)}
    changed = [key for key, _ in done.changes if key not in begun]
    assert len(changed) == 2, "a failed body changes the payer and the fees, nothing else"
    return code


def committed(chain: Any, machine: Any, *, record: MachineRecord | None = None) -> Any:
    """Return a reveal whose commit stands on chain."""
    body = chain.reveal_body(machine, record or chain.record(machine))
    assert chain.codes(chain.commit(body)) == [0]
    return body


def test_a_machine_is_registered_in_two_steps(chain: Any, kit: Any) -> None:
    """The commit hides it, the reveal scores it and opens its account."""
    machine = kit.box(1)
    body = committed(chain, machine)
    reveal = chain.reveal(body)
    assert chain.door(reveal) is None
    done = chain.block(reveal, after_ms=1)
    (event,) = done.receipts[0].events
    assert event == (EventNumber.MACHINE_REGISTERED, 0, machine.key.account, machine.owner, 2_500_000_000)
    entry = chain.entry(machine)
    assert (entry.family, entry.arch, entry.klass) == ("PowerPC", "G4", "vintage")
    assert (entry.weight, entry.base_multiplier) == (2_500_000_000, 2_500_000_000)
    assert (entry.owner, entry.sponsor) == (machine.owner, kit.sponsor.account)
    assert (entry.inventory_digest, entry.record_height) == (machine.digest, 2)
    assert chain.state.account(machine.key.account).public_key == machine.key.public_key
    assert [row.values[:2] for row in done.rows if row.table == "miners"] == [(event_account(machine), 0)]


def event_account(machine: Any) -> str:
    """Return the machine's account as the views spell it."""
    from metanode.core.model.accounts import to_bech32m

    return to_bech32m(machine.key.account)


def test_a_virtual_machine_is_paid_what_the_network_says(new_chain: Any, kit: Any) -> None:
    """Devnet pays it in full, a network with vm_weight 0 registers it with weight 0."""
    for vm_weight in (1_000_000_000, 500_000_000, 0):
        chain = new_chain(vm_weight=vm_weight)
        machine = kit.box(1, kit.vm)
        chain.register(machine)
        entry = chain.entry(machine)
        assert entry.klass == "virtual"
        assert entry.weight == entry.base_multiplier * vm_weight // 1_000_000_000


def test_a_reveal_needs_its_commit_in_an_earlier_block(chain: Any, kit: Any) -> None:
    """Unknown, or only just committed: both are no commit yet."""
    machine = kit.box(1)
    body = chain.reveal_body(machine, chain.record(machine))
    assert fails(chain, body) == "SEAL_UNKNOWN"
    body = chain.reveal_body(machine, chain.record(machine))
    nonce = chain.state.account(kit.sponsor.account).nonce
    codes = chain.codes(chain.commit(body), chain.reveal(body, nonce=nonce + 1))
    assert codes == [0, number("SEAL_UNKNOWN")]
    assert chain.codes(chain.reveal(body)) == [0]


def test_another_salt_opens_no_commit(chain: Any, kit: Any) -> None:
    """The commit binds salt and record."""
    body = committed(chain, kit.box(1))
    assert fails(chain, replace(body, salt=b"\x01" * 32)) == "SEAL_UNKNOWN"


def test_a_commit_expires(new_chain: Any, kit: Any) -> None:
    """The window's last block still opens it, the next one does not; settlement forgets it later."""
    chain = new_chain(reveal_window_blocks=3)
    body = committed(chain, kit.box(1))
    other = chain.reveal_body(kit.box(2), chain.record(kit.box(2)))
    chain.block(chain.commit(other), after_ms=1)
    chain.block(after_ms=1)
    assert chain.codes(chain.reveal(body)) == [0]
    chain.block(after_ms=1)
    assert fails(chain, other) == "SEAL_EXPIRED"
    commit = chain.commit(other)
    assert chain.door(commit) == "SEAL_TAKEN"
    chain.to_epoch(1)
    assert chain.door(chain.commit(other)) is None


def test_a_commit_can_stand_only_once(chain: Any, kit: Any) -> None:
    """A copier cannot move it to a later place."""
    body = committed(chain, kit.box(1))
    envelope = chain.commit(body, kit.alice)
    assert chain.door(envelope) == "SEAL_TAKEN"
    assert chain.codes(envelope) == [number("SEAL_TAKEN")]


def test_anyone_may_send_a_reveal_but_the_commit_names_the_sponsor(chain: Any, kit: Any) -> None:
    """Sending it for somebody gains nothing: all it says is fixed by the commit."""
    machine = kit.box(1)
    body = committed(chain, machine)
    assert chain.codes(chain.reveal(body, kit.alice)) == [0]
    assert chain.entry(machine).sponsor == kit.sponsor.account
    assert chain.entry(machine).owner == machine.owner


def test_a_record_is_signed_by_the_machine(chain: Any, kit: Any) -> None:
    """A sponsor cannot invent machines or change their owner."""
    machine = kit.box(1)
    body = committed(chain, machine)
    assert fails(chain, replace(body, signature=key_pair(7).sign(bytes(32)))) == "INVALID_SIGNATURE"


def test_a_machine_key_has_one_record(chain: Any, kit: Any) -> None:
    """Registering again needs another key, and another machine."""
    machine = kit.box(1)
    chain.register(machine)
    body = committed(chain, kit.box(1, kit.pc))
    assert fails(chain, body) == "MACHINE_KNOWN"


def test_a_bound_tag_refuses_later_commits(chain: Any, kit: Any) -> None:
    """One physical machine, one record."""
    chain.register(kit.box(1))
    body = committed(chain, kit.box(2, tag=kit.box(1).tag))
    assert fails(chain, body) == "HARDWARE_ALREADY_BOUND"


def test_the_earlier_commit_owns_the_tag(chain: Any, kit: Any) -> None:
    """A copier who reveals first is displaced, earns nothing more and cannot attest."""
    honest, copier = kit.box(1), kit.box(2, tag=kit.box(1).tag)
    first = committed(chain, honest)
    second = committed(chain, copier)
    assert chain.codes(chain.reveal(second)) == [0]
    done = chain.block(chain.reveal(first), after_ms=1)
    assert [event[0] for event in done.receipts[0].events] == [
        EventNumber.MACHINE_REGISTERED,
        EventNumber.MACHINE_DISPLACED,
    ]
    assert done.receipts[0].events[1][1] == chain.index(copier) == 0
    assert chain.entry(copier).displaced == 1
    assert chain.entry(honest).displaced == 0
    assert chain.door(chain.attest(copier)) == "HARDWARE_ALREADY_BOUND"
    assert chain.door(chain.attest(honest)) is None


def test_the_order_within_a_block_decides_between_commits(chain: Any, kit: Any) -> None:
    """Position counts where the height is equal."""
    honest, copier = kit.box(1), kit.box(2, tag=kit.box(1).tag)
    bodies = [chain.reveal_body(machine, chain.record(machine)) for machine in (honest, copier)]
    chain.block(chain.commit(bodies[0]), chain.commit(bodies[1], kit.alice), after_ms=1)
    assert chain.codes(chain.reveal(bodies[0])) == [0]
    assert fails(chain, bodies[1]) == "HARDWARE_ALREADY_BOUND"


def test_the_challenge_must_be_known_and_fresh(chain: Any, kit: Any) -> None:
    """No later header, and none older than 300 s at the reveal."""
    machine = kit.box(1)
    ahead = committed(chain, machine, record=replace(chain.record(machine), challenge_height=9))
    assert fails(chain, ahead) == "CHALLENGE_UNKNOWN"
    old = committed(chain, machine)
    chain.block(after_ms=300_000)
    assert fails(chain, old) == "CHALLENGE_LATE"


def test_genesis_is_a_challenge_too(chain: Any, kit: Any) -> None:
    """Height 0 stands for the genesis hash and time."""
    machine = kit.box(1)
    body = committed(chain, machine, record=chain.record(machine, 0))
    assert chain.codes(chain.reveal(body)) == [0]


@pytest.mark.parametrize("results", [(), ((1, 0),), ((2, 5),), ((1, 0), (2, 0))])
def test_a_wrong_probe_result_is_refused(chain: Any, kit: Any, results: Any) -> None:
    """Missing, invented, unknown or surplus."""
    machine = kit.box(1)
    body = committed(chain, machine, record=replace(chain.record(machine), probe_results=results))
    assert fails(chain, body) == "PROBE_MISMATCH"


def test_an_inventory_must_be_one(chain: Any, kit: Any) -> None:
    """What cannot be scored is not registered."""
    machine = kit.box(1)
    for inventory, code in ((b"", "NOT_CANONICAL"), (b"\xa0", "BAD_SHAPE")):
        body = committed(chain, machine, record=replace(chain.record(machine), inventory=inventory))
        assert fails(chain, body) == code


def test_an_inventory_above_4_kib_is_refused(chain: Any, kit: Any) -> None:
    """It is a fault of the envelope's own bytes, so it may not stand at all."""
    machine = kit.box(1)
    record = replace(chain.record(machine), inventory=bytes(4097))
    assert chain.door(chain.reveal(chain.reveal_body(machine, record))) == "INVENTORY_TOO_LARGE"


def test_samples_must_be_well_formed(chain: Any, kit: Any) -> None:
    """They are judged by validators, so validators must be able to read them."""
    machine = kit.box(1)
    body = committed(chain, machine, record=replace(chain.record(machine), samples=b"\xff"))
    assert fails(chain, body) == "NOT_CANONICAL"


def test_a_sponsor_has_a_cap_per_epoch(new_chain: Any, kit: Any) -> None:
    """Counted in commits; another sponsor and the next epoch are free."""
    chain = new_chain(machines_per_sponsor_epoch=2)
    bodies = [chain.reveal_body(kit.box(i), chain.record(kit.box(i))) for i in range(3)]
    chain.block(chain.commit(bodies[0]), after_ms=1)
    second, late = chain.commit(bodies[1]), chain.commit(bodies[2], nonce=2)
    with pytest.raises(InvalidBlock) as caught:
        chain.ledger.execute(chain.head, chain.fields(1), [second, late], assemble=False)
    assert caught.value.code == "SPONSOR_CAP"
    built = chain.assemble(second, late, after_ms=1)
    assert [dropped.error.code for dropped in built.dropped] == ["SPONSOR_CAP"]
    assert chain.door(chain.commit(bodies[2])) == "SPONSOR_CAP"
    assert chain.door(chain.commit(bodies[2], kit.alice)) is None
    chain.to_epoch(1)
    assert chain.codes(chain.commit(bodies[2])) == [0]


def test_a_machine_that_was_paid_before_keeps_its_balance(chain: Any, kit: Any) -> None:
    """Its account may hold coins before its record gives it a key."""
    machine = kit.box(1)
    chain.block(chain.transfer(kit.alice, machine.key.account, 5_000), after_ms=1)
    chain.register(machine)
    assert chain.state.account(machine.key.account).balance == 5_000
    assert chain.codes(chain.transfer(machine.key, kit.bob.account, 100)) == [0]
