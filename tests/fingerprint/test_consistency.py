"""Contradictions: what no real machine shows, and what real ones do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from metanode.fingerprint.checks import REASONS
from metanode.fingerprint.collect import Report
from metanode.fingerprint.consistency import CODES, check_consistency, contradictions, timebase_disagreement
from metanode.fingerprint.inventory import Board, Cpu, Inventory, Sign
from metanode.fingerprint.models import CACHES, load_models
from metanode.fingerprint.parsers.cache import Cache

Replay = Callable[[str], Report]
NO_BOARD = Board("", "", "", "", "", "", 0)
POWERBOOK = Inventory(
    platform="linux", machine="ppc", word_bits=32, byte_order="big",
    cpu=Cpu("", "7447A, altivec supported", 0, 0, 0, 0x80030101, 1500, 1, 1, 1), features=("altivec",),
    caches=(Cache(1, 1, 32, 0, 0, 1), Cache(1, 2, 32, 0, 0, 1), Cache(2, 3, 512, 0, 0, 1)), memory_mib=1280,
    board=replace(NO_BOARD, model="PowerBook6,8"), signs=(), binding="mac", sources=255,
)  # fmt: skip
GIB = 1024


def change(inventory: Inventory, *, board: str | None = None, caches: tuple[Cache, ...] | None = None,
           **changes: object) -> Inventory:  # fmt: skip
    """Return a machine with other facts; those of the processor by their names."""
    if board is not None:
        inventory = replace(inventory, board=replace(inventory.board, model=board))
    if caches is not None:
        inventory = replace(inventory, caches=caches)
    cpu = {name: value for name, value in changes.items() if hasattr(inventory.cpu, name)}
    rest = {name: value for name, value in changes.items() if name not in cpu}
    return replace(inventory, cpu=replace(inventory.cpu, **cpu), **rest)  # type: ignore[arg-type]


def codes(inventory: Inventory) -> set[str]:
    """Return the codes of what does not fit."""
    return {item.code for item in contradictions(inventory)}


def test_no_dump_contradicts_itself(replay: Replay, machines: tuple[str, ...]) -> None:
    """Rules must hold on every machine we know."""
    for name in machines:
        assert contradictions(replay(name).inventory) == ()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"byte_order": "little"}, "BYTE_ORDER_IMPOSSIBLE"),
        ({"word_bits": 64}, "WORD_SIZE_IMPOSSIBLE"),
        ({"machine": "ppc64"}, "WORD_SIZE_IMPOSSIBLE"),
        ({"vendor": "AuthenticAMD"}, "IDENTITY_IMPOSSIBLE"),
        ({"family": 26}, "IDENTITY_IMPOSSIBLE"),
        ({"name": "AMD EPYC"}, "NAME_IMPOSSIBLE"),
        ({"name": "PPC970FX, altivec supported"}, "NAME_IMPOSSIBLE"),
        ({"features": ("altivec", "sse2")}, "FEATURE_IMPOSSIBLE"),
        ({"features": ("altivec", "neon")}, "FEATURE_IMPOSSIBLE"),
        ({"clock_mhz": 2600}, "CLOCK_IMPOSSIBLE"),
        ({"caches": (Cache(2, 3, 1024, 0, 0, 1),)}, "CACHE_IMPOSSIBLE"),
        ({"caches": (Cache(1, 1, 48, 64, 12, 1),)}, "CACHE_IMPOSSIBLE"),
        ({"threads": 2}, "THREADS_IMPOSSIBLE"),
        ({"cores": 2}, "THREADS_IMPOSSIBLE"),
        ({"memory_mib": 24 * GIB}, "MEMORY_IMPOSSIBLE"),
        ({"pvr": 0x003C0300, "name": "PPC970FX"}, "CPU_NOT_ON_BOARD"),
        ({"pvr": 0x00088202, "name": "740/750"}, "CPU_NOT_ON_BOARD"),
        ({"signs": (Sign(41, "timebase 100000 kHz"),)}, "SOURCES_DISAGREE"),
        ({"signs": (Sign(40, "sse4_2 missing"),)}, "FEATURES_MASKED"),
    ],
)
def test_a_fact_of_another_machine_on_a_powerbook_is_named(changes: dict[str, object], code: str) -> None:
    """Each is what a PC that claims to be one would leave in, and each has a word of its own."""
    forged = change(POWERBOOK, **changes)  # type: ignore[arg-type]
    assert code in codes(forged)
    check = check_consistency(forged)
    assert (check.verdict, check.reason) == ("fail", "CONTRADICTION")
    assert dict(check.numbers)[code.lower()] >= 1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pvr": 0x80030101}, {"pvr": 0x80030102}, {"pvr": 0x80030105},
        {"clock_mhz": 700}, {"clock_mhz": 1700}, {"clock_mhz": 1900}, {"clock_mhz": 0},
        {"caches": ()}, {"caches": (Cache(2, 3, 512, 32, 8, 0),)}, {"features": ()},
        {"memory_mib": 256}, {"memory_mib": 1536}, {"memory_mib": 0},
        {"pvr": 0x80040202, "name": "7448, altivec supported", "caches": (Cache(2, 3, 1024, 0, 0, 1),)},
        {"board": "PowerBook5,6", "memory_mib": 2048}, {"board": ""}, {"board": "A clone"},
        {"pvr": 0x80000000, "name": "PowerPC 744x or 745x"},
        {"pvr": 0, "name": ""}, {"name": "PowerPC 7447A"}, {"name": "7447/7457, altivec supported"},
        {"board": "PowerMac10,1"},
        {"machine": "powerpc", "platform": "netbsd"},
    ],
)  # fmt: skip
def test_what_real_g4_machines_vary_in_is_no_contradiction(changes: dict[str, object]) -> None:
    """Revisions, scaled clocks, memory, kernels that tell less, a soldered upgrade."""
    assert contradictions(change(POWERBOOK, **changes)) == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("board", "pvr", "clock_mhz", "l2_kib", "threads"),
    [
        ("PowerMac1,1", 0x80030102, 1000, 512, 1), ("PowerMac1,1", 0x70000203, 1000, 512, 1),
        ("PowerMac3,1", 0x80030105, 1800, 512, 2), ("PowerMac3,1", 0x80040202, 2000, 1024, 1),
        ("PowerMac3,1", 0x800C1104, 500, 1024, 1), ("PowerMac3,6", 0x80020102, 1800, 512, 2),
        ("PowerMac5,1", 0x80020102, 1800, 512, 2), ("iMac,1", 0x800C1103, 500, 1024, 1),
        ("PowerBook3,1", 0x800C1103, 500, 1024, 1), ("PowerMac3,5", 0x80010303, 1500, 256, 2),
        ("PowerMac3,6", 0x80010303, 1400, 512, 1),
    ],
)  # fmt: skip
def test_upgrade_cards_that_were_sold_are_no_contradiction(
    board: str, pvr: int, clock_mhz: int, l2_kib: int, threads: int
) -> None:
    """Sonnet, OWC, PowerLogix and GigaDesigns put these into these; firmware may still tell the old cache."""
    caches = (Cache(2, 3, l2_kib, 0, 0, 1), Cache(3, 3, 2048, 0, 0, 1))
    machine = change(POWERBOOK, board=board, pvr=pvr, clock_mhz=clock_mhz, threads=threads, name="", caches=caches,
                     memory_mib=1024, features=())  # fmt: skip
    assert contradictions(machine) == ()


@pytest.mark.parametrize(
    ("board", "pvr", "hertz", "fits"),
    [
        ("PowerBook5,6", 0x80030101, 18_432_000, True), ("PowerBook6,8", 0x80030102, 41_620_997, True),
        ("PowerMac11,2", 0x00440101, 33_333_333, True), ("PowerMac1,1", 0x00088202, 24_907_667, True),
        ("PowerMac3,6", 0x80010303, 41_545_000, True), ("PS3", 0x00700501, 79_800_000, True),
        ("", 0x004E1202, 512_000_000, True), ("PowerBook5,6", 0x80030101, 0, True), ("", 0x80030101, 10**8, True),
        ("PowerMac3,1", 0x000C0209, 100_000_000, False), ("PowerMac11,2", 0x00440101, 18_432_000, False),
        ("PowerBook5,6", 0x80030101, 512_000_000, False), ("", 0x004D0200, 10**9, False),
    ],
)  # fmt: skip
def test_a_timebase_must_be_one_that_the_board_ticks_at(board: str, pvr: int, hertz: int, fits: bool) -> None:
    """A quarter of the bus, or the rate of its own that later machines have; 100 MHz is an emulator's."""
    machine = change(POWERBOOK, board=board, pvr=pvr)
    assert (timebase_disagreement(machine, hertz) == "") is fits


