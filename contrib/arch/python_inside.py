"""Run inside a foreign Python: say what this interpreter is and which path hashes, run the tests, print one JSON line.

python_inside.py LAUNCHER EXAMPLES_MAX PYTEST_ARGUMENT...

LAUNCHER is what this machine's kernel can start; a test that starts another interpreter finds it as sys.executable.
"""

from __future__ import annotations

import json
import os
import platform
import struct
import sys
import traceback
from collections import Counter
from typing import Any

import pytest

from metanode.core import crypto
from metanode.platforms.shims import blake3

RESULT = "RESULT "
"""Begins the line that is read outside."""


class Counting:
    """Bounds properties, counts tests by outcome and keeps the first that failed."""

    def __init__(self, examples_max: int) -> None:
        self._examples_max = examples_max
        self.outcomes: Counter[str] = Counter()
        self.first = ""

    def pytest_configure(self) -> None:
        """Once pytest has seen its plugins, and before a test module is loaded."""
        few_examples(self._examples_max)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A test counts once: by its call, or by the set-up that kept it from being called."""
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome] += 1
        self._note(report)

    def pytest_collectreport(self, report: Any) -> None:
        """A file that does not load is a failure."""
        if report.outcome == "failed":
            self.outcomes["failed"] += 1
        self._note(report)

    def _note(self, report: Any) -> None:
        if report.outcome == "failed" and not self.first:
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = crash.message if crash else str(report.longrepr).strip().splitlines()[-1]
            self.first = f"{report.nodeid}: {reason.splitlines()[0]}"


def few_examples(limit: int) -> None:
    """Bound the examples of every property: emulated, one costs ten times as much; the native suite runs them all."""
    import hypothesis

    made = hypothesis.settings.__init__

    def bounded(self: Any, parent: Any = None, **options: Any) -> None:
        if isinstance(options.get("max_examples"), int):
            options["max_examples"] = min(limit, options["max_examples"])
        made(self, parent, **options)

    hypothesis.settings.__init__ = bounded  # type: ignore[method-assign]
    hypothesis.settings.register_profile(
        "emulated", max_examples=limit, derandomize=True, deadline=None, database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    hypothesis.settings.load_profile("emulated")


def main() -> int:
    """Run and report; the code is pytest's."""
    launcher, examples_max, *arguments = sys.argv[1:]
    sys.executable = launcher
    hashing = blake3.status()
    installed = crypto.install()
    counting = Counting(int(examples_max))
    code = pytest.main(["-q", "-p", "no:cacheprovider", *arguments], plugins=[counting])
    report = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "order": sys.byteorder,
        "bits": struct.calcsize("P") * 8,
        "problem": hashing.problem,
        "built": [path.name for path in hashing.paths if path.built],
        "usable": [path.name for path in hashing.paths if path.usable],
        "selected": hashing.selected,
        "hash": installed.hash,
        "outcomes": dict(counting.outcomes),
        "first": counting.first,
        "code": int(code),
    }
    print(f"\n{RESULT}{json.dumps(report)}", flush=True)
    return int(code)


if __name__ == "__main__":
    code = 1
    try:
        code = main()
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        # At its own end the PowerPC interpreter can wait for one of its locks for ever once trio is loaded.
        os._exit(code)
