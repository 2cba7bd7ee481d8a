"""Contradictions of x86 processors: each feature on each generation, written down a second time."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from metanode.fingerprint import consistency, models
from metanode.fingerprint.consistency import check_consistency, contradictions
from metanode.fingerprint.inventory import Board, Cpu, Inventory
from metanode.fingerprint.parsers.cache import Cache

NO_BOARD = Board("", "", "", "", "", "", 0)
WITHOUT_LONG_MODE = "1 3 5 6 7 8 9 10 11 13 14"
WITHOUT = {
    "mmx": "1",
    "sse": "1 3 5 6",
    "sse2": "1 3 5 6 7 8 10 11",
    "ssse3": "1 3 5 6 7 8 9 10 11 13 14",
    "lm": WITHOUT_LONG_MODE,
    "sse4_2": f"{WITHOUT_LONG_MODE} 15 22 23 28 29 38 39 53 54",
    "avx": f"{WITHOUT_LONG_MODE} 15 22 23 26 28 29 30 31 37 38 39 44 46 47 53 54 55 74 76 77 90 92 93 95 122",
    "avx2": f"{WITHOUT_LONG_MODE} 15 22 23 26 28 29 30 31 37 38 39 42 44 45 46 47 53 54 55 58 62 74 76 77 90 92 93 95"
    " 122",
}
"""Feature to the models of Intel's family 6 that came out before it.  Source: Intel SDM volume 4, table 2-1."""
FIRST_FAMILY = {"cmov": 6, "sse": 6, "sse2": 6, "lm": 6, "avx": 6, "mmx": 5, "tsc": 5, "cx8": 5}
NEEDS: dict[str, tuple[str, ...]] = {
    "sse": ("mmx",), "sse2": ("sse",), "pni": ("sse2",), "ssse3": ("pni",), "sse4_1": ("ssse3",),
    "sse4_2": ("sse4_1",), "lm": ("sse2", "pae", "cx8", "cmov"),
}  # fmt: skip


def machine(vendor: str = "", family: int = 0, model: int = 0, *features: str) -> Inventory:
    """Return a 32-bit PC of which only the processor is known."""
    return Inventory(
        platform="linux", machine="i686", word_bits=32, byte_order="little",
        cpu=Cpu(vendor, "", family, model, 0, 0, 0, 1, 1, 1), features=features, caches=(), memory_mib=64,
        board=NO_BOARD, signs=(), binding="none", sources=0,
    )  # fmt: skip


def words(inventory: Inventory, code: str) -> list[str]:
    """Return what is said under a code."""
    return [item.words for item in contradictions(inventory) if item.code == code]


@pytest.mark.parametrize("feature", WITHOUT)
def test_a_feature_on_a_model_older_than_itself_is_a_contradiction(feature: str) -> None:
    """For every model of Intel's family 6; a model that nobody knows may have anything."""
    old = {int(number) for number in WITHOUT[feature].split()}
    for model in range(256):
        found = words(machine("GenuineIntel", 6, model, feature), "FEATURE_IMPOSSIBLE")
        assert bool(found) == (model in old), f"{feature} on model {model}"
        assert all(text.startswith(f"{feature} on ") for text in found)


@pytest.mark.parametrize("feature", FIRST_FAMILY)
def test_a_feature_on_a_family_older_than_itself_is_a_contradiction(feature: str) -> None:
    """From the 386 on: below 3 the family is not known."""
    for family in (0, 1, 2, 3, 4, 5, 6, 7):
        found = words(machine("GenuineIntel", family, 200, feature), "FEATURE_IMPOSSIBLE")
        assert bool(found) == (3 <= family < FIRST_FAMILY[feature]), f"{feature} on family {family}"


@pytest.mark.parametrize(
    ("vendor", "feature", "families"),
    [
        ("AuthenticAMD", "avx", {3, 4, 5, 6, 15, 16, 17, 18, 20}), ("AuthenticAMD", "sse2", {3, 4, 5, 6}),
        ("AuthenticAMD", "vmx", set(range(3, 27))), ("GenuineIntel", "svm", set(range(3, 27))),
        ("GenuineIntel", "3dnow", set(range(3, 27))), ("AuthenticAMD", "3dnow", {3, 4, 20, 21, 22, 23, 25, 26}),
        ("AuthenticAMD", "avx512f", {3, 4, 5, 6, 15, 16, 17, 18, 20, 21, 22, 23}),
        ("GenuineIntel", "sse4a", set(range(3, 27))),
    ],
)  # fmt: skip
def test_makers_have_features_of_their_own(vendor: str, feature: str, families: set[int]) -> None:
    """By family; a model that has more is not asked for."""
    for family in range(3, 27):
        found = words(machine(vendor, family, 200, feature), "FEATURE_IMPOSSIBLE")
        assert bool(found) == (family in families), f"{feature} on family {family}"


