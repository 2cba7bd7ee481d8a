"""Measure this machine for a calibration report: all probes, many rounds, for the challenge of a ticket."""

from __future__ import annotations

from dataclasses import dataclass

from metanode.core.model.bodies import challenge
from metanode.core.model.calibration import CalibrationReport, Ticket
from metanode.core.model.errors import MetanodeError
from metanode.core.model.limits import RECORD_SAMPLES_BYTES_MAX
from metanode.core.version import VERSION
from metanode.fingerprint.classes import processor_key
from metanode.fingerprint.collect import Report, collect
from metanode.fingerprint.identifiers import binding_tag
from metanode.fingerprint.keyed import PROBES, run_keyed
from metanode.fingerprint.probes import Progress, measure
from metanode.fingerprint.probes.budget import Budget
from metanode.fingerprint.probes.compiled import ROUNDS, measure_compiled
from metanode.fingerprint.probes.readings import Readings
from metanode.fingerprint.samples import Measurement, encode_fitting
from metanode.platforms.shims import probes as shim

CALIBRATE_ROUNDS = 8 * ROUNDS
"""Samples of each short probe: a calibration is made once."""
CALIBRATE_BUDGET_MS = 60_000
"""Time for the compiled probes, enough for a 400 MHz G4; a PC takes a second."""
AGENT = f"metanode-fingerprint/{VERSION}"


@dataclass(frozen=True)
class Calibrated:
    """A report to be signed, and what it was made of."""

    report: CalibrationReport
    machine: Report
    measurements: tuple[Measurement, ...]
    readings: Readings


def calibrate(ticket: Ticket, progress: Progress | None = None) -> Calibrated:
    """Measure this machine.

    :raises MetanodeError: UNSUPPORTED_PLATFORM, also where nothing tells this machine from another;
        CALIBRATION_UNMEASURED, the compiled probes are not there.
    """
    machine = collect()
    tag = binding_tag(machine.identifiers, ticket.genesis_hash)
    seed = challenge(ticket.header_hash, ticket.machine_key)
    readings = measure_compiled(seed, budget=Budget(CALIBRATE_BUDGET_MS), rounds=CALIBRATE_ROUNDS, progress=progress)
    if readings is None:
        raise MetanodeError("CALIBRATION_UNMEASURED", shim.problem())
    measurements = (*measure(progress=progress), *readings.measurements())
    report = CalibrationReport(
        owner_key=ticket.owner_key,
        machine_key=ticket.machine_key,
        binding_tag=tag,
        model=processor_key(machine.inventory),
        inventory=machine.inventory.encode(),
        challenge_height=ticket.height,
        header_hash=ticket.header_hash,
        probe_results=(*((probe, run_keyed(seed, probe)) for probe in PROBES), *readings.results()),
        samples=encode_fitting(measurements, bytes_max=RECORD_SAMPLES_BYTES_MAX),
        agent=AGENT,
    )
    return Calibrated(report, machine, measurements, readings)
