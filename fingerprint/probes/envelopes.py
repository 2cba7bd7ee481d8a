"""Do the timings fit the processor that is claimed?  Pure: the miner previews, a validator judges alike.

`fingerprint/data/envelopes.json` holds, for each microarchitecture, the range of each ratio as its vendor's latencies
give it.  A ratio counts as outside only beyond twice that range, and the verdict `fail` takes two of them: one alone
may be an unknown stepping.  A program that imitates a processor is outside in three or four at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from metanode.core.model.errors import SettingsError
from metanode.core.model.hashing import H
from metanode.fingerprint.checks import FAIL, PASS, UNMEASURED, Check
from metanode.fingerprint.probes.readings import Readings

JUDGED = ("fp_add", "fp_div_mul", "simd_scalar", "patch")
"""The ratios that part processors from programs; the others pass through from the host and are only told."""
MARGIN = 2
"""How far beyond its range, as a factor, a ratio may lie."""
OUTSIDE_MIN = 2
"""So many ratios outside make an emulator."""
INSIDE_MIN = 2
"""So many ratios inside are evidence of the claimed processor."""
MEASURED_MIN = 2
"""Fewer ratios than these prove nothing."""
ENGINE, MEMORY = "execution_engine", "memory_ceiling"

_DATA = Path(__file__).parents[1].joinpath("data", "envelopes.json")


class Envelope(NamedTuple):
    """What one microarchitecture can do."""

    name: str
    calibrated: bool
    """Whether a real machine was measured; without one, the ranges are the vendor's latencies."""
    ranges: Mapping[str, tuple[int, int]]
    """Lowest and highest ratio, in thousandths, before the margin."""
    read_mb_s_max: int
    """What its fastest memory bus can carry; 0: not known, or too different from board to board."""


@cache
def envelopes() -> Mapping[str, Envelope]:
    """Return every envelope by its name."""
    return {
        name: Envelope(
            name, entry["calibrated"], {ratio: (low, high) for ratio, (low, high) in entry["ratios"].items()},
            entry.get("read_mb_s_max", 0),
        )
        for name, entry in _data()["envelopes"].items()
    }  # fmt: skip


@cache
def _raw() -> bytes:
    try:
        return _DATA.read_bytes()
    except OSError as error:
        raise _bad(error) from error


@cache
def _data() -> Mapping[str, Any]:
    try:
        data: Mapping[str, Any] = json.loads(_raw())
    except ValueError as error:
        raise _bad(error) from error
    return data


def _bad(error: Exception) -> SettingsError:
    message = f"envelopes.json: the file cannot be read ({type(error).__name__})"
    return SettingsError("BAD_SETTING", message, "the file as shipped with metanode")


def digest() -> bytes:
    """Return H(params, the file's bytes): part of what a chain's genesis names, see `scoring.scoring_name`.

    :raises SettingsError: BAD_SETTING, the file is missing or damaged.
    """
    envelopes()
    return H("params", _raw())


def microarchitecture_of(model: str) -> str:
    """Return the microarchitecture of a processor's model, a `classes.processor_key`; empty without an envelope for it.

    Where a whole family is alike, the file leaves the model out.  x86 in 32 bit has none: its old floating-point unit
    has latencies of its own on every processor.
    """
    claims: Mapping[str, str] = _data()["claims"]
    return claims.get(model) or claims.get(model.rpartition(" ")[0], "")


def outside(ratios: Mapping[str, int], envelope: Envelope) -> tuple[str, ...]:
    """Return the judged ratios, in thousandths, that lie beyond MARGIN times their range."""
    judged = [(name, *envelope.ranges[name]) for name in JUDGED if name in ratios and name in envelope.ranges]
    return tuple(name for name, low, high in judged if not low <= ratios[name] * MARGIN <= high * MARGIN * MARGIN)


def decides(ratios: Mapping[str, int], claimed: str) -> bool:
    """Tell whether ratios show what ran: two of them agree that it is the claimed processor, or that it is not.

    Whoever sends fewer has not shown anything, or chose what to show.  False without an envelope.
    """
    envelope = envelopes().get(claimed)
    if envelope is None:
        return False
    judged = sum(name in ratios and name in envelope.ranges for name in JUDGED)
    beyond = len(outside(ratios, envelope))
    return beyond >= OUTSIDE_MIN or judged - beyond >= INSIDE_MIN


def verdict(ratios: Mapping[str, int], claimed: str) -> Check:
    """Judge ratios, in thousandths, against a claimed microarchitecture.

    :param ratios: by the names of `summaries.RATIOS`; one that was not measured is left out.
    :param claimed: a name in envelopes.json; any other is unmeasured.
    """
    envelope = envelopes().get(claimed)
    judged = [name for name in JUDGED if name in ratios]
    if envelope is None:
        return Check(ENGINE, UNMEASURED, "NO_ENVELOPE", tuple((f"{name}_permille", ratios[name]) for name in judged))
    judged = [name for name in judged if name in envelope.ranges]
    beyond, numbers = len(outside(ratios, envelope)), []
    for name in judged:
        low, high = envelope.ranges[name]
        numbers += [(f"{name}_permille", ratios[name]), (f"{name}_low", low), (f"{name}_high", high)]
    told = (("outside", beyond), ("measured", len(judged)), ("calibrated", int(envelope.calibrated)), *numbers)
    if len(judged) < MEASURED_MIN:
        return Check(ENGINE, UNMEASURED, "TOO_FEW_RATIOS", told)
    if beyond >= OUTSIDE_MIN:
        return Check(ENGINE, FAIL, "EMULATOR_DETECTED", told)
    if beyond:
        return Check(ENGINE, UNMEASURED, "ONE_RATIO_OUTSIDE", told)
    return Check(ENGINE, PASS, "WITHIN_ENVELOPE", told)


def memory_verdict(read_mb_s: int, claimed: str) -> Check:
    """Judge reading speed by what the claimed part's bus can carry: too fast is the strongest proof there is."""
    envelope = envelopes().get(claimed)
    if not read_mb_s:
        return Check(MEMORY, UNMEASURED, "NOT_RUN")
    ceiling = envelope.read_mb_s_max if envelope else 0
    numbers = (("read_mb_s", read_mb_s), ("ceiling_mb_s", ceiling))
    if not ceiling:
        return Check(MEMORY, UNMEASURED, "NO_ENVELOPE", numbers)
    if read_mb_s > ceiling * MARGIN:
        return Check(MEMORY, FAIL, "MEMORY_TOO_FAST", numbers)
    return Check(MEMORY, PASS, "WITHIN_CEILING", numbers)


def judge_readings(readings: Readings | None, claimed: str) -> tuple[Check, ...]:
    """Return both checks for one run; without the compiled probes both are unmeasured."""
    if readings is None:
        return tuple(Check(name, UNMEASURED, "NEEDS_COMPILED_PROBE") for name in (ENGINE, MEMORY))
    return verdict(readings.ratios(), claimed), memory_verdict(readings.read_mb_s(), claimed)
