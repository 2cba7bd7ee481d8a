"""vintage.altivec: what AltiVec saves a PowerPC G4, counted in instructions because there is no G4 to time."""

from __future__ import annotations

import json
import subprocess

from measuring import ROOT, Result, UnavailableError, last_line, python

TIMEOUT_S = 120


def altivec() -> list[Result]:
    """Instructions per KiB of a long input: AltiVec over scalar C, in one program on one emulated processor."""
    command = python(str(ROOT / "contrib" / "arch" / "instructions.py"), "--json")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"counting instructions took longer than {TIMEOUT_S} s") from None
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise UnavailableError(f"counting instructions: {last_line(done.stderr)}") from None
    if "unavailable" in found:
        raise UnavailableError(found["unavailable"])
    per_kib = found["instructions_per_kib"]
    one, many = per_kib["one"], per_kib["many"]
    return [
        Result(
            "vintage.altivec",
            one["altivec"] / one["portable"],
            "of scalar",
            "the scalar path of the same program",
            1.0,
            one["portable"] / one["altivec"],
            None,
            f"instructions executed on an emulated PowerPC {found['cpu']}, no time; per KiB of one input "
            f"{one['altivec']:.0f} with AltiVec, {one['portable']:.0f} without; per KiB of messages of 64 to 250 bytes "
            f"{many['altivec']:.0f} and {many['portable']:.0f}, a quotient of {many['altivec'] / many['portable']:.3g}",
        )
    ]
