"""Mutation testing of the model, the ledger's rules and scoring: `make soak-mutation`, or ONLY=core/model/codec.

Each mutant (operators.py) is tried (trial.py) by the tests that reach its function (reach.py): the module's own and,
when it survives them, the others of its part (scope.py).  All happens in a copy of the checkout below build/mutation.

Results go to build/mutation/<module>.json after each module, and a later run goes on from there: what was killed stays
killed while its module is unchanged, what survived is tried again when tests have changed.  Survivors that
docs/mutation.md explains are marked, and count as survivors all the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from explained import explained
from operators import Mutant, mutants_of, mutated_tree
from reach import Reach, Recorder
from scope import PARTS, Scope, scopes
from trial import (
    Collected,
    FirstFailure,
    MutantFinder,
    Trial,
    Verdict,
    fork,
    poll,
    preload,
    record,
    run_pytest,
    try_imported,
    try_patched,
    wait_for,
)

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "build" / "mutation"
COPIED = ("core", "plugins", "fingerprint", "miner", "platforms", "src", "tests", "docs", "contrib", "pyproject.toml")
SAMPLE = 100
"""Mutants tried of a module that has more."""
SLOW_S = 0.5
"""Of the other tests of a part, those that take longer are left out: a score can only be too low for it."""
SEED = 1
JOBS = 2
BAR = 85.0
"""Per cent of the mutants that tests must kill."""
KILLED = ("killed", "timeout", "crashed")
"""How a mutant can end by a test; a timeout is one, for a test that never ends is noticed too."""


def main() -> int:
    """Try the mutants and print scores; 1 when a baseline fails or the score of all is below the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="PREFIXES", help="modules that begin so: core/model,fingerprint")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="mutants a module, 0 for all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="which sample (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=JOBS, help="processes at a time (default: %(default)s)")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    parser.add_argument("--report", action="store_true", help="print what earlier runs found, try nothing")
    args = parser.parse_args()
    chosen = [scope for scope in scopes(ROOT) if scope.name.startswith(tuple(args.only.split(",")))]
    if not chosen:
        print(f"no module in scope begins with {args.only!r}; the parts are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    OUTPUT.mkdir(parents=True, exist_ok=True)
    if args.report:
        return report([found for scope in chosen if (found := read_result(scope)) is not None])
    os.nice(19)
    print(f"seed {args.seed}, {args.sample or 'all'} mutants of a module, {args.jobs} at a time", flush=True)
    tree = copy_checkout()
    preload()
    results = []
    try:
        for scope in chosen:
            results.append(try_module(scope, tree, args))
            print(line_of(results[-1]), flush=True)
    finally:
        shutil.rmtree(tree.parent, ignore_errors=True)
    return report(results)


def copy_checkout() -> Path:
    """Return a copy of what the tests read, so that edits of the checkout do not reach a run under way."""
    tree = OUTPUT / f"run-{os.getpid()}" / "tree"
    skipped = shutil.ignore_patterns("__pycache__", ".mypy_cache", "*.pyc")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, symlinks=True, ignore=skipped)
        else:
            shutil.copy2(source, tree / name)
    return tree


def reach_of(scope: Scope, tree: Path) -> Reach:
    """Run the tests of a part without a mutant, once, and return which functions each reaches."""
    path = tree.parent / f"reach-{digest(scope.wider)}.json"
    if not path.is_file():
        verdict = record(tree, scope.wider, Recorder(tree, [*PARTS], path))
        if not path.is_file():
            raise SystemExit(f"the tests in {scope.wider[0]} do not run without a mutant: {verdict}")
        for test in json.loads(path.read_text("utf-8"))["failed"]:
            print(f"left out, it fails without a mutant: {test}", flush=True)
    data = json.loads(path.read_text("utf-8"))
    if data["uncollected"] or not data["callers"]:
        raise SystemExit(f"the tests in {scope.wider[0]} do not load without a mutant: {data['uncollected']}")
    return Reach(data["seconds"], data["callers"])


