"""Make scoring.json, keyed_probe.json and rotation.json: what follows from an inventory, and from a challenge.

Run: python tests/vectors/make_rules.py   (deterministic: same bytes every time)
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from metanode.core.model import bodies, codec
from metanode.core.model.errors import MetanodeError
from metanode.core.model.hashing import H
from metanode.fingerprint.classes import classify, processor_key
from metanode.fingerprint.evidence import judge_evidence
from metanode.fingerprint.inventory import SIGNS_MAX, SOURCES, Board, Cpu, Inventory, Sign, decode_inventory
from metanode.fingerprint.keyed import PROBE_CHAIN, run_keyed
from metanode.fingerprint.models import Facts, load_models
from metanode.fingerprint.multipliers import load_table
from metanode.fingerprint.parsers.cache import Cache
from metanode.fingerprint.probes.envelopes import JUDGED
from metanode.fingerprint.probes.summaries import KIND_BASE
from metanode.fingerprint.probes.workload import (
    ACTIVE_PROBES,
    FP_ADD,
    FP_DIV,
    FP_MUL,
    INT_ADD,
    PATCH,
    SCALAR,
    SIMD,
    STREAM,
)
from metanode.fingerprint.rotation import ROTATING, from_bits, probes_of, selected, to_bits
from metanode.fingerprint.samples import decode_samples
from metanode.fingerprint.scoring import CAP_MAX, Policy, Score, attest_flags, decayed, epoch_weight, score

HERE = Path(__file__).resolve().parent
SOURCE = "metanode protocol v1 (docs/wire_format.md), made by tests/vectors/make_rules.py"

Case = dict[str, Any]

EVERYTHING = (1 << len(SOURCES)) - 1
NO_BOARD = Board("", "", "", "", "", "", 0)
G4 = Inventory(
    platform="linux",
    machine="ppc",
    word_bits=32,
    byte_order="big",
    cpu=Cpu("", "7447A, altivec supported", 0, 0, 0, 0x80030101, 1500, 1, 1, 1),
    features=("altivec",),
    caches=(Cache(1, 1, 32, 32, 8, 1), Cache(1, 2, 32, 32, 8, 1), Cache(2, 3, 512, 64, 8, 1)),
    memory_mib=1024,
    board=replace(NO_BOARD, model="PowerBook6,8"),
    signs=(),
    binding="mac",
    sources=EVERYTHING,
)
PC = replace(
    G4,
    machine="x86_64",
    word_bits=64,
    byte_order="little",
    cpu=Cpu("GenuineIntel", "Intel(R) Xeon(R) CPU", 6, 143, 8, 0, 2100, 1, 4, 8),
    features=("cmov", "cx8", "fpu", "lm", "mmx", "nx", "pae", "sse", "sse2"),
    caches=(),
    board=Board("ACME", "Server", "", "", "", "", 3),
)
FIRST_64_BIT_PART = 0xD00
BIG_ENDIAN = ("sparc", "m68k", "s390", "parisc", "hppa", "Power", "powerpc64")
"""How names of machines begin that run in this byte order only, here."""
OLD = replace(PC, machine="i686", word_bits=32, features=("cmov", "cx8", "fpu", "mmx", "pae", "sse"))
PI = replace(
    PC, machine="aarch64", cpu=Cpu("0x41", "Cortex-A72", 8, 0xD08, 3, 0, 1500, 1, 4, 4), features=("asimd",),
    board=replace(NO_BOARD, model="Raspberry Pi 4 Model B"),
)  # fmt: skip


def bare(base: Inventory, **cpu: Any) -> Inventory:
    """Return a machine that says so little beside its processor's numbers that nothing can contradict them."""
    nothing = {"name": "", "clock_mhz": 0, "sockets": 0, "cores": 0, "threads": 0}
    changed = replace(base.cpu, **(nothing | cpu))
    return replace(base, cpu=changed, features=(), caches=(), memory_mib=0, board=NO_BOARD)


def x86(vendor: str, family: int, model: int, *features: str) -> Inventory:
    """Return a 32-bit PC with a processor of these numbers."""
    return replace(bare(OLD, vendor=vendor, family=family, model=model), features=features)


def arm(vendor: str, part: int, board: str = "") -> Inventory:
    """Return an ARM machine of a part number."""
    wide = vendor in ("0x51", "0x61") or (vendor == "0x41" and part >= FIRST_64_BIT_PART)
    named = replace(bare(PI, vendor=vendor, model=part), board=replace(NO_BOARD, model=board))
    return named if wide else replace(named, machine="armv7l", word_bits=32)


def ppc(pvr: int) -> Inventory:
    """Return a PowerPC of a version register."""
    return bare(G4, pvr=pvr)


def signed(base: Inventory, *signs: tuple[int, str]) -> Inventory:
    """Return a machine that lists these signs."""
    return replace(base, signs=tuple(sorted(Sign(*sign) for sign in signs)))


def board(base: Inventory, **names: Any) -> Inventory:
    """Return a machine whose firmware says this."""
    return replace(base, board=replace(base.board, **names))


