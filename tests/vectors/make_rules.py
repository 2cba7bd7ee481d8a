"""Make scoring.json and keyed_probe.json: what follows from an inventory, and from a challenge.

Run: python tests/vectors/make_rules.py   (deterministic: same bytes every time)
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from metanode.core.model import bodies, codec
from metanode.core.model.errors import MetanodeError
from metanode.fingerprint.inventory import SIGNS_MAX, SOURCES, Board, Cpu, Inventory, Sign, decode_inventory
from metanode.fingerprint.keyed import PROBE_CHAIN, run_keyed
from metanode.fingerprint.multipliers import load_table
from metanode.fingerprint.parsers.cache import Cache
from metanode.fingerprint.scoring import Policy, decayed
from metanode.plugins.ledger.attested.machines import score_record

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
OLD = replace(PC, machine="i686", word_bits=32, features=("cmov", "cx8", "fpu", "mmx", "pae", "sse"))
PI = replace(
    PC, machine="aarch64", cpu=Cpu("0x41", "Cortex-A72", 8, 0xD08, 3, 0, 1500, 1, 4, 4), features=("asimd",),
    board=replace(NO_BOARD, model="Raspberry Pi 4 Model B"),
)  # fmt: skip


def x86(vendor: str, family: int, model: int, *features: str) -> Inventory:
    """Return a 32-bit PC with a processor of these numbers; without features nothing can contradict them."""
    return replace(OLD, cpu=replace(OLD.cpu, vendor=vendor, family=family, model=model), features=features)


def arm(vendor: str, part: int, board: str = "") -> Inventory:
    """Return an ARM machine of a part number."""
    return replace(PI, cpu=replace(PI.cpu, vendor=vendor, model=part), board=replace(NO_BOARD, model=board))


def ppc(pvr: int) -> Inventory:
    """Return a PowerPC of a version register."""
    return replace(G4, cpu=replace(G4.cpu, pvr=pvr))


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
        yield f"machine {machine!r}", replace(G4, machine=machine, byte_order="little")


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


def case(name: str, inventory: Inventory, samples: bytes, profile: str, vm_weight: int) -> Case:
    """Return a scored machine, with right keyed probes, as a ledger scores it."""
    record = bodies.MachineRecord(bytes(32), bytes(20), bytes(32), inventory.encode(), 0, ((1, 0),), samples, "")
    scored = score_record(record, Policy(profile, vm_weight), load_table())
    return {
        "name": name, "inventory": inventory.encode().hex(), "samples": samples.hex(), "profile": profile,
        "vm_weight": vm_weight, "family": scored.family, "arch": scored.arch, "class": scored.klass,
        "base_multiplier": scored.base_multiplier, "weight": scored.weight,
    }  # fmt: skip


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
        ("inventory not CBOR, samples a map", b"\xa0", "NOT_CANONICAL"),
    ):
        inventory = b"\xff" if name.startswith("inventory") else whole
        found.append({"name": name, "inventory": inventory.hex(), "samples": samples.hex(), "code": code})
    for row in found:
        record = bodies.MachineRecord(
            bytes(32), bytes(20), bytes(32), bytes.fromhex(row["inventory"]), 0, (), bytes.fromhex(row["samples"]), ""
        )
        code = ""
        try:
            score_record(record, Policy("edge", 0), load_table())
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
    rows = [(name, inventory, b"") for name, inventory in kinds_of_hardware()]
    cases = [case(*row, "edge", 250_000_000) for row in (*rows, *judgements())]
    vm, pi = with_features(PC, "hypervisor"), PI
    for profile in ("edge", "rustchain"):
        for vm_weight in (0, 999_999_999, 1_000_000_000):
            for name, inventory in (("VM", vm), ("Raspberry Pi", pi), ("G4", G4)):
                cases.append(case(f"{name} on {profile}, vm_weight {vm_weight}", inventory, b"", profile, vm_weight))
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
        "A record with `inventory` and `samples` and right keyed probes gets `family` to `weight` on a chain with "
        "`profile` and `vm_weight`. Each record under `invalid` is refused with `code`. `decayed`: a multiplier after "
        "whole days.",
        cases=cases,
        invalid=refused(),
        decayed=decays,
    )


def make_keyed_probe() -> None:
    """Write keyed_probe.json."""
    challenges = [bytes(32), b"\xff" * 32, bytes(range(32)), bytes(31) + b"\xff", b"\x80" + bytes(31)]
    challenges += [bodies.challenge(bytes([i]) * 32, bytes([255 - i]) * 32) for i in range(12)]
    cases = [{"challenge": each.hex(), "result": f"{run_keyed(each, PROBE_CHAIN):016x}"} for each in challenges]
    write("keyed_probe", "The result of keyed probe 1 for a challenge, as 16 hex digits, big-endian.", cases=cases)


def main() -> None:
    """Write both files."""
    make_scoring()
    make_keyed_probe()


if __name__ == "__main__":
    main()
