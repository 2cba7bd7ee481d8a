"""`make soak-durability`: the whole suite, seed after seed, resumable; prints what was tried.

Every seed has a directory below build/durability with its recording and one line per finished job; a run that is
broken off goes on where it stopped.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from powercut import components, recording, suite

PARTS = 16
"""Into how many parts the long jobs are cut: a broken-off run repeats at most one per process."""


def run_job(directory: Path, job: str) -> dict[str, Any]:
    """Return the report of a job, from the results of an earlier run where it is there."""
    results = directory / f"{job.replace(':', '-').replace('/', 'of')}.json"
    if not results.exists():
        command = [sys.executable, "-m", "powercut.suite", str(directory), "soak", job]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{job}: {done.stderr[-2000:]}")
        results.with_suffix(".new").write_text(done.stdout)
        results.with_suffix(".new").rename(results)
    report: dict[str, Any] = json.loads(results.read_text())
    return report


def run_seed(root: Path, seed: int, deadline: float, processes: int) -> tuple[bool, list[dict[str, Any]]]:
    """Return (finished, reports) of one seed."""
    directory = root / f"seed-{seed}"
    directory.mkdir(parents=True, exist_ok=True)
    suite.record(directory, suite.LEVELS["soak"], seed)
    jobs = [f"component:{name}" for name in components.COMPONENTS]
    jobs += [f"{kind}:{number}/{PARTS}" for kind in ("syncs", "restarts", "states") for number in range(PARTS)]
    reports = []
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        waiting = list(jobs)
        running: set[concurrent.futures.Future[dict[str, Any]]] = set()
        while running or (waiting and time.monotonic() < deadline):
            while waiting and len(running) < processes and time.monotonic() < deadline:
                running.add(pool.submit(run_job, directory, waiting.pop(0)))
            done, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                report = future.result()
                reports.append(report)
                tried = Counter(report["tally"] | {"violations": 0}) + Counter(report["mutated"] | {"violations": 0})
                print(f"seed {seed} {report['job']:18} {dict(tried)} {report['seconds']} s", flush=True)
    return not waiting, reports


def judge(reports: list[dict[str, Any]]) -> list[str]:
    """Print the sums and return what is wrong."""
    wrong = [f"{report['job']}: {broken}" for report in reports for broken in report["broken"]]
    wrong += [f"{report['job']}: {label} is never missed" for report in reports for label in report["alive_own"]]
    sums: Counter[str] = Counter()
    killed: Counter[str] = Counter()
    alive: Counter[str] = Counter()
    repeated: Counter[str] = Counter()
    lines: dict[str, bool] = {}
    for report in reports:
        repeated += Counter(report["repeated"])
        for line, seen in report["lines"].items():
            lines[line] = seen or lines.get(line, False)
        sums += Counter(report["tally"] | {"violations": 0})
        sums += Counter({f"mutated {name}": count for name, count in report["mutated"].items() if name != "violations"})
        killed += Counter(report["killed"])
        alive += Counter(report["alive"])
    print(dict(sums))
    print(f"syncs whose loss is seen: {sum(killed.values())} in {len(killed)} classes; "
          f"repeated by later ones: {sum(repeated.values())}; of SQLite's, unseen: {sum(alive.values())}")
    print(f"lines of ours that sync: {len(lines)}, of which seen: {sum(lines.values())}")
    wrong += [f"the sync of {line} is never missed" for line, seen in lines.items() if not seen]
    for label, count in sorted(alive.items()):
        print(f"  {count:4} {label}: {killed[label]} others of the class are seen")
        if not killed[label]:
            wrong.append(f"no sync of the class {label} is missed")
    return wrong


def main() -> int:
    """Run seeds until the time is over; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=55)
    parser.add_argument("--directory", type=Path, default=Path("build/durability"))
    parser.add_argument("--processes", type=int, default=min(4, os.cpu_count() or 1))
    args = parser.parse_args()
    os.environ["PYTHONPATH"] = f"{suite.HERE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    args.directory.mkdir(parents=True, exist_ok=True)
    if recording.build(args.directory) is None:
        print("skipped: no C compiler that can build the power-cut recorder")
        return 0
    deadline = time.monotonic() + args.minutes * 60
    reports: list[dict[str, Any]] = []
    finished = 0
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        whole, found = run_seed(args.directory.resolve(), seed, deadline, args.processes)
        reports += found
        if not whole:
            print(f"time is over within seed {seed}; the next run goes on there")
            break
        finished += 1
    wrong = judge(reports)
    print(f"{finished} of {args.seeds} seeds whole, from {args.first_seed}; {len(wrong)} wrong")
    for line in wrong:
        print(f"WRONG {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
