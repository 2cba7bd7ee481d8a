"""What Windows keeps of its processors in the environment, the registry and WMI, to a reading.

Source: Microsoft's Win32_Processor class; HKLM\\HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from metanode.fingerprint.parsers.cache import CACHE_TYPES, Cache
from metanode.fingerprint.parsers.reading import Processor, Reading
from metanode.fingerprint.parsers.text import clean, clock_khz, decimal, pairs
from metanode.platforms.captured import ProcessFacts

WMIC, REGISTRY, ENVIRONMENT = "cmd:wmic cpu", "registry:", "env:"
_NUMBERS = re.compile(r"Family ([0-9]{1,3}) Model ([0-9]{1,3}) Stepping ([0-9]{1,2})\b")


def read_windows(files: Mapping[str, str], facts: ProcessFacts) -> Reading:
    """Read a dump.  Pure, and never raises on strange text."""
    wmic = pairs(files.get(WMIC, ""), "=")
    name = clean(files.get(REGISTRY + "ProcessorNameString", "") or wmic.get("Name", ""))
    described = files.get(ENVIRONMENT + "PROCESSOR_IDENTIFIER", "") or wmic.get("Description", "")
    numbers = _NUMBERS.search(described[:256])
    family, model, stepping = (int(group) for group in numbers.groups()) if numbers else (0, 0, 0)
    now = (decimal(files.get(REGISTRY + "~MHz", "")) or decimal(wmic.get("CurrentClockSpeed", "")) or 0) * 1000
    caches = [
        Cache(level, CACHE_TYPES["Unified"], size, 0, 0, 0)
        for level, key in ((2, "L2CacheSize"), (3, "L3CacheSize")) if (size := decimal(wmic.get(key, "")))
    ]  # fmt: skip
    return Reading(
        machine=clean(facts.machine).lower(),
        processor=Processor(
            vendor=clean(
                files.get(REGISTRY + "VendorIdentifier", "") or wmic.get("Manufacturer", ""), chars_max=16
            ),
            name=name,
            family=family,
            model=model,
            stepping=stepping,
            stated_khz=clock_khz(name) or now,
            now_khz=now,
            cores=decimal(wmic.get("NumberOfCores", "")) or 0,
            threads=decimal(files.get(ENVIRONMENT + "NUMBER_OF_PROCESSORS", "")) or 0,
        ),
        caches=tuple(caches),
        os_name="Windows",
        sources=frozenset({"cpuinfo"}) if name else frozenset(),
        problems=("flags: Windows lists none",),
    )
