"""The modules of contrib/arch, which is no package, found as its command finds them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ARCH = Path(__file__).resolve().parents[2] / "contrib" / "arch"
NAMES = ("header", "python_rows", "report", "table", "targets", "toolchain")


@pytest.fixture
def arch(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """By name; other folders of contrib may have modules of the same names."""
    monkeypatch.syspath_prepend(str(ARCH))
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield {name: __import__(name) for name in NAMES}
    for name in NAMES:
        sys.modules.pop(name, None)
