"""What the node makes of a machine: read from its replies, the same for every forgery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from metanode.fingerprint.checks import FAIL
from metanode.fingerprint.consistency import CODES

FLAGGED = {"emulated": "EMULATOR_DETECTED", "capped": "MEMORY_TOO_FAST"}
"""What attestations show against their machine, by the reasons of the checks that failed in them."""


@dataclass(frozen=True)
class Told:
    """What the node made of a machine."""

    klass: str
    weight: int
    payable: int
    failed: tuple[str, ...]
    """Reason codes of checks that failed."""
    caps: tuple[str, ...]


def told(answer: dict[str, Any]) -> Told:
    """Read a reply about a machine; a flag that only means that nothing was measured is one more cap."""
    checks: list[dict[str, Any]] = answer["checks"]
    flags = [flag["name"] for flag in answer.get("flags", ())]
    failed = {check["reason"] for check in checks if check["verdict"] == FAIL}
    for check in checks:
        if check["reason"] == "CONTRADICTION":  # its numbers name each one
            failed |= {name.upper() for name in check["numbers"]} & set(CODES)
    return Told(
        klass=answer["class"],
        weight=answer["weight"],
        payable=answer["payable"],
        failed=tuple(sorted(failed | {FLAGGED[flag] for flag in flags if flag in FLAGGED})),
        caps=(*(cap["name"] for cap in answer["caps"]), *(flag for flag in flags if flag not in FLAGGED)),
    )
