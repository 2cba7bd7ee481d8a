"""Measuring this machine: what goes on chain is canonical, bound to the chain, and answers the challenge asked."""

from __future__ import annotations

import sys
import time
from itertools import combinations
from typing import Any

import pytest

from metanode.core.model.limits import INVENTORY_BYTES_MAX, RECORD_SAMPLES_BYTES_MAX, SAMPLES_BYTES_MAX
from metanode.fingerprint.checks import FAIL, PASS, VERDICTS
from metanode.fingerprint.collect import unsupported_reason
from metanode.fingerprint.evidence import ACTIVE
from metanode.fingerprint.inventory import decode_inventory
from metanode.fingerprint.keyed import PROBES, check_active, check_keyed
from metanode.fingerprint.probes import compiled
from metanode.fingerprint.probes.budget import BUDGET_MS
from metanode.fingerprint.probes.summaries import KIND_BASE
from metanode.fingerprint.probes.workload import ACTIVE_PROBES, INT_ADD, TIMER
from metanode.fingerprint.rotation import PER_EPOCH, ROTATING, probes_of
from metanode.fingerprint.samples import decode_samples
from metanode.fingerprint.scoring import CAP_MAX, Policy
from metanode.miner import measure
from metanode.platforms.shims import probes

CHALLENGE = bytes(range(32))

needs_collector = pytest.mark.skipif(
    bool(unsupported_reason(sys.platform)), reason="no collector for this platform yet"
)


@needs_collector
def test_looking_twice_gives_the_same_machine() -> None:
    """The digest of these bytes must stay the same for the life of the machine."""
    first, second = measure.look(b"g" * 32), measure.look(b"g" * 32)
    assert first.inventory == second.inventory
    assert first.binding_tag == second.binding_tag
    assert decode_inventory(first.inventory) == first.report.inventory
    assert len(first.inventory) <= INVENTORY_BYTES_MAX


@needs_collector
def test_a_binding_tag_belongs_to_one_chain() -> None:
    """Nobody may follow a machine from one chain to another."""
    here, there = measure.look(b"a" * 32), measure.look(b"b" * 32)
    assert len(here.binding_tag) == 32
    assert here.binding_tag != there.binding_tag


@pytest.mark.parametrize("checks", [None, *combinations(ROTATING, PER_EPOCH)])
def test_an_answer_holds_the_workloads_drawn_from_its_challenge(notebook: Any, checks: tuple[str, ...] | None) -> None:
    """Another challenge asks for other results; a record has all probes, an attestation those of its epoch."""
    answer = measure.answer(notebook, CHALLENGE, checks=checks)
    keyed = [pair for pair in answer.probe_results if pair[0] in PROBES]
    active = [pair for pair in answer.probe_results if pair[0] not in PROBES]
    assert [probe for probe, _ in keyed] == list(PROBES)
    assert check_keyed(CHALLENGE, keyed).verdict == PASS
    assert check_keyed(CHALLENGE[::-1], keyed).verdict != PASS
    assert len(answer.samples) <= (RECORD_SAMPLES_BYTES_MAX if checks is None else SAMPLES_BYTES_MAX)
    assert {check.verdict for check in answer.checks} <= set(VERDICTS)
    timed = [summary.kind - KIND_BASE for summary in decode_samples(answer.samples) if summary.kind > KIND_BASE]
    assert timed == [probe for probe, _ in active], "a timing and its result go together"
    if probes.load() is None:
        pytest.skip(probes.problem())
    assert check_active(CHALLENGE, active).verdict == PASS
    assert check_active(CHALLENGE[::-1], active).verdict == FAIL
    asked = ACTIVE_PROBES if checks is None else probes_of(checks)
    assert set(timed) <= set(asked) - {TIMER}
    assert INT_ADD in timed or INT_ADD not in asked


def test_an_answer_fits_its_budget(notebook: Any) -> None:
    """A PC is done long before it."""
    started = time.monotonic()
    measure.answer(notebook, CHALLENGE)
    assert time.monotonic() - started < BUDGET_MS / 1000


def test_without_the_extension_the_interpreter_answers_alone(notebook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A miner of the standard library mines, and is told what it lacks."""
    monkeypatch.setattr(compiled, "load", lambda: None)
    monkeypatch.setattr(probes, "load", lambda: None)
    answer = measure.answer(notebook, CHALLENGE)
    assert [probe for probe, _ in answer.probe_results] == list(PROBES)
    assert {check.name for check in answer.checks if check.reason == "NEEDS_COMPILED_PROBE"} == set(ACTIVE)
    legacy = Policy("edge", 0, CAP_MAX, 100_000_000)
    assert measure.preview(notebook, measure.expected(), legacy).caps == ("legacy",)


def test_progress_is_told_while_measuring(notebook: Any) -> None:
    """For whoever shows it."""
    told: list[tuple[int, int, str]] = []
    measure.answer(notebook, CHALLENGE, progress=lambda *step: told.append(step))
    assert told[-1][0] == told[-1][1] > 0


def test_a_preview_is_what_the_policy_gives(notebook: Any, virtual_machine: Any) -> None:
    """A virtual machine counts for nothing where its weight is 0, bare hardware the same under both."""
    paying, refusing = Policy("edge", 1_000_000_000, CAP_MAX, CAP_MAX), Policy("edge", 0, CAP_MAX, CAP_MAX)
    assert measure.preview(virtual_machine, (), refusing).weight == 0
    assert measure.preview(virtual_machine, (), paying).weight > 0
    assert measure.preview(notebook, (), refusing).weight == measure.preview(notebook, (), paying).weight > 0
