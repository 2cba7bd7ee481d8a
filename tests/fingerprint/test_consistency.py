"""Contradictions: what no real machine shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from metanode.fingerprint.collect import Report
from metanode.fingerprint.consistency import check_consistency, contradictions

Replay = Callable[[str], Report]


def test_no_dump_contradicts_itself(replay: Replay, machines: tuple[str, ...]) -> None:
    """Rules must hold on every machine we know."""
    for name in machines:
        assert contradictions(replay(name).inventory) == ()


@pytest.mark.parametrize(
    ("changes", "cpu", "words"),
    [
        ({"features": ("fpu", "sse2")}, {}, "sse2 without sse"),
        ({"features": ("avx", "fpu", "lm")}, {}, "avx on Intel model 8 (Westmere or older)"),
        ({"machine": "x86_64"}, {}, "a 64-bit kernel on a processor without long mode"),
        ({"byte_order": "big"}, {}, "x86 with big-endian byte order"),
        ({}, {"cores": 4, "threads": 2}, "4 cores but 2 threads"),
        ({}, {"family": 5}, "cmov on an Intel processor of family 5"),
        ({"features": ("avx",)}, {"vendor": "AuthenticAMD", "family": 16}, "avx on an AMD processor of family 16"),
    ],
)
def test_a_contradiction_is_named(
    replay: Replay, changes: dict[str, object], cpu: dict[str, object], words: str
) -> None:
    """In words that tell the owner what did not fit."""
    inventory = replay("pentium-iii").inventory
    changed = replace(inventory, cpu=replace(inventory.cpu, **cpu), **changes)  # type: ignore[arg-type]
    assert words in contradictions(changed)
    assert check_consistency(changed).reason == "CONTRADICTION"


def test_architectures_without_rules_are_unmeasured(replay: Replay) -> None:
    """No rule is no verdict."""
    assert check_consistency(replay("raspberry-pi-4").inventory).reason == "NO_MODEL_DATA"
