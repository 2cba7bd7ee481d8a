"""Contradictions between what a machine says of its processor: numbers, name, width, features, clock and caches.

Clocks scale down and are overclocked, so there is an upper limit with a margin and no lower one; a processor whose
caches are told as sums over its cores is given that much.  Bogomips are looked at nowhere: no rule about them holds
on all kernels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from metanode.fingerprint.classes import X86_MACHINES
from metanode.fingerprint.consistency.contradiction import Contradiction
from metanode.fingerprint.inventory import Inventory
from metanode.fingerprint.models import Facts, Models, Processor

CLOCK_MARGIN_PERCENT = 125
"""Of the highest clock in the database: for overclocking, and because inventories round to 100 MHz."""
COMPLETE = ("linux", "freebsd", "openbsd", "netbsd", "darwin")
"""Systems that list every feature of an x86 processor; Solaris lists what programs may use, Windows none."""
WITH_LONG_MODE = ("linux", "freebsd")
"""Of these, those whose one list also names long mode: macOS keeps it in another one."""
LISTED = "fpu"
"""A list of x86 features without this one was cut."""

_WORD = re.compile("[0-9A-Za-z]+")
_CACHE_NAMES = {(1, 1): "l1d", (1, 2): "l1i", (2, 3): "l2", (3, 3): "l3"}


def of_architecture(inventory: Inventory, models: Models) -> Iterator[Contradiction]:
    """Yield what the kernel's name of the machine rules out."""
    cpu, machine = inventory.cpu, inventory.machine
    rows = [row for row in models.architectures if machine in row.machines]
    for row in rows:
        if row.byte_order and inventory.byte_order != row.byte_order:
            yield Contradiction("BYTE_ORDER_IMPOSSIBLE", f"{machine} in {inventory.byte_order}-endian byte order")
        if row.word_bits_max and inventory.word_bits > row.word_bits_max:
            yield _too_wide(machine, inventory.word_bits, row.word_bits_max)
    family = next((row.family for row in rows if row.family), "")
    for feature in inventory.features:
        if family and models.only_here.get(feature, family) != family:
            yield Contradiction("FEATURE_IMPOSSIBLE", f"{feature} on {machine}")
    numbered_as_other = {
        "x86": cpu.pvr != 0,
        "powerpc": cpu.vendor != "" or cpu.family != 0,
        "arm": cpu.vendor != "" and not cpu.vendor.startswith("0x"),
    }
    if numbered_as_other.get(family, False):
        yield Contradiction(
            "IDENTITY_IMPOSSIBLE", f"{cpu.vendor or 'a version register'} on {machine}", (("pvr", cpu.pvr),)
        )
    yield from _needs(inventory, models, family)


def _needs(inventory: Inventory, models: Models, family: str) -> Iterator[Contradiction]:
    features = set(inventory.features)
    for feature, needed in models.needs.get(family, {}).items():
        missing = [name for name in needed if name not in features]
        if feature in features and missing:
            yield Contradiction("FEATURE_MISSING", f"{feature} without {missing[0]}")
    lists_it = inventory.platform in WITH_LONG_MODE and _is_complete(inventory)
    if inventory.machine in ("x86_64", "amd64") and lists_it and "lm" not in features:
        yield Contradiction("FEATURE_MISSING", "a 64-bit kernel on a processor without long mode")


def of_processor(inventory: Inventory, entries: tuple[Processor, ...], models: Models) -> Iterator[Contradiction]:
    """Yield what the processor's entries in the database rule out."""
    for entry in entries:
        yield from _width(inventory, entry, models)
        yield from _name(inventory, entry)
    yield from _features(inventory, entries)


def _width(inventory: Inventory, entry: Processor, models: Models) -> Iterator[Contradiction]:
    if entry.byte_order and inventory.byte_order != entry.byte_order:
        yield Contradiction("BYTE_ORDER_IMPOSSIBLE", f"{entry.name} in {inventory.byte_order}-endian byte order")
    rows = (row for row in models.architectures if inventory.machine in row.machines)
    bits = max(inventory.word_bits, *(row.kernel_bits for row in rows), 0)
    if entry.word_bits_max and bits > entry.word_bits_max:
        yield _too_wide(entry.name, bits, entry.word_bits_max)


