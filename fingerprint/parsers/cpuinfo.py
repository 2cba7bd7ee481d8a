"""/proc/cpuinfo of Linux, on every architecture.

The file has no grammar: each architecture prints `key : value` lines of its own, once per
processor or once per file.  This module splits it and tells the architecture by the keys; what the
keys mean stands in `architectures`.  Source: the `show_cpuinfo` functions of the Linux sources.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module

from metanode.fingerprint.parsers.cache import Cache
from metanode.fingerprint.parsers.text import SOURCE_CHARS_MAX, bounded_lines, clean, decimal, hexadecimal

PROCESSORS_MAX = 4_096
"""Most processor blocks looked at."""
FLAGS_MAX = 1_024
"""Most features looked at in one line."""


@dataclass(frozen=True)
class CpuInfo:
    """What the kernel says of its processors.  0 or "" where the file is silent."""

    kind: str = ""
    """The architecture whose keys the file has: a module of `architectures`, or "" when none fits."""
    vendor: str = ""
    """`GenuineIntel`, `AuthenticAMD`, ...; on ARM the implementer as `0x41`."""
    name: str = ""
    family: int = 0
    model: int = 0
    """x86 model; on ARM the part number."""
    stepping: int = 0
    pvr: int = 0
    """PowerPC processor version register; on ARM the main id register as the file gives it."""
    khz: int = 0
    """`cpu MHz` or `clock` of the first processor; the present speed where the clock scales."""
    name_khz: int = 0
    """The clock that the processor's name states (`@ 2.60GHz`)."""
    flags: frozenset[str] = frozenset()
    """Features that every processor has."""
    processors: int = 0
    """Processor blocks or the count that the file states, which is what is online."""
    highest: int = -1
    """Highest number of a processor block; -1 without blocks."""
    sockets: int = 0
    cores: int = 0
    """Physical cores over all sockets."""
    threads_are_cores: bool = True
    """False where the architecture runs several threads on a core and the file does not tell them apart."""
    parts: tuple[str, ...] = ()
    """ARM: every kind of core in the machine."""
    caches: tuple[Cache, ...] = ()
    """Where the file itself lists them."""
    machine: str = ""
    """Board or machine line (`Raspberry Pi 4 Model B Rev 1.4`, `PowerMac3,1`)."""
    revision: str = ""
    """Board revision code of ARM boards (`a02082`)."""
    serial: str = ""
    """Serial number printed on ARM boards: an identifier, never to be shown."""
    details: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()


class Lines:
    """The file, split; and what went wrong while reading it."""

    def __init__(self, blocks: list[dict[str, str]], rest: dict[str, str], text: str) -> None:
        self.blocks = blocks
        self.rest = rest
        self.text = text
        # Old 32-bit ARM kernels print what all processors share outside of their blocks.
        self.first = {**rest, **blocks[0]} if blocks else rest
        self.problems: list[str] = []

    def value(self, *keys: str, chars_max: int = 64) -> str:
        """Return the first of these keys that says something, cleaned."""
        for key in keys:
            if value := clean(self.first.get(key, ""), chars_max=chars_max):
                return value
        return ""

    def number(self, *keys: str, base: int = 10) -> int:
        """Return the first of these keys that is a number, or 0 with a problem noted."""
        for key in keys:
            if key in self.first:
                value = decimal(self.first[key]) if base == 10 else hexadecimal(self.first[key])
                if value is not None:
                    return value
                if self.first[key].lower() not in ("unknown", ""):
                    self.problems.append(f"cpuinfo: {clean(key)} is not a number")
        return 0

    def flags(self, *keys: str) -> frozenset[str]:
        """Return the words that this line has in every block, or in the shared lines."""
        return _common(self.blocks, keys) or _common([self.rest], keys)


def parse_cpuinfo(text: str) -> CpuInfo:
    """Read the file; never raises."""
    text = text[:SOURCE_CHARS_MAX]
    blocks, rest = _blocks(text)
    if not blocks and not rest:
        return CpuInfo(problems=("cpuinfo: no `key : value` line",))
    lines = Lines(blocks, rest, text)
    kind = _kind(lines)
    module = import_module(f"metanode.fingerprint.parsers.architectures.{kind or 'x86'}")
    info: CpuInfo = module.read(lines)
    return info


def numbered(lines: Lines) -> tuple[int, int]:
    """Return (processor blocks, the highest of their numbers or -1)."""
    return len(lines.blocks), max((decimal(block["processor"]) or 0 for block in lines.blocks), default=-1)


def distinct(blocks: Iterable[dict[str, str]], package: str, core: str) -> tuple[int, int]:
    """Return (sockets, cores): distinct values of `package`, and of both together; 0 where no block has them."""
    blocks = list(blocks)
    packages = {block[package] for block in blocks if package in block}
    pairs = {(block.get(package, "0"), block[core]) for block in blocks if core in block}
    return len(packages), len(pairs)


_SIGNS = (
    ("s390", "vendor_id", "IBM/S390"),
    ("other", "arch", "IA-64"),
    ("arm", "CPU implementer", ""),
    ("arm", "Processor", ""),
    ("powerpc", "revision", "(pvr"),
    ("powerpc", "timebase", ""),
    ("riscv", "hart", ""),
    ("riscv", "isa", "rv"),
    ("other", "cpu", "Alpha"),
    ("other", "CPU Family", "Loongson"),
    ("other", "cpu family", "PA-RISC"),
    ("other", "cpu family", "sh"),
    ("other", "MMU", ""),
    ("other", "ncpus active", ""),
    ("mips", "cpu model", ""),
    ("x86", "cpu family", ""),
    ("x86", "vendor_id", ""),
    ("x86", "fdiv_bug", ""),
    ("x86", "flags", ""),
)
"""(architecture, key, how its value begins or what it holds): the first row that fits decides."""


def _kind(lines: Lines) -> str:
    for kind, key, sign in _SIGNS:
        if key in lines.first and sign in lines.first[key]:
            return kind
    name = lines.first.get("model name", "")
    return "arm" if name.startswith(("ARM", "AArch64")) else ""


def _blocks(text: str) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Split into one map per processor and the lines that belong to none."""
    blocks: list[dict[str, str]] = []
    rest: dict[str, str] = {}
    current: dict[str, str] | None = None
    for line in bounded_lines(text):
        key, colon, value = line.partition(":")
        key = key.strip()
        if not line.strip():
            current = None
        elif not colon or not key:
            continue
        elif key == "processor" and decimal(value) is not None:
            if len(blocks) == PROCESSORS_MAX:
                break
            current = {key: value.strip()}
            blocks.append(current)
        elif current is not None:
            current.setdefault(key, value.strip())
        else:
            rest.setdefault(key, value.strip())
    # Some kernels print what all share, or what is of the machine, right after the last processor.
    for key in blocks[-1] if blocks else ():
        if key in _OF_THE_MACHINE or key not in blocks[0]:
            rest.setdefault(key, blocks[-1][key])
    return blocks, rest


_OF_THE_MACHINE = ("Hardware", "Model", "Revision", "Serial", "machine", "timebase", "platform")


def _common(blocks: list[dict[str, str]], keys: tuple[str, ...]) -> frozenset[str]:
    common: frozenset[str] | None = None
    for block in blocks:
        text = next((block[key] for key in keys if key in block), "")
        words = text.split(None, FLAGS_MAX)[:FLAGS_MAX]
        flags = frozenset(word for word in words if word.isascii() and word.isprintable())
        common = flags if common is None else common & flags
    return common or frozenset()
