"""What goes on chain about a machine: a typed, redacted, canonical inventory.

No identifier stands in it, not even hashed: a salt that every node knows lets anyone try all
hardware addresses of a vendor, so only the binding tag (`identifiers`) leaves the machine.
Values that change with an update or a reboot (clock now, kernel, free memory) stay out too,
because the digest of these bytes must stay the same for the life of the machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from metanode.core.model.codec import (
    Value,
    encode,
    expect_list,
    expect_text,
    expect_uint,
    read_map,
)
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import INVENTORY_BYTES_MAX
from metanode.fingerprint.parsers.cache import CACHES_MAX, Cache

INVENTORY_VERSION = 1
TEXT_BYTES_MAX = 64
"""Longest name, bytes; all text is printable ASCII."""
FEATURE_BYTES_MAX = 16
"""Longest name of a processor feature, bytes."""
FEATURES_MAX = 48
"""Most processor features in an inventory."""
EVIDENCE_BYTES_MAX = 40
"""Longest evidence of a sign, bytes."""
SIGNS_MAX = 24
"""Most signs of a virtual machine in an inventory."""
BYTE_ORDERS = ("little", "big")
BINDINGS = ("none", "machine_id", "disk", "mac")
"""What the binding tag rests on, weakest first; the index is what is encoded."""

FEATURES = (
    "3dnow", "aes", "altivec", "asimd", "avx", "avx2", "avx512f", "avx512vnni", "bmi2", "cmov", "cx8", "edsp", "fma",
    "fpu", "half", "hypervisor", "lm", "mmx", "neon", "nx", "pae", "pni", "rdrand", "sha_ni", "sse", "sse2", "sse4_1",
    "sse4_2", "sse4a", "ssse3", "sve", "svm", "thumb", "tsc", "vfpv3", "vfpv4", "vmx", "xsave",
)
"""Features kept, by the kernel's names; a fixed list, because kernels print new ones with every release."""
assert len(FEATURES) <= FEATURES_MAX
assert list(FEATURES) == sorted(set(FEATURES))
assert all(len(name) <= FEATURE_BYTES_MAX for name in FEATURES)


@dataclass(frozen=True)
class Cpu:
    """The processor.  0 or "" where unknown."""

    vendor: str
    name: str
    family: int
    """x86 family; on ARM the architecture version."""
    model: int
    """x86 model; on ARM the part number."""
    stepping: int
    pvr: int
    """PowerPC processor version register."""
    clock_mhz: int
    """Highest stated clock, rounded to 100 MHz."""
    sockets: int
    cores: int
    threads: int


@dataclass(frozen=True)
class Board:
    """What firmware or the device tree calls the machine.  "" where silent; no serial numbers."""

    sys_vendor: str
    product_name: str
    board_vendor: str
    board_name: str
    bios_vendor: str
    model: str
    """Device-tree or /proc/cpuinfo machine name."""
    chassis_type: int
    """SMBIOS chassis type, 0 unknown."""


@dataclass(frozen=True, order=True)
class Sign:
    """One sign of a virtual machine, container or emulator: a code of `virtual.SIGNS` and what was seen."""

    code: int
    evidence: str


@dataclass(frozen=True)
class Inventory:
    """A machine in at most 4 KiB.  Lists are sorted and without repeats."""

    platform: str
    machine: str
    """The kernel's name of the architecture, for example `x86_64`."""
    word_bits: int
    byte_order: str
    cpu: Cpu
    features: tuple[str, ...]
    caches: tuple[Cache, ...]
    memory_mib: int
    board: Board
    signs: tuple[Sign, ...]
    binding: str
    """One of `BINDINGS`: what the binding tag rests on."""
    sources: int
    """Bit set of what could be looked at, see `SOURCES`; a sign that was never looked for proves nothing."""

    def encode(self) -> bytes:
        """Return the canonical bytes.

        :raises Rejection: INVENTORY_TOO_LARGE.
        """
        cpu, board = self.cpu, self.board
        raw = encode(
            {
                0: INVENTORY_VERSION,
                1: self.platform,
                2: self.machine,
                3: self.word_bits,
                4: BYTE_ORDERS.index(self.byte_order),
                5: [cpu.vendor, cpu.name, cpu.family, cpu.model, cpu.stepping, cpu.pvr, cpu.clock_mhz, cpu.sockets,
                    cpu.cores, cpu.threads],
                6: list(self.features),
                7: [[c.level, c.type, c.size_kib, c.line_bytes, c.ways, c.shared_by] for c in self.caches],
                8: self.memory_mib,
                9: [board.sys_vendor, board.product_name, board.board_vendor, board.board_name, board.bios_vendor,
                    board.model, board.chassis_type],
                10: [[sign.code, sign.evidence] for sign in self.signs],
                11: BINDINGS.index(self.binding),
                12: self.sources,
            }
        )
        if len(raw) > INVENTORY_BYTES_MAX:
            raise Rejection("INVENTORY_TOO_LARGE", f"the inventory has {len(raw)} bytes")
        return raw


