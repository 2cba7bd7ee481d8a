"""From what a record or an attestation carries to its checks: one way for miner, report and validator.

The results are taken to be right: a ledger refuses wrong ones with PROBE_MISMATCH before it comes here.
"""

from __future__ import annotations

from collections.abc import Sequence

from metanode.fingerprint.checks import PASS, UNMEASURED, Check
from metanode.fingerprint.keyed import KEYED, KEYED_ACTIVE, PROBES
from metanode.fingerprint.multipliers import Row
from metanode.fingerprint.probes.envelopes import (
    ENGINE,
    MEMORY,
    decides,
    envelopes,
    memory_verdict,
    microarchitecture_of,
    verdict,
)
from metanode.fingerprint.probes.summaries import proven, ratios, read_mb_s
from metanode.fingerprint.samples import Summary, judge

ACTIVE = (KEYED_ACTIVE, ENGINE, MEMORY)
"""The checks that rest on the compiled probes."""


def judge_evidence(
    results: Sequence[tuple[int, int]], summaries: Sequence[Summary], model: str, row: Row
) -> tuple[Check, ...]:
    """Return every check that rests on probes.

    :param results: right results of keyed probes, interpreted and compiled.
    :param model: the processor's, from `classes.processor_key`.
    :param row: the machine's in the multiplier table.
    """
    keyed = sum(probe in PROBES for probe, _ in results)
    answered = Check(KEYED, PASS, "KEYED_RIGHT", (("probes", keyed),)) if keyed else Check(KEYED, UNMEASURED, "NOT_RUN")
    return (answered, *judge(summaries, row), *judge_active(results, summaries, microarchitecture_of(model)))


def judge_active(
    results: Sequence[tuple[int, int]], summaries: Sequence[Summary], claimed: str
) -> tuple[Check, ...]:
    """Return ACTIVE: whether compiled probes were run, and whether what they found fits a microarchitecture.

    Where an envelope could tell a processor from a program, running them counts only once it does: otherwise a patched
    emulator would send one timing and be paid as a machine that showed itself.
    """
    timed = proven(summaries, results)
    if not timed:
        return tuple(Check(name, UNMEASURED, "NEEDS_COMPILED_PROBE") for name in ACTIVE)
    found, numbers = ratios(timed), (("probes", len(timed)),)
    ran = Check(KEYED_ACTIVE, PASS, "KEYED_RIGHT", numbers)
    if claimed in envelopes() and not decides(found, claimed):
        ran = Check(KEYED_ACTIVE, UNMEASURED, "TOO_FEW_RATIOS", numbers)
    return ran, verdict(found, claimed), memory_verdict(read_mb_s(timed), claimed)
