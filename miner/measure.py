"""Look at this machine, and answer a challenge with it: all probes for its record, an epoch's for an attestation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metanode.core.model.bodies import ProbeResults
from metanode.core.model.limits import RECORD_SAMPLES_BYTES_MAX, SAMPLES_BYTES_MAX
from metanode.fingerprint.checks import PASS, Check
from metanode.fingerprint.classes import classify, processor_key
from metanode.fingerprint.collect import Report, collect
from metanode.fingerprint.evidence import judge_evidence
from metanode.fingerprint.identifiers import binding_tag
from metanode.fingerprint.keyed import KEYED_ACTIVE, PROBES, run_keyed
from metanode.fingerprint.multipliers import load_table
from metanode.fingerprint.probes import Progress, measure
from metanode.fingerprint.probes.budget import Budget
from metanode.fingerprint.probes.compiled import measure_compiled
from metanode.fingerprint.probes.summaries import KIND_BASE
from metanode.fingerprint.probes.workload import ACTIVE_PROBES
from metanode.fingerprint.rotation import probes_of
from metanode.fingerprint.samples import decode_samples, encode_fitting
from metanode.fingerprint.scoring import Policy, Score, score
from metanode.platforms.shims import probes as shim


@dataclass(frozen=True)
class Machine:
    """This machine as it goes on chain."""

    report: Report
    inventory: bytes
    binding_tag: bytes


@dataclass(frozen=True)
class Answer:
    """What answers one challenge."""

    samples: bytes
    probe_results: ProbeResults
    checks: tuple[Check, ...]


def look(genesis_hash: bytes) -> Machine:
    """Collect this machine's inventory.

    :raises MetanodeError: UNSUPPORTED_PLATFORM with the reason in words.
    """
    report = collect()
    return Machine(report, report.inventory.encode(), binding_tag(report.identifiers, genesis_hash))


def answer(
    machine: Machine, challenge: bytes, *, checks: Sequence[str] | None = None, progress: Progress | None = None
) -> Answer:
    """Run the workloads drawn from the challenge and the timing probes.

    :param checks: those of the epoch, names of `rotation.ROTATING`, for an attestation; None for a record, which
        carries all that this machine can measure.
    """
    budget = Budget()
    measured = measure(budget=budget, progress=progress)
    probes = ACTIVE_PROBES if checks is None else probes_of(checks)
    readings = measure_compiled(challenge, budget=budget, probes=probes, progress=progress) if probes else None
    active = readings.measurements() if readings else ()
    room = RECORD_SAMPLES_BYTES_MAX if checks is None else SAMPLES_BYTES_MAX
    samples = encode_fitting((*measured, *active), bytes_max=room)
    summaries = decode_samples(samples)
    carried = {summary.kind - KIND_BASE for summary in summaries}
    results = tuple(
        [(probe, run_keyed(challenge, probe)) for probe in PROBES]
        + [pair for pair in (readings.results() if readings else ()) if pair[0] in carried]
    )
    inventory = machine.report.inventory
    row = load_table().row(*classify(inventory))
    return Answer(samples, results, judge_evidence(results, summaries, processor_key(inventory), row))


def expected() -> tuple[Check, ...]:
    """Return what can be told before anything is measured: whether this installation has the compiled probes."""
    return () if shim.load() is None else (Check(KEYED_ACTIVE, PASS, "KEYED_RIGHT"),)


def preview(machine: Machine, checks: tuple[Check, ...], policy: Policy) -> Score:
    """Return the weight that validators will compute under a policy."""
    return score(machine.report.inventory, checks, policy)
