"""What every forgery meets: the client, two honest machines that share the pot with it, and keys of the cheater's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from client import Client, Machine
from pretence import Pretence, Rows, fitting, modern_pc, powerbook
from standing import Told, told

from metanode.core.crypto.keys import KeyPair
from metanode.core.model import kinds
from metanode.core.model.bodies import MachineCommit, MachineReveal, seal_commit
from metanode.core.model.errors import MetanodeError

TRIES_MAX = 3
G4_CLAIM, PC_CLAIM = "powerpc-7450", "skylake"


class GroundworkError(Exception):
    """What a forgery builds on did not work: the forgery itself was never tried."""


@contextmanager
def groundwork() -> Iterator[None]:
    """Run what must work before the cheating begins."""
    try:
        yield
    except MetanodeError as error:
        raise GroundworkError(error.line()) from error


def g4_timings() -> Rows:
    """Timings that fit a PowerBook G4."""
    return fitting(G4_CLAIM, clock_mhz=1333, read_mb_s=900)


def pc_timings() -> Rows:
    """Timings that fit a desktop computer of 2020."""
    return fitting(PC_CLAIM, clock_mhz=4300, read_mb_s=12_000)


@dataclass
class Scene:
    """A chain with two honest machines on it."""

    client: Client
    pc: Machine
    """An honest modern computer."""
    g4: Machine
    """An honest PowerBook G4."""
    pc_told: Told
    g4_told: Told
    g4_reveal: MachineReveal
    """The G4's record as everyone sees it in its block."""
    early: Machine
    """A machine whose challenge was asked for when the scene was set, and left to grow old."""
    early_asked: dict[str, Any]

    @classmethod
    def set(cls, client: Client) -> Scene:
        """Register the honest machines, and ask for a challenge that will be stale."""
        pc = Machine("honest pc", Pretence(modern_pc(), pc_timings()))
        g4 = Machine("honest g4", Pretence(powerbook(), g4_timings()))
        early = Machine("early", Pretence(modern_pc(), pc_timings()))
        with groundwork():
            asked = client.challenge(early)
            client.register(pc)
            reveal = client.reveal_of(g4)
            client.commit(reveal)
            client.reveal(reveal)
            scene = cls(client, pc, g4, client.standing(pc), client.standing(g4), reveal, early, asked)
            scene.pc_told, scene.g4_told = scene.attests(pc), scene.attests(g4)
            return scene

    def pretend(self, name: str, claim: Pretence, **changes: Any) -> Machine:
        """Return a machine of the cheater's, which claims to be something."""
        return replace(Machine(name, claim), **changes) if changes else Machine(name, claim)

    def settled(self, name: str, claim: Pretence) -> Machine:
        """Return a machine of the cheater's that is on chain already, which is not the forgery yet."""
        machine = Machine(name, claim)
        with groundwork():
            self.client.register(machine)
        return machine

    def lives(self, machine: Machine, **changes: Any) -> Told:
        """Register a machine, let it attest once, and return what it counts for in this epoch.

        :raises MetanodeError: the refusal, with its code.
        """
        self.client.register(machine, **changes)
        return self.attests(machine)

    def attests(self, machine: Machine) -> Told:
        """Let a machine on record attest once; returns what it counts for in this epoch."""
        for _ in range(TRIES_MAX):
            self.client.attest(self.client.attestation(machine, self.client.challenge(machine)))
            view = self.client.view(machine)
            if view["intervals_counted"]:  # else an epoch ended meanwhile
                return told(view)
        raise GroundworkError(f"{machine.name} attested {TRIES_MAX} times, and none counted")

    def next_interval(self, machine: Machine) -> dict[str, Any]:
        """Wait for the next interval's first block; returns its challenge."""
        self.client.wait_until(self.client.challenge(machine)["interval_end_ms"])
        return self.client.challenge(machine)

    def code_of(self, machine: Machine, asked: dict[str, Any]) -> str:
        """Attest for a challenge; returns the code it is refused with, empty where it is not."""
        try:
            self.client.attest(self.client.attestation(machine, asked))
        except MetanodeError as error:
            return error.code
        return ""

    def refusal_of(self, machine: Machine) -> str:
        """Register a machine; returns the code it is refused with, empty where it is not."""
        try:
            self.client.register(machine)
        except MetanodeError as error:
            return error.code
        return ""

    def sponsored(self, sponsor: KeyPair, machines: Sequence[Machine]) -> tuple[list[Machine], str]:
        """Register machines through an account of the cheater's; returns those taken, and the first refusal's code."""
        reveals = [self.client.reveal_of(machine) for machine in machines]
        commits = [
            (kinds.MACHINE_COMMIT, MachineCommit(seal_commit(one.salt, one.inner)).encode()) for one in reveals
        ]
        sealed = self.client.send_all(sponsor, commits)
        opened = [one for one, code in zip(reveals, sealed, strict=True) if code == "OK"]
        revealed = self.client.send_all(sponsor, [(kinds.MACHINE_REVEAL, one.encode()) for one in opened])
        outcome = iter(revealed)
        codes = [next(outcome) if code == "OK" else code for code in sealed]
        taken = [machine for machine, code in zip(machines, codes, strict=True) if code == "OK"]
        return taken, next((code for code in codes if code != "OK"), "")
