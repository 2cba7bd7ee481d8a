"""Which tests reach which function, found by one profiled run of a part's tests.

A mutant of a function can only be noticed by a test that calls the function, so only those are run, the quickest first.
What runs outside any one test (at import, in a fixture that several tests share) is reached by all of them.
"""

from __future__ import annotations

import functools
import json
import sys
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

ALL = ""
"""Stands for every test."""


@dataclass(frozen=True)
class Reach:
    """The tests of a part: processor seconds of each under the profiler, and who calls each `file:first line`."""

    seconds: dict[str, float]
    callers: dict[str, list[str]] = field(default_factory=dict)

    def tests_of(self, file: str, lines: Sequence[int]) -> list[str]:
        """Return the tests that call the function that begins at the last of these lines, inside the others' functions.

        A function that no test calls is reached by none.
        """
        if not lines:
            return self.by_speed(self.seconds)
        callers = self.callers.get(f"{file}:{lines[-1]}", [])
        return self.by_speed(self.seconds if ALL in callers else callers)

    def runs_early(self, file: str, line: int) -> bool:
        """Return whether the function that begins at this line is called outside any one test."""
        return ALL in self.callers.get(f"{file}:{line}", ())

    def by_speed(self, tests: Sequence[str] | dict[str, float]) -> list[str]:
        """Return tests in rising order of the time they take."""
        return sorted(tests, key=lambda test: (self.seconds.get(test, 0.0), test))


class Recorder:
    """Plugin of pytest that notes, for the functions below a folder, the tests that call them."""

    def __init__(self, tree: Path, folders: Sequence[str], output: Path) -> None:
        self._prefixes = tuple(str((tree / folder).resolve()) + "/" for folder in folders)
        self._links = str(tree / "src" / "metanode") + "/"
        self._tree, self._output = str(tree) + "/", output
        self._current = ALL
        self._seconds: dict[str, float] = {}
        self._callers: dict[tuple[str, int], set[str]] = {}
        self._failed: set[str] = set()
        self._uncollected: list[str] = []

    def start(self) -> None:
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def _profile(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            code = frame.f_code
            self._callers.setdefault((code.co_filename, code.co_firstlineno), set()).add(self._current)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        forget_cached()
        self._current, began = item.nodeid, time.process_time()
        try:
            return (yield)
        finally:
            self._current = ALL
            self._seconds[item.nodeid] = time.process_time() - began

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        shared, before = fixturedef.scope != "function", self._current
        if shared:
            self._current = ALL
        try:
            return (yield)
        finally:
            self._current = before

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._uncollected.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        sys.setprofile(None)
        threading.setprofile(None)
        callers: dict[str, set[str]] = {}
        for (file, line), tests in self._callers.items():
            resolved = str(Path(file).resolve()) if file.startswith((self._links, self._tree)) else file
            if resolved.startswith(self._prefixes):
                callers.setdefault(f"{resolved.removeprefix(self._tree)}:{line}", set()).update(tests)
        data = {
            "seconds": {test: seconds for test, seconds in self._seconds.items() if test not in self._failed},
            "callers": {key: sorted(tests - self._failed) for key, tests in callers.items()},
            "failed": sorted(self._failed),
            "uncollected": self._uncollected,
        }
        self._output.write_text(json.dumps(data), "utf-8")


class Chosen:
    """Plugin of pytest that keeps the chosen tests, in the order given."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._order = {test: number for number, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if item.nodeid in self._order]
        items[:] = sorted(chosen, key=lambda item: self._order[item.nodeid])


def forget_cached() -> None:
    """Empty every `lru_cache`, so that a test which finds a result there counts as a caller too."""
    for name, module in list(sys.modules.items()):
        if name.startswith("metanode."):
            for value in list(vars(module).values()):
                if isinstance(value, functools._lru_cache_wrapper):
                    value.cache_clear()
