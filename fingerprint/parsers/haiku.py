"""`sysinfo -cpu` of Haiku to a reading.  Source: src/bin/sysinfo.cpp of Haiku."""

from __future__ import annotations

import re
from collections.abc import Mapping

from metanode.fingerprint.parsers.cache import CACHE_TYPES, CACHES_MAX, Cache
from metanode.fingerprint.parsers.feature_names import linux_features
from metanode.fingerprint.parsers.reading import Processor, Reading
from metanode.fingerprint.parsers.text import SOURCE_CHARS_MAX, bounded_lines, clean, clock_khz
from metanode.platforms.captured import ProcessFacts

SYSINFO = "cmd:sysinfo -cpu"
_HEAD = re.compile(r"^([0-9]{1,4}) (.{1,60}), revision [0-9a-f]{1,8} running at ([0-9]{1,6}MHz)", re.MULTILINE)
_NAME = re.compile(r"^CPU #0: \"(.{1,80})\"", re.MULTILINE)
_NUMBERS = re.compile(r"family ([0-9]{1,3}), model ([0-9]{1,3}), stepping ([0-9]{1,2})\b")
_CACHE = re.compile(
    r"^L([1-4])( data| inst)? cache: ([0-9]{1,7}) KB(?: \(MLC\))?, ([0-9]{1,3})-way .{0,60}?([0-9]{1,4})[- ]bytes/line"
)
_FEATURE_LINE = re.compile(r"(?:[A-Z0-9][A-Z0-9.-]{0,15} ){0,30}[A-Z0-9][A-Z0-9.-]{0,15}")


def read_haiku(files: Mapping[str, str], facts: ProcessFacts) -> Reading:
    """Read a dump.  Pure, and never raises on strange text."""
    text = files.get(SYSINFO, "")[:SOURCE_CHARS_MAX]
    head, name, numbers = _HEAD.search(text), _NAME.search(text), _NUMBERS.search(text)
    brand = clean(name.group(1)) if name else ""
    family, model, stepping = (int(group) for group in numbers.groups()) if numbers else (0, 0, 0)
    words: list[str] = []
    caches: list[Cache] = []
    for line in bounded_lines(text):
        stripped = line.strip()
        if line[:1] in " \t" and _FEATURE_LINE.fullmatch(stripped):
            words += stripped.split()
        match = _CACHE.match(stripped)
        if match and len(caches) < CACHES_MAX and int(match.group(3)):
            kind = {" data": "Data", " inst": "Instruction"}.get(match.group(2) or "", "Unified")
            sizes = (int(match.group(3)), int(match.group(5)), int(match.group(4)))
            caches.append(Cache(int(match.group(1)), CACHE_TYPES[kind], *sizes, shared_by=0))
    now = clock_khz(head.group(3)) if head else 0
    problems = [] if head else ["sysinfo: no first line"]
    return Reading(
        machine=_machine(facts),
        processor=Processor(
            vendor="GenuineIntel" if "Intel" in brand else "AuthenticAMD" if "AMD" in brand else "",
            name=brand,
            family=family,
            model=model,
            stepping=stepping,
            stated_khz=clock_khz(brand) or now,
            now_khz=now,
            threads=int(head.group(1)) if head else 0,
            flags=linux_features(words),
        ),
        caches=tuple(sorted(caches)),
        os_name="Haiku",
        sources=frozenset({"cpuinfo"}) if brand else frozenset(),
        problems=(*problems, "cores: threads cannot be told from cores"),
    )


def _machine(facts: ProcessFacts) -> str:
    if facts.machine == "BePC":
        return "x86_64" if facts.word_bits == 64 else "i386"
    return clean(facts.machine)
