"""Scoring: deterministic weights, and a reason for each."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model.errors import SettingsError
from metanode.fingerprint import classes, consistency, declared, evidence, keyed, rotation, samples, scoring, virtual
from metanode.fingerprint.checks import FAIL, PASS, REASONS, UNMEASURED, Check
from metanode.fingerprint.collect import Report
from metanode.fingerprint.evidence import judge_active
from metanode.fingerprint.inventory import Inventory, Sign, decode_inventory
from metanode.fingerprint.multipliers import SCALE, load_table
from metanode.fingerprint.probes import envelopes, summaries
from metanode.fingerprint.probes.readings import from_json
from metanode.fingerprint.probes.summaries import KIND_BASE
from metanode.fingerprint.probes.workload import FP_ADD, FP_DIV, FP_MUL, INT_ADD, PATCH, SCALAR, SIMD, STREAM
from metanode.fingerprint.rotation import PER_EPOCH, READ_SPEED, ROTATING, measured, probes_of
from metanode.fingerprint.samples import Summary
from metanode.fingerprint.scoring import (
    CAP_MAX,
    CAPPED,
    CAPS,
    EMULATED,
    UNPROVEN,
    Policy,
    attest_flags,
    decayed,
    epoch_weight,
    score,
)

Replay = Callable[[str], Report]
DEVNET = Policy("edge", SCALE, CAP_MAX, CAP_MAX)
MAINNET = Policy("edge", 0, CAP_MAX, CAP_MAX)
RUSTCHAIN = Policy("rustchain", 0, CAP_MAX, CAP_MAX)
ACTIVE = Check("keyed_active", PASS, "KEYED_RIGHT")


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
    third = Policy("edge", 333_333_333, CAP_MAX, CAP_MAX)
    assert score(replay("epyc-kvm-guest").inventory, (), third).weight == 266_666_666


def test_evidence_needs_a_passed_active_probe(replay: Replay) -> None:
    """Without one the level is none, whatever the inventory says and the interpreter computed."""
    inventory = replay("thinkpad-ivy-bridge").inventory
    assert score(inventory, (), DEVNET).evidence_level == "none"
    assert score(inventory, (Check("keyed", PASS, "KEYED_RIGHT"),), DEVNET).evidence_level == "none"
    assert score(inventory, (ACTIVE,), DEVNET).evidence_level == "software"


def test_what_lies_above_the_cap_of_an_uncalibrated_model_waits(replay: Replay) -> None:
    """Not lost: the weight is whole, what is paid at once is not; calibration lifts it."""
    inventory, policy = replay("pentium-iii").inventory, Policy("edge", 500_000_000, 1_500_000_000, SCALE)
    waiting, whole = (score(inventory, (ACTIVE,), policy, calibrated=known) for known in (False, True))
    assert (waiting.weight, waiting.payable, waiting.caps) == (2_000_000_000, 1_500_000_000, ("uncalibrated",))
    assert (whole.weight, whole.payable, whole.caps) == (2_000_000_000, 2_000_000_000, ())
    assert waiting.base_multiplier == whole.base_multiplier == 2_000_000_000
    assert waiting.model == "i386 GenuineIntel 6 8"
    modern = score(replay("epyc-bare-metal").inventory, (ACTIVE,), policy)
    assert (modern.payable, modern.caps) == (modern.weight, ()), "a cap that lowers nothing is not named"


def test_a_client_without_compiled_probes_is_paid_as_legacy_outright(replay: Replay) -> None:
    """Nothing of it waits, and calibration does not lift it: the probes do."""
    inventory, policy = replay("pentium-iii").inventory, Policy("edge", 0, 1_500_000_000, SCALE)
    for calibrated in (False, True):
        legacy = score(inventory, (Check("keyed", PASS, "KEYED_RIGHT"),), policy, calibrated=calibrated)
        assert (legacy.base_multiplier, legacy.weight, legacy.payable) == (SCALE, SCALE, SCALE)
        assert legacy.caps == ("legacy",)
    assert score(replay("epyc-bare-metal").inventory, (), policy).caps == ()


def test_timings_of_a_program_make_a_machine_emulated_whatever_it_says(replay: Replay) -> None:
    """From probes alone: no sign is declared, and the network's factor applies to the base."""
    inventory = replay("pentium-iii").inventory
    engine = Check("execution_engine", FAIL, "EMULATOR_DETECTED")
    for policy, weight, caps in ((MAINNET, 0, ("emulator",)), (DEVNET, 2_000_000_000, ())):
        found = score(inventory, (ACTIVE, engine), policy)
        assert (found.klass, found.weight, found.caps) == ("emulated", weight, caps)
    virtual = replay("epyc-kvm-guest").inventory
    assert score(virtual, (ACTIVE, engine), MAINNET).caps == ("virtual_machine", "emulator")


