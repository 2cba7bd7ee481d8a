"""Four checks an epoch: drawn by the chain, the same for everyone, and each as often as the others."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from metanode.fingerprint.probes.envelopes import JUDGED
from metanode.fingerprint.probes.summaries import KIND_BASE
from metanode.fingerprint.probes.workload import ACTIVE_PROBES
from metanode.fingerprint.rotation import (
    PER_EPOCH,
    READ_SPEED,
    ROTATING,
    from_bits,
    measured,
    probes_of,
    selected,
    to_bits,
)
from metanode.fingerprint.samples import Summary

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "rotation.json").read_text())
BETA = bytes(range(64))


def test_everything_that_a_verdict_rests_on_rotates() -> None:
    """The judged ratios and the speed of reading; what is only told is asked for in a record alone."""
    assert (*JUDGED, READ_SPEED) == ROTATING


@pytest.mark.parametrize("row", VECTORS["cases"], ids=lambda row: str(row["epoch"]))
def test_the_published_selections(row: dict[str, object]) -> None:
    """A miner in another language measures the same checks."""
    assert list(selected(bytes.fromhex(str(row["beta"])), int(str(row["epoch"])))) == row["selected"]


def test_each_epoch_leaves_one_out_and_each_one_in_turn() -> None:
    """Over 5,000 epochs every check is left out about a fifth of the time; nobody can wait for an easy epoch long."""
    left_out = Counter(next(iter({*ROTATING} - {*selected(BETA, epoch)})) for epoch in range(5_000))
    assert set(left_out) == set(ROTATING)
    assert all(850 < count < 1150 for count in left_out.values())


def test_a_selection_keeps_the_order_and_depends_on_both() -> None:
    """Epoch and randomness."""
    assert all(len(selected(BETA, epoch)) == PER_EPOCH for epoch in range(50))
    assert all(list(selected(BETA, epoch)) == sorted(selected(BETA, epoch), key=ROTATING.index) for epoch in range(50))
    assert len({selected(BETA, epoch) for epoch in range(50)}) == len({selected(bytes([i]) * 64, 7) for i in range(50)})


@pytest.mark.parametrize("checks", list(combinations(ROTATING, PER_EPOCH)))
def test_the_probes_of_a_selection_are_few_enough_for_an_attestation(checks: tuple[str, ...]) -> None:
    """Rising, each once, all compiled; integer additions serve two checks."""
    probes = probes_of(checks)
    assert list(probes) == sorted(set(probes))
    assert set(probes) <= set(ACTIVE_PROBES)
    assert len(probes) <= 7


def test_checks_are_kept_as_bits_and_come_back() -> None:
    """Whatever a record measured."""
    for count in range(len(ROTATING) + 1):
        for checks in combinations(ROTATING, count):
            assert from_bits(to_bits(checks)) == checks
    assert [to_bits([name]) for name in ROTATING] == [1, 2, 4, 8, 16]


def test_a_check_is_measured_when_all_its_probes_are() -> None:
    """With enough samples each."""
    for name in ROTATING:
        whole = [Summary(KIND_BASE + probe, 5, 900, 900, 900) for probe in probes_of([name])]
        assert measured(whole) == (name,)
        assert measured(whole[1:]) == ()
        assert measured([*whole[:-1], replace(whole[-1], count=4)]) == ()
