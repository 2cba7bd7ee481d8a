"""What a cheater says about a machine: inventories read from the corpus and bent, and timings made up to fit.

Nothing here needs secret knowledge: the envelopes, the workloads and their right results stand in the source.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from metanode.core.model import codec
from metanode.core.model.bodies import ProbeResults
from metanode.fingerprint.capture import read_capture
from metanode.fingerprint.collect import read_machine
from metanode.fingerprint.inventory import SOURCES, Board, Cpu, Inventory, Sign
from metanode.fingerprint.keyed import PROBES, run_keyed
from metanode.fingerprint.probes.envelopes import envelopes
from metanode.fingerprint.probes.readings import Readings, from_json
from metanode.fingerprint.probes.summaries import KIND_BASE
from metanode.fingerprint.probes.workload import (
    ACTIVE_PROBES,
    CALL,
    FP_ADD,
    FP_DIV,
    FP_MUL,
    INT_ADD,
    INT_DIV,
    INT_MUL,
    PATCH,
    SCALAR,
    SIMD,
    STREAM,
    draw,
    recompute,
)
from metanode.fingerprint.samples import FLOAT_ADD, FLOAT_MUL, MEMORY_COPY, MEMORY_LATENCY, TIMER_BACKWARDS, TIMER_STEP
from metanode.fingerprint.samples import INT_ADD as INTERPRETED_ADD

CORPUS = Path(__file__).resolve().parents[2] / "tests" / "corpus"
ALL_SOURCES = (1 << len(SOURCES)) - 1
SAMPLES = 15

TIMED = (*range(INT_ADD, PATCH + 1), STREAM)
"""The compiled probes that a verdict may rest on; walks through memory are only told."""

Rows = Mapping[int, tuple[int, int, int, int]]
"""Kind of a summary to (count, least, median, largest): what travels of timings."""


@dataclass(frozen=True)
class Pretence:
    """A machine as it is claimed."""

    inventory: Inventory
    rows: Rows
    """Timings; empty: a client that measures nothing."""

    def samples(self, kinds: Sequence[int] | None = None) -> bytes:
        """Return the canonical summary, of all kinds or of those asked for."""
        rows = [[kind, *row] for kind, row in sorted(self.rows.items()) if kinds is None or kind in kinds]
        return codec.encode(rows) if rows else b""

    def results(self, challenge: bytes, probes: Sequence[int] | None = None) -> ProbeResults:
        """Return right results for a challenge: of the interpreted probe, and of those whose timing is told."""
        told = [kind - KIND_BASE for kind in self.rows if kind >= KIND_BASE]
        active = [probe for probe in sorted(told) if probe in ACTIVE_PROBES and (probes is None or probe in probes)]
        interpreted = tuple((probe, run_keyed(challenge, probe)) for probe in PROBES)
        return (*interpreted, *((probe, recompute(challenge, probe)) for probe in active))

    def attest_samples(self, probes: Sequence[int]) -> bytes:
        """Return the summary that an attestation carries: the probes of the selected checks, and the interpreted."""
        return self.samples([kind for kind in self.rows if kind < KIND_BASE or kind - KIND_BASE in probes])


def dumped(name: str) -> Inventory:
    """Return what a dump of the corpus says."""
    return read_machine(*read_capture(CORPUS / f"{name}.txt")).inventory


def powerbook() -> Inventory:
    """A PowerBook G4 as its kernel describes it, with every place looked at."""
    return replace(dumped("composed/linux_powerbook_g4"), sources=ALL_SOURCES)


def pc() -> Inventory:
    """A desktop computer of 2014 on bare hardware."""
    return Inventory(
        platform="linux", machine="x86_64", word_bits=64, byte_order="little",
        cpu=Cpu("GenuineIntel", "Intel(R) Core(TM) i5-4570 CPU @ 3.20GHz", 6, 60, 3, 0, 3600, 1, 4, 4),
        features=("aes", "avx", "avx2", "bmi2", "cmov", "cx8", "fma", "fpu", "lm", "mmx", "nx", "pae", "pni", "rdrand",
                  "sse", "sse2", "sse4_1", "sse4_2", "ssse3", "tsc", "vmx", "xsave"),
        caches=(), memory_mib=8192, signs=(), binding="mac", sources=ALL_SOURCES,
        board=Board("Dell Inc.", "OptiPlex 7020", "Dell Inc.", "02YYK5", "Dell Inc.", "", 3),
    )  # fmt: skip


def server() -> Inventory:
    """The server that the capture `native-zen5` was taken on, as it would be without a hypervisor."""
    cpu = Cpu("AuthenticAMD", "AMD EPYC", 26, 2, 1, 0, 2600, 1, 2, 2)
    features = ("aes", "avx", "avx2", "avx512f", "bmi2", "cmov", "cx8", "fma", "fpu", "lm", "mmx", "nx", "pae", "pni",
                "rdrand", "sha_ni", "sse", "sse2", "sse4_1", "sse4_2", "sse4a", "ssse3", "tsc", "xsave")  # fmt: skip
    board = Board("Supermicro", "AS-1115CS-TNR", "Supermicro", "H13SSW", "American Megatrends", "", 23)
    return replace(pc(), cpu=cpu, features=features, board=board, memory_mib=24_576)


def rented() -> Inventory:
    """The same server as a guest of QEMU sees it."""
    machine = server()
    features = tuple(sorted((*machine.features, "hypervisor")))
    board = Board("QEMU", "Standard PC (Q35 + ICH9, 2009)", "", "", "SeaBIOS", "", 1)
    signs = (Sign(1, "hypervisor"), Sign(6, "disk"), Sign(7, "kvm-clock"))
    return replace(machine, features=features, board=board, signs=signs)


def modern_pc() -> Inventory:
    """A desktop computer of 2020, the same otherwise."""
    cpu = Cpu("GenuineIntel", "Intel(R) Core(TM) i5-10400 CPU @ 2.90GHz", 6, 165, 3, 0, 4300, 1, 6, 12)
    return replace(pc(), cpu=cpu, board=Board("Dell Inc.", "OptiPlex 5080", "Dell Inc.", "032W55", "Dell Inc.", "", 3))


def fitting(claimed: str, *, clock_mhz: int, read_mb_s: int) -> Rows:
    """Return timings in the middle of a microarchitecture's envelope: all that an inventor has to look up."""
    ranges = {name: (low + high) // 2 for name, (low, high) in envelopes()[claimed].ranges.items()}
    add = 1_000_000 // clock_mhz
    fp_add = add * ranges.get("fp_add", 3000) // 1000
    scalar = 4 * add
    least = {
        INT_ADD: add, INT_MUL: 4 * add, INT_DIV: 20 * add, FP_ADD: fp_add, FP_MUL: fp_add,
        FP_DIV: fp_add * ranges.get("fp_div_mul", 5000) // 1000, SCALAR: scalar, CALL: 8 * add,
        STREAM: 4_000_000 // read_mb_s,
    }  # fmt: skip
    if "simd_scalar" in ranges:
        least[SIMD] = scalar * ranges["simd_scalar"] // 1000
    if "patch" in ranges:
        least[PATCH] = add * ranges["patch"] // 1000
    return {**interpreted(clock_mhz, read_mb_s), **{KIND_BASE + probe: spread(ps) for probe, ps in least.items()}}


def interpreted(clock_mhz: int, copy_mb_s: int) -> Rows:
    """Return timings of the interpreted probes as such a machine might give them."""
    step = 20 * 1_000_000 // clock_mhz
    return {
        INTERPRETED_ADD: spread(step), FLOAT_ADD: spread(step), FLOAT_MUL: spread(step),
        MEMORY_COPY: spread(2 * 1_000_000_000 // copy_mb_s), MEMORY_LATENCY: spread(150_000),
        TIMER_STEP: (SAMPLES, 60, 60, 120), TIMER_BACKWARDS: (SAMPLES, 0, 0, 0),
    }  # fmt: skip


def spread(least: int) -> tuple[int, int, int, int]:
    """Return a summary as honest noise leaves it: the median a little above the fastest sample."""
    return SAMPLES, least, least * 103 // 100, least * 140 // 100


def timed(readings: Readings, kept: Rows) -> Rows:
    """Return what a run of the compiled probes gave, beside other rows."""
    rows = dict(kept)
    for probe, reading in readings.by_probe.items():
        if probe in TIMED and reading.status == "ok" and reading.least_ns:
            steps = draw(readings.challenge, probe).steps * reading.repeat
            ordered = [ns * 1000 // steps for ns in sorted(reading.ns)]
            rows[KIND_BASE + probe] = (len(ordered), ordered[0], ordered[len(ordered) // 2], ordered[-1])
    return rows


def captured(name: str, kept: Rows, number: int = 0) -> Rows:
    """Return the timings of a run of a capture in the corpus, beside other rows."""
    capture = json.loads((CORPUS / "probes" / f"{name}.json").read_text("ascii"))
    return timed(from_json(capture["runs"][number]), kept)


def server_timings() -> Rows:
    """Return what a rented server of today measures: a capture, so that a run ends alike on every machine."""
    return captured("native-zen5", interpreted(4000, 100_000))
