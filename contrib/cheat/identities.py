"""Forgeries of who a machine is: cloned and squatted tags, one machine as many, many machines as one sponsor."""

from __future__ import annotations

from dataclasses import replace

from client import Machine
from forgery import Outcome, came_to, forgery, without_gain
from lab import key_of
from pretence import Pretence
from scene import Scene, g4_timings, groundwork

from metanode.core.model import kinds
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.bodies import MachineCommit, MachineReveal, MachineUnbind, seal_commit


@forgery(
    "cloned-tag",
    "The binding tag of a machine that is on record",
    how="The cheater copies the honest G4's binding tag off the chain and registers another key under it.",
    answer="A tag has one record: the earlier commit's.",
)
def cloned_tag(scene: Scene) -> Outcome:
    """The honest G4's."""
    return came_to(scene.lives(scene.pretend("cloned tag", scene.g4.claim, tag=scene.g4.tag)))


@forgery(
    "front-run-tag",
    "A tag seen in the pool before its block",
    how="The victim reveals; the cheater reads the tag in the waiting envelope, commits to it at once through an "
    "account of its own, and reveals as soon as it may.",
    answer="The victim's commit is the earlier one, whichever reveal comes first.",
)
def front_run_tag(scene: Scene) -> Outcome:
    """The cheater reveals first, the victim last: the victim keeps its tag."""
    victim = scene.pretend("victim", Pretence(replace(scene.g4.claim.inventory, memory_mib=640), g4_timings()))
    thief = scene.pretend("front runner", scene.g4.claim, tag=victim.tag)
    with groundwork():
        opened = scene.client.reveal_of(victim)
        scene.client.commit(opened)
        stolen = scene.client.reveal_of(thief)
        scene.client.send(scene.client.chain.cheater, kinds.MACHINE_COMMIT, _commit(stolen))
        scene.client.send(scene.client.chain.cheater, kinds.MACHINE_REVEAL, stolen.encode())
        scene.client.reveal(opened)
    return replace(came_to(scene.client.standing(thief)), payable=_left(scene, thief), note="displaced by the victim")


@forgery(
    "copied-reveal",
    "Another's reveal, sent under one's own name",
    how="The victim's whole reveal is copied out of the pool and sent by the cheater's account with a higher fee.",
    answer="It says what it says: the record names its owner, and the commit its sponsor. The copy costs its fee.",
)
def copied_reveal(scene: Scene) -> Outcome:
    """The victim is registered, and paid."""
    victim = scene.pretend("copied", Pretence(replace(scene.g4.claim.inventory, memory_mib=896), g4_timings()))
    with groundwork():
        opened = scene.client.reveal_of(victim)
        scene.client.commit(opened)
    scene.client.send(scene.client.chain.cheater, kinds.MACHINE_REVEAL, opened.encode())
    assert scene.client.view(victim)["owner"] == to_bech32m(victim.owner), "another owns the machine now"
    return without_gain("the machine is its owner's; the copier paid the fee")


@forgery(
    "two-keys",
    "One machine under two keys",
    how="The cheater registers its own computer again with a second key, as the miner would: same tag.",
    answer="A tag has one record.",
)
def two_keys(scene: Scene) -> Outcome:
    """Both its own."""
    claim = Pretence(replace(scene.pc.claim.inventory, memory_mib=12_288), scene.pc.claim.rows)
    first = scene.settled("two keys, first", claim)
    return came_to(scene.lives(scene.pretend("two keys, second", claim, tag=first.tag)))


@forgery(
    "rebound",
    "Unbound and bound again, to be paid twice",
    how="The owner attests, unbinds the machine, and registers it at once under a second key for the same interval.",
    answer="A tag that was unbound is free from the next epoch on, and a key that was retired never counts again.",
)
def rebound(scene: Scene) -> Outcome:
    """All within one epoch."""
    owner = scene.client.chain.cheater
    claim = Pretence(replace(scene.pc.claim.inventory, memory_mib=13_312), scene.pc.claim.rows)
    first = scene.pretend("rebound, first", claim, owner=owner.account)
    with groundwork():
        scene.client.leave_room(6_000)
        scene.lives(first)
        scene.client.send(owner, kinds.MACHINE_UNBIND, MachineUnbind(first.key.account).encode())
    return came_to(scene.lives(scene.pretend("rebound, second", claim, tag=first.tag)))


