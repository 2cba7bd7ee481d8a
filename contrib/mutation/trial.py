"""One mutant on trial: a forked child that runs tests against it until one fails.

A mutant lives in the memory of its child and dies with it.  Source and bytecode on disk are those of the unchanged
module throughout, so stale bytecode cannot hide a mutant.  There are two ways to make one:

- A mutant of a function that nobody calls before the tests run is put into a process that has collected the tests
  already, in place of the function's code: a trial costs a fork and the tests that reach the function.
- Any other is given to `import` by a finder, in a process that has loaded the tests' libraries and nothing of metanode,
  so that whatever is computed at import is computed anew.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest
from reach import Chosen, Recorder, forget_cached

PRELOADED = (
    "hypothesis", "hypothesis.strategies", "hypothesis.stateful", "trio", "trio.testing", "pytest_trio.plugin",
    "pluggy", "nacl.bindings", "nacl.pwhash", "cffi", "cpuinfo", "h11", "httptools", "wsproto", "blake3", "cbor2",
    "concurrent.futures",
)  # fmt: skip
MEMORY_BYTES_MAX = 2 << 30
"""Address space of a child: a loop that appends for ever ends here."""
WALL_S_MAX = 300.0
"""A child that waits for something that never comes ends here; one that loops, at its processor time."""
NO_TESTS = 5
"""Exit code of pytest; other non-zero ones mean a failed test, or that a mutant broke the import of one."""
FAILED, UNPATCHED = 1, 71
"""Exit codes of a child: a test failed; there is no function in memory to replace."""


@dataclass
class Trial:
    """A child at work."""

    pid: int
    pipe: int
    deadline: float
    started: float


@dataclass(frozen=True)
class Verdict:
    """How a trial ended, by which test, and the seconds it took.

    `survived`, or one of the three ways to be killed: `killed`, `timeout`, `crashed`; `unpatched` is none.
    """

    outcome: str
    killed_by: str
    seconds: float


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


class FirstFailure:
    """Plugin of pytest that ends the child at its first failure, with the name of the test."""

    def __init__(self, writer: int = -1) -> None:
        self.writer = writer

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._end(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._end(report)

    def _end(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed and self.writer >= 0:
            os.write(self.writer, report.nodeid.encode()[:2048])
            os._exit(FAILED)


class Timer:
    """Plugin of pytest that ends the child when one test takes far more processor time than usual."""

    def __init__(self, usual_s: Mapping[str, float]) -> None:
        self._usual_s = usual_s

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        signal.setitimer(signal.ITIMER_PROF, 1 + 3 * self._usual_s.get(nodeid, 0.0))


class Collected:
    """Plugin of pytest that hands the collected tests to a function instead of running them."""

    def __init__(self, use: Callable[[dict[str, pytest.Item]], None]) -> None:
        self._use = use

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._use({item.nodeid: item for item in session.items})
        return True


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


def fork(work: Callable[[int], int], wall_s: float) -> Trial:
    """Run `work` in a child of its own; it gets a pipe for the name of a test and returns the exit code."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        status = 70
        try:
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            status = work(writer)
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
        timeout = late or os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGPROF)
        return Verdict("timeout" if timeout else "crashed", killed_by, seconds)
    code = os.WEXITSTATUS(status)
    outcome = {0: "survived", NO_TESTS: "survived", UNPATCHED: "unpatched"}.get(code, "killed")
    return Verdict(outcome, killed_by, seconds)


def wait_for(trial: Trial) -> Verdict:
    """Return the verdict of one child."""
    while (verdict := poll(trial)) is None:
        time.sleep(0.01)
    return verdict


def run_pytest(tree: Path, files: Sequence[str], *plugins: object) -> int:
    """Run pytest on files of the copied tree, in a child."""
    os.chdir(tree)
    sys.path[:0] = [str(tree / "src")]
    os.environ["PYTHONPATH"] = str(tree / "src")
    # Unraisable errors are looked for by several garbage collections, which no verdict needs.
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:unraisableexception", "--tb=no", "--no-header", "-W", "ignore"]
    options += ["--basetemp", str(tree.parent / f"tmp-{os.getpid()}")]
    return int(pytest.main([*options, *files], plugins=[*plugins]))


def record(tree: Path, files: Sequence[str], recorder: Recorder) -> Verdict:
    """Run tests without a mutant, under the profiler."""

    def work(writer: int) -> int:
        recorder.start()
        return run_pytest(tree, files, recorder)

    return wait_for(fork(work, 1800))


def try_imported(finder: MutantFinder, tests: Sequence[str], tree: Path, usual_s: Mapping[str, float]) -> Trial:
    """Start a child that imports the mutant and runs these tests."""

    def work(writer: int) -> int:
        _limit(usual_s)
        sys.meta_path.insert(0, finder)
        files = dict.fromkeys(test.partition("::")[0] for test in tests)
        return run_pytest(tree, [*files], Chosen(tests), FirstFailure(writer), Timer(usual_s))

    return fork(work, WALL_S_MAX)


def try_patched(
    tree: ast.Module,
    path: Path,
    start: int,
    items: Sequence[pytest.Item],
    first: FirstFailure,
    usual_s: Mapping[str, float],
) -> Trial:
    """Start a child of a process that has collected tests: it replaces one function and runs these tests."""

    def work(writer: int) -> int:
        _limit(usual_s)
        if not patch(tree, path, start):
            return UNPATCHED
        forget_cached()
        first.writer = writer
        timer = Timer(usual_s)
        for item, following in zip(items, [*items[1:], None], strict=True):
            timer.pytest_runtest_logstart(item.nodeid)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        return 0

    return fork(work, WALL_S_MAX)


def patch(tree: ast.Module, path: Path, start: int) -> bool:
    """Give the function that begins at line `start` of `path` the code it has in `tree`; False when there is none."""
    codes = {code.co_name: code for code in _codes(compile(tree, str(path), "exec", dont_inherit=True))
             if code.co_firstlineno == start}  # fmt: skip
    found = False
    for value in gc.get_objects():
        if isinstance(value, FunctionType) and value.__code__.co_firstlineno == start:
            code = codes.get(value.__code__.co_name)
            if code is None or Path(value.__code__.co_filename).resolve() != path.resolve():
                continue
            if code.co_freevars != value.__code__.co_freevars:
                return False
            value.__code__ = code
            found = True
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the functions of a module and of its classes, not those inside functions."""
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield value
            if not value.co_flags & 2:  # a class body: it has no CO_NEWLOCALS
                yield from _codes(value)


def _limit(usual_s: Mapping[str, float]) -> None:
    """Bound memory, and the processor time of imports and all tests together."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    cpu_s = int(10 + 3 * sum(usual_s.values()))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
