"""Error rates of the fingerprint on the labelled corpora: `make accuracy`.

    python contrib/accuracy/run.py            print the figures; write docs/accuracy.md and held_out.toml
    python contrib/accuracy/run.py --check    write nothing; exit code 1 when either is not in step
    python contrib/accuracy/run.py --json     write nothing; every figure and every sample as JSON

samples.py replays the corpora, figures.py counts, page.py puts it into words.  The third held out is chosen by the
files' hashes and listed in held_out.toml, so that a change of it shows in a diff.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from figures import as_json
from page import render
from samples import DumpSample, ProbeSample, dumps, is_held_out, probes

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "accuracy.md"
HELD_OUT = Path(__file__).resolve().parent / "held_out.toml"


def held_out(dump_samples: Sequence[DumpSample], probe_samples: Sequence[ProbeSample]) -> str:
    """Return the list of the files held out: hash to path below tests/corpus, by rising hash."""
    files = {sample.sha256: f"{sample.folder}/{sample.name}.txt" for sample in dump_samples}
    captures = {sample.sha256: f"probes/{sample.name}.json" for sample in probe_samples}
    lines = [
        "# Files of tests/corpus whose SHA-256 is divisible by 3; written by `make accuracy`, see docs/accuracy.md"
    ]
    for title, names in (("dumps", files), ("probes", captures)):
        lines += ["", f"[{title}]"]
        lines += [f'{sha256} = "{names[sha256]}"' for sha256 in sorted(names) if is_held_out(sha256)]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0, or 1 when `--check` finds something stale."""
    parser = argparse.ArgumentParser(description="Error rates of the fingerprint on the labelled corpora.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="write nothing; fail when page or list is not in step")
    what.add_argument("--json", action="store_true", help="write nothing; print figures and samples as JSON")
    options = parser.parse_args(arguments)
    dump_samples, probe_samples = dumps(), probes()
    if options.json:
        print(json.dumps(as_json(dump_samples, probe_samples), indent=1, sort_keys=True))
        return 0
    fresh = {PAGE: render(dump_samples, probe_samples), HELD_OUT: held_out(dump_samples, probe_samples)}
    if options.check:
        stale = [path for path, text in fresh.items() if _is_stale(path, text)]
        return int(bool(stale))
    for path, text in fresh.items():
        path.write_text(text, encoding="utf-8")
    print(fresh[PAGE])
    print(f"wrote {' and '.join(path.name for path in fresh)}")
    return 0


def _is_stale(path: Path, fresh: str) -> bool:
    """Tell whether a file differs from what it should be, and print how."""
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    difference = difflib.unified_diff(
        kept.splitlines(), fresh.splitlines(), f"{path.name} as it is", f"{path.name} as it should be", n=0, lineterm=""
    )
    for line in difference:
        print(line, file=sys.stderr)
    if kept != fresh:
        print(f"{path.name} is stale: run `make accuracy`", file=sys.stderr)
    return kept != fresh


if __name__ == "__main__":
    sys.exit(main())