def try_module(scope: Scope, tree: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Try the mutants of one module that have no result yet, and write its results."""
    began = time.monotonic()
    source = (tree / f"{scope.name}.py").read_text("utf-8")
    mutants = mutants_of(source)
    sample = mutants
    if 0 < args.sample < len(mutants):
        chance = random.Random(f"{args.seed} {scope.name}")
        shuffled = chance.sample(mutants, len(mutants))  # so that a larger sample holds a smaller one
        sample = sorted(shuffled[: args.sample], key=lambda mutant: (mutant.position, mutant.variant))
    tests = digest_of_tests(tree, scope)
    done = {} if args.fresh else known_verdicts(scope, digest([source]), tests)
    earlier_s = (read_result(scope) or {}).get("seconds", 0.0) if done else 0.0
    waiting = [mutant for mutant in sample if mutant.id not in done]
    if waiting:
        done.update(try_mutants(scope, tree, source, waiting, reach_of(scope, tree), args.jobs))
    result = {
        "module": scope.name,
        "source": digest([source]),
        "tests": tests,
        "seed": args.seed,
        "mutants": len(mutants),
        "tried": len(sample),
        "seconds": round(time.monotonic() - began + earlier_s, 1),
        "results": [{**asdict(mutant), **done[mutant.id]} for mutant in sample],
    }
    path = result_path(scope)
    path.with_suffix(".new").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    path.with_suffix(".new").replace(path)
    return result


def try_mutants(
    scope: Scope, tree: Path, source: str, mutants: Sequence[Mutant], reach: Reach, jobs: int
) -> dict[str, dict[str, Any]]:
    """Run against each mutant the module's own tests, then those of its part; a few mutants at a time."""
    done: dict[str, dict[str, Any]] = {}
    quick, thorough = [], []
    for mutant in mutants:
        reached = reach.tests_of(f"{scope.name}.py", mutant.starts)
        own = [test for test in reached if test.startswith(scope.own)]
        others = [test for test in reached if test not in own and reach.seconds[test] < SLOW_S]
        if not own and not others:
            done[mutant.id] = asdict(Verdict("survived", "", 0.0))
        elif mutant.starts and not reach.runs_early(f"{scope.name}.py", mutant.starts[0]):
            quick.append((mutant, [*own, *others]))
        else:
            thorough.append((mutant, [tests for tests in (own, others) if tests]))
    path = tree / f"{scope.name}.py"

    def import_it(mutant: Mutant, tests: list[str]) -> Trial:
        finder = MutantFinder(scope.dotted, mutated_tree(source, mutant), path)
        return try_imported(finder, tests, tree, reach.seconds)

    if quick:
        done.update(try_collected(scope, tree, source, quick, reach, jobs))
        unpatched = [(mutant, tests) for mutant, tests in quick if done[mutant.id]["outcome"] == "unpatched"]
        thorough += [(mutant, [tests]) for mutant, tests in unpatched]
    done.update(run_trials(thorough, import_it, jobs))
    return done


def try_collected(
    scope: Scope, tree: Path, source: str, work: Sequence[tuple[Mutant, list[str]]], reach: Reach, jobs: int
) -> dict[str, dict[str, Any]]:
    """Try mutants in children of a process that has collected the tests of the part."""
    output, first = tree.parent / "verdicts.json", FirstFailure()
    output.unlink(missing_ok=True)

    def use(items: dict[str, pytest.Item]) -> None:
        def patch_it(mutant: Mutant, tests: list[str]) -> Trial:
            mutated = mutated_tree(source, mutant)
            chosen = [items[test] for test in tests if test in items]
            return try_patched(mutated, tree / f"{scope.name}.py", mutant.starts[0], chosen, first, reach.seconds)

        found = run_trials([(mutant, [tests]) for mutant, tests in work], patch_it, jobs)
        output.write_text(json.dumps(found), "utf-8")

    files = sorted({test.partition("::")[0] for _, tests in work for test in tests})
    verdict = wait_for(fork(lambda writer: run_pytest(tree, files, Collected(use), first), 7200))
    if not output.is_file():
        raise SystemExit(f"{scope.name}: its tests do not load without a mutant: {verdict}")
    found: dict[str, dict[str, Any]] = json.loads(output.read_text("utf-8"))
    return found


def run_trials(
    work: Sequence[tuple[Mutant, list[list[str]]]], begin: Callable[[Mutant, list[str]], Trial], jobs: int
) -> dict[str, dict[str, Any]]:
    """Try mutants with one list of tests after the other while they survive, `jobs` at a time."""
    waiting = list(reversed(work))
    running: dict[int, tuple[Mutant, list[list[str]], Trial]] = {}
    done: dict[str, dict[str, Any]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant, stages = waiting.pop()
            trial = begin(mutant, stages[0])
            running[trial.pid] = mutant, stages[1:], trial
        for pid, (mutant, stages, trial) in list(running.items()):
            verdict = poll(trial)
            if verdict is not None:
                del running[pid]
                done[mutant.id] = asdict(verdict)
                if verdict.outcome == "survived" and stages:
                    waiting.append((mutant, stages))
        time.sleep(0.005)
    return done


def known_verdicts(scope: Scope, source: str, tests: str) -> dict[str, dict[str, Any]]:
    """Return the verdicts of an earlier run that still hold."""
    earlier = read_result(scope)
    if earlier is None or earlier["source"] != source:
        return {}
    keep = KILLED if earlier["tests"] != tests else (*KILLED, "survived")
    fields = ("outcome", "killed_by", "seconds")
    return {row["id"]: {name: row[name] for name in fields} for row in earlier["results"] if row["outcome"] in keep}


def result_path(scope: Scope) -> Path:
    """Return where a module's results are kept."""
    return OUTPUT / f"{scope.name.replace('/', '.')}.json"


def read_result(scope: Scope) -> dict[str, Any] | None:
    """Return the results of an earlier run."""
    path = result_path(scope)
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def digest(texts: Iterable[str]) -> str:
    """Return a short digest of some texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def digest_of_tests(tree: Path, scope: Scope) -> str:
    """Return a digest of every test that looks at a module."""
    files = [path for folder in scope.wider for path in sorted((tree / folder).rglob("*.py"))]
    return digest(path.read_text("utf-8") for path in files)


def score(results: Sequence[dict[str, Any]]) -> float:
    """Return the per cent of tried mutants that tests killed."""
    rows = [row for result in results for row in result["results"]]
    return 100 * sum(row["outcome"] in KILLED for row in rows) / max(1, len(rows))


def line_of(result: dict[str, Any]) -> str:
    """Return one module's row."""
    survivors = sum(row["outcome"] not in KILLED for row in result["results"])
    tried = f"{result['tried']}/{result['mutants']}"
    found = f"{tried:>9} tried {survivors:4} survive {score([result]):6.1f} %"
    return f"{result['module']:40} {found} {result['seconds']:7.1f} s"


def report(results: Sequence[dict[str, Any]]) -> int:
    """Print survivors, then the score of each module and part, and write summary.json."""
    told = explained(ROOT / "docs" / "mutation.md")
    rows = [(result, row) for result in results for row in result["results"]]
    survivors = [(result, row) for result, row in rows if row["outcome"] not in KILLED]
    known = 0
    for result, row in survivors:
        mark = "SURVIVED "
        if (result["module"], row["function"], row["change"]) in told:
            known, mark = known + 1, "explained"
        print(f"{mark} {result['module']}:{row['line']} {row['function']}: {row['change']}")
    killed = {(result["module"], row["function"], row["change"]) for result, row in rows if row["outcome"] in KILLED}
    alive = {(result["module"], row["function"], row["change"]) for result, row in survivors}
    for name in sorted((killed - alive) & set(told)):
        print(f"explained in docs/mutation.md, yet killed: {' '.join(name)}")
    print()
    for result in results:
        print(line_of(result))
    print()
    parts = {}
    for part in PARTS:
        own = [result for result in results if result["module"].startswith(f"{part}/")]
        if own:
            parts[part] = round(score(own), 1)
            print(f"{part:40} {sum(result['tried'] for result in own):9} tried {score(own):21.1f} %")
    total = {
        "bar": BAR,
        "all": round(score(results), 1),
        "tried": len(rows),
        "mutants": sum(result["mutants"] for result in results),
        "survivors": len(survivors),
        "explained": known,
        "seconds": round(sum(result["seconds"] for result in results), 1),
        "parts": parts,
        "modules": {result["module"]: round(score([result]), 1) for result in results},
    }
    (OUTPUT / "summary.json").write_text(json.dumps(total, indent=1) + "\n", "utf-8")
    print(f"{'all':40} {len(rows):9} tried {total['all']:21.1f} %, bar {BAR} %")
    print(f"{len(survivors)} survive, {known} of them explained in docs/mutation.md; {total['seconds']} s")
    return int(score(results) < BAR)


if __name__ == "__main__":
    sys.exit(main())