def _too_wide(what: str, bits: int, most: int) -> Contradiction:
    numbers = (("word_bits", bits), ("word_bits_max", most))
    return Contradiction("WORD_SIZE_IMPOSSIBLE", f"{bits} bits on {what}", numbers)


def _name(inventory: Inventory, entry: Processor) -> Iterator[Contradiction]:
    for word in _WORD.findall(inventory.cpu.name):
        if word in entry.never_named:
            yield Contradiction("NAME_IMPOSSIBLE", f"{entry.name} named {word}")


def _features(inventory: Inventory, entries: tuple[Processor, ...]) -> Iterator[Contradiction]:
    impossible = {name: entry.name for entry in entries for name in entry.without}
    expected = {name: entry.name for entry in entries for name in entry.has}
    for feature in inventory.features:
        if feature in impossible:
            yield Contradiction("FEATURE_IMPOSSIBLE", f"{feature} on {impossible[feature]}")
    if _is_complete(inventory):
        for feature in sorted(expected.keys() - set(inventory.features)):
            yield Contradiction("FEATURE_MISSING", f"{expected[feature]} without {feature}")


def _is_complete(inventory: Inventory) -> bool:
    is_x86 = inventory.machine in X86_MACHINES
    return is_x86 and inventory.platform in COMPLETE and LISTED in inventory.features


def of_limits(inventory: Inventory, places: Iterable[Facts]) -> Iterator[Contradiction]:
    """Yield what lies beyond a processor's or a board's limits, for each of them."""
    cpu = inventory.cpu
    for place in places:
        if place.clock_mhz_max and cpu.clock_mhz * 100 > place.clock_mhz_max * CLOCK_MARGIN_PERCENT:
            yield Contradiction(
                "CLOCK_IMPOSSIBLE", f"{cpu.clock_mhz} MHz, {place.name} at most {place.clock_mhz_max}",
                (("clock_mhz", cpu.clock_mhz), ("clock_mhz_max", place.clock_mhz_max)),
            )  # fmt: skip
        if place.threads_max and cpu.threads > place.threads_max:
            yield Contradiction(
                "THREADS_IMPOSSIBLE", f"{cpu.threads} processors, {place.name} at most {place.threads_max}",
                (("threads", cpu.threads), ("threads_max", place.threads_max)),
            )  # fmt: skip
        if place.memory_mib_max and inventory.memory_mib > place.memory_mib_max:
            yield Contradiction(
                "MEMORY_IMPOSSIBLE", f"{inventory.memory_mib} MiB, {place.name} at most {place.memory_mib_max}",
                (("memory_mib", inventory.memory_mib), ("memory_mib_max", place.memory_mib_max)),
            )  # fmt: skip
    if cpu.threads and cpu.cores > cpu.threads:
        words = f"{cpu.cores} cores but {cpu.threads} threads"
        yield Contradiction("THREADS_IMPOSSIBLE", words, (("cores", cpu.cores), ("threads", cpu.threads)))


def of_caches(inventory: Inventory, places: Iterable[Facts]) -> Iterator[Contradiction]:
    """Yield caches of a size that does not occur; a later place overrules an earlier one, as a board does its chip."""
    known = {kind: (sizes, place.name) for place in places for kind, sizes in place.caches.items()}
    instances = max(inventory.cpu.cores, inventory.cpu.threads, 1)
    for found in inventory.caches:
        sizes, name = known.get((found.level, found.type), ((), ""))
        if not sizes or found.size_kib in sizes:
            continue
        # Only /sys and the BSDs tell lines and one cache; other tools add up the caches of all cores.
        summed = not found.line_bytes and any(
            found.size_kib % size == 0 and found.size_kib // size <= instances for size in sizes
        )
        if not summed:
            level = _CACHE_NAMES[found.level, found.type]
            yield Contradiction(
                "CACHE_IMPOSSIBLE", f"{found.size_kib} KiB of {level} on {name}",
                ((f"{level}_kib", found.size_kib), (f"{level}_kib_min", min(sizes)), (f"{level}_kib_max", max(sizes))),
            )  # fmt: skip