def with_features(base: Inventory, *more: str, without: str = "") -> Inventory:
    """Return a machine with other features."""
    return replace(base, features=tuple(sorted({*base.features, *more} - {without})))


def summary(*rows: tuple[int, int, int, int, int]) -> bytes:
    """Return samples of (kind, count, minimum, median, maximum)."""
    return codec.encode([list(row) for row in rows])


def of_machine(machine: str) -> Inventory:
    """Return a machine of which little more is known than what its kernel calls it."""
    pvr = {"ppc64le": 0x004B0201, "powerpc64": 0x004B0201, "Power Macintosh": 0x80030101}.get(machine, 0)
    narrow = replace(bare(G4, pvr=pvr), machine=machine, word_bits=32)
    return replace(narrow, byte_order="big" if machine.startswith(BIG_ENDIAN) else "little")


def kinds_of_hardware() -> Iterator[tuple[str, Inventory]]:
    """Yield one machine for every row and border of the classes."""
    for family, model in ((3, 0), (4, 3), (5, 2), (5, 4), (5, 8), (15, 2), (7, 0), (19, 1), (0, 0)):
        yield f"Intel {family}/{model}", x86("GenuineIntel", family, model)
    for model in (*range(72), 74, 76, 77, 79, 85, 86, 90, 92, 93, 95, 117, 122, 134, 138, 143, 150, 156, 183, 190):
        yield f"Intel 6/{model}", x86("GenuineIntel", 6, model)
    for family in (3, 4, 5, 6, 15, 16, 20, 21, 22, 23, 25):
        yield f"AMD family {family}", x86("AuthenticAMD", family, 1)
    vendors = ("CyrixInstead", "CentaurHauls", "GenuineTMx86", "NexGenDriven", "RiseRiseRise", "UMC UMC UMC",
               "Geode by NSC", "HygonGenuine", "")  # fmt: skip
    for vendor in vendors:
        for family in (5, 6, 7):
            yield f"{vendor or 'nobody'} family {family}", x86(vendor, family, 1)
    parts = (0x200, 0x210, 0x250, 0x300, 0x600, 0x610, 0x620, 0x700, 0x710, 0x720, 0x920, 0x922, 0x926, 0x940, 0x946,
             0x966, 0x968, 0xB02, 0xB36, 0xB56, 0xB76, 0xC07, 0xC08, 0xC09, 0xD03)  # fmt: skip
    for part in parts:
        yield f"ARM part {part:#x}", arm("0x41", part)
    for vendor, part in (("0x44", 0xA10), ("0x44", 0xA11), ("0x69", 0xB11), ("0x69", 0x210), ("0x69", 0x411),
                         ("0x69", 0x681), ("0x69", 0x100), ("0x51", 0x800)):  # fmt: skip
        yield f"ARM vendor {vendor} part {part:#x}", arm(vendor, part)
    for part in (0x021, 0x022, 0x023, 0x024, 0x025, 0x028, 0x029, 0x032, 0x033, 0x034, 0x035, 0x038, 0x039, 0x040):
        yield f"Apple part {part:#x}", arm("0x61", part, "Apple")
    yield "ARM part 0xd08 on a board", PI
    for pvr in (0x0008, 0x7000, 0x7002, 0x000C, 0x8000, 0x8001, 0x8002, 0x8003, 0x8004, 0x800C, 0x0039, 0x003C, 0x0044,
                0x0045, 0x004B, 0x004C, 0x004D, 0x004E, 0x0080, 0x0001):  # fmt: skip
        yield f"PowerPC PVR {pvr:#06x}", ppc(pvr << 16 | 0x0203)
    for machine in ("Power Macintosh", "powerpc64", "ppc64le", "sparc64", "mips64", "m68k", "riscv64", "vax", "s390x",
                    "arm", "armv7l", "amd64", "i386", "i486", "i586", "x86", ""):  # fmt: skip
        yield f"machine {machine!r}", of_machine(machine)


