"""Facts about the process that a sent dump does not name: taken from its own texts, else left open.

A dump of `metanode fingerprint --capture` names them all; a lone /proc/cpuinfo names none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from metanode.platforms.captured import ProcessFacts

WORD_BITS = (16, 32, 64, 128)
NAME_CHARS_MAX = 64
"""Longest name of a system or machine taken from a capture, characters."""
_64_BIT = re.compile(r"64|alpha|s390x|ia64|sparc64|power8|ppc64|powerpc64|amd64")
_BIG = re.compile(r"^(ppc|powerpc|macppc|s390|sparc|m68k|parisc|hppa|mips$|mips64$|Power)")
_MACHINES: tuple[tuple[str, str], ...] = (
    (r"^vendor_id\s*: IBM/S390", "s390x"), (r"^arch\s*: IA-64", "ia64"), (r"^cpu\s*: Alpha", "alpha"),
    (r"^CPU Family\s*: Loongson", "loongarch64"), (r"^cpu family\s*: PA-RISC", "parisc"),
    (r"^cpu family\s*: sh", "sh4"),
    (r"^MMU:", "m68k"), (r"^ncpus active", "sparc64"), (r"^isa\s*: rv32", "riscv32"), (r"^isa\s*: rv64", "riscv64"),
    (r"^(hart)\s*:", "riscv64"), (r"^cpu model\s*:", "mips"), (r"\(pvr 00(39|3[a-f]|4|[78])", "ppc64"),
    (r"\(pvr ", "ppc"), (r"^CPU architecture\s*: 8", "aarch64"), (r"\(v6l\)", "armv6l"), (r"\(v5l\)", "armv5tel"),
    (r"^CPU implementer", "armv7l"), (r"^flags\s*:.* lm ", "x86_64"), (r"^flags\s*:|^vendor_id\s*:", "i686"),
)  # fmt: skip
"""What /proc/cpuinfo holds, to the machine it is of."""


def guess_facts(files: Mapping[str, str], given: Mapping[str, Any]) -> ProcessFacts:
    """Return the facts: those given, else what the texts say; a big-endian or 64-bit machine by its name."""
    system = _text(given, "system") or _system(files)
    machine = _text(given, "machine") or _machine(files, system)
    bits = given.get("word_bits")
    if isinstance(bits, str) and bits.isdecimal():
        bits = int(bits[:4])
    if bits not in WORD_BITS:
        bits = 64 if _64_BIT.search(machine) else 32
    order = given.get("byte_order")
    if order not in ("little", "big"):
        order = "big" if _BIG.search(machine) and not machine.endswith(("le", "el")) else "little"
    vdso = given.get("has_vdso", {"yes": True, "no": False}.get(str(given.get("vdso", ""))))
    return ProcessFacts(system, machine, int(bits), str(order), vdso if isinstance(vdso, bool) else None)


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    return value[:NAME_CHARS_MAX].strip() if isinstance(value, str) else ""


def _system(files: Mapping[str, str]) -> str:
    told = files.get("cmd:uname -a", "").split(" ", 1)[0].lower()
    if told:
        return told
    if any(key.startswith(("proc/", "sys/", "cmd:lscpu")) for key in files):
        return "linux"
    if any(key.startswith(("cmd:system_profiler", "cmd:ioreg", "cmd:sw_vers")) for key in files):
        return "darwin"
    if "cmd:sysinfo -cpu" in files:
        return "haiku"
    if "cmd:kstat -m cpu_info" in files:
        return "sunos"
    words = " ".join(text[:4_096] for text in files.values())
    for word, system in (("OpenBSD", "openbsd"), ("NetBSD", "netbsd"), ("FreeBSD", "freebsd")):
        if word in words:
            return system
    return "darwin" if "machdep.cpu." in words or "hw.cputype" in words else "freebsd"


def _machine(files: Mapping[str, str], system: str) -> str:
    told = files.get("cmd:uname -a", "").split()
    if told and system in ("linux", "freebsd", "openbsd", "netbsd", "darwin"):
        at = -2 if system == "linux" and len(told) > 2 and told[-1].startswith("GNU/") else -1
        return told[at][:NAME_CHARS_MAX]
    values = " ".join(text[:1 << 16] for key, text in files.items() if key.startswith("cmd:sysctl"))
    stated = re.search(r"hw\.(?:machine_arch|machine) ?[:=] ?([\w ]{1,32})$", values, re.MULTILINE)
    if stated:
        return stated.group(1).strip()
    if system == "darwin":
        if re.search(r"PowerPC|hw\.cputype ?[:=] ?18", values + " ".join(files.values())[:1 << 16]):
            return "Power Macintosh"
        return "arm64" if "Apple M" in " ".join(files.values())[: 1 << 16] else "x86_64"
    cpuinfo = files.get("proc/cpuinfo", "")[: 1 << 16]
    for pattern, machine in _MACHINES:
        if re.search(pattern, cpuinfo, re.MULTILINE):
            return machine
    return "amd64" if system == "freebsd" else ""
