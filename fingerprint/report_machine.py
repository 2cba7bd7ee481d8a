"""What a machine is, as rows that people read: processor, caches, memory, board, system."""

from __future__ import annotations

from metanode.fingerprint.classes import classify
from metanode.fingerprint.collect import Report
from metanode.fingerprint.consistency import contradictions
from metanode.fingerprint.parsers.cache import CACHE_TYPES, Cache
from metanode.fingerprint.report_lines import Style


def machine_lines(report: Report, style: Style) -> list[str]:
    """Return what the machine is, a row for each fact, and which were not found."""
    inventory, cpu = report.inventory, report.inventory.cpu
    board = inventory.board
    names = " ".join(part for part in (board.sys_vendor, board.product_name) if part) or board.model
    model = f"{cpu.vendor} family {cpu.family} model {cpu.model} stepping {cpu.stepping}"
    if cpu.pvr:
        model = f"version {cpu.pvr:08x}"
    now = f"{report.clock_khz // 1000} MHz now, " if report.clock_khz else ""
    width = f"{inventory.machine}, {inventory.word_bits} bit, {inventory.byte_order} endian"
    rows = {
        "processor": f"{cpu.name or 'unnamed'} ({model})",
        "cores": ", ".join(
            f"{count or 'unknown'} {word}{'s' if count != 1 else ''}"
            for count, word in ((cpu.cores, "core"), (cpu.threads, "thread"), (cpu.sockets, "socket"))
        ),
        "clock": f"{now}{cpu.clock_mhz} MHz rounded" if cpu.clock_mhz else "",
        "caches": ", ".join(map(_cache_text, inventory.caches)),
        "memory": f"{report.total_kib // 1024} MiB usable, {inventory.memory_mib} rounded" if report.total_kib else "",
        "board": names,
        "system": f"{report.os_name or inventory.platform}, {width}",
        "recognised as": " ".join(classify(inventory)),
    }
    lines = [f"  {name:<16}{value or 'unmeasured: ' + _why(name, report)}" for name, value in rows.items()]
    lines += [f"  {name:<16}{value}" for name, value in report.details.items()]
    lines += [f"  {'not known':<16}{problem}" for problem in report.problems]
    mark = style(f"{'contradiction':<16}", "red")
    told = (item for item in contradictions(inventory) if item.code != "SOURCES_DISAGREE")  # words in full instead
    lines += [f"  {mark}{item.words} ({item.code})" for item in told]
    return lines + [f"  {mark}{words}" for words in report.disagreements]


def _cache_text(cache: Cache) -> str:
    kind = {CACHE_TYPES["Data"]: "d", CACHE_TYPES["Instruction"]: "i"}.get(cache.type, "")
    shared = f" shared by {cache.shared_by}" if cache.shared_by > 1 else ""
    return f"L{cache.level}{kind} {cache.size_kib} KiB{shared}"


def _why(name: str, report: Report) -> str:
    sources = {"caches": "sysfs shows no caches", "board": "firmware shows no names", "memory": "no /proc/meminfo"}
    return sources.get(name, "the kernel does not say")