def judgements() -> Iterator[tuple[str, Inventory, bytes]]:
    """Yield machines whose multiplier is lowered, or nearly."""
    hypervisor = with_features(PC, "hypervisor")
    yield "hypervisor feature, no sign listed", hypervisor, b""
    yield "hypervisor under a Xen control domain", signed(hypervisor, (12, "control_d")), b""
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 255):
        yield f"G4 with sign {code}", signed(G4, (code, "seen")), b""
        yield f"G4 with sign {code} under a Xen control domain", signed(G4, (code, "seen"), (12, "control_d")), b""
    crowd = [(0, f"sign {i:02}") for i in range(SIGNS_MAX)]
    yield "a declared sign behind 24 unknown ones", signed(hypervisor, *crowd), b""
    yield "a declared sign among 24 hints", signed(hypervisor, *((9, text) for _, text in crowd)), b""
    yield "unknown signs that differ in blanks", signed(hypervisor, *((0, "x" + " " * i) for i in range(24))), b""
    for name in ("QEMU Virtual CPU version 2.5", "Common KVM processor", "Common 32-bit KVM processor", "my BOCHS",
                 "VirtualApple @ 2.50GHz", "AMD EPYC 7763"):  # fmt: skip
        yield f"processor named {name}", replace(PC, cpu=replace(PC.cpu, name=name)), b""
    names = {
        "sys_vendor": ("QEMU", "VMware, Inc.", "innotek GmbH", "Xen", "Bochs", "Parallels", "OpenStack Foundation",
                       "oVirt", "KubeVirt", "DigitalOcean", "Nutanix", "Not QEMU", "Microsoft Corporation"),
        "product_name": ("VirtualBox", "VMware7,1", "KVM", "BHYVE", "Virtual Machine", "Google Compute Engine",
                         "Alibaba Cloud ECS", "Standard PC (Q35)", "Apple Virtualization", "HVM domU", "Parallels",
                         "OpenStack Nova", "QEMU", "vServer", "Server"),
        "board_vendor": ("QEMU", "Intel"),
        "board_name": ("QEMU",),
        "bios_vendor": ("Bochs", "Xen", "BHYVE", "SeaBIOS", "our OVMF", "EDK II", "AMI"),
        "model": ("QEMU",),
    }  # fmt: skip
    for field, texts in names.items():
        for text in texts:
            yield f"{field} {text}", board(PC, **{field: text}), b""
    yield "Amazon EC2", board(PC, sys_vendor="Amazon EC2", product_name="t3.micro"), b""
    yield "Amazon EC2, metal", board(PC, sys_vendor="Amazon EC2", product_name="c5.metal"), b""
    yield "Amazon EC2, METAL", board(PC, sys_vendor="AMAZON EC2", product_name="c5.METAL"), b""
    for sources in (0, *(1 << i for i in range(len(SOURCES))), EVERYTHING ^ 1 << 7, 1 << 7 | 1 << 1, 1 << 7 | 1 << 6):
        yield f"G4 with sources {sources:08b}", replace(G4, sources=sources), b""
    yield "PC with sources 0", replace(PC, sources=0), b""
    needs = ("sse", "sse2", "pni", "ssse3", "sse4_1", "sse4_2", "lm")
    for feature in needs:
        alone = x86("AuthenticAMD", 6, 1, feature)
        yield f"{feature} alone", alone, b""
    chain = ("cmov", "cx8", "mmx", "pae", "pni", "sse", "sse2", "sse4_1", "sse4_2", "ssse3")
    yield "the whole chain of features", x86("AuthenticAMD", 6, 1, *chain), b""
    for feature, family in (("cmov", 5), ("sse", 5), ("sse2", 5), ("lm", 5), ("avx", 5), ("mmx", 4), ("tsc", 4),
                            ("cx8", 4), ("cx8", 5), ("tsc", 2), ("cmov", 6)):  # fmt: skip
        extra = {"sse": ("mmx",), "sse2": ("mmx", "sse"), "lm": ("cmov", "cx8", "mmx", "pae", "sse", "sse2")}
        features = tuple(sorted({feature, *extra.get(feature, ())}))
        yield f"{feature} on Intel family {family}", x86("GenuineIntel", family, 1, *features), b""
    full = ("cmov", "cx8", "lm", "mmx", "pae", "sse", "sse2")
    for model in (1, 14, 15, 22, 23, 26, 28, 29, 30, 31, 37, 42, 44, 45, 46, 47, 58, 60, 62):
        yield f"avx on Intel model {model}", x86("GenuineIntel", 6, model, "avx"), b""
        yield f"avx2 on Intel model {model}", x86("GenuineIntel", 6, model, "avx2"), b""
        yield f"lm on Intel model {model}", x86("GenuineIntel", 6, model, *full), b""
    for family in (0x14, 0x15):
        yield f"avx on AMD family {family}", x86("AuthenticAMD", family, 1, "avx"), b""
    yield "64-bit kernel without lm", with_features(PC, without="lm"), b""
    yield "64-bit kernel, no features at all", replace(PC, features=()), b""
    yield "64-bit kernel without lm, no vendor", replace(with_features(PC, without="lm"),
                                                        cpu=replace(PC.cpu, vendor="")), b""
    yield "amd64 kernel without lm", replace(with_features(PC, without="lm"), machine="amd64"), b""
    yield "big-endian x86", replace(PC, byte_order="big"), b""
    yield "more cores than threads", replace(PC, cpu=replace(PC.cpu, cores=9)), b""
    yield "cores and no threads", replace(PC, cpu=replace(PC.cpu, cores=9, threads=0)), b""
    yield "contradiction in a virtual machine", with_features(hypervisor, without="lm"), b""
    yield "emulator in a virtual machine", signed(hypervisor, (31, "state 0")), b""
    steady = ((6, 5, 40, 50, 90), (7, 1, 0, 0, 0))
    yield "G4, steady timer", G4, summary(*steady)
    yield "G4, timer once backwards", G4, summary(steady[0], (7, 1, 0, 0, 1))
    yield "G4, backwards without steps", G4, summary((7, 1, 0, 0, 1))
    yield "G4, coarse timer", G4, summary((6, 5, 100_001, 100_001, 100_001), steady[1])
    for minimum in (769_230, 769_231, 700_000, 0):  # 1300 MB/s is 769,230.8 ps per 1000 bytes
        yield f"G4 copies in {minimum} ps", G4, summary((4, 5, minimum, 800_000, 900_000), *steady)
    yield "G4 copies too fast, four samples", G4, summary((4, 4, 500_000, 800_000, 900_000))
    yield "PC copies very fast, no ceiling", PC, summary((4, 5, 1, 2, 3))
    yield "Pentium MMX copies too fast", x86("GenuineIntel", 5, 4), summary((4, 9, 1_000_000, 2_000_000, 2_000_000))
    yield "Raspberry Pi, timer backwards", PI, summary(steady[0], (7, 1, 1, 1, 1))
    yield "kinds nobody knows", G4, summary((0, 1, 0, 0, 0), (99, 1, 1, 2, 3))
    yield "an empty array", G4, summary()


