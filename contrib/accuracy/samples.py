"""The labelled corpora as samples: what each is, what its file hashes to, and what the code says of it.

Dumps of tests/corpus are replayed through the same parsers and checks as a machine of one's own; captures of probe runs
are judged by the same envelopes.  Nothing here reads a clock or the machine it runs on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from metanode.core.manifests import parse_toml
from metanode.fingerprint.capture import read_capture
from metanode.fingerprint.checks import FAIL, UNMEASURED, Check
from metanode.fingerprint.classes import classify
from metanode.fingerprint.collect import read_machine
from metanode.fingerprint.consistency import check_consistency, contradictions
from metanode.fingerprint.declared import check_emulator, check_virtual_machine
from metanode.fingerprint.inventory import Inventory
from metanode.fingerprint.probes.envelopes import JUDGED, OUTSIDE_MIN, envelopes, judge_readings
from metanode.fingerprint.probes.readings import from_json
from metanode.fingerprint.virtual import SIGNS

CORPUS = Path(__file__).resolve().parents[2] / "tests" / "corpus"
HOLD_OUT_MODULUS = 3
"""A file is held out when its SHA-256, as one big-endian number, is divisible by this: about a third of them."""

HARDWARE, VIRTUAL, EMULATED, CONTRADICTORY = "hardware", "virtual machine", "emulated", "contradictory"
LABELS = (HARDWARE, VIRTUAL, EMULATED, CONTRADICTORY)
NOT_MEASURED = "unmeasured"
VERDICTS = (*LABELS, NOT_MEASURED)
FLAGGED = (VIRTUAL, EMULATED, CONTRADICTORY)
"""Labels of what is not the hardware it says, and verdicts that say so."""
_LABEL_OF_KIND = {
    "real": HARDWARE, "composed": HARDWARE, "virtual": VIRTUAL, "emulated": EMULATED, "spliced": CONTRADICTORY,
    "forged": CONTRADICTORY,
}  # fmt: skip
FIELDS = ("family", "arch", "model", "cores", "clock")


class DumpSample(NamedTuple):
    """One dump, replayed."""

    name: str
    folder: str
    sha256: str
    family: str
    """As expected.toml states it."""
    label: str
    told: str
    """What the checks say, and weights follow."""
    reasons: tuple[str, ...]
    """Codes of failed checks, of contradictions and of signs, each once."""
    right: Mapping[str, bool]
    """Each of FIELDS: the same as in expected.toml."""


class ProbeSample(NamedTuple):
    """One capture of several runs of the compiled probes."""

    name: str
    sha256: str
    label: str
    claimed: str
    verdicts: tuple[str, ...]
    """`native`, `emulated` or `unmeasured`, one a run."""
    too_fast: int
    """Runs in which memory alone betrays it."""
    distances: tuple[int, ...]
    """One a run: how far the ratio that decides lies from its range, see `deciding_distance`."""


def is_held_out(sha256: str) -> bool:
    """Whether a file of this hash is one of the third that is reported apart."""
    return int(sha256, 16) % HOLD_OUT_MODULUS == 0


def dumps(corpus: Path = CORPUS) -> tuple[DumpSample, ...]:
    """Replay every dump of expected.toml, in its order."""
    expected = parse_toml((corpus / "expected.toml").read_bytes(), "expected.toml")
    return tuple(_dump(corpus, folder, name, row) for folder, rows in expected.items() for name, row in rows.items())


def _dump(corpus: Path, folder: str, name: str, row: Mapping[str, Any]) -> DumpSample:
    path = corpus / folder / f"{name}.txt"
    inventory = read_machine(*read_capture(path)).inventory
    cpu, (family, arch) = inventory.cpu, classify(inventory)
    checks = (check_virtual_machine(inventory), check_emulator(inventory), check_consistency(inventory))
    return DumpSample(
        name=name,
        folder=folder,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        family=row["family"],
        label=_LABEL_OF_KIND[row["kind"]],
        told=_verdict(checks),
        reasons=_reasons(inventory, checks),
        right={
            "family": family == row["family"],
            "arch": arch == row["arch"],
            "model": _model(inventory) == (row["name"], row["numbers"], row.get("pvr", _model(inventory)[2])),
            "cores": (cpu.cores, cpu.threads) == (row["cores"], row["threads"]),
            "clock": cpu.clock_mhz == row["clock"],
        },
    )


def _model(inventory: Inventory) -> tuple[str, list[int], str]:
    cpu = inventory.cpu
    return cpu.name, [cpu.family, cpu.model, cpu.stepping], f"{cpu.pvr:08x}"


def _reasons(inventory: Inventory, checks: tuple[Check, ...]) -> tuple[str, ...]:
    failed = (check.reason for check in checks if check.verdict == FAIL and check.reason != "CONTRADICTION")
    codes = (item.code for item in contradictions(inventory))
    return tuple(dict.fromkeys((*failed, *codes, *(SIGNS[sign.code].name for sign in inventory.signs))))


def _verdict(checks: tuple[Check, Check, Check]) -> str:
    """Put three checks into one word, in the order in which scoring lets them overrule each other."""
    virtual, emulator, consistency = checks
    if emulator.verdict == FAIL:
        return EMULATED
    if virtual.verdict == FAIL:
        return VIRTUAL
    if consistency.verdict == FAIL:
        return CONTRADICTORY
    if UNMEASURED in (virtual.verdict, emulator.verdict):
        return NOT_MEASURED
    return HARDWARE


def probes(corpus: Path = CORPUS) -> tuple[ProbeSample, ...]:
    """Judge every capture of probe runs, by name."""
    return tuple(_capture(path) for path in sorted((corpus / "probes").glob("*.json"), key=lambda path: path.stem))


def _capture(path: Path) -> ProbeSample:
    raw = path.read_bytes()
    data = json.loads(raw)
    runs = [from_json(run) for run in data["runs"]]
    judged = [judge_readings(run, data["claimed"]) for run in runs]
    words = {FAIL: EMULATED, UNMEASURED: NOT_MEASURED}
    return ProbeSample(
        name=path.stem,
        sha256=hashlib.sha256(raw).hexdigest(),
        label=data["label"],
        claimed=data["claimed"],
        verdicts=tuple(words.get(engine.verdict, "native") for engine, _ in judged),
        too_fast=sum(memory.verdict == FAIL for _, memory in judged),
        distances=tuple(deciding_distance(run.ratios(), data["claimed"]) for run in runs),
    )


def deciding_distance(ratios: Mapping[str, int], claimed: str) -> int:
    """Return how far the ratio that decides lies from its range, in hundredths of the nearer end.

    It takes OUTSIDE_MIN ratios to fail, so the one that decides is the OUTSIDE_MIN-th farthest.  100 is the range's
    end, 200 where the margin ends; less than 100 lies within the range.  0: too few ratios to decide.
    """
    envelope = envelopes().get(claimed)
    ranges = envelope.ranges if envelope else {}
    far = sorted(
        max(100 * ranges[name][0] // ratios[name], 100 * ratios[name] // ranges[name][1])
        for name in JUDGED
        if name in ratios and name in ranges
    )
    return far[-OUTSIDE_MIN] if len(far) >= OUTSIDE_MIN else 0
