"""How `metanode dev` shows a network: a table that is redrawn on a terminal, one line an event everywhere."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from metanode.core.cli.console import Console
from metanode.core.cli.dev_nodes import DevNode, DevNodes
from metanode.core.cli.dev_watch import Watch
from metanode.platforms.terminal import terminal_columns

LINE_S = 10.0
"""How often a line about the whole is printed where no table can be redrawn, seconds."""
HEADERS = ("node", "height", "round", "peers", "cpu", "rss", "waits for")


class View:
    """The output of one run."""

    def __init__(self, console: Console, nodes: DevNodes) -> None:
        self._console = console
        self._nodes = nodes
        self._live = console.out.isatty() and not console.json and os.environ.get("TERM") != "dumb"
        self._drawn = 0
        self._line_at = 0.0
        self._began = time.monotonic()

    def event(self, kind: str, words: str, **values: Any) -> None:
        """Print one line about something that happened."""
        self.clear()
        at_s = time.monotonic() - self._began
        if self._console.json:
            row = {"event": kind, "at_s": round(at_s, 1), "words": words, **values}
            print(json.dumps(row, sort_keys=True), file=self._console.out, flush=True)
        else:
            color = {"died": "red", "fork": "red", "stall": "yellow", "rising": "green"}.get(kind, "cyan")
            self._console.line(f"{at_s:7.1f} s  {self._console.style(kind, color)}  {words}")

    def show(self, watch: Watch, left_s: float | None) -> None:
        """Draw the table, or now and then a line."""
        block_s = watch.block_s()
        pace = "no block yet" if block_s is None else f"{block_s:.2f} s a block"
        if not self._live:
            if time.monotonic() - self._line_at >= LINE_S:
                self._line_at = time.monotonic()
                up = sum(status is not None for status in watch.statuses)
                words = f"height {watch.low} to {watch.height}, {pace}, {up} of {len(self._nodes)} nodes answer"
                self.event("height", words, height=watch.height, low=watch.low, nodes=up)
            return
        end = "Ctrl-C ends" if left_s is None else f"{max(0, left_s):.0f} s left"
        rows = [self._row(watch, node, status) for node, status in zip(self._nodes, watch.statuses, strict=True)]
        plain = Console(color=False).table(HEADERS, rows)  # cut below, which would cut through codes of colour
        lines = [f"height {watch.height}  {pace}  {end}", *plain]
        width = terminal_columns() - 1
        self.clear()
        self._console.out.write("".join(f"{line[:width]}\n" for line in lines))
        self._console.out.flush()
        self._drawn = len(lines)

    def clear(self) -> None:
        """Take the table away, so that the next text stands in its place."""
        if self._drawn:
            self._console.out.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def _row(self, watch: Watch, node: DevNode, status: dict[str, Any] | None) -> tuple[object, ...]:
        used, share = watch.usage(node), watch.cpu_share(node)
        cpu = "-" if share is None else f"{share * 100:.1f} %"
        rss = "-" if used is None else f"{used.rss_mib:.0f} MiB"
        if status is None:
            return node.name, "-", "-", "-", cpu, rss, "does not answer" if node.running else "not running"
        engine = status["consensus"]
        return (
            node.name, status["head"]["height"], engine["round"], len(status["connected"]), cpu, rss, engine["waiting"]
        )  # fmt: skip