HONEST = {
    INT_ADD: 1000, FP_ADD: 5000, FP_MUL: 5000, FP_DIV: 35000, SCALAR: 1000, SIMD: 600, PATCH: 200_000, STREAM: 4000,
}  # fmt: skip
"""A 7447A by its vendor's latencies, picoseconds per step at 1 GHz."""
PROGRAM = {"p19": 60_000, "p21": 5_000, "p23": 10_000, "p25": 30_000_000}
"""What is otherwise under an emulator."""
EDGE_CAPS = {"uncalibrated_cap": 1_500_000_000, "legacy_cap": 1_000_000_000}


def timed(count: int = 5, **changed: int) -> bytes:
    """Return samples of compiled probes, HONEST but for those named `p<number>`; 0 leaves a probe out."""
    least = HONEST | {int(name[1:]): ps for name, ps in changed.items()}
    return summary(*((KIND_BASE + probe, count, ps, ps, ps) for probe, ps in sorted(least.items()) if ps))


def results_of(samples: bytes) -> tuple[tuple[int, int], ...]:
    """Return a result, here any number, beside each timing of a compiled probe."""
    kinds = (item.kind - KIND_BASE for item in decode_samples(samples))
    return ((1, 0), *((probe, 0) for probe in kinds if probe in ACTIVE_PROBES))


def evidence() -> Iterator[tuple[str, Inventory, bytes, tuple[tuple[int, int], ...]]]:
    """Yield machines with compiled probes, right, wrong and nearly."""
    honest = timed()
    yield "G4, all probes", G4, honest, results_of(honest)
    yield "G4, timings without results", G4, honest, ((1, 0),)
    yield "G4, results without timings", G4, b"", results_of(honest)
    yield "G4, results of others than were timed", G4, timed(p17=0), ((1, 0), (17, 0), (18, 0))
    yield "G4, one probe alone", G4, summary((KIND_BASE + INT_ADD, 5, 1, 1, 1)), ((1, 0), (INT_ADD, 0))
    yield "G4, no keyed probe of the interpreter", G4, honest, results_of(honest)[1:]
    for count in (1, 4, 5):
        emulated = timed(count, p19=60_000, p23=10_000, p25=30_000_000)
        yield f"emulated G4, {count} samples", G4, emulated, results_of(emulated)
    # Twice the range of powerpc-7450: fp_add 2500 to 11000, fp_div_mul 3400 to 14400, simd_scalar 200 to 1800.
    for fp_add, fp_div, simd in (
        (2500, 35000, 600), (2499, 35000, 600), (11000, 35000, 600), (11001, 35000, 600), (2499, 17000, 600),
        (2499, 16999, 600), (11001, 72000, 600), (11001, 72005, 600), (5000, 16995, 1801), (5000, 17000, 1801),
        (5000, 16995, 200), (5000, 16995, 199), (2499, 16995, 199), (11001, 16995, 1801),
    ):  # fmt: skip
        samples = timed(p19=fp_add, p21=fp_div, p23=simd)
        yield f"G4, fp_add {fp_add}, fp_div {fp_div}, simd {simd}", G4, samples, results_of(samples)
    for patch in (24_999, 25_000, 3_000_000, 3_000_999, 3_001_000):
        samples = timed(p19=60_000, p25=patch)
        yield f"G4, fp_add outside, patch {patch}", G4, samples, results_of(samples)
    for stream in (1501, 1500, 1499, 1, 0):
        samples = timed(p26=stream)
        yield f"G4, reads a word in {stream} ps", G4, samples, results_of(samples)
    for name, machine in (("G4", G4), ("750", ppc(0x00083311)), ("SPARC", of_machine("sparc64"))):
        for some in (samples for count in (1, 2, 3) for samples in combinations(JUDGED, count)):
            for kind, least in (("honest", {}), ("one outside", {"p19": 60_000}), ("a program's", PROGRAM)):
                probes = {f"p{probe}": 0 for probe in (*HONEST,) if probe not in probes_of(some)}
                samples = timed(**(least | probes))
                yield f"{name}, {kind}, {' '.join(some)} alone", machine, samples, results_of(samples)
    unknown_times = summary(*((KIND_BASE + probe, 9, 0, 1, 1) for probe in HONEST))
    yield "G4, minimum 0", G4, unknown_times, results_of(unknown_times)
    bad = timed(**PROGRAM)
    zen, zen_guest = cpu(PC, "AuthenticAMD", 26, 2), with_features(cpu(PC, "AuthenticAMD", 26, 2), "hypervisor")
    machines = (
        ("750", ppc(0x00083311)), ("unknown PVR", ppc(0x12340000)), ("Raspberry Pi 4", PI), ("Zen 5", zen),
        ("Zen 5 guest", zen_guest), ("Core 2", cpu(PC, "GenuineIntel", 6, 23)),
        ("Core 2 in 32 bit", x86("GenuineIntel", 6, 23)),
        ("unlisted Intel model", cpu(PC, "GenuineIntel", 6, 255)), ("SPARC", of_machine("sparc64")),
        ("G4 with a sign of an emulator", signed(G4, (31, "state 0"))), ("M3", apple("Apple M3 Pro")),
    )  # fmt: skip
    for name, machine in machines:
        for what, samples in (("as a G4 would", honest), ("as no processor would", bad)):
            yield f"{name} times {what}", machine, samples, results_of(samples)
    copies = summary((4, 5, 500_000, 800_000, 900_000), *rows_of(honest))
    yield "copies too fast beside good probes", G4, copies, results_of(honest)


