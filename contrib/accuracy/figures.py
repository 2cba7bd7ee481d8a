"""From samples to figures: confusion matrices, precision and recall, parse accuracy, separation of the probes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, floor, sqrt
from typing import Any, NamedTuple

from samples import FIELDS, FLAGGED, LABELS, VERDICTS, DumpSample, ProbeSample, is_held_out

from metanode.fingerprint.consistency import CODES

Z_95 = 1.96
"""So many standard deviations to both sides hold 95 % of a normal distribution."""
OUTSIDE_FOLDER = "py_cpuinfo"
"""The folder of dumps that nobody of this project made."""
FORGED_FOLDER = "forged"
"""The folder of forgeries: apart from all the others, because their number is whatever one likes."""


class Rate(NamedTuple):
    """So many of so many."""

    hits: int
    total: int

    @property
    def percent(self) -> int | None:
        """Rounded half up; None of nothing."""
        return (200 * self.hits + self.total) // (2 * self.total) if self.total else None

    @property
    def interval(self) -> tuple[int, int]:
        """The 95 % interval in per cent, rounded outwards.

        Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
        """
        if not self.total:
            return 0, 100
        share, spread = self.hits / self.total, Z_95**2 / self.total
        half = sqrt(spread * share * (1 - share) + spread**2 / 4)
        low, high = (100 * (share + spread / 2 + sign * half) / (1 + spread) for sign in (-1, 1))
        # Nine digits are the same on every machine; the last bits of a root need not be.
        return max(0, floor(round(low, 9))), min(100, ceil(round(high, 9)))


def groups(samples: Sequence[DumpSample]) -> dict[str, tuple[DumpSample, ...]]:
    """Return the dumps that are reported apart, by the name of their part."""
    plain = [sample for sample in samples if sample.folder != FORGED_FOLDER]
    forged = [sample for sample in samples if sample.folder == FORGED_FOLDER]
    return {
        "all": tuple(plain),
        "from outside": tuple(sample for sample in plain if sample.folder == OUTSIDE_FOLDER),
        "composed": tuple(sample for sample in plain if sample.folder != OUTSIDE_FOLDER),
        "held out": tuple(sample for sample in plain if is_held_out(sample.sha256)),
        "forged": tuple(forged),
        "forged, held out": tuple(sample for sample in forged if is_held_out(sample.sha256)),
    }


def matrix(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Count (label, verdict) pairs: a row for each label, a column for each verdict."""
    counts = {label: dict.fromkeys(VERDICTS, 0) for label in LABELS}
    for label, verdict in pairs:
        counts[label][verdict] += 1
    return counts


def precision(counts: dict[str, dict[str, int]], label: str) -> Rate:
    """Of what was called so, what is."""
    return Rate(counts[label][label], sum(row[label] for row in counts.values()))


def recall(counts: dict[str, dict[str, int]], label: str) -> Rate:
    """Of what is so, what was called so; unmeasured is not called."""
    return Rate(counts[label][label], sum(counts[label].values()))


def caught(samples: Iterable[DumpSample]) -> Rate:
    """Of what is not the hardware it says, what was flagged, by whichever word."""
    wrong = [sample for sample in samples if sample.label in FLAGGED]
    return Rate(sum(sample.told in FLAGGED for sample in wrong), len(wrong))


def false_alarms(samples: Iterable[DumpSample]) -> Rate:
    """Of what is nothing but hardware, what was flagged."""
    good = [sample for sample in samples if sample.label not in FLAGGED]
    return Rate(sum(sample.told in FLAGGED for sample in good), len(good))


def contradicted(samples: Iterable[DumpSample]) -> dict[str, tuple[DumpSample, ...]]:
    """Return for each code of a contradiction the dumps that show it, in the order of the codes."""
    members = tuple(samples)
    return {code: tuple(sample for sample in members if code in sample.reasons) for code in CODES}


def parsed(samples: Sequence[DumpSample]) -> dict[str, Rate]:
    """Return for each field in how many dumps it was read as a person read it."""
    return {field: Rate(sum(sample.right[field] for sample in samples), len(samples)) for field in FIELDS}


def parsed_by_family(samples: Sequence[DumpSample]) -> dict[str, dict[str, Rate]]:
    """The same for each family, by name."""
    families = sorted({sample.family for sample in samples}, key=str.lower)
    return {family: parsed([sample for sample in samples if sample.family == family]) for family in families}


def separation(samples: Iterable[ProbeSample]) -> tuple[int, int]:
    """Return the largest deciding distance of any native run and the smallest of any emulated one, in hundredths.

    Runs with too few ratios to decide have none; 0 where no run has one.
    """
    by_label: dict[str, list[int]] = {"native": [], "emulated": []}
    for sample in samples:
        by_label[sample.label] += filter(None, sample.distances)
    return max(by_label["native"], default=0), min(by_label["emulated"], default=0)


def as_json(dumps: Sequence[DumpSample], probes: Sequence[ProbeSample]) -> dict[str, Any]:
    """Return every figure, and every sample they were made from."""
    parts = {}
    for name, members in groups(dumps).items():
        counts = matrix((sample.label, sample.told) for sample in members)
        parts[name] = {
            "dumps": len(members),
            "confusion": counts,
            "precision": {label: precision(counts, label) for label in LABELS},
            "recall": {label: recall(counts, label) for label in LABELS},
            "flagged_of_wrong": caught(members),
            "flagged_of_hardware": false_alarms(members),
            "parsed": parsed(members),
        }
    native, emulated = separation(probes)
    return {
        "groups": parts,
        "parsed_by_family": parsed_by_family(dumps),
        "probes": {
            "native_distance_max_hundredths": native,
            "emulated_distance_min_hundredths": emulated,
            "captures": [{**sample._asdict(), "held_out": is_held_out(sample.sha256)} for sample in probes],
        },
        "dumps": [{**sample._asdict(), "held_out": is_held_out(sample.sha256)} for sample in dumps],
    }
