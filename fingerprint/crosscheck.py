"""Second opinions: py-cpuinfo and systemd-detect-virt, each in a process of its own.

They are asked after our own answer stands and never change it; a disagreement is shown with
both answers, because it is a reason to look closer.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from metanode.fingerprint.checks import FAIL, PASS, UNMEASURED, Check
from metanode.fingerprint.classes import X86_MACHINES
from metanode.fingerprint.collect import Report
from metanode.fingerprint.declared import check_virtual_machine
from metanode.fingerprint.parsers.text import clean
from metanode.platforms.commands import run_limited

PY_CPUINFO_SECONDS_MAX = 3.0
"""Longest wait for py-cpuinfo's process."""
DETECT_VIRT_SECONDS_MAX = 2.0
"""Longest wait for systemd-detect-virt."""
_PY_CPUINFO = "import cpuinfo, json, sys; json.dump(cpuinfo.get_cpu_info(), sys.stdout)"


@dataclass(frozen=True)
class CrossCheck:
    """One row: what another tool says beside what we say."""

    tool: str
    check: Check
    differences: tuple[str, ...]
    """`field: ours A, theirs B` for each disagreement; the reason when there was no answer."""


def crosscheck(report: Report) -> tuple[CrossCheck, ...]:
    """Ask both tools about this machine."""
    return (ask_py_cpuinfo(report), ask_detect_virt(report))


def ask_py_cpuinfo(report: Report) -> CrossCheck:
    """Run py-cpuinfo for at most 3 s and compare."""
    text, reason = run_limited([sys.executable, "-c", _PY_CPUINFO], seconds_max=PY_CPUINFO_SECONDS_MAX)
    if text is None:
        hint = reason.replace(sys.executable, "py-cpuinfo")
        if "ended with status" in hint:
            hint = "py-cpuinfo is not installed, or it failed"
        return CrossCheck("py-cpuinfo", Check("py-cpuinfo", UNMEASURED, "NO_ANSWER"), (hint,))
    return compare_py_cpuinfo(report, text)


def compare_py_cpuinfo(report: Report, text: str) -> CrossCheck:
    """Compare py-cpuinfo's JSON with a report; fields it leaves out are not compared."""
    try:
        theirs: Any = json.loads(text)
    except ValueError:
        theirs = None
    if not isinstance(theirs, dict):
        return CrossCheck("py-cpuinfo", Check("py-cpuinfo", UNMEASURED, "NO_ANSWER"), ("its output is not JSON",))
    cpu, is_x86 = report.inventory.cpu, report.inventory.machine in X86_MACHINES
    pairs: list[tuple[str, object, object]] = [("threads", cpu.threads, theirs.get("count"))]
    if is_x86:  # elsewhere it has words of its own for the same processors
        pairs = [
            ("vendor", cpu.vendor, theirs.get("vendor_id_raw")),
            ("name", cpu.name, theirs.get("brand_raw")),
            ("family", cpu.family, theirs.get("family")),
            ("model", cpu.model, theirs.get("model")),
            ("stepping", cpu.stepping, theirs.get("stepping")),
            *pairs,
        ]
    compared = [(name, ours, other) for name, ours, other in pairs if other is not None]
    differences = [
        f"{name}: ours {ours}, theirs {clean(str(other))}"
        for name, ours, other in compared
        if (clean(other) if isinstance(other, str) else other) != ours
    ]
    flags = theirs.get("flags")
    if isinstance(flags, list) and is_x86 and report.inventory.platform == "linux":
        compared.append(("flags", len(report.flags), len(flags)))
        # py-cpuinfo adds flags that it finds by asking the processor itself, so only ours are looked for.
        missing = sorted(set(report.inventory.features) - {str(flag) for flag in flags})
        if missing:
            differences.append(f"flags: theirs lack {', '.join(missing)}")
    return _row("py-cpuinfo", len(compared), differences)


def ask_detect_virt(report: Report) -> CrossCheck:
    """Ask systemd-detect-virt, where it is installed, whether this is a virtual machine."""
    text, reason = run_limited(["systemd-detect-virt", "--vm"], seconds_max=DETECT_VIRT_SECONDS_MAX)
    if text is None:
        return CrossCheck("systemd-detect-virt", Check("systemd-detect-virt", UNMEASURED, "NO_ANSWER"), (reason,))
    return compare_detect_virt(report, text)


def compare_detect_virt(report: Report, text: str) -> CrossCheck:
    """Compare its one word (`none`, `kvm`, ...) with our verdict."""
    ours = check_virtual_machine(report.inventory).verdict == FAIL
    word = clean(text, chars_max=32)
    theirs = word != "none"
    differences = [] if ours == theirs else [f"virtual machine: ours {'yes' if ours else 'no'}, theirs {word}"]
    return _row("systemd-detect-virt", 1, differences)


def _row(tool: str, compared: int, differences: list[str]) -> CrossCheck:
    numbers = (("compared", compared), ("different", len(differences)))
    if compared == 0:
        return CrossCheck(tool, Check(tool, UNMEASURED, "NO_ANSWER", numbers), ("it named nothing to compare",))
    check = Check(tool, FAIL, "DISAGREES", numbers) if differences else Check(tool, PASS, "AGREES", numbers)
    return CrossCheck(tool, check, tuple(differences))
