"""Dumps of machines, as fixtures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from metanode.fingerprint import command
from metanode.fingerprint.capture import read_capture
from metanode.fingerprint.collect import Report, read_machine
from metanode.platforms.captured import Dump, ProcessFacts

DATA = Path(__file__).parent / "data"


def read_dump_file(name: str) -> tuple[Dump, ProcessFacts]:
    """Read one file of tests/fingerprint/data."""
    return read_capture(DATA / f"{name}.txt")


@pytest.fixture(scope="session")
def load() -> Callable[[str], tuple[Dump, ProcessFacts]]:
    """Read a dump by name."""
    return read_dump_file


@pytest.fixture(scope="session")
def replay() -> Callable[[str], Report]:
    """Replay a dump by name into a report."""

    def run(name: str) -> Report:
        return read_machine(*read_dump_file(name))

    return run


@pytest.fixture(scope="session")
def machines() -> tuple[str, ...]:
    """The names of all dumps."""
    return tuple(sorted(path.stem for path in DATA.glob("*.txt")))


@pytest.fixture(autouse=True)
def _same_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that runs the command in its own process keeps its priority: nothing could raise it again."""
    monkeypatch.setattr(command, "lower_priority", lambda: None)
