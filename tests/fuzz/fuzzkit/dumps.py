"""Mutated dumps of machines: whatever a file of a stranger says, there is an inventory, canonical, and it gets a score.

Seeds are all dumps of the corpus.  Edits keep lines and keys mostly whole, because a parser that finds no line it
knows has nothing to go wrong with.
"""

from __future__ import annotations

import time
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random

from fuzzkit.mutate import mutate_text
from metanode.core.model.errors import MetanodeError
from metanode.fingerprint.capture import parse_capture, read_capture, write_capture
from metanode.fingerprint.classes import classify
from metanode.fingerprint.collect import read_machine
from metanode.fingerprint.consistency import CODES, contradictions
from metanode.fingerprint.inventory import decode_inventory
from metanode.fingerprint.parsers.text import SOURCE_CHARS_MAX
from metanode.fingerprint.scoring import CAP_MAX, Policy, score
from metanode.platforms.captured import Dump, ProcessFacts

TESTS = Path(__file__).resolve().parents[2]
POLICY = Policy("edge", 0, CAP_MAX, CAP_MAX)
SECONDS_MAX = 2.0
"""Longest processor time of one dump; the mutated ones take less than a millisecond mostly."""
LARGEST = 2 * SOURCE_CHARS_MAX
"""Characters of a source beyond what parsers look at."""
LARGEST_SECONDS_MAX = 60.0
"""Processor time for two dumps whose every source has that size."""
SYSTEMS = ("linux", "darwin", "freebsd14", "openbsd7", "netbsd10", "haiku1", "sunos5", "win32", "", "aix7")
MACHINES = (
    "x86_64", "i686", "aarch64", "armv7l", "armv6l", "ppc", "ppc64le", "Power Macintosh", "macppc", "arm64", "s390x",
    "mips", "riscv64", "sparc64", "m68k", "alpha", "ia64", "parisc", "loongarch64", "sh4", "BePC", "i86pc", "", "\x00",
)  # fmt: skip
NUMBERS = (
    "0", "-1", "18446744073709551616", "9" * 400, "0x", "0xffffffffffffffffff", "1e9", "1,5", "\u0663", "", "nan",
)  # fmt: skip
JUNK = (
    "\x00", "\ufeff", "\u2028", "\x85", "\ud800", "\U0001f600", ":" * 50, "=" * 50, "(" * 200, "x" * 5_000, "\t", "\r",
)  # fmt: skip
PIECES = (
    "x", ":", " ", "\n", "a:b\n", "a: b c\n", "processor : 0\n", "processor : 0\nflags : fpu sse\n\n", "flags : a b\n",
    "CPU implementer : 0x41\n", "processor 0: version = FF,  identification = 1,  machine = 2827\n", "CPU: ", "(", "<",
    "CPU: a (1.0-MHz \n", "cpu0: a, 1 MHz, 06-3a-09\n", "<key>a</key><string>b</string>", '"a" = "b"\n',
    "en0: flags=1\n\tether 02:00:00:00:00:01\n", "hw.a: 1\n", "hw.a=1\n", "vendor=0x8086 device=0x1 ", " x 1 core(s)",
    "FreeBSD/SMP: 1 package(s) x 1 core(s)\n", "  Features=0x1<FPU>\n", "1 a, revision 1 running at 1MHz\n", "0-1,",
    "\tfamily  6\n\tchip_id 1\n\tcore_id 2\n", "Family 1 Model 2 Stepping 3 ", "\u2028", "L2 cache: 1K (1 instances)\n",
)  # fmt: skip
"""What a hostile source repeats."""


@cache
def seeds() -> tuple[tuple[Dump, ProcessFacts], ...]:
    """Return every dump of the corpus."""
    paths = sorted([*(TESTS / "corpus").glob("*/*.txt"), *(TESTS / "fingerprint" / "data").glob("*.txt")])
    return tuple(read_capture(path) for path in paths)


@cache
def keys() -> tuple[str, ...]:
    """Return every key that any dump has."""
    return tuple(sorted({key for dump, _ in seeds() for key in dump.files}))


@cache
def lines() -> tuple[str, ...]:
    """Return every line that any dump has."""
    return tuple(sorted({line for dump, _ in seeds() for text in dump.files.values() for line in text.splitlines()}))


