"""Simulate validators in trouble under many seeds: `make soak-sim`; or one again: `--size 4 --seed 123`.

What is done is kept in build/soak/sim.json, so a run that was interrupted goes on where it stopped.  Sizes
take turns.  A failing seed ends the run and leaves a message-sequence chart in build/soak/.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "simulation"))

from simkit.runs import first_fault, replay  # noqa: E402 - found only now

STATE = ROOT / "build" / "soak" / "sim.json"
SIZES = (4, 7, 4, 9, 4, 5, 4, 3)
PIECE = 50
SEEDS_WANTED = 100_000


def main() -> int:
    """Run the seeds that are missing; 0 once all have passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=SEEDS_WANTED, help=f"how many in all (default {SEEDS_WANTED})")
    parser.add_argument("--minutes", type=float, default=55, help="stop after this; run again to go on (default 55)")
    parser.add_argument("--processes", type=int, default=1, help="how many at once (default 1)")
    parser.add_argument("--size", type=int, default=4, help="validators, with --seed (default 4)")
    parser.add_argument("--seed", type=int, help="run this one and draw it")
    args = parser.parse_args()
    if args.seed is not None:
        fault, path = replay(args.seed, args.size, ROOT / "build" / "soak")
        print(f"{fault or 'no invariant was broken'}\n{path}")
        return 1 if fault else 0
    state = json.loads(STATE.read_text()) if STATE.exists() else {"seeds": 0, "seconds": 0.0}
    end = time.monotonic() + args.minutes * 60
    with multiprocessing.Pool(args.processes) as pool:
        while state["seeds"] < args.seeds and time.monotonic() < end:
            started = time.monotonic()
            first = state["seeds"]
            starts = [first + PIECE * piece for piece in range(args.processes)]
            faults = pool.map(_piece, starts)
            for fault in filter(None, faults):
                print(fault)
                return 1
            seconds = round(state["seconds"] + time.monotonic() - started, 1)
            state = {"seeds": starts[-1] + PIECE, "seconds": seconds}
            STATE.parent.mkdir(parents=True, exist_ok=True)
            STATE.write_text(json.dumps(state) + "\n")
            print(f"{state['seeds']:7} of {args.seeds} seeds, {state['seconds']:.0f} s", flush=True)
    if state["seeds"] < args.seeds:
        print("time is up; run again to go on")
        return 0
    print(f"{state['seeds']} seeds: no invariant was broken")
    return 0


def _piece(first: int) -> str:
    return first_fault(range(first, first + PIECE), SIZES[first // PIECE % len(SIZES)])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted; run again to go on")
        sys.exit(130)