@pytest.mark.parametrize("feature", NEEDS)
def test_a_feature_needs_every_one_it_is_built_on(feature: str) -> None:
    """The first that is missing is named; all of them together are no contradiction."""
    bare = machine("CyrixInstead", 6, 0, feature)
    needed = NEEDS[feature]
    assert words(bare, "FEATURE_MISSING") == [f"{feature} without {needed[0]}"]
    for absent in needed:
        others = tuple(sorted({name for name in needed if name != absent} | {feature}))
        assert f"{feature} without {absent}" in words(replace(bare, features=others), "FEATURE_MISSING")
    together = words(replace(bare, features=tuple(sorted({feature, *needed}))), "FEATURE_MISSING")
    assert f"{feature} without {needed[0]}" not in together


@pytest.mark.parametrize(
    ("platform", "features", "told"),
    [
        ("linux", ("fpu", "sse", "sse2"), True), ("freebsd", ("fpu", "sse2"), True),
        ("sunos", ("fpu", "sse2"), False), ("win32", (), False), ("linux", ("sse2",), False), ("linux", (), False),
    ],
)  # fmt: skip
def test_a_missing_feature_is_told_only_of_whole_lists(platform: str, features: tuple[str, ...], told: bool) -> None:
    """Solaris lists what programs may use, Windows nothing, and a cut list proves nothing."""
    phenom = replace(machine("AuthenticAMD", 16, 4, *features), platform=platform)
    assert any("without pni" in text for text in words(phenom, "FEATURE_MISSING")) is told


@pytest.mark.parametrize(
    ("model", "features"),
    [
        (8, ("cmov", "cx8", "fpu", "mmx", "pae", "tsc")),
        (15, ("cmov", "cx8", "fpu", "lm", "mmx", "nx", "pae", "pni", "sse", "sse2", "tsc", "vmx")),
        (26, ("cmov", "cx8", "fpu", "lm", "mmx", "nx", "pae", "pni", "sse", "sse2", "tsc", "vmx")),
    ],
)
def test_a_feature_that_an_old_kernel_has_no_name_for_is_not_missing(model: int, features: tuple[str, ...]) -> None:
    """Linux 2.4.2 prints `xmm` for sse, 2.6.18 neither ssse3 nor sse4_2."""
    assert contradictions(machine("GenuineIntel", 6, model, *features)) == ()


def test_a_64_bit_kernel_needs_a_64_bit_processor() -> None:
    """By its features where they are listed, by its model where they are not."""
    for name in ("x86_64", "amd64"):
        linux = replace(machine("GenuineIntel", 6, 200, "fpu", "sse"), machine=name, features=("fpu", "mmx", "sse"))
        assert "a 64-bit kernel on a processor without long mode" in words(linux, "FEATURE_MISSING")
        mac = replace(linux, platform="darwin")
        assert "a 64-bit kernel on a processor without long mode" not in words(mac, "FEATURE_MISSING")
        old = replace(machine("GenuineIntel", 6, 8), machine=name)
        assert words(old, "WORD_SIZE_IMPOSSIBLE") == ["64 bits on Pentium III (Coppermine)"]


@pytest.mark.parametrize(
    ("model", "clock_mhz", "l2_kib", "fits"),
    [
        (8, 1133, 256, True), (8, 1400, 256, True), (8, 800, 128, True), (8, 2600, 256, False), (8, 1000, 512, False),
        (11, 1400, 512, True), (7, 600, 512, True), (23, 2400, 3072, True), (23, 3000, 6144, True),
        (23, 2400, 256, False), (42, 3400, 256, True), (42, 3400, 4096, False), (42, 3400, 1024, False),
        (58, 2600, 256, True), (60, 4400, 256, True), (13, 2000, 2048, True), (6, 500, 128, True),
        (200, 9999, 9999, True),
    ],
)  # fmt: skip
def test_clock_and_caches_are_those_that_were_sold(model: int, clock_mhz: int, l2_kib: int, fits: bool) -> None:
    """With a quarter for overclocking; 1 and 4 MiB are what a new server and QEMU have."""
    bare = machine("GenuineIntel", 6, model)
    made = replace(bare, cpu=replace(bare.cpu, clock_mhz=clock_mhz), caches=(Cache(2, 3, l2_kib, 64, 8, 1),))
    assert (contradictions(made) == ()) is fits


