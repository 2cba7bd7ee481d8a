"""One mutant on trial: a forked child that imports the mutated module from memory and runs tests until one fails.

The child inherits an interpreter in which the libraries of the tests are loaded and nothing of metanode is, so a trial
costs a fraction of a second.  Source and bytecode on disk are those of the unchanged module throughout: a mutant lives
in the memory of its child and dies with it, and stale bytecode cannot hide it.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from reach import Chosen, Recorder

PRELOADED = (
    "hypothesis", "hypothesis.strategies", "hypothesis.stateful", "trio", "trio.testing", "pytest_trio.plugin", "pluggy",
    "nacl.bindings", "nacl.pwhash", "cffi", "cpuinfo", "h11", "httptools", "wsproto", "blake3", "cbor2", "concurrent.futures",
)  # fmt: skip
MEMORY_BYTES_MAX = 2 << 30
"""Address space of a child: a loop that appends for ever ends here."""
FAILED, NO_TESTS = 1, 5
"""Exit codes of pytest; other non-zero ones mean that a mutant broke the import of a test."""


class MutantLoader(importlib.abc.InspectLoader):
    """Loads one module from a syntax tree."""

    def __init__(self, tree: ast.Module, path: Path) -> None:
        self._code: CodeType = compile(tree, str(path), "exec", dont_inherit=True)

    def get_code(self, fullname: str) -> CodeType:
        return self._code

    def get_source(self, fullname: str) -> str | None:
        return None

    def is_package(self, fullname: str) -> bool:
        return False


class MutantFinder(importlib.abc.MetaPathFinder):
    """Gives the mutant to whoever imports the module, and leaves every other import alone."""

    def __init__(self, dotted: str, tree: ast.Module, path: Path) -> None:
        self._dotted, self._path, self._loader = dotted, path, MutantLoader(tree, path)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._dotted:
            return None
        spec = importlib.util.spec_from_loader(fullname, self._loader, origin=str(self._path))
        assert spec is not None
        spec.has_location = True
        return spec


class _FirstFailure:
    """Notes the test that fails first."""

    def __init__(self) -> None:
        self.name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid


@dataclass
class Trial:
    """A child at work."""

    pid: int
    pipe: int
    deadline: float
    started: float


@dataclass(frozen=True)
class Verdict:
    """How a trial ended: `survived`, `killed`, `timeout` or `crashed`, by which test, and the seconds it took."""

    outcome: str
    killed_by: str
    seconds: float


def preload() -> None:
    """Load what every child needs and no mutant can change, and make hypothesis the same in each."""
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    from hypothesis import Phase, settings

    # No shrinking, the first failure is enough; no deadline, a busy machine must not kill a mutant.
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("mutation", derandomize=True, database=None, deadline=None, phases=phases)
    settings.load_profile("mutation")
    gc.freeze()  # nothing loaded here is garbage; children need not look


def start(
    finder: MutantFinder | None, files: Sequence[str], plugin: Recorder | Chosen, tree: Path, cpu_s: float, wall_s: float
) -> Trial:
    """Fork a child that runs tests of these files in the copied tree, with a limit on processor and wall time."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        status = 70
        try:
            status = _child(finder, files, plugin, tree, writer, cpu_s)
        finally:
            os._exit(status)
    os.close(writer)
    now = time.monotonic()
    return Trial(pid, reader, now + wall_s, now)


def poll(trial: Trial) -> Verdict | None:
    """Return the verdict when the child has ended or overstayed."""
    late = time.monotonic() > trial.deadline
    if late:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(trial.pid, signal.SIGKILL)
    pid, status = os.waitpid(trial.pid, 0 if late else os.WNOHANG)
    if pid == 0:
        return None
    with contextlib.suppress(ProcessLookupError):  # whatever a test started and left behind
        os.killpg(trial.pid, signal.SIGKILL)
    with os.fdopen(trial.pipe, "rb") as pipe:
        killed_by = pipe.read(4096).decode("utf-8", "replace")
    seconds = round(time.monotonic() - trial.started, 2)
    if os.WIFSIGNALED(status):
        timeout = late or os.WTERMSIG(status) == signal.SIGXCPU
        return Verdict("timeout" if timeout else "crashed", killed_by, seconds)
    code = os.WEXITSTATUS(status)
    return Verdict("survived" if code in (0, NO_TESTS) else "killed", killed_by, seconds)


def _child(
    finder: MutantFinder | None, files: Sequence[str], plugin: Recorder | Chosen, tree: Path, writer: int, cpu_s: float
) -> int:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_s) + 1, int(cpu_s) + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.chdir(tree)
    sys.path[:0] = [str(tree / "src")]
    os.environ["PYTHONPATH"] = str(tree / "src")
    if finder is not None:
        sys.meta_path.insert(0, finder)
    first = _FirstFailure()
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--tb=no", "--no-header", "-W", "ignore"]
    options += ["--basetemp", str(tree.parent / f"tmp-{os.getpid()}")]
    if isinstance(plugin, Recorder):
        plugin.start()
    else:
        options.append("-x")
    code = int(pytest.main([*options, *files], plugins=[first, plugin]))
    os.write(writer, first.name.encode()[:2048])
    return code

