"""What docs/consensus.md shows of the machine: what it did under some seeds, and its own tables; not drawn by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from simkit.world import World

from metanode.core import crypto
from metanode.core.testing.toy_signatures import toy_signatures
from metanode.plugins.consensus.qbft import machine
from metanode.plugins.consensus.qbft.machine import Phase, timer_ms
from metanode.plugins.consensus.qbft.words import CAUSES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "consensus.md"
SEEDS = 30
BEGIN, END = "<!-- begin: from the code -->", "<!-- end: from the code -->"


def observed() -> set[tuple[str, str, str]]:
    """Run seeds and return every (phase before, event, phase after) that a validator went through."""
    seen: set[tuple[str, str, str]] = set()
    step = machine.step

    def watched(state: Any, event: Any) -> Any:
        after, effects = step(state, event)
        if after.phase is not state.phase:
            seen.add((state.phase.name, type(event).__name__, after.phase.name))
        return after, effects

    crypto.install()
    with toy_signatures(), patch.object(machine, "step", watched):
        for seed in range(SEEDS):
            World(seed).run()
    return seen


def section() -> str:
    """Return the generated part of the page."""
    arrows: dict[tuple[str, str], set[str]] = {}
    for before, event, after in observed():
        arrows.setdefault((before, after), set()).add(event)
    order = [phase.name for phase in Phase]
    rows = sorted(arrows, key=lambda pair: (order.index(pair[0]), order.index(pair[1])))
    lines = [BEGIN, "", "```mermaid", "stateDiagram-v2", "    [*] --> IDLE"]
    lines += [f"    {before} --> {after}: {', '.join(sorted(arrows[before, after]))}" for before, after in rows]
    lines += ["    DECIDED --> [*]", "```", "", "| Phase | What the validator does |", "|---|---|"]
    lines += [f"| `{phase.name}` | {phase.value} |" for phase in Phase]
    lines += ["", "| Block time | Timer of round 0 | 1 | 2 | 3 and on |", "|---|---|---|---|---|"]
    for block_ms in (250, 1_000, 5_000):
        waits = " | ".join(f"{timer_ms(round_number, block_ms) / 1000:g} s" for round_number in range(4))
        lines.append(f"| {block_ms} ms | {waits} |")
    lines += ["", "| Cause | Meaning |", "|---|---|"]
    lines += [f"| `{cause}` | {meaning} |" for cause, meaning in CAUSES.items()]
    return "\n".join([*lines, "", END])


def page_with(generated: str, text: str) -> str:
    """Return the page with its generated part replaced."""
    before, _, rest = text.partition(BEGIN)
    return before + generated + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page_with(section(), PAGE.read_text()))
    sys.exit(0)