@pytest.mark.parametrize(
    ("machine", "byte_order", "fits"),
    [
        ("ppc", "big", True), ("ppc", "little", False), ("ppc64le", "little", True), ("ppc64le", "big", False),
        ("s390x", "little", False), ("armv7l", "little", True), ("armv7l", "big", False), ("armv7b", "big", True),
        ("aarch64", "little", True), ("x86_64", "big", False), ("mips", "big", True), ("mips", "little", True),
        ("riscv64", "big", False), ("m68k", "little", False), ("powerpc", "little", True), ("toaster", "big", True),
    ],
)  # fmt: skip
def test_a_kernels_name_tells_the_byte_order(machine: str, byte_order: str, fits: bool) -> None:
    """Where it does: mips is both, and FreeBSD says powerpc for all."""
    bare = change(POWERBOOK, machine=machine, byte_order=byte_order, features=(), pvr=0, name="", board="", caches=())
    assert ("BYTE_ORDER_IMPOSSIBLE" not in codes(bare)) is fits


def test_a_g5_never_runs_little_endian_and_a_power8_does() -> None:
    """The 970 lost the mode; Linux runs it from POWER7 on."""
    little = change(POWERBOOK, machine="ppc64le", byte_order="little", word_bits=64, board="", caches=(), name="")
    assert "BYTE_ORDER_IMPOSSIBLE" in codes(replace(little, cpu=replace(little.cpu, pvr=0x00440101)))
    assert contradictions(replace(little, cpu=replace(little.cpu, pvr=0x004D0200, clock_mhz=3700))) == ()