def rows_of(samples: bytes) -> list[tuple[int, int, int, int, int]]:
    """Return samples as rows."""
    return [(item.kind, item.count, item.minimum, item.median, item.maximum) for item in decode_samples(samples)]


def cpu(base: Inventory, vendor: str, family: int, model: int) -> Inventory:
    """Return a machine with a processor of these numbers."""
    base = bare(base)
    return replace(base, cpu=replace(base.cpu, vendor=vendor, family=family, model=model))


def apple(name: str, part: int = 0) -> Inventory:
    """Return a Mac that states its chip and perhaps a part."""
    return replace(bare(PI, vendor="0x61", name=name, model=part), platform="darwin")


def names_of_models() -> Iterator[tuple[str, Inventory]]:
    """Yield machines whose processors are named in every way, and chips that only a name tells."""
    for name in ("Apple M1", "Apple M2 Max", "Apple M3", "Apple M3 Pro", "Apple M4", "Apple M5", "Apple M33", "M3",
                 "Apple  M4 ", "Apple", "VirtualApple M3"):  # fmt: skip
        yield f"chip {name!r} without a part", apple(name)
    yield "chip Apple M3 with the part of an M1", apple("Apple M3", 0x22)
    yield "vendor of 64 bytes", cpu(PC, "v" * 64, 6, 143)
    yield "vendor of 52 bytes", cpu(PC, "v" * 52, 6, 1)
    yield "machine of 64 bytes", replace(G4, machine="z" * 64)
    yield "largest numbers", cpu(PC, "GenuineIntel", 2**64 - 1, 2**64 - 1)
    yield "largest part", cpu(PI, "0x41", 0, 2**64 - 1)
    yield "largest PVR", ppc(2**64 - 1)
    for machine in ("s390", "alpha", "ia64", "parisc", "parisc64", "hppa", "loongarch64", "sh4", "shark", "amd64p32"):
        yield f"machine {machine!r}", of_machine(machine)


def known_models() -> Iterator[tuple[str, Inventory]]:
    """Yield what the model database knows: each processor within its limits and beyond one of them, each board."""
    models = load_models()
    entries = list(dict.fromkeys(models.processors.values()))
    for number, entry in enumerate(entries):
        within = at_limits(of_key(entry.keys[0]), entry)
        yield f"{entry.keys[0]} at its limits", within
        yield f"{entry.keys[0]} beyond one ({number % 6})", beyond(within, entry, number % 6)
    for number, board_entry in enumerate(dict.fromkeys(models.boards.values())):
        name = board_entry.names[0].replace("*", " of some kind")
        keys = sorted(board_entry.cpus)
        for key in (keys[0] if keys else "arm 0x41 0xd08", entries[number % len(entries)].keys[0]):
            inventory = replace(of_key(key), board=replace(NO_BOARD, model=name))
            yield f"{key} on {name}", at_limits(inventory, board_entry)
        yield f"{name} by its product's name, with too much", beyond(
            replace(of_key(keys[0] if keys else "arm 0x41 0xd08"), board=replace(NO_BOARD, product_name=name)),
            board_entry, number % 4,
        )  # fmt: skip


def of_key(key: str) -> Inventory:
    """Return a machine with a processor of the database."""
    kind, *numbers = key.split()
    if kind == "arm":
        return arm(numbers[0], int(numbers[1], 16))
    if kind == "ppc":
        low = 0x0101 if numbers[0] == "pvr" else 0
        return ppc(int(numbers[1], 16) << 16 | low)
    if numbers[0] == "family":
        return x86("GenuineIntel", int(numbers[1]), 0)
    numeric = [int(number) for number in numbers if number.isdigit()]
    vendor = " ".join(number for number in numbers if not number.isdigit())
    return x86(vendor, *(numeric + [0, 0])[:2])


