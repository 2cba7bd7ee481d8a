"""Scoring: deterministic weights, and a reason for each."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model.errors import SettingsError
from metanode.fingerprint import classes, consistency, keyed, samples, scoring, virtual
from metanode.fingerprint.checks import FAIL, PASS, REASONS, Check
from metanode.fingerprint.collect import Report
from metanode.fingerprint.inventory import Inventory, Sign, decode_inventory
from metanode.fingerprint.multipliers import SCALE
from metanode.fingerprint.scoring import CAPS, Policy, decayed, score

Replay = Callable[[str], Report]
DEVNET = Policy("edge", SCALE)
MAINNET = Policy("edge", 0)
RUSTCHAIN = Policy("rustchain", 0)


def test_the_decay_of_a_bonus() -> None:
    """Exactly the curve of the protocol at its tested days."""
    g4 = 2_500_000_000
    expected = {0: g4, 365: 2_275_000_000, 1825: 1_375_000_000, 2433: 1_000_205_479, 2434: SCALE, 3650: SCALE}
    assert {day: decayed(g4, day) for day in expected} == expected


@settings(derandomize=True)
@given(base=st.integers(0, 10**10), days=st.integers(0, 20_000))
def test_decay_never_rises_and_never_takes_what_is_not_bonus(base: int, days: int) -> None:
    """At most the base, at least the smaller of base and 1.0, and falling day by day."""
    value = decayed(base, days)
    assert min(base, SCALE) <= value <= base
    assert decayed(base, days + 1) <= value


def test_a_virtual_machine_counts_in_full_on_devnet_and_for_nothing_on_mainnet(replay: Replay) -> None:
    """The class and base are the same; only the network's factor differs."""
    inventory = replay("epyc-kvm-guest").inventory
    devnet, mainnet = score(inventory, (), DEVNET), score(inventory, (), MAINNET)
    assert (devnet.weight, mainnet.weight) == (800_000_000, 0)
    assert devnet.base_multiplier == mainnet.base_multiplier == 800_000_000
    assert devnet.klass == mainnet.klass == "virtual"
    assert (devnet.caps, mainnet.caps) == ((), ("virtual_machine",))
    assert any(check.reason == "VM_DETECTED" for check in devnet.checks)


@pytest.mark.parametrize(
    ("name", "family", "arch", "klass", "edge", "rustchain"),
    [
        ("thinkpad-ivy-bridge", "x86", "Sandy Bridge", "vintage", 1_100_000_000, 1_100_000_000),
        ("mac-mini-with-vmware", "x86", "Sandy Bridge", "vintage", 1_100_000_000, 1_100_000_000),
        ("epyc-bare-metal", "x86", "modern", "modern", 800_000_000, 800_000_000),
        ("pentium-iii", "x86", "Pentium III", "vintage", 2_000_000_000, 2_000_000_000),
        ("raspberry-pi-4", "ARM", "board", "board", 1_000_000_000, 500_000),
    ],
)
def test_each_machine_gets_its_row(
    replay: Replay, name: str, family: str, arch: str, klass: str, edge: int, rustchain: int
) -> None:
    """Family, architecture, class, and the multiplier of both profiles on a network that pays no virtual machines."""
    inventory = replay(name).inventory
    result = score(inventory, (), MAINNET)
    assert (result.family, result.arch, result.klass, result.weight) == (family, arch, klass, edge)
    assert result.caps == ()
    assert score(inventory, (), RUSTCHAIN).weight == rustchain


def test_the_same_bytes_always_give_the_same_score(replay: Replay, machines: tuple[str, ...]) -> None:
    """A validator that decodes the inventory computes what the miner previewed."""
    checks = (Check("timer", PASS, "TIMER_STEADY"),)
    for name in machines:
        inventory = replay(name).inventory
        for policy in (DEVNET, MAINNET, RUSTCHAIN):
            assert score(decode_inventory(inventory.encode()), checks, policy) == score(inventory, checks, policy)


def test_an_unmeasured_check_caps_at_one_and_never_zeroes(replay: Replay) -> None:
    """A vintage machine where nothing could be looked at is paid 1.0, and told how to lift it."""
    inventory = replace(replay("pentium-iii").inventory, sources=0)
    result = score(inventory, (), MAINNET)
    assert (result.weight, result.caps) == (SCALE, ("not_looked_at",))
    modern = replace(replay("epyc-bare-metal").inventory, sources=0)
    assert score(modern, (), MAINNET).weight == 800_000_000