SOURCES = ("cpuinfo", "cache", "dmi", "pci", "devices", "clocksource", "device_tree", "process")
"""Bit i of `Inventory.sources` says that SOURCES[i] answered."""


def decode_inventory(data: bytes) -> Inventory:
    """Read canonical bytes back.

    :raises CodecError: not canonical.
    :raises Rejection: INVENTORY_TOO_LARGE, BAD_SHAPE, BAD_VERSION.
    """
    if len(data) > INVENTORY_BYTES_MAX:
        raise Rejection("INVENTORY_TOO_LARGE", f"the inventory has {len(data)} bytes")
    fields = read_map(data, range(13), "inventory")
    version = expect_uint(fields[0], "inventory version")
    if version != INVENTORY_VERSION:
        raise Rejection("BAD_VERSION", f"inventory version {version}", f"version {INVENTORY_VERSION}")
    return Inventory(
        platform=_text(fields[1], "platform"),
        machine=_text(fields[2], "machine"),
        word_bits=expect_uint(fields[3], "word_bits", maximum=128),
        byte_order=BYTE_ORDERS[expect_uint(fields[4], "byte_order", maximum=len(BYTE_ORDERS) - 1)],
        cpu=_cpu(fields[5]),
        features=_features(fields[6]),
        caches=_caches(fields[7]),
        memory_mib=expect_uint(fields[8], "memory_mib"),
        board=_board(fields[9]),
        signs=_signs(fields[10]),
        binding=BINDINGS[expect_uint(fields[11], "binding", maximum=len(BINDINGS) - 1)],
        sources=expect_uint(fields[12], "sources", maximum=(1 << len(SOURCES)) - 1),
    )


def _text(value: Value, what: str, maximum: int = TEXT_BYTES_MAX) -> str:
    text = expect_text(value, what, maximum=maximum)
    if not all(" " <= char <= "~" for char in text):
        raise Rejection("BAD_SHAPE", f"{what} holds other than printable ASCII", "printable ASCII")
    return text


def _cpu(value: Value) -> Cpu:
    items = expect_list(value, "cpu", size=10)
    numbers = (expect_uint(item, "cpu") for item in items[2:])
    return Cpu(_text(items[0], "cpu vendor"), _text(items[1], "cpu name"), *numbers)


def _features(value: Value) -> tuple[str, ...]:
    items = expect_list(value, "features", maximum=FEATURES_MAX)
    features = tuple(_text(item, "feature", FEATURE_BYTES_MAX) for item in items)
    _rising(features, "features")
    return features


def _caches(value: Value) -> tuple[Cache, ...]:
    caches = []
    for item in expect_list(value, "caches", maximum=CACHES_MAX):
        numbers = [expect_uint(number, "cache") for number in expect_list(item, "cache", size=6)]
        caches.append(Cache(*numbers))
    if caches != sorted(caches):
        raise Rejection("BAD_SHAPE", "caches are not sorted", "rising level, type and size")
    return tuple(caches)


def _board(value: Value) -> Board:
    items = expect_list(value, "board", size=7)
    sys_vendor, product, vendor, name, bios, model = (_text(item, "board") for item in items[:6])
    return Board(sys_vendor, product, vendor, name, bios, model, expect_uint(items[6], "chassis_type", maximum=255))


def _signs(value: Value) -> tuple[Sign, ...]:
    signs = []
    for item in expect_list(value, "signs", maximum=SIGNS_MAX):
        pair = expect_list(item, "sign", size=2)
        signs.append(Sign(expect_uint(pair[0], "sign code", maximum=255), _text(pair[1], "sign", EVIDENCE_BYTES_MAX)))
    _rising(tuple(signs), "signs")
    return tuple(signs)


def _rising(items: tuple[str, ...] | tuple[Sign, ...], what: str) -> None:
    for before, after in zip(items, items[1:], strict=False):
        if not before < after:  # type: ignore[operator]  # both are of one type
            raise Rejection("BAD_SHAPE", f"{what} are not sorted", "rising, each once")