@pytest.mark.parametrize(
    ("vendor", "family", "model", "name", "fits"),
    [
        ("GenuineIntel", 6, 8, "Pentium III (Coppermine)", True), ("GenuineIntel", 6, 8, "AMD EPYC 7763", False),
        ("GenuineIntel", 6, 8, "Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", False),
        ("GenuineIntel", 6, 23, "Intel(R) Core(TM)2 Duo CPU E8400 @ 3.00GHz", True),
        ("GenuineIntel", 6, 23, "Intel(R) Xeon(R) CPU E5450 @ 3.00GHz", True),
        ("GenuineIntel", 6, 23, "Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz", False),
        ("GenuineIntel", 6, 45, "Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz", True),
        ("GenuineIntel", 6, 47, "Intel(R) Xeon(R) CPU E7- 4870 @ 2.40GHz", True),
        ("GenuineIntel", 6, 13, "Intel(R) Pentium(R) M processor 1.86GHz", True),
        ("GenuineIntel", 6, 14, "Genuine Intel(R) CPU T2500 @ 2.00GHz", True),
        ("GenuineIntel", 15, 2, "Intel(R) Xeon(TM) CPU 2.40GHz", True),
        ("GenuineIntel", 5, 4, "Pentium MMX", True), ("GenuineIntel", 3, 0, "Pentium", False),
        ("AuthenticAMD", 23, 8, "AMD Ryzen 7 2700X Eight-Core Processor", True),
        ("AuthenticAMD", 15, 5, "AMD Opteron(tm) Processor 248", True), ("AuthenticAMD", 15, 5, "AMD EPYC 7763", False),
        ("AuthenticAMD", 6, 10, "AMD Athlon(tm) XP 3000+", True), ("AuthenticAMD", 6, 10, "Intel(R) Xeon(R)", False),
        ("AuthenticAMD", 16, 4, "AMD Phenom(tm) II X4 955 Processor", True), ("AuthenticAMD", 4, 9, "Am486DX4", True),
        ("UMC UMC UMC", 4, 1, "UMC486SX", True),
    ],
)  # fmt: skip
def test_a_name_is_one_of_its_generation(vendor: str, family: int, model: int, name: str, fits: bool) -> None:
    """Whole words are looked at; a name says more than numbers about who relabelled what."""
    bare = machine(vendor, family, model)
    named = replace(bare, cpu=replace(bare.cpu, name=name))
    assert (words(named, "NAME_IMPOSSIBLE") == []) is fits


@pytest.mark.parametrize(
    ("product", "model", "fits"),
    [
        ("Macmini6,2", 58, True), ("Macmini1,1", 14, True), ("Macmini1,1", 15, True), ("Macmini1,1", 58, False),
        ("MacPro5,1", 44, True), ("MacPro4,1", 44, True), ("MacPro5,1", 85, False), ("iMac12,2", 58, True),
        ("MacBookPro12,1", 61, True), ("MacBookPro12,1", 158, False), ("Macmini9,1", 158, False), ("NUC7i3", 158, True),
    ],
)  # fmt: skip
def test_a_mac_has_a_processor_of_its_year(product: str, model: int, fits: bool) -> None:
    """Or one that people put into its socket."""
    mac = replace(machine("GenuineIntel", 6, model), board=replace(NO_BOARD, product_name=product))
    assert (words(mac, "CPU_NOT_ON_BOARD") == []) is fits


def test_the_check_counts_contradictions() -> None:
    """None, or how many and of which kind; and no verdict where nothing is known."""
    good = machine("GenuineIntel", 6, 8, "cmov", "mmx", "sse")
    passed = check_consistency(good)
    assert (passed.verdict, passed.reason, passed.numbers) == ("pass", "CONSISTENT", (("contradictions", 0),))
    bad = check_consistency(replace(good, features=("avx", "sse"), byte_order="big"))
    assert (bad.verdict, bad.reason) == ("fail", "CONTRADICTION")
    assert bad.numbers == (
        ("contradictions", 3), ("byte_order_impossible", 1), ("feature_impossible", 1), ("feature_missing", 1),
    )  # fmt: skip
    assert check_consistency(machine()).numbers == ()


def test_rules_of_validators_use_no_floats_clocks_or_dice() -> None:
    """In every module of the rules and in the database's reader."""
    paths = [Path(models.__file__), *Path(str(consistency.__file__)).parent.glob("*.py")]
    assert len(paths) == 5
    for path in paths:
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), path
            assert not isinstance(node, ast.Div) or path == paths[0], f"{path}: only paths are divided"
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not {"time", "random", "os", "datetime", "locale"} & set(names), path
