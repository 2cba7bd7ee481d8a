"""Machines that do not stand in this room: calibration reports composed from the dump of a real PowerBook."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metanode.core.crypto.keys import KeyPair
from metanode.core.model.bodies import challenge
from metanode.core.model.calibration import CalibrationReport, SignedReport, report_digest
from metanode.core.model.hashing import H
from metanode.fingerprint.capture import read_capture
from metanode.fingerprint.classes import processor_key
from metanode.fingerprint.collect import read_machine
from metanode.fingerprint.inventory import Inventory
from metanode.fingerprint.keyed import PROBES, run_keyed
from metanode.fingerprint.probes.summaries import KIND_BASE
from metanode.fingerprint.probes.workload import (
    CALL,
    FP_ADD,
    FP_DIV,
    FP_MUL,
    INT_ADD,
    INT_DIV,
    INT_MUL,
    PATCH,
    SCALAR,
    SIMD,
    STREAM,
    recompute,
)
from metanode.fingerprint.samples import Measurement, encode_samples

POWERBOOK = Path(__file__).parent / "corpus" / "composed" / "linux_powerbook_g4.txt"
CYCLES = {
    INT_ADD: 1000, INT_MUL: 4000, INT_DIV: 23000, FP_ADD: 5000, FP_MUL: 5000, FP_DIV: 35000, SCALAR: 2000, SIMD: 1200,
    CALL: 12000, PATCH: 120_000, STREAM: 12000,
}  # fmt: skip
"""What the vendor's manual gives for a 7447A, thousandths of a cycle per step; no real one was measured."""


class Composer:
    """Makes what the owner of such a machine would send."""

    inventory: Inventory = read_machine(*read_capture(POWERBOOK)).inventory

    def samples(self, number: int, cycles: dict[int, int]) -> bytes:
        """Return a summary; each machine has its own noise."""
        measured = [
            Measurement(KIND_BASE + probe, tuple(value * 2 // 3 * (100 + number + step) // 100 for step in range(7)))
            for probe, value in cycles.items()
        ]
        return encode_samples(measured, bytes_max=512)

    def report(
        self, number: int, *, genesis_hash: bytes = bytes(32), height: int = 0, header_hash: bytes = bytes(32),
        owner: KeyPair | None = None, machine: KeyPair | None = None, cycles: dict[int, int] | None = None,
        **changes: Any,
    ) -> CalibrationReport:  # fmt: skip
        """Return the report of a machine; those of different numbers are of different owners."""
        machine = machine or KeyPair.from_seed(H("machine", b"machine %d" % number))
        timed = CYCLES | (cycles or {})
        seed = challenge(header_hash, machine.public_key)
        results = [(probe, run_keyed(seed, probe)) for probe in PROBES]
        results += [(probe, recompute(seed, probe)) for probe in sorted(timed)]
        report = CalibrationReport(
            owner_key=(owner or self.owner(number)).public_key,
            machine_key=machine.public_key,
            binding_tag=H("identity", genesis_hash + b"%d" % number),
            model=processor_key(self.inventory),
            inventory=self.inventory.encode(),
            challenge_height=height,
            header_hash=header_hash,
            probe_results=tuple(results),
            samples=self.samples(number, timed),
            agent="test/1",
        )
        return replace(report, **changes)

    def owner(self, number: int) -> KeyPair:
        """Return the owner of the machine of a number."""
        return KeyPair.from_seed(H("machine", b"owner %d" % number))

    def sign(self, report: CalibrationReport, owner: KeyPair, genesis_hash: bytes = bytes(32)) -> bytes:
        """Return a report as a proposal carries it."""
        data = report.encode()
        return SignedReport(data, owner.sign(report_digest(data, genesis_hash))).encode()

    def signed(self, number: int, **changes: Any) -> bytes:
        """Return the signed report of a machine."""
        genesis_hash = changes.get("genesis_hash", bytes(32))
        report = self.report(number, **changes)
        return self.sign(report, changes.get("owner") or self.owner(number), genesis_hash)


@pytest.fixture
def composer() -> Composer:
    """Calibration reports of a PowerBook G4 that nobody has measured."""
    return Composer()