def test_memory_beyond_the_claimed_bus_is_a_failed_probe(replay: Replay) -> None:
    """The strongest proof against an old part costs its bonus."""
    ceiling = Check("memory_ceiling", FAIL, "MEMORY_TOO_FAST", (("read_mb_s", 9000),))
    found = score(replay("pentium-iii").inventory, (ACTIVE, ceiling), MAINNET)
    assert (found.weight, found.caps, found.klass) == (800_000_000, ("failed_probe",), "vintage")


@pytest.mark.parametrize(
    ("flags", "klass", "weight"),
    [
        (0, "vintage", 2_500_000_000),
        (CAPPED, "vintage", 800_000_000),
        (UNPROVEN, "vintage", SCALE),
        (CAPPED | UNPROVEN, "vintage", 800_000_000),
        (EMULATED, "vintage", 625_000_000),
        (0, "virtual", 625_000_000),
        (EMULATED, "virtual", 625_000_000),
        (CAPPED | EMULATED | UNPROVEN, "emulated", 200_000_000),
    ],
)
def test_what_an_epochs_attestations_show_lowers_its_weight(flags: int, klass: str, weight: int) -> None:
    """The factor for virtual machines applies once."""
    policy = Policy("edge", 250_000_000, 1_500_000_000, SCALE)
    assert epoch_weight(2_500_000_000, flags, klass=klass, policy=policy, table=load_table()) == weight


def test_flags_come_from_the_selected_checks_alone() -> None:
    """An emulated G4 is found by whichever three ratios an epoch asks for; what it did not ask for is not looked at."""
    path = Path(__file__).parents[1] / "corpus" / "probes" / "emulated-powerpc-7450.json"
    run = from_json(json.loads(path.read_text("ascii"))["runs"][0])
    found = [item.summary for item in run.measurements()]
    for checks in combinations(ROTATING, PER_EPOCH):
        fast = CAPPED if READ_SPEED in checks else 0
        assert attest_flags(found, checks, "ppc pvr 8003", ROTATING) == EMULATED | fast
    assert attest_flags(found, (READ_SPEED,), "ppc pvr 8003", ROTATING) == CAPPED
    assert attest_flags(found, ("fp_add",), "ppc pvr 8003", ROTATING) == 0, "one ratio alone decides nothing"
    assert attest_flags(found, ROTATING, "sparc64", ROTATING) == 0
    for model in ("ppc pvr 8003", "sparc64"):
        assert attest_flags([], ROTATING, model, ROTATING) == attest_flags(found, (), model, ()) == UNPROVEN


HONEST = {
    INT_ADD: 1000, FP_ADD: 5000, FP_MUL: 5000, FP_DIV: 35000, SCALAR: 1000, SIMD: 600, PATCH: 200_000, STREAM: 4000,
}  # fmt: skip
"""A 7447A by its vendor's latencies, picoseconds per step at 1 GHz; a 750 by the same in every ratio that it has."""
PLATFORMS = {
    "Linux on a G4": ("ppc pvr 8003", ROTATING),
    "a G4 whose kernel hides AltiVec": ("ppc pvr 8003", ("fp_add", "fp_div_mul", "patch", READ_SPEED)),
    "OpenBSD on a G4": ("ppc pvr 8003", ("fp_add", "fp_div_mul", "simd_scalar", READ_SPEED)),
    "OpenBSD on a G4, without AltiVec": ("ppc pvr 8003", ("fp_add", "fp_div_mul", READ_SPEED)),
    "Linux on a G3": ("ppc pvr 0008", ("fp_add", "fp_div_mul", "patch", READ_SPEED)),
    "OpenBSD on a G3": ("ppc pvr 0008", ("fp_add", "fp_div_mul", READ_SPEED)),
    "no envelope": ("sparc64", ROTATING),
    "no envelope and no floating point": ("sparc64", ("patch", READ_SPEED)),
    "no envelope and no such code either": ("sparc64", (READ_SPEED,)),
}
"""Model, and the checks that the platform can measure."""


