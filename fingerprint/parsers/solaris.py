"""`kstat -m cpu_info` and `isainfo -vb` of Solaris and illumos to a reading.  Source: kstat(8), isainfo(1)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from metanode.fingerprint.parsers.feature_names import linux_features
from metanode.fingerprint.parsers.reading import Processor, Reading
from metanode.fingerprint.parsers.text import SOURCE_CHARS_MAX, bounded_lines, clean, clock_khz, decimal
from metanode.platforms.captured import ProcessFacts

KSTAT, ISAINFO = "cmd:kstat -m cpu_info", "cmd:isainfo -vb"
_LINE = re.compile(r"^\s+(\w{1,32})\s+(\S.{0,160})$")
INSTANCES_MAX = 4_096
"""Most processors looked at."""


def read_solaris(files: Mapping[str, str], facts: ProcessFacts) -> Reading:
    """Read a dump.  Pure, and never raises on strange text."""
    first, instances, problems = *_instances(files.get(KSTAT, "")), []

    def number(name: str) -> int:
        return decimal(first.get(name, "")) or 0

    isainfo = files.get(ISAINFO, "")[:SOURCE_CHARS_MAX]
    words = [word for line in bounded_lines(isainfo) if "applications" not in line for word in line.split()]
    brand = clean(first.get("brand", ""))
    chips = {chip for chip, _ in instances}
    # A kernel lists every virtual processor; where only the first was captured, the chip says how many it has.
    threads = max(len(instances), number("ncpu_per_chip") * max(1, len(chips)))
    cores = max(len(set(instances)), number("ncore_per_chip") * max(1, len(chips)))
    if not brand:
        problems.append("kstat: no brand")
    return Reading(
        machine=_machine(facts, isainfo),
        processor=Processor(
            vendor=clean(first.get("vendor_id", ""), chars_max=16),
            name=brand,
            family=number("family"),
            model=number("model"),
            stepping=number("stepping"),
            stated_khz=clock_khz(brand) or number("clock_MHz") * 1000,
            now_khz=number("current_clock_Hz") // 1000,
            sockets=len(chips),
            cores=cores,
            threads=threads,
            flags=linux_features(words),
        ),
        os_name="Solaris",
        sources=frozenset({"cpuinfo"}) if brand else frozenset(),
        problems=tuple(problems),
    )


def _instances(text: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return (the values of the first processor, (chip, core) of each)."""
    first: dict[str, str] = {}
    found: list[tuple[str, str]] = []
    chip = ""
    for line in bounded_lines(text):
        match = _LINE.match(line)
        if match is None:
            continue
        key, value = match.group(1), match.group(2).strip()
        first.setdefault(key, value)
        if key == "chip_id":
            chip = value
        elif key == "core_id" and len(found) < INSTANCES_MAX:
            found.append((chip, value))
    return first, found


def _machine(facts: ProcessFacts, isainfo: str) -> str:
    if facts.machine == "i86pc":
        return "x86_64" if "amd64" in isainfo else "i386"
    return "sparc64" if facts.machine.startswith("sun4") else clean(facts.machine)
