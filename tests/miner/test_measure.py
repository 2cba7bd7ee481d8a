"""Measuring this machine: what goes on chain is canonical, bound to the chain, and answers the challenge asked."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest

from metanode.core.model.limits import INVENTORY_BYTES_MAX, SAMPLES_BYTES_MAX
from metanode.fingerprint.checks import PASS, VERDICTS
from metanode.fingerprint.collect import unsupported_reason
from metanode.fingerprint.inventory import decode_inventory
from metanode.fingerprint.keyed import PROBES, check_keyed
from metanode.fingerprint.samples import decode_samples
from metanode.fingerprint.scoring import Policy
from metanode.miner import measure

CHALLENGE = bytes(range(32))
BUDGET_S_MAX = measure.BUDGET_MS / 1000 + 3
"""The budget, and the probe that was running when it ended, on a busy host."""

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


def test_an_answer_holds_the_workload_drawn_from_its_challenge(notebook: Any) -> None:
    """Another challenge asks for another result; probes stay within their budget and their bytes."""
    started = time.monotonic()
    answer = measure.answer(notebook, CHALLENGE)
    assert time.monotonic() - started < BUDGET_S_MAX
    assert [probe for probe, _ in answer.probe_results] == list(PROBES)
    assert check_keyed(CHALLENGE, answer.probe_results).verdict == PASS
    assert check_keyed(CHALLENGE[::-1], answer.probe_results).verdict != PASS
    assert len(answer.samples) <= SAMPLES_BYTES_MAX
    assert decode_samples(answer.samples), "at least one probe was measured"
    assert {check.verdict for check in answer.checks} <= set(VERDICTS)


def test_progress_is_told_while_measuring(notebook: Any) -> None:
    """For whoever shows it."""
    told: list[tuple[int, int, str]] = []
    measure.answer(notebook, CHALLENGE, lambda *step: told.append(step))
    assert told[-1][0] == told[-1][1] > 0


def test_a_preview_is_what_the_policy_gives(notebook: Any, virtual_machine: Any) -> None:
    """A virtual machine counts for nothing where its weight is 0, bare hardware the same under both."""
    paying, refusing = Policy("edge", 1_000_000_000), Policy("edge", 0)
    assert measure.preview(virtual_machine, (), refusing).weight == 0
    assert measure.preview(virtual_machine, (), paying).weight > 0
    assert measure.preview(notebook, (), refusing).weight == measure.preview(notebook, (), paying).weight > 0
