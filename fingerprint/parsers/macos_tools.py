"""`system_profiler`, as text and as XML, and `ioreg`: only the few values that a reading uses.

The XML is not parsed as XML: keys and values stand side by side in it, and taking them by pattern costs
one pass whatever the text holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from metanode.fingerprint.parsers.text import SOURCE_CHARS_MAX, pairs

_XML = re.compile(r"<key>([^<]{1,64})</key>\s{0,40}<(?:string|integer)>([^<]{0,200})<")
_IOREG = re.compile(r'"([\w,-]{1,40})" = (?:<"?([^">]{0,80})"?>|"([^"]{0,80})")')
_NAMES: dict[str, tuple[str, ...]] = {
    "model": ("machine_model", "Model Identifier", "Machine Model"),
    "name": ("machine_name", "Model Name", "Machine Name"),
    "chip": ("chip_type", "Chip"),
    "processor": ("cpu_type", "Processor Name", "CPU Type"),
    "speed": ("current_processor_speed", "Processor Speed", "CPU Speed"),
    "processors": ("packages", "number_processors", "Number of Processors", "Number Of Processors", "Number Of CPUs"),
    "cores": ("Total Number of Cores", "Total Number Of Cores"),
    "l2": ("l2_cache_share", "l2_cache_core", "l2_cache_size", "l2_cache", "L2 Cache (per CPU)", "L2 Cache (per Core)",
           "L2 Cache (shared)", "L2 Cache"),
    "l3": ("l3_cache", "l3_cache_size", "L3 Cache (per CPU)", "L3 Cache"),
    "memory": ("physical_memory", "Memory"),
    "rom": ("boot_rom_version", "Boot ROM Version", "System Firmware Version"),
    "serial": ("serial_number", "Serial Number (system)", "Serial Number"),
    "uuid": ("platform_UUID", "Hardware UUID"),
}  # fmt: skip
"""What we call it, to the names in XML, in today's text and in that of Mac OS X 10.4."""


def hardware_overview(files: Mapping[str, str]) -> dict[str, str]:
    """Return the hardware overview in our words, from every system_profiler output of a dump."""
    raw: dict[str, str] = {}
    for key, text in sorted(files.items()):
        if key.startswith("cmd:system_profiler"):
            bounded = text[:SOURCE_CHARS_MAX]
            found = dict(reversed(_XML.findall(bounded))) if "<key>" in bounded else pairs(bounded, ":")
            raw = {**found, **raw}
    overview = {ours: next((raw[name] for name in names if raw.get(name)), "") for ours, names in _NAMES.items()}
    return {name: value.strip() for name, value in overview.items() if value}


def ioreg_values(files: Mapping[str, str]) -> dict[str, str]:
    """Return the first value of each property: text as it is, data as hexadecimal digits."""
    found: dict[str, str] = {}
    for key, text in sorted(files.items()):
        if key.startswith("cmd:ioreg"):
            for match in _IOREG.finditer(text[:SOURCE_CHARS_MAX]):
                found.setdefault(match.group(1), match.group(2) or match.group(3) or "")
    return found