def timings(checks: Iterable[str], **changed: int) -> list[Summary]:
    """HONEST timings of these checks, but for probes named `p<number>`."""
    least = HONEST | {int(name[1:]): ps for name, ps in changed.items()}
    return [Summary(KIND_BASE + probe, 5, *[least[probe]] * 3) for probe in probes_of(checks)]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_honest_machine_is_proven_by_what_its_platform_can_measure(platform: str) -> None:
    """In its record, and in every epoch, whichever check that one leaves out."""
    model, able = PLATFORMS[platform]
    found = timings(able)
    assert measured(found) == able
    results = [(item.kind - KIND_BASE, 0) for item in found]
    ran, engine, _ = judge_active(results, found, envelopes.microarchitecture_of(model))
    assert (ran.verdict, engine.verdict) == (PASS, PASS if model.startswith("ppc") else UNMEASURED)
    for checks in combinations(ROTATING, PER_EPOCH):
        sent = timings(name for name in able if name in checks)
        assert attest_flags(sent, checks, model, able) == 0, checks


def test_one_timing_that_failed_or_one_unknown_stepping_costs_an_honest_machine_nothing() -> None:
    """A G4 with all four ratios, where any one of them is missing or lies outside."""
    slow = {"fp_add": {"p19": 60_000, "p20": 60_000, "p21": 420_000}, "fp_div_mul": {"p21": 5_000},
            "simd_scalar": {"p23": 10_000}, "patch": {"p25": 30_000_000}}  # fmt: skip
    for checks in combinations(ROTATING, PER_EPOCH):
        for name in set(envelopes.JUDGED).intersection(checks):
            left = timings(check for check in checks if check != name)
            assert attest_flags(left, checks, "ppc pvr 8003", ROTATING) == 0
            assert attest_flags(timings(checks, **slow[name]), checks, "ppc pvr 8003", ROTATING) == 0


CAPTURES = sorted(Path(__file__).parents[1].joinpath("corpus", "probes").glob("emulated-*.json"))
MODELS = {
    "powerpc-750": "ppc pvr 0008", "powerpc-7400": "ppc pvr 000c", "powerpc-7450": "ppc pvr 8003",
    "powerpc-970": "ppc pvr 0039", "power8": "ppc pvr 004b", "cortex-a7": "arm 0x41 0xc07",
    "cortex-a53": "arm 0x41 0xd03", "cortex-a72": "arm 0x41 0xd08", "haswell": "x86_64 GenuineIntel 6 60",
}  # fmt: skip


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_an_emulator_is_found_or_held_at_legacy_whatever_it_chooses_to_send(path: Path) -> None:
    """All, some, or one of its timings, in the record and in an attestation: ten runs of ten."""
    data = json.loads(path.read_text("ascii"))
    model = MODELS[data["claimed"]]
    for run in data["runs"]:
        everything = [item.summary for item in from_json(run).measurements()]
        for some in (chosen for count in range(6) for chosen in combinations(ROTATING, count)):
            kinds = [KIND_BASE + probe for probe in probes_of(some)]
            sent = [item for item in everything if item.kind in kinds]
            results = [(item.kind - KIND_BASE, 0) for item in sent]
            ran, engine, _ = judge_active(results, sent, data["claimed"])
            assert engine.verdict == FAIL or ran.verdict != PASS, some
            for checks in combinations(ROTATING, PER_EPOCH):
                assert attest_flags(sent, checks, model, measured(everything)) & (EMULATED | UNPROVEN), (some, checks)


@pytest.mark.parametrize(
    "values",
    [
        ("modern", 0, 0, 0),
        ("edge", -1, 0, 0),
        ("edge", SCALE + 1, 0, 0),
        ("edge", 0, -1, 0),
        ("edge", 0, 10 * SCALE + 1, 0),
        ("edge", 0, 0, -1),
        ("edge", 0, 0, 10 * SCALE + 1),
    ],
)
def test_a_policy_that_no_genesis_can_hold_is_refused(values: tuple[str, int, int, int]) -> None:
    """One line that says what is allowed."""
    with pytest.raises(SettingsError):
        Policy(*values)


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
    result = score(inventory, (), Policy(profile, 0, CAP_MAX, CAP_MAX))
    assert 0 <= result.weight <= result.base_multiplier <= 4 * SCALE
    assert set(result.caps) <= set(CAPS)
    assert all(check.reason in REASONS for check in result.checks)


PURE = [classes, consistency, declared, envelopes, evidence, keyed, rotation, samples, scoring, summaries, virtual]


@pytest.mark.parametrize("module", PURE)
def test_what_validators_recompute_uses_no_floats_clocks_or_dice(module: object) -> None:
    """No float literal, no true division, no clock, randomness or environment in the pure half."""
    tree = ast.parse(Path(str(getattr(module, "__file__", ""))).read_text("utf-8"))
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), node.lineno
        assert not isinstance(node, ast.Div), module
        names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        assert not {"time", "random", "os", "datetime"} & set(names)
