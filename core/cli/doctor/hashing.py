"""What hashes here, whether it is right, and how fast each way of it is.

One row per path: an instruction set for which the C extension has code. A path is *selected* (it hashes in every
program started like this one), *usable*, *excluded by METANODE_SIMD*, *not on this processor*, *not built* (the
compiler knew it not), or *dropped*: at the start of every program each path hashes the same inputs as the portable
one, and one that differs is never used. Here each path that may run is compared once more, with published answers of
BLAKE3 that the program carries: hash, keyed hash, derived key, batch, long output, list root. Without the extension
one row, *pure*, says so.

The columns are one input of 64 KiB in GB/s, and a batch of messages of 64 to 250 bytes, derive-key mode, in millions
per second; the best of five rounds, all rows in turn. Where the package blake3 of PyPI is installed, its row is for
comparison (its batch is a loop in Python); it never serves.

With `--json`: `ok`, `problems` (one text each), `implementation` (`shim` or `pure`), `selected`, `setting`
(METANODE_SIMD), `note` (why there is no extension) and `rows` with `name`, `built`, `supported`, `enabled`, `dropped`
(why, else empty), `selected`, and, where measured, `single_gb_s` and `batch_m_s`. Exit code 0 when everything that
may run is right; 1 when a path was dropped or differs, METANODE_SIMD names no path, or the extension is there and
cannot be used.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from typing import Any

from metanode.core.cli.console import Console
from metanode.core.cli.doctor.hashing_speed import BATCH, PEER, SINGLE, Job, measure, own_jobs, peer_jobs
from metanode.core.model import blake3 as pure
from metanode.core.model.blake3 import PureProvider
from metanode.platforms.shims import blake3 as shim
from metanode.platforms.shims.blake3.buffers import DIGEST_BYTES
from metanode.platforms.shims.blake3.paths import BEST_FIRST, VARIABLE, allowed
from metanode.platforms.shims.blake3.published import CONTEXT, KEY, VECTORS

SECONDS = 2.0
"""How long measuring takes where `--seconds` does not say."""
SECONDS_MAX = 600.0
"""Longest time to measure."""
OUTPUT_BYTES = 131
"""Output that takes more than two blocks."""
class Hashing:
    """The check."""

    help = "say what hashes here, check it against published answers, measure it"
    examples = (
        "metanode doctor hashing", "metanode doctor hashing --seconds 10", "metanode doctor hashing --json",
        "METANODE_SIMD=avx2 metanode doctor hashing",
    )  # fmt: skip

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add `--seconds`."""
        parser.add_argument(
            "--seconds", type=_seconds, default=SECONDS, metavar="N",
            help="how long to measure, 0 for not at all (default: %(default)g)",
        )  # fmt: skip

    def run(self, args: argparse.Namespace, console: Console) -> bool:
        """Check every path, then measure those that are right."""
        status, provider = shim.status(), shim.load()
        _, wrong_setting = allowed(os.environ)
        problems = [text for text in (status.problem if status.broken else "", wrong_setting) if text]
        problems += [f"path {state.name} is dropped: {state.dropped}" for state in status.paths if state.dropped]
        rows: dict[str, dict[str, Any]] = {}
        jobs: list[Job] = []
        by_name = {state.name: state for state in status.paths}
        try:
            for name in (name for name in BEST_FIRST if name in by_name):
                state = by_name[name]
                rows[name] = {**state._asdict(), "selected": name == status.selected}
                if state.usable and provider is not None:
                    shim.select(name)
                    differs = differences(provider)
                    problems += [f"path {name} differs from the published answers: {text}" for text in differs]
                    jobs += own_jobs(name, provider, partial(shim.select, name))
            if provider is None:
                rows["pure"] = {"name": "pure", "selected": True}
                problems += [f"pure Python differs from the published answers: {text}" for text in single(pure)]
                jobs += own_jobs("pure", PureProvider(), lambda: None)
            theirs = peer_jobs()
            if theirs:
                rows[PEER] = {"name": PEER, "selected": False}
            jobs += theirs
            for row, column, value in measure(jobs, args.seconds, console):
                rows[row][column] = value
        finally:
            if status.selected:
                shim.select(status.selected)
        self._answer(console, status, problems, list(rows.values()))
        return not problems

    def _answer(self, console: Console, status: shim.Status, problems: list[str], rows: list[dict[str, Any]]) -> None:
        setting = os.environ.get(VARIABLE, "")
        value = {"ok": not problems, "check": "hashing", "implementation": "shim" if status.selected else "pure",
                 "selected": status.selected, "setting": setting, "note": status.problem, "problems": problems,
                 "rows": rows}  # fmt: skip
        runs = f"the C extension, path {status.selected}" if status.selected else "pure Python"
        lines = [f"hashing: {console.style(runs, 'bold')}", f"{VARIABLE}: {setting or 'not set'}"]
        if status.problem and not status.broken:
            lines.append(f"slow, but right: {status.problem}")
        cells = [(row["name"], _state(row), _number(row.get(SINGLE)), _number(row.get(BATCH)))
                 for row in rows]  # fmt: skip
        lines += ["", *console.table(["path", "state", "64 KiB, GB/s", "batch, M/s"], cells), ""]
        lines += [console.style(f"wrong: {problem}", "red") for problem in problems]
        if not problems:
            lines.append(f"{console.style('ok', 'green')}: all that may run gives the published answers")
        console.result(value, lines)