@pytest.mark.parametrize(
    ("board", "part", "memory_mib", "found"),
    [
        ("Raspberry Pi Model B Rev 2.0", 0xB76, 512, set()),
        ("Raspberry Pi Model B Plus Rev 1.2", 0xB76, 448, set()),
        ("Raspberry Pi 2 Model B Rev 1.2", 0xD03, 960, set()),
        ("Raspberry Pi 4 Model B Rev 1.5", 0xD08, 8192, set()),
        ("Raspberry Pi 5 Model B Rev 1.0", 0xD0B, 16384, set()),
        ("Raspberry Pi Zero 2 W Rev 1.0", 0xD03, 448, set()),
        ("Raspberry Pi Zero W Rev 1.1", 0xD03, 448, {"CPU_NOT_ON_BOARD"}),
        ("Raspberry Pi Model B Rev 2.0", 0xD08, 3840, {"CPU_NOT_ON_BOARD", "MEMORY_IMPOSSIBLE"}),
        ("Raspberry Pi 3 Model B Rev 1.2", 0xD08, 960, {"CPU_NOT_ON_BOARD"}),
        ("TI AM335x BeagleBone Black", 0xD03, 512, {"CPU_NOT_ON_BOARD"}),
        ("Raspberry Pi 9 Model B Rev 1.0", 0xD08, 10**6, set()),
    ],
)
def test_a_board_carries_its_own_chip(board: str, part: int, memory_mib: int, found: set[str]) -> None:
    """Relabelled boards are caught; boards that nobody knows are not."""
    machine = "armv6l" if part == 0xB76 else "armv7l"
    pi = Inventory(
        platform="linux", machine=machine, word_bits=32, byte_order="little",
        cpu=Cpu("0x41", "", 7, part, 4, 0, 1000, 1, 1, 1), features=("edsp", "half", "thumb"), caches=(),
        memory_mib=memory_mib, board=replace(NO_BOARD, model=board), signs=(), binding="mac", sources=255,
    )  # fmt: skip
    assert codes(pi) == found


def test_every_contradiction_brings_its_numbers() -> None:
    """What was found and what is possible, so that an owner can see who is wrong."""
    forged = change(POWERBOOK, clock_mhz=2600, memory_mib=24 * GIB, caches=(Cache(2, 3, 1024, 0, 0, 1),))
    numbers = dict(check_consistency(forged).numbers)
    assert numbers["contradictions"] == 3
    assert (numbers["clock_mhz"], numbers["clock_mhz_max"]) == (2600, 1920)
    assert (numbers["memory_mib"], numbers["memory_mib_max"]) == (24 * GIB, 1536)
    assert (numbers["l2_kib"], numbers["l2_kib_max"]) == (1024, 512)
    assert all(item.words for item in contradictions(forged))


def test_sums_over_cores_are_understood_where_a_tool_makes_them() -> None:
    """`lscpu` before 2.36 and Windows add up; /sys does not, and knows the line."""
    server = replace(
        POWERBOOK, machine="x86_64", word_bits=64, byte_order="little", board=NO_BOARD, features=(),
        cpu=Cpu("GenuineIntel", "", 6, 42, 7, 0, 3000, 1, 4, 8),
    )  # fmt: skip
    assert contradictions(replace(server, caches=(Cache(2, 3, 1024, 0, 0, 0),))) == ()
    assert codes(replace(server, caches=(Cache(2, 3, 1024, 64, 8, 1),))) == {"CACHE_IMPOSSIBLE"}
    assert codes(replace(server, caches=(Cache(2, 3, 4096, 64, 16, 1),))) == {"CACHE_IMPOSSIBLE"}, "QEMU's own"


