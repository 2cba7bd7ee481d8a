"""Judge what the driver of tests/arch printed on a processor: which paths had to be there, and were they right?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from targets import Build, Run

SIGNALS = {4: "illegal instruction", 6: "abort", 7: "bus error", 11: "segmentation fault"}
"""What a program can die of that tells of a wrong path."""


@dataclass(frozen=True)
class Report:
    """What the driver printed."""

    words: str = ""
    """Byte order and word size: BE32."""
    built: tuple[str, ...] = ()
    supported: tuple[str, ...] = ()
    paths: Mapping[str, str] = field(default_factory=dict)
    """By name: `ok N cases`, `refused`, or `FAIL ...`."""


def read(output: str) -> Report:
    """Read the driver's lines; what a killed driver did not print is missing."""
    words, built, supported = "", (), ()  # type: str, tuple[str, ...], tuple[str, ...]
    paths = {}
    for line in output.splitlines():
        head, _, rest = line.partition(" ")
        if head == "words":
            bits, _, order = rest.partition(" ")
            words = f"{order}{bits}"
        elif head == "built":
            built = tuple(rest.split())
        elif head == "supported":
            supported = tuple(rest.split())
        elif head == "path":
            name, _, outcome = rest.partition(" ")
            paths[name] = outcome
    return Report(words, built, supported, paths)


def ending(code: int, errors: str) -> str:
    """Return how a program ended, in words; empty when it ended well."""
    if code == 0:
        return ""
    caught = re.search(r"uncaught target signal (\d+)", errors)  # an emulator tells so of the program it runs
    number = int(caught[1]) if caught else -code if code < 0 else code - 128 if code > 128 else 0
    if number:
        return SIGNALS.get(number, f"signal {number}")
    lines = errors.strip().splitlines()
    return f"code {code}" + (f": {lines[-1]}" if lines else "")


def complaint(report: Report, build: Build, run: Run) -> str:
    """Return what contradicts targets.toml, in one line; empty when nothing does."""
    for name, outcome in report.paths.items():
        if outcome.startswith("FAIL"):
            return f"{name}: {outcome}"
    if build.built is not None and set(report.built) != {"portable", *build.built}:
        return f"built are {_listed(report.built)}; must be {_listed(('portable', *build.built))}"
    if run.paths is not None and set(report.supported) & set(report.built) != {"portable", *run.paths}:
        return f"found are {_listed(report.supported)}; must be {_listed(('portable', *run.paths))}"
    if set(report.paths) != set(report.built):
        return f"ran {_listed(report.paths)} of {_listed(report.built)}"
    for name, outcome in report.paths.items():
        right = re.fullmatch(r"ok [1-9]\d* cases", outcome) if name in report.supported else outcome == "refused"
        if not right:
            return f"{name}: {outcome}"
    return ""


def _listed(names: object) -> str:
    return " ".join(names) if isinstance(names, (tuple, list, dict)) and names else "none"
