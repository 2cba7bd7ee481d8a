"""What every test here needs: the recorder, and the helpers in `powercut/` on the path, for child processes too."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)


@pytest.fixture(scope="session")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled recorder, in a directory of its own; without a C compiler the tests are skipped with one line."""
    from powercut import recording

    if not sys.platform.startswith("linux"):
        pytest.skip("the recorder knows Linux's C library only")
    library = recording.build(tmp_path_factory.mktemp("recorder"))
    if library is None:
        pytest.skip("no C compiler that can build the power-cut recorder")
    return library


@pytest.fixture
def helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let child processes import `powercut` too."""
    inherited = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", HERE if not inherited else f"{HERE}{os.pathsep}{inherited}")