@forgery(
    "invented-tag",
    "One machine under two keys and a made-up tag",
    how="As before, but the second record's tag is 32 random bytes, and its inventory has a little more memory.",
    answer="Nothing tells it: a tag is a hash, and what it stands for never leaves the machine. Each further record "
    "costs two fees and counts against its sponsor's cap.",
)
def invented_tag(scene: Scene) -> Outcome:
    """Random bytes."""
    claim = Pretence(replace(scene.pc.claim.inventory, memory_mib=14_336), scene.pc.claim.rows)
    scene.settled("invented tag, first", claim)
    again = Pretence(replace(claim.inventory, memory_mib=15_360), claim.rows)
    return came_to(scene.lives(scene.pretend("invented tag, second", again)))


@forgery(
    "squatted-tag",
    "The tag of a machine that is not on record yet",
    how="Whoever knows a machine's network address can compute its tag; the cheater registers it before the owner.",
    answer="Nothing tells it, and the owner is refused afterwards with HARDWARE_ALREADY_BOUND: only the "
    "squatter can unbind it. It earns no more than any made-up machine; the owner earns nothing with this tag.",
)
def squatted_tag(scene: Scene) -> Outcome:
    """The owner comes second."""
    owner = scene.pretend("squatted owner", Pretence(replace(scene.g4.claim.inventory, memory_mib=320), g4_timings()))
    claim = Pretence(replace(scene.pc.claim.inventory, memory_mib=10_240), scene.pc.claim.rows)
    told = scene.lives(scene.pretend("squatter", claim, tag=owner.tag))
    return came_to(told, note=f"the owner is refused with {scene.refusal_of(owner)}")


@forgery(
    "twins",
    "Many machines with one inventory",
    how="An account of the cheater's own sponsors PowerBooks that are alike to the byte, each with a key and a tag of "
    "its own, until it is refused.",
    answer="At most twins_per_sponsor of one inventory; a byte of difference in each one avoids it (see flood).",
)
def twins(scene: Scene) -> Outcome:
    """As many as there may be."""
    claim = Pretence(replace(scene.g4.claim.inventory, memory_mib=960), g4_timings())
    sponsor = key_of("twins' sponsor")
    count = scene.client.genesis.params.twins_per_sponsor + 2
    machines = [Machine(f"twin {number}", claim) for number in range(count)]
    taken, code = scene.sponsored(sponsor, machines)
    return came_to(scene.attests(taken[0]), machines=len(taken), note=f"then {code}" if code else "")


@forgery(
    "flood",
    "As many made-up computers as a sponsor may register",
    how="An account of the cheater's own sponsors modern computers that differ in a few bytes, until it is refused. "
    "Each is consistent, its timings fit, its keyed results are computed.",
    answer="Nothing tells them from a computer club: machines_per_sponsor_epoch and two fees each are all that bounds "
    "them, in every epoch and for every account that has coins. Whoever matters to a network must be known to it.",
)
def flood(scene: Scene) -> Outcome:
    """One epoch's worth."""
    base = scene.pc.claim
    sponsor = key_of("flood's sponsor")
    scene.client.leave_room(15_000)
    count = scene.client.genesis.params.machines_per_sponsor_epoch + 1
    machines = [
        Machine(f"flood {number}", Pretence(replace(base.inventory, memory_mib=1024 * (17 + number)), base.rows))
        for number in range(count)
    ]
    taken, code = scene.sponsored(sponsor, machines)
    return came_to(scene.attests(taken[0]), machines=len(taken), note=f"then {code}" if code else "")


def _commit(reveal: MachineReveal) -> bytes:
    return MachineCommit(seal_commit(reveal.salt, reveal.inner)).encode()


def _left(scene: Scene, machine: Machine) -> int:
    """Return what a machine is still paid: nothing once its tag is another's."""
    view = scene.client.view(machine)
    return 0 if view["displaced"] else int(view["weight"])