def at_limits(inventory: Inventory, entry: Facts) -> Inventory:
    """Return the machine with all that an entry allows."""
    has = getattr(entry, "has", ())
    cpu_of = replace(inventory.cpu, clock_mhz=entry.clock_mhz_max * 125 // 100, threads=entry.threads_max)
    caches = tuple(sorted(Cache(*place, sizes[-1], 64, 8, 1) for place, sizes in entry.caches.items()))
    features = tuple(sorted({"fpu", *has})) if has else inventory.features
    return replace(inventory, cpu=cpu_of, caches=caches, memory_mib=entry.memory_mib_max, features=features)


def beyond(inventory: Inventory, entry: Facts, which: int) -> Inventory:
    """Return the machine with one thing too much."""
    cpu_of = inventory.cpu
    if which == 0:
        return replace(inventory, cpu=replace(cpu_of, clock_mhz=entry.clock_mhz_max * 125 // 100 + 1))
    if which == 1:
        crowded = replace(cpu_of, threads=entry.threads_max + 1)
        return replace(inventory, memory_mib=entry.memory_mib_max + 1, cpu=crowded)
    if which == 2:
        caches = tuple(sorted(Cache(*place, sizes[-1] + 1, 64, 8, 1) for place, sizes in entry.caches.items()))
        return replace(inventory, caches=caches)
    if which == 3:
        summed = (Cache(*place, sizes[0] * 3, 0, 0, 1) for place, sizes in entry.caches.items())
        return replace(inventory, caches=tuple(sorted(summed)), cpu=replace(cpu_of, cores=2, threads=2))
    if which == 4:
        missing = next(iter(getattr(entry, "has", ())), "")
        return with_features(inventory, *getattr(entry, "without", ()), without=missing)
    words = sorted(getattr(entry, "never_named", ()))
    return replace(inventory, byte_order="big", word_bits=64, cpu=replace(cpu_of, name=" ".join(words)[:60]))


def case(
    name: str,
    inventory: Inventory,
    samples: bytes,
    results: tuple[tuple[int, int], ...] = ((1, 0),),
    *,
    calibrated: bool = False,
    **policy: Any,
) -> Case:
    """Return a scored machine, with right results, as a ledger scores it."""
    chosen = {"profile": "edge", "vm_weight": 250_000_000, "uncalibrated_cap": CAP_MAX, "legacy_cap": CAP_MAX} | policy
    scored = scored_as(inventory, samples, results, Policy(**chosen), calibrated=calibrated)
    return {
        "name": name, "inventory": inventory.encode().hex(), "samples": samples.hex(),
        "probe_results": [list(pair) for pair in results], **chosen, "calibrated": calibrated,
        "family": scored.family, "arch": scored.arch, "class": scored.klass, "model": scored.model,
        "base_multiplier": scored.base_multiplier, "weight": scored.weight, "payable": scored.payable,
    }  # fmt: skip


def scored_as(
    inventory: Inventory, samples: bytes, results: tuple[tuple[int, int], ...], policy: Policy, *, calibrated: bool
) -> Score:
    """Return a score from what a record holds."""
    row = load_table().row(*classify(inventory))
    checks = judge_evidence(results, decode_samples(samples), processor_key(inventory), row)
    return score(inventory, checks, policy, calibrated=calibrated)


RECORDED = (ROTATING, ("fp_add", "fp_div_mul"), ("simd_scalar",), ("read_speed",))
"""What records may have measured."""


def flags() -> Iterator[Case]:
    """Yield attestations and what they show."""
    honest, bad = timed(), timed(p19=60_000, p21=5_000, p23=10_000, p25=30_000_000, p26=100)
    samples = {
        "honest": honest, "as no processor would": bad, "one ratio outside": timed(p19=60_000),
        "reads too fast": timed(p26=100),
        "nothing": b"", "an empty list": b"\x80", "only what does not rotate": summary((KIND_BASE + 17, 5, 1, 1, 1)),
        "four samples": timed(4), "only the stream": summary((KIND_BASE + STREAM, 5, 4000, 4000, 4000)),
        "additions alone": summary((KIND_BASE + INT_ADD, 5, 1000, 1000, 1000)),
        "no patch": timed(p25=0), "no vectors": timed(p23=0), "no stream": timed(p26=0),
        "one ratio": timed(p21=0, p23=0, p25=0, p26=0), "two that disagree": timed(p19=60_000, p23=0, p25=0, p26=0),
        "two that agree": timed(p23=0, p25=0, p26=0), "two that agree against it": timed(p19=60_000, p21=5_000, p25=0),
    }  # fmt: skip
    for name, raw in samples.items():
        for left_out in ROTATING:
            checks = [check for check in ROTATING if check != left_out]
            for model in ("ppc pvr 8003", "ppc pvr 0008", "sparc64"):
                for recorded in (0, *(to_bits(each) for each in RECORDED)):
                    found = attest_flags(decode_samples(raw), checks, model, from_bits(recorded))
                    told = f"{name}, without {left_out}, {model}, recorded {recorded:05b}"
                    yield {"name": told, "samples": raw.hex(), "selected": checks, "model": model,
                           "recorded": recorded, "flags": found}  # fmt: skip


def epochs() -> Iterator[Case]:
    """Yield what flags leave of a base."""
    for profile, vm_weight in (("edge", 0), ("edge", 333_333_333), ("rustchain", 1_000_000_000)):
        policy = Policy(profile, vm_weight, 1_500_000_000, 900_000_000)
        for klass in ("vintage", "virtual", "emulated", "unknown"):
            for base in (500_000, 1_000_000_001, 2_500_000_000):
                for bits in range(8):
                    weight = epoch_weight(base, bits, klass=klass, policy=policy, table=load_table())
                    yield {"profile": profile, "vm_weight": vm_weight, "legacy_cap": 900_000_000, "class": klass,
                           "base": base, "flags": bits, "weight": weight}  # fmt: skip


def refused() -> list[Case]:
    """Return inventories and samples that do not decode."""
    good = codec.read_map(G4.encode(), range(13), "inventory")
    cpu, names = good[5], good[9]
    assert isinstance(cpu, list)
    assert isinstance(names, list)
    cache = [1, 1, 32, 32, 8, 1]
    rows: list[tuple[str, Any, str]] = [
        ("an array", [], "BAD_SHAPE"),
        ("no sources", {k: v for k, v in good.items() if k != 12}, "BAD_SHAPE"),
        ("unknown key", {**good, 13: 0}, "BAD_SHAPE"),
        ("version 2", {**good, 0: 2}, "BAD_VERSION"),
        ("version 2, all else wrong", {**dict.fromkeys(range(13), b""), 0: 2}, "BAD_VERSION"),
        ("machine of 65 bytes", {**good, 2: "x" * 65}, "BAD_SHAPE"),
        ("machine as bytes", {**good, 2: b"ppc"}, "BAD_SHAPE"),
        ("machine with a tab", {**good, 2: "p\tpc"}, "BAD_SHAPE"),
        ("machine outside ASCII", {**good, 2: "pp\u00e7"}, "BAD_SHAPE"),
        ("129 bits", {**good, 3: 129}, "BAD_SHAPE"),
        ("byte order 2", {**good, 4: 2}, "BAD_SHAPE"),
        ("cpu of 9 items", {**good, 5: cpu[:9]}, "BAD_SHAPE"),
        ("cpu vendor as number", {**good, 5: [0, *cpu[1:]]}, "BAD_SHAPE"),
        ("features fall", {**good, 6: ["sse", "mmx"]}, "BAD_SHAPE"),
        ("feature twice", {**good, 6: ["sse", "sse"]}, "BAD_SHAPE"),
        ("feature of 17 bytes", {**good, 6: ["x" * 17]}, "BAD_SHAPE"),
        ("49 features", {**good, 6: [f"f{i:02}" for i in range(49)]}, "BAD_SHAPE"),
        ("17 caches", {**good, 7: [cache] * 17}, "BAD_SHAPE"),
        ("cache of 5 items", {**good, 7: [cache[:5]]}, "BAD_SHAPE"),
        ("caches fall", {**good, 7: [[2, *cache[1:]], cache]}, "BAD_SHAPE"),
        ("board of 6 items", {**good, 9: names[:6]}, "BAD_SHAPE"),
        ("chassis type 256", {**good, 9: [*names[:6], 256]}, "BAD_SHAPE"),
        ("sign number 256", {**good, 10: [[256, ""]]}, "BAD_SHAPE"),
        ("evidence of 41 bytes", {**good, 10: [[1, "x" * 41]]}, "BAD_SHAPE"),
        ("sign twice", {**good, 10: [[1, "a"], [1, "a"]]}, "BAD_SHAPE"),
        ("signs fall", {**good, 10: [[1, "b"], [1, "a"]]}, "BAD_SHAPE"),
        ("25 signs", {**good, 10: [[i, ""] for i in range(25)]}, "BAD_SHAPE"),
        ("binding 4", {**good, 11: 4}, "BAD_SHAPE"),
        ("sources 256", {**good, 12: 256}, "BAD_SHAPE"),
    ]
    found: list[Case] = [
        {"name": name, "inventory": codec.encode(value).hex(), "samples": "", "code": code}
        for name, value, code in rows
    ]
    whole = G4.encode()
    found.append({"name": "cut short", "inventory": whole[:-1].hex(), "samples": "", "code": "NOT_CANONICAL"})
    found.append({"name": "empty", "inventory": "", "samples": "", "code": "NOT_CANONICAL"})
    for name, samples, code in (
        ("samples: a map", b"\xa0", "BAD_SHAPE"),
        ("samples: not CBOR", b"\xff", "NOT_CANONICAL"),
        ("samples: four numbers", codec.encode([[1, 1, 1, 1]]), "BAD_SHAPE"),
        ("samples: kind twice", summary((1, 1, 1, 1, 1), (1, 1, 1, 1, 1)), "BAD_SHAPE"),
        ("samples: kinds fall", summary((2, 1, 1, 1, 1), (1, 1, 1, 1, 1)), "BAD_SHAPE"),
        ("samples: none counted", summary((1, 0, 1, 1, 1)), "BAD_SHAPE"),
        ("samples: median below minimum", summary((1, 1, 2, 1, 3)), "BAD_SHAPE"),
        ("samples: median above maximum", summary((1, 1, 2, 4, 3)), "BAD_SHAPE"),
        ("samples of 513 bytes", bytes(513), "TOO_LARGE"),
        ("inventory not CBOR, samples a map", b"\xa0", "NOT_CANONICAL"),
    ):
        inventory = b"\xff" if name.startswith("inventory") else whole
        found.append({"name": name, "inventory": inventory.hex(), "samples": samples.hex(), "code": code})
    for row in found:
        code = ""
        try:
            inventory_of, raw = decode_inventory(bytes.fromhex(row["inventory"])), bytes.fromhex(row["samples"])
            scored_as(inventory_of, raw, ((1, 0),), Policy("edge", 0, 0, 0), calibrated=False)
        except MetanodeError as error:
            code = error.code
        assert code == row["code"], (row["name"], code)
    return found


def write(name: str, note: str, **content: Any) -> None:
    """Write one vector file, each case on one line."""
    lines = [f' "source": {json.dumps(SOURCE)}', f' "note": {json.dumps(note)}']
    for key, rows in content.items():
        lines.append(f' "{key}": [\n  ' + ",\n  ".join(json.dumps(row) for row in rows) + "\n ]")
    (HERE / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")


def make_scoring() -> None:
    """Write scoring.json."""
    machines = (*kinds_of_hardware(), *names_of_models(), *known_models())
    cases = [case(name, inventory, b"") for name, inventory in machines]
    cases += [case(*row) for row in judgements()]
    for name, inventory, samples, results in evidence():
        cases.append(case(name, inventory, samples, results, **EDGE_CAPS))
    vm = with_features(PC, "hypervisor")
    good = timed()
    for profile in ("edge", "rustchain"):
        for vm_weight in (0, 999_999_999, 1_000_000_000):
            for name, inventory in (("VM", vm), ("Raspberry Pi", PI), ("G4", G4)):
                chosen = {"profile": profile, "vm_weight": vm_weight}
                cases.append(case(f"{name} on {profile}, vm_weight {vm_weight}", inventory, b"", **chosen))
    for inventory in (G4, PI, vm, signed(G4, (31, "state 0"))):
        for caps in ((0, 0), (1_500_000_000, 1_000_000_000), (1_000_000_000, 2_000_000_000), (CAP_MAX, CAP_MAX)):
            for calibrated in (False, True):
                for results in (results_of(good), ((1, 0),)):
                    chosen = {"uncalibrated_cap": caps[0], "legacy_cap": caps[1]}
                    name = f"{inventory.machine} with {len(results)} results, caps {caps}, calibrated {calibrated}"
                    cases.append(case(name, inventory, good, results, calibrated=calibrated, **chosen))
    for row in cases:
        assert decode_inventory(bytes.fromhex(row["inventory"])).encode().hex() == row["inventory"]
    days = (0, 1, 2, 365, 2433, 2434, 10**6)
    decays = [
        {"base": base, "days": day, "result": decayed(base, day)}
        for base in (0, 800_000_000, 1_000_000_000, 1_000_000_001, 2_500_000_000, 4_000_000_000)
        for day in days
    ]
    write(
        "scoring",
        "A record with `inventory`, `samples` and right `probe_results` gets `family` to `payable` on a chain with "
        "`profile` to `legacy_cap`; `calibrated`: whether the model is. Each record under `invalid` is refused with "
        "`code`. `decayed`: a multiplier after whole days. `flags`: what an attestation with `samples`, each with its "
        "result, shows in an epoch that selected these checks. `epochs`: what flags leave of a base.",
        cases=cases,
        invalid=refused(),
        decayed=decays,
        flags=list(flags()),
        epochs=list(epochs()),
    )


def make_keyed_probe() -> None:
    """Write keyed_probe.json."""
    challenges = [bytes(32), b"\xff" * 32, bytes(range(32)), bytes(31) + b"\xff", b"\x80" + bytes(31)]
    challenges += [bodies.challenge(bytes([i]) * 32, bytes([255 - i]) * 32) for i in range(12)]
    cases = [{"challenge": each.hex(), "result": f"{run_keyed(each, PROBE_CHAIN):016x}"} for each in challenges]
    write("keyed_probe", "The result of keyed probe 1 for a challenge, as 16 hex digits, big-endian.", cases=cases)


def make_rotation() -> None:
    """Write rotation.json."""
    betas = [bytes(64), b"\xff" * 64, bytes(range(64)), *(H("leader", bytes([i])) * 2 for i in range(3))]
    epochs = (0, 1, 2, 3, 4, 5, 255, 256, 2**32, 2**64 - 1)
    cases = [
        {"beta": beta.hex(), "epoch": epoch, "selected": list(selected(beta, epoch))}
        for beta in betas for epoch in epochs
    ]  # fmt: skip
    write("rotation", "The checks of an epoch whose first block has a parent with this beta.", cases=cases)


def main() -> None:
    """Write all files."""
    make_scoring()
    make_keyed_probe()
    make_rotation()


if __name__ == "__main__":
    main()