def test_a_contradiction_is_paid_as_modern_hardware(replay: Replay) -> None:
    """A Pentium III with AVX cannot be one."""
    old = replay("pentium-iii").inventory
    result = score(replace(old, features=("avx", *old.features)), (), MAINNET)
    assert (result.weight, result.klass, result.caps) == (800_000_000, "unknown", ("contradiction",))


def test_a_failed_probe_is_paid_as_modern_hardware(replay: Replay) -> None:
    """Memory faster than the class allows costs the bonus, and the check is named."""
    probe = Check("memory_speed", FAIL, "MEMORY_TOO_FAST", (("copy_mb_s", 9000),))
    result = score(replay("pentium-iii").inventory, (probe,), MAINNET)
    assert (result.weight, result.caps) == (800_000_000, ("failed_probe",))
    assert probe in result.checks


def test_an_emulator_is_treated_as_a_virtual_machine(replay: Replay) -> None:
    """0 on mainnet, in full on devnet, and called by its name."""
    inventory = replay("pentium-iii").inventory
    emulated = replace(inventory, signs=(Sign(32, "x86 under ppc"),))
    assert score(emulated, (), MAINNET).weight == 0
    assert score(emulated, (), MAINNET).klass == "emulated"
    assert score(emulated, (), DEVNET).weight == 2_000_000_000


def test_a_part_of_a_virtual_machines_weight_can_be_paid(replay: Replay) -> None:
    """The factor is a genesis parameter scaled by 1e9, rounded down."""
    assert score(replay("epyc-kvm-guest").inventory, (), Policy("edge", 333_333_333)).weight == 266_666_666


def test_evidence_needs_a_passed_probe(replay: Replay) -> None:
    """Without one the level is none, whatever the inventory says."""
    inventory = replay("thinkpad-ivy-bridge").inventory
    assert score(inventory, (), DEVNET).evidence_level == "none"
    assert score(inventory, (Check("keyed", PASS, "KEYED_RIGHT"),), DEVNET).evidence_level == "software"


@pytest.mark.parametrize(("profile", "vm_weight"), [("modern", 0), ("edge", -1), ("edge", SCALE + 1)])
def test_a_policy_that_no_genesis_can_hold_is_refused(profile: str, vm_weight: int) -> None:
    """One line that says what is allowed."""
    with pytest.raises(SettingsError):
        Policy(profile, vm_weight)


TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


@settings(derandomize=True, max_examples=200)
@given(
    machine=st.one_of(st.sampled_from(["x86_64", "i686", "aarch64", "ppc", "sparc64", "riscv64"]), TEXTS),
    vendor=st.one_of(st.sampled_from(["GenuineIntel", "AuthenticAMD", "0x41", "0x61", "0x69"]), TEXTS),
    family=st.integers(0, 40),
    model=st.integers(0, 2**64 - 1),
    pvr=st.integers(0, 2**64 - 1),
    profile=st.sampled_from(["edge", "rustchain"]),
    sources=st.integers(0, 255),
)
def test_any_inventory_gets_a_score_within_bounds(
    replay: Replay, machine: str, vendor: str, family: int, model: int, pvr: int, profile: str, sources: int
) -> None:
    """Scoring never raises; a weight is 0 to 4.0."""
    base = replay("pentium-iii").inventory
    cpu = replace(base.cpu, vendor=vendor, family=family, model=model, pvr=pvr)
    inventory: Inventory = replace(base, machine=machine, cpu=cpu, sources=sources)
    result = score(inventory, (), Policy(profile, 0))
    assert 0 <= result.weight <= result.base_multiplier <= 4 * SCALE
    assert set(result.caps) <= set(CAPS)
    assert all(check.reason in REASONS for check in result.checks)


@pytest.mark.parametrize("module", [classes, consistency, keyed, samples, scoring, virtual])
def test_what_validators_recompute_uses_no_floats_clocks_or_dice(module: object) -> None:
    """No float literal, no true division, no clock, randomness or environment in the pure half."""
    tree = ast.parse(Path(str(getattr(module, "__file__", ""))).read_text("utf-8"))
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), node.lineno
        assert not isinstance(node, ast.Div), module
        names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        assert not {"time", "random", "os", "datetime"} & set(names)