def mutated(chance: Random) -> tuple[Dump, ProcessFacts]:
    """Return a dump with one to four edits."""
    dump, facts = chance.choice(seeds())
    files = dict(dump.files)
    for _ in range(chance.randint(1, 4)):
        key = chance.choice(list(files)) if files else "proc/cpuinfo"
        match chance.randrange(9):
            case 0:
                files.pop(key, None)
            case 1:
                files[chance.choice(keys())] = files.get(key, "")
            case 2:
                other, _ = chance.choice(seeds())
                files |= dict(chance.sample(sorted(other.files.items()), min(3, len(other.files))))
            case 3:
                facts = ProcessFacts(
                    chance.choice(SYSTEMS), chance.choice(MACHINES), chance.choice((32, 64)),
                    chance.choice(("little", "big")), chance.choice((True, False, None)),
                )  # fmt: skip
            case _:
                files[key] = _edited(chance, files.get(key, ""))
    return Dump(files, {}), facts


def _edited(chance: Random, text: str) -> str:
    """Return a text with a line lost, repeated, moved, taken from elsewhere, or with another number or junk in it."""
    rows = text.splitlines(keepends=True) or [""]
    at = chance.randrange(len(rows))
    row = rows[at]
    match chance.randrange(9):
        case 0:
            del rows[at]
        case 1:
            rows[at:at] = [row] * chance.choice((1, 2, 40))
        case 2:
            rows.insert(chance.randrange(len(rows)), rows.pop(at))
        case 3:
            rows.insert(at, chance.choice(lines()) + "\n")
        case 4:
            digits = [place for place, char in enumerate(row) if char.isdigit()]
            place = chance.choice(digits) if digits else 0
            rows[at] = row[:place] + chance.choice(NUMBERS) + row[place + 1 :]
        case 5:
            place = chance.randrange(len(row) + 1)
            rows[at] = row[:place] + chance.choice(JUNK) + row[place:]
        case 6:
            rows = rows[: at + 1]
        case 7:
            key, separator, value = row.partition(chance.choice((":", "=", " ")))
            rows[at] = chance.choice((f"{key}{separator}\n", f"{separator}{value}", f"{value}{separator}{key}\n"))
        case _:
            return mutate_text(chance, text, chance.choice(lines()))
    return "".join(rows)


def check(dump: Dump, facts: ProcessFacts) -> str:
    """Read a dump and hold the result to its promises; return the word for the counts."""
    begun = time.process_time()
    report = read_machine(dump, facts)
    raw = report.inventory.encode()
    assert decode_inventory(raw) == report.inventory
    assert all(text.isprintable() and len(text) < 200 for text in (*report.problems, *report.disagreements))
    found = contradictions(report.inventory)
    assert all(item.code in CODES and item.words.isprintable() and len(item.words) < 250 for item in found)
    scored = score(report.inventory, (), POLICY)
    assert 0 <= scored.weight <= scored.base_multiplier
    assert all(text.isprintable() and len(text) < 200 for text in report.details.values())
    assert time.process_time() - begun < SECONDS_MAX, "a dump takes time in proportion to its size"
    return "/".join(classify(report.inventory))


def step(chance: Random, counts: Counter[str]) -> None:
    """Make one dump and read it; one in fifty also goes through a capture's text, cut or damaged."""
    dump, facts = mutated(chance)
    counts[check(dump, facts)] += 1
    if chance.randrange(50) == 0:
        counts[_check_text(mutate_text(chance, write_capture(dump, facts)))] += 1


def _check_text(text: str) -> str:
    """Read a capture's text: a refusal, or a dump like every other."""
    try:
        dump, facts = parse_capture(text)
    except MetanodeError as error:
        if error.code == "BAD_SHAPE":
            return "no capture"
        raise
    return check(dump, facts)


def check_hostile(system: str, piece: str, size: int) -> None:
    """Read a dump of which every source is one piece, repeated to `size` characters."""
    text = piece * (size // len(piece))
    files = {key: text for key in keys() if not key.startswith(("sys/", "link:", "proc/device-tree/"))}
    for machine in ("x86_64", "macppc"):
        read_machine(Dump(files, {}), ProcessFacts(system, machine, 64, "little", None))
