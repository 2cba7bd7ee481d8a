"""Measure this machine once, and answer one challenge with it."""

from __future__ import annotations

from dataclasses import dataclass

from metanode.core.model.bodies import ProbeResults
from metanode.fingerprint.checks import Check
from metanode.fingerprint.classes import classify
from metanode.fingerprint.collect import Report, collect
from metanode.fingerprint.identifiers import binding_tag
from metanode.fingerprint.keyed import PROBES, check_keyed, run_keyed
from metanode.fingerprint.multipliers import load_table
from metanode.fingerprint.probes import Progress, measure
from metanode.fingerprint.samples import decode_samples, encode_samples, judge
from metanode.fingerprint.scoring import Policy, Score, score

BUDGET_MS = 2_000
"""Time for the probes of one attestation: a miner is a guest on its machine."""


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


def answer(machine: Machine, challenge: bytes, progress: Progress | None = None) -> Answer:
    """Run the workload drawn from the challenge and the timing probes."""
    results = tuple((probe, run_keyed(challenge, probe)) for probe in PROBES)
    samples = encode_samples(measure(budget_ms=BUDGET_MS, progress=progress))
    row = load_table().row(*classify(machine.report.inventory))
    return Answer(samples, results, (check_keyed(challenge, results), *judge(decode_samples(samples), row)))


def preview(machine: Machine, checks: tuple[Check, ...], policy: Policy) -> Score:
    """Return the weight that validators will compute under a policy."""
    return score(machine.report.inventory, checks, policy)