def test_nothing_known_is_unmeasured_and_no_verdict() -> None:
    """A machine of another family, a processor without a name."""
    for machine in ("vax", "sparc64", "riscv64", "alpha"):
        strange = change(POWERBOOK, machine=machine, features=(), pvr=0, name="", board="", byte_order="little",
                         caches=())  # fmt: skip
        if machine != "sparc64":
            assert check_consistency(strange).reason == "NO_MODEL_DATA"
    assert check_consistency(POWERBOOK).reason == "CONSISTENT"
    assert check_consistency(change(POWERBOOK, pvr=0x12340000, board="")).reason == "NO_MODEL_DATA"


def test_codes_are_words_of_their_own() -> None:
    """No code is a reason of a check."""
    assert not set(CODES) & set(REASONS)


def test_the_same_facts_always_give_the_same_contradictions() -> None:
    """In the order of the codes, each once, whatever order they were found in."""
    forged = change(POWERBOOK, clock_mhz=2600, memory_mib=24 * GIB, byte_order="little", threads=8, cores=9)
    found = contradictions(forged)
    assert found == contradictions(forged, load_models())
    assert [item.code for item in found] == sorted((item.code for item in found), key=list(CODES).index)
    assert len(set(found)) == len(found)


def test_the_page_of_the_database_tells_codes_and_fields() -> None:
    """A code in a report and a field in a file can be looked up."""
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
    for code, words in CODES.items():
        assert f"| `{code}` | {words} |" in page
    fields = ("members", "without", "with", "word_bits_max", "never_named", "upgrades", "timebase_hz", *CACHES)
    assert all(f"`{name}`" in page for name in fields)


@pytest.mark.parametrize(
    ("board", "pvr", "clock_mhz", "l2_kib", "threads", "hertz"),
    [
        ("PowerBook5,8", 0x80030105, 1666, 512, 1, 8_320_000), ("PowerBook5,6", 0x80030101, 1666, 512, 1, 18_432_000),
        ("PowerBook6,5", 0x80030102, 1333, 512, 1, 18_432_000), ("PowerBook6,2", 0x80020101, 999, 512, 1, 0),
        ("PowerBook4,1", 0x00082215, 400, 256, 1, 16_640_000), ("PowerBook3,2", 0x800C1103, 500, 1024, 1, 24_966_218),
        ("PowerMac3,1", 0x000C0209, 500, 1024, 2, 24_907_667), ("PowerMac3,4", 0x80000200, 733, 256, 1, 33_290_001),
        ("PowerMac3,4", 0x800C1103, 533, 1024, 1, 33_290_001), ("PowerMac3,6", 0x80010303, 1250, 256, 2, 41_659_304),
        ("PowerMac6,1", 0x80010303, 1250, 256, 1, 41_600_571), ("PowerMac6,4", 0x80020101, 1249, 512, 1, 0),
        ("RackMac1,1", 0x80010201, 1000, 256, 1, 33_229_489), ("PowerMac7,2", 0x00390202, 1600, 512, 1, 33_333_333),
        ("PowerMac7,3", 0x00390202, 1311, 512, 2, 33_333_333), ("PowerMac8,1", 0x003C0300, 900, 512, 1, 33_333_333),
        ("PowerMac11,2", 0x00440100, 2000, 1024, 2, 33_333_333),
        ("PowerMac11,2", 0x00440101, 2500, 1024, 4, 33_333_333),
    ],
)  # fmt: skip
def test_what_owners_of_powermacs_posted_is_no_contradiction(
    board: str, pvr: int, clock_mhz: int, l2_kib: int, threads: int, hertz: int
) -> None:
    """Version, clock, cache and timebase as /proc/cpuinfo of these machines has them in public lists and forums."""
    machine = change(POWERBOOK, board=board, pvr=pvr, clock_mhz=(clock_mhz + 50) // 100 * 100, threads=threads,
                     cores=threads, name="", features=(), caches=(Cache(2, 3, l2_kib, 0, 0, 1),),
                     memory_mib=512)  # fmt: skip
    assert contradictions(machine) == ()
    assert timebase_disagreement(machine, hertz) == ""
