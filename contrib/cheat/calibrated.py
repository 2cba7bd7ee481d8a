"""Forgeries of calibration: reports that would have a model paid in full, and the escrow with it.

The operator's account proposes, as it would with reports that people sent it: what its node refuses never gets to a
vote.  The model is that of a PowerMac G3, so that no other forgery is paid by what comes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from client import Machine
from emulated import G4, under_emulation
from forgery import Outcome, came_to, forgery
from lab import key_of
from pretence import ALL_SOURCES, Pretence, Rows, dumped, fitting, powerbook, spread
from scene import Scene, groundwork

from metanode.core.crypto.keys import KeyPair
from metanode.core.model import codec, kinds
from metanode.core.model.bodies import CALIBRATE, PROPOSE, Govern
from metanode.core.model.calibration import CalibrationReport, SignedReport, report_digest
from metanode.fingerprint.classes import processor_key
from metanode.fingerprint.probes.summaries import KIND_BASE
from metanode.fingerprint.probes.workload import FP_ADD, INT_ADD
from metanode.miner.loop import AGENT

CLAIM = "powerpc-750"
CLOCKS = (400, 450, 500)
"""Of three G3s, MHz."""


def powermacs() -> list[Pretence]:
    """Three PowerMac G3s whose timings fit."""
    base = replace(dumped("composed/linux_powermac_g3"), sources=ALL_SOURCES)
    return [Pretence(base, fitting(CLAIM, clock_mhz=clock, read_mb_s=clock)) for clock in CLOCKS]


def _fp_add(claim: Pretence, permille: int) -> Rows:
    """Return the timing of floating-point additions that gives a ratio."""
    _, least, *_ = claim.rows[KIND_BASE + INT_ADD]
    return {KIND_BASE + FP_ADD: spread(least * permille // 1000)}


def reports_of(scene: Scene, claims: Sequence[Pretence], owners: Sequence[str]) -> list[bytes]:
    """Return signed reports for the newest header's challenge."""
    return [_report(scene, Machine(f"reported by {owner}, {at}", claim), key_of(owner))
            for at, (claim, owner) in enumerate(zip(claims, owners, strict=True))]  # fmt: skip


def _report(scene: Scene, machine: Machine, owner: KeyPair) -> bytes:
    asked = scene.client.challenge_now(machine)
    report = CalibrationReport(
        owner_key=owner.public_key, machine_key=machine.key.public_key, binding_tag=machine.tag,
        model=processor_key(machine.claim.inventory), inventory=machine.claim.inventory.encode(),
        challenge_height=asked["height"], header_hash=bytes.fromhex(asked["header_hash"]),
        probe_results=machine.claim.results(bytes.fromhex(asked["challenge"])), samples=machine.claim.samples(),
        agent=AGENT,
    ).encode()  # fmt: skip
    return SignedReport(report, owner.sign(report_digest(report, scene.client.genesis.hash))).encode()


def propose(scene: Scene, key: KeyPair, claims: Sequence[Pretence], reports: Sequence[bytes]) -> None:
    """Propose to calibrate the model that the claims are of; raises MetanodeError, the refusal."""
    content: list[str | bytes] = [processor_key(claims[0].inventory), *reports]
    scene.client.send(key, kinds.GOVERN, Govern(PROPOSE, codec.encode([CALIBRATE, content])).encode())


def vote(scene: Scene, claims: Sequence[Pretence], owners: Sequence[str]) -> Outcome:
    """Have the operator vote for a calibration; returns what one machine of the model is paid afterwards."""
    with groundwork():
        reports = reports_of(scene, claims, owners)
    propose(scene, scene.client.chain.identity.sponsor, claims, reports)
    scene.client.wait_for_epoch()
    return came_to(scene.lives(Machine("calibrated", replace(claims[0]))), note="one machine of the model afterwards")


@forgery(
    "calibration-by-one-owner",
    "Three reports of one owner",
    how="Three machines that fit each other are reported, all signed by one account.",
    answer="Owners must be distinct accounts. That they are distinct people nobody can check.",
)
def calibration_by_one_owner(scene: Scene) -> Outcome:
    """One key signs all."""
    return vote(scene, powermacs(), ["one owner"] * 3)


@forgery(
    "calibration-of-one-machine",
    "One machine reported three times",
    how="Three accounts report the same timings, each with a tag and a key of its own.",
    answer="No two machines time alike to the picosecond: equal samples are one measurement.",
)
def calibration_of_one_machine(scene: Scene) -> Outcome:
    """The same samples."""
    return vote(scene, [powermacs()[0]] * 3, ["first", "second", "third"])


@forgery(
    "calibration-that-differs",
    "Reports that do not agree",
    how="Two reports fit the envelope, the third tells floating-point additions three times as dear.",
    answer="Each ratio's highest is at most twice its lowest, over all reports.",
)
def calibration_that_differs(scene: Scene) -> Outcome:
    """Within the margin of the envelope, and yet another processor."""
    first, second, third = powermacs()
    fast, slow = ({**one.rows, **_fp_add(one, permille)} for one, permille in ((second, 1600), (third, 6400)))
    return vote(scene, [first, replace(second, rows=fast), replace(third, rows=slow)], ["first", "second", "third"])


@forgery(
    "calibration-by-emulators",
    "Three honest reports of three emulators",
    how="qemu-ppc runs the probes three times, with every text tell patched out, and the timings are reported.",
    answer="A report in which a check fails calibrates nothing: the envelope of the vendor's latencies comes first.",
)
def calibration_by_emulators(scene: Scene) -> Outcome:
    """Real runs."""
    claims = [Pretence(powerbook(), under_emulation(G4, 1333, number)) for number in range(3)]
    return vote(scene, claims, ["first", "second", "third"])


@forgery(
    "calibration-without-a-vote",
    "Good reports proposed by the cheater itself",
    how="Three made-up machines that fit, proposed from an account that is no validator's.",
    answer="Only members of the validator set propose and approve.",
)
def calibration_without_a_vote(scene: Scene) -> Outcome:
    """From the cheater's account."""
    claims = powermacs()
    with groundwork():
        reports = reports_of(scene, claims, ["first", "second", "third"])
    propose(scene, scene.client.chain.cheater, claims, reports)
    return came_to(scene.lives(Machine("calibrated by itself", claims[0])))


@forgery(
    "calibration-invented",
    "Three made-up machines of three made-up owners, voted for",
    how="Reports computed from the published envelope, signed by three fresh accounts; the validators are persuaded.",
    answer="No rule tells them from three real machines: the vote is the only check, so validators must know the "
    "owners. From then on every machine of the model is paid in full, made up or not.",
)
def calibration_invented(scene: Scene) -> Outcome:
    """The operator believes it."""
    return vote(scene, powermacs(), ["first", "second", "third"])