def single(provider: Any) -> list[str]:
    """Return in what single hashes differ from the published answers; nothing when they are right."""
    wrong = []
    for data, (length, *expected) in zip(_inputs(), VECTORS, strict=True):
        got = provider.digest(data), provider.keyed(KEY, data), provider.derive_key(CONTEXT, data)
        wrong += [f"{mode} of {length} bytes" for mode, mine, theirs in
                  zip(("hash", "keyed hash", "derived key"), got, expected, strict=True)
                  if mine.hex() != theirs]  # fmt: skip
    return wrong


def _inputs() -> list[bytes]:
    return [bytes(i % 251 for i in range(length)) for length, *_ in VECTORS]


def differences(provider: Any) -> list[str]:
    """Return in what the selected path of the extension differs, batches and list roots included."""
    wrong, inputs = single(provider), _inputs()
    if [key.hex() for key in provider.derive_key_many(CONTEXT, inputs)] != [row[3] for row in VECTORS]:
        wrong.append("derived keys in a batch")
    if provider.digest(inputs[-1], OUTPUT_BYTES) != pure.digest(inputs[-1], OUTPUT_BYTES):
        wrong.append(f"{OUTPUT_BYTES} bytes of output")
    items = inputs * 3
    tree = provider.list_tree("leaf", "node", "root")
    leaves = [pure.derive_key("leaf", item) for item in inputs] * 3
    if tree.root(items) != _root(leaves):
        wrong.append("the root of a list")
    return wrong


def _root(leaves: list[bytes]) -> bytes:
    """The root over the hashes of items, by the reference."""
    level = leaves
    while len(level) > 1:
        pairs = [b"".join(level[i : i + 2]) for i in range(0, len(level), 2)]
        level = [pure.derive_key("node", pair) if len(pair) > DIGEST_BYTES else pair for pair in pairs]
    return pure.derive_key("root", len(leaves).to_bytes(8, "big") + b"".join(level))


def _state(row: dict[str, Any]) -> str:
    if row["selected"]:
        return "selected"
    if row["name"] == PEER:
        return "for comparison"
    if not row["built"]:
        return "not built"
    if not row["supported"]:
        return "not on this processor"
    if not row["enabled"]:
        return f"excluded by {VARIABLE}"
    return "dropped" if row["dropped"] else "usable"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {SECONDS_MAX:g}")
    return value


CHECK = Hashing()
