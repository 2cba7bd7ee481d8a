"""Forgeries with something that is somebody else's, or of another time: dumps, samples, challenges, results."""

from __future__ import annotations

from dataclasses import replace

from forgery import Outcome, came_to, forgery, without_gain
from pretence import Pretence, powerbook
from scene import GroundworkError, Scene, g4_timings, groundwork

from metanode.core.model.bodies import decode_machine_record

LATE_MS = 16_000
"""An interval, a challenge growing stale, and two attestations."""


@forgery(
    "replayed-dump",
    "The dump of another's G4",
    how="The honest G4's inventory is copied byte for byte off the chain, with a made-up binding tag and timings.",
    answer="Two machines of one model may look alike, so an equal inventory is no proof. Only so many equal ones may "
    "have one sponsor; the caps hold it as they hold any G4.",
)
def replayed_dump(scene: Scene) -> Outcome:
    """The same inventory digest as the honest machine's."""
    return came_to(scene.lives(scene.pretend("replayed dump", Pretence(powerbook(), g4_timings()))))


@forgery(
    "replayed-samples",
    "The timings of another's G4",
    how="The summary of samples is copied byte for byte from the honest G4's record; the keyed results are computed "
    "anew for the cheater's own challenge.",
    answer="Timings are not tied to a challenge, only results are: nothing tells it. The caps hold it.",
)
def replayed_samples(scene: Scene) -> Outcome:
    """Bytes that stand on chain already."""
    seen = decode_machine_record(scene.g4_reveal.inner)
    machine = scene.pretend("replayed samples", Pretence(replace(powerbook(), memory_mib=512), g4_timings()))
    return came_to(scene.lives(machine, samples=seen.samples))


@forgery(
    "recorded-answers",
    "Answers recorded for an earlier challenge",
    how="The keyed results were computed once, for another header, and are sent again with a fresh challenge height.",
    answer="Every validator recomputes each result for the challenge that the record names.",
)
def recorded_answers(scene: Scene) -> Outcome:
    """Right results of the wrong challenge."""
    machine = scene.pretend("recorded answers", scene.pc.claim)
    with groundwork():
        old = machine.claim.results(bytes.fromhex(scene.client.challenge(machine)["challenge"]))
        scene.client.wait_until(scene.client.api.head()["time_ms"])
    return came_to(scene.lives(machine, results=old))


@forgery(
    "stolen-challenge",
    "Another machine's challenge",
    how="The cheater has another machine answer that machine's own challenge, and hands the answers in as its own.",
    answer="A challenge is drawn from the header and the machine's key: the answers fit no other key.",
)
def stolen_challenge(scene: Scene) -> Outcome:
    """The challenge of the honest PC at the same height."""
    machine = scene.pretend("stolen challenge", scene.pc.claim)
    with groundwork():
        asked, theirs = scene.client.challenge(machine), scene.client.challenge(scene.pc)
        results = scene.pc.claim.results(bytes.fromhex(theirs["challenge"]))
    return came_to(scene.lives(machine, asked=asked, results=results))


@forgery(
    "stolen-results",
    "Results copied from another's attestation",
    how="A registered machine of the cheater's attests with the results it saw in the honest PC's attestation.",
    answer="As before: results fit one key and one header.",
)
def stolen_results(scene: Scene) -> Outcome:
    """What the honest PC sends, taken before it is in a block."""
    claim = Pretence(replace(scene.pc.claim.inventory, memory_mib=4096), scene.pc.claim.rows)
    machine = scene.settled("stolen results", claim)
    with groundwork():
        theirs = scene.client.challenge(scene.pc)
        seen = scene.pc.claim.results(bytes.fromhex(theirs["challenge"]))
    scene.client.attest(scene.client.attestation(machine, scene.client.challenge(machine), results=seen))
    return came_to(scene.client.standing(machine))


@forgery(
    "altered-result",
    "One bit of one compiled probe's result changed",
    how="All timings fit, all results are right but one, as if a probe had been left out and its result guessed.",
    answer="Each result is recomputed; a timing without its right result counts for nothing.",
)
def altered_result(scene: Scene) -> Outcome:
    """The last one."""
    machine = scene.pretend("altered result", scene.pc.claim)
    with groundwork():
        asked = scene.client.challenge(machine)
    *right, (probe, result) = machine.claim.results(bytes.fromhex(asked["challenge"]))
    return came_to(scene.lives(machine, asked=asked, results=(*right, (probe, result ^ 1))))


@forgery(
    "stale-challenge",
    "Work done in advance",
    how="A challenge is asked for, answered at leisure, and the record is sent when it is no longer fresh.",
    answer="A challenge is good for challenge_fresh_ms of block time, five minutes on testnet.",
)
def stale_challenge(scene: Scene) -> Outcome:
    """The challenge asked for when the scene was set."""
    with groundwork():
        fresh_ms = scene.client.genesis.params.challenge_fresh_ms
        scene.client.wait_until(scene.early_asked["time_ms"] + fresh_ms + 1)
    return came_to(scene.lives(scene.early, asked=scene.early_asked))


@forgery(
    "attested-twice",
    "Two attestations in one interval",
    how="A registered machine attests again in the same interval, for another fresh challenge.",
    answer="The replay key is machine and interval; each interval counts once.",
)
def attested_twice(scene: Scene) -> Outcome:
    """Both challenges lie in one interval."""
    machine = scene.settled("twice", Pretence(replace(scene.pc.claim.inventory, memory_mib=6144), scene.pc.claim.rows))
    with groundwork():
        first = scene.next_interval(machine)
        scene.client.attest(scene.client.attestation(machine, first))
        second = scene.client.challenge(machine)
    if second["interval"] != first["interval"] or second["height"] == first["height"]:
        raise GroundworkError("this machine is too slow: an interval passed between two attestations")
    scene.client.attest(scene.client.attestation(machine, second))
    return came_to(scene.client.standing(machine))


@forgery(
    "backdated",
    "An interval that was slept through, attested afterwards",
    how="The challenge of a past interval is kept, and its attestation sent when the challenge is stale.",
    answer="It is taken as late: kept for continuity, at most one in an epoch, and never paid. A second one is "
    "refused with CHALLENGE_LATE.",
)
def backdated(scene: Scene) -> Outcome:
    """Late, then late again."""
    claim = Pretence(replace(scene.pc.claim.inventory, memory_mib=7168), scene.pc.claim.rows)
    machine = scene.settled("backdated", claim)
    with groundwork():
        scene.client.leave_room(LATE_MS)  # so that both are sent in one epoch, the one they are of
        first = scene.client.challenge(machine)
        second = scene.next_interval(machine)
        scene.client.wait_until(second["time_ms"] + scene.client.genesis.params.challenge_fresh_ms + 1)
    late = scene.client.attest(scene.client.attestation(machine, first))
    assert late["counted"] is False, "an attestation for a stale challenge counted"
    return without_gain("taken as late, counts for nothing", scene.code_of(machine, second))
