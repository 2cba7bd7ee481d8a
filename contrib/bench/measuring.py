"""What every part of the benchmark uses: a result, alternating timers, and facts about the host and its processes."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
ROUNDS_MAX = 15
"""Most rounds of an alternating measurement."""
ROUNDS_MIN = 3
"""Fewest rounds, even when the budget is spent: a median of less says nothing."""

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class UnavailableError(Exception):
    """A part cannot run here; the text says why and stands in the result instead of a number."""


@dataclass(frozen=True)
class Result:
    """One row of the table and of build/bench.json."""

    id: str
    value: float | None
    """None when the part could not run; `conditions` then says why."""
    unit: str
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None
    """How many times better than the peer, by wall time; above 1 is better whatever the unit."""
    cpu_us: float | None = None
    """CPU per operation, microseconds, all threads of our side."""
    conditions: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object, numbers rounded to what the measurement carries."""
        return {key: rounded(item) if isinstance(item, float) else item for key, item in asdict(self).items()}


@dataclass(frozen=True)
class Timing:
    """Medians over the rounds, seconds per call."""

    wall_s: float
    cpu_s: float
    rounds: int


def rounded(value: float) -> float:
    """Return four significant digits."""
    return float(f"{value:.4g}")


def alternate(*actions: Callable[[], object], budget_s: float = 8.0) -> list[Timing]:
    """Time actions in turn, the order reversed every other round, so that a noisy moment hits all of them.

    CPU is that of the whole process, worker threads included.  One untimed round comes first.

    :param budget_s: no new round starts after this, save for the first ROUNDS_MIN.
    """
    for action in actions:
        action()
    samples: list[list[tuple[float, float]]] = [[] for _ in actions]
    deadline = time.monotonic() + budget_s
    for number in range(ROUNDS_MAX):
        if number >= ROUNDS_MIN and time.monotonic() > deadline:
            break
        order = list(enumerate(actions))
        for place, action in reversed(order) if number % 2 else order:
            wall, cpu = time.perf_counter(), time.process_time()
            action()
            samples[place].append((time.perf_counter() - wall, time.process_time() - cpu))
    return [
        Timing(statistics.median(wall for wall, _ in taken), statistics.median(cpu for _, cpu in taken), len(taken))
        for taken in samples
    ]


@dataclass(frozen=True)
class Finished:
    """A process that ran to its end."""

    output: str
    wall_s: float
    cpu_s: float
    rss_max_mib: float


def finish(command: list[str], *, timeout_s: float = 60.0) -> Finished:
    """Run a command and return its output and what it used, children included.

    :raises UnavailableError: it failed or took longer than `timeout_s`.
    """
    # A process in between reports the resources of exactly one child.
    reporter = (
        "import json, resource, subprocess, sys, time\n"
        "start = time.perf_counter()\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)\n"
        "wall = time.perf_counter() - start\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([done.returncode, done.stdout, done.stderr, wall,"
        " used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", reporter, *command],
            env=environment(), capture_output=True, text=True, timeout=timeout_s, check=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{_words(command)} took longer than {timeout_s:g} s") from None
    except subprocess.CalledProcessError as error:
        raise UnavailableError(f"{_words(command)}: {last_line(error.stderr)}") from None
    code, output, errors, wall_s, cpu_s, rss_max_mib = json.loads(done.stdout)
    if code:
        raise UnavailableError(f"{_words(command)} ended with code {code}: {last_line(errors or output)}")
    return Finished(output, wall_s, cpu_s, rss_max_mib)


def environment() -> dict[str, str]:
    """Return what child processes run with: bytecode is kept, as an installation keeps it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def python(*words: str) -> list[str]:
    """Return the command that runs this interpreter with these arguments."""
    return [sys.executable, *words]


def last_line(text: str) -> str:
    """Return the last line that says anything, shortened."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][-200:] if lines else "no output"


def rss_mib(pid: int) -> float:
    """Return the resident memory of a running process, MiB.

    :raises UnavailableError: it is gone, or this system has no /proc.
    """
    return _status_mib(pid, "VmRSS:")


def rss_peak_mib(pid: int) -> float:
    """Return the most resident memory that a running process ever had, MiB.

    :raises UnavailableError: as `rss_mib`.
    """
    return _status_mib(pid, "VmHWM:")


def _status_mib(pid: int, name: str) -> float:
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise UnavailableError(f"memory of process {pid}: {error.strerror}") from None
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise UnavailableError(f"process {pid} has ended")


def cpu_s(pid: int) -> float:
    """Return the user and system time that a running process has used, seconds.

    :raises UnavailableError: it is gone, or this system has no /proc.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise UnavailableError(f"CPU time of process {pid}: {error.strerror}") from None
    fields = text.rpartition(")")[2].split()  # the name before it may hold spaces
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def host() -> dict[str, Any]:
    """Describe the machine: what a reader needs to compare numbers, and nothing that names it."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def load_words() -> str:
    """Return how busy the machine was lately, in words."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def commit() -> str:
    """Return the commit that was measured, with `+changes` when the tree differs from it."""
    try:
        run = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
        changes = subprocess.run(["git", "status", "--short"], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    if run.returncode:
        return "unknown"
    return run.stdout.strip() + ("+changes" if changes.stdout.strip() else "")


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "cpu", "Hardware"):
                return value.strip()
    return platform.processor() or "unknown"


def _words(command: list[str]) -> str:
    shown = [Path(word).name if index == 0 else word for index, word in enumerate(command)]
    return " ".join(shown)[:120]
