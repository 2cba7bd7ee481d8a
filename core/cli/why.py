"""`metanode why`: say in words why there is no block, from what the node, its peers and its home tell.

Exit code 0 when nothing is wrong (the next block is not due, or is being agreed on), 20 when a cause is named.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from metanode.core.cli.console import Console
from metanode.core.cli.dev import NETWORK_FILE
from metanode.core.cli.node_api import DEFAULT_NODE
from metanode.core.cli.verbs import EXIT_CONSENSUS, EXIT_OK
from metanode.core.cli.why_causes import WELL, Finding, Known, View, explain
from metanode.core.home import Home
from metanode.core.light.http_client import HttpClient
from metanode.core.model.errors import MetanodeError

ANSWER_S_MAX = 3.0
"""Longest wait for a node's answer."""
FREE_BYTES_MIN = 1024 * 1024
"""A file system with less room than this is full: a large block is written twice, to the log and to the database."""


class WhyVerb:
    """Explain."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add whom to ask."""
        parser.add_argument(
            "--node", action="append", metavar="URL",
            help=f"the node to ask, or several (default: that of --home, else $METANODE_NODE or {DEFAULT_NODE})",
        )  # fmt: skip

    def run(self, args: argparse.Namespace) -> int:
        """Ask, explain; one line for each node that was asked."""
        console: Console = args.console
        known: Mapping[str, Known] = {}
        if args.node:
            views = [_ask(url, url) for url in args.node]
        else:
            known = _known(args.home)
            views = _views_of_home(args.home)
        findings = [explain(view, [other for other in views if other is not view], known) for view in views]
        worst = _worst(findings)
        value = {"ok": worst.cause in WELL, "cause": worst.cause, "words": worst.words}
        console.result({**value, "nodes": [asdict(finding) for finding in findings]}, _lines(console, findings))
        return EXIT_OK if worst.cause in WELL else EXIT_CONSENSUS


def _worst(findings: list[Finding]) -> Finding:
    """Return what most nodes that are in trouble say: the cause of the network's trouble, if it has one."""
    bad = [finding for finding in findings if finding.cause not in WELL] or findings
    causes = [finding.cause for finding in bad]
    return max(bad, key=lambda finding: causes.count(finding.cause))


def _lines(console: Console, findings: list[Finding]) -> list[str]:
    lines = []
    for finding in findings:
        color = "green" if finding.cause in WELL else "red"
        lines.append(f"{finding.node}: {console.style(finding.cause, color)}: {finding.words}")
        if finding.cure:
            lines.append(f"    what helps: {finding.cure}")
        lines += [f"    also: {note}" for note in finding.notes]
    return lines


def _views_of_home(path: Path) -> list[View]:
    """Ask every node of a network's directory, or the one of a home, or the one that other verbs ask."""
    rows = _network(path)
    if rows:
        return [_ask_home(Home(Path(row["home"])), row["name"]) for row in rows]
    if Home(path).settings_file.is_file():
        return [_ask_home(Home(path), path.name)]
    url = os.environ.get("METANODE_NODE", DEFAULT_NODE)
    return [_ask(url, url)]


def _ask_home(home: Home, name: str) -> View:
    running = home.read_running()
    if running is None:
        return _not_running(home, name)
    addresses = running.get("addresses") or []
    if not addresses:
        return View(name, None, "it runs, and serves no API yet")
    view = _ask(str(addresses[0]), name)
    if view.status is not None:
        return view
    state = _process_state(int(running["pid"]))
    words = "was stopped by a signal" if state == "T" else "does not answer"
    return View(name, None, f"its process {running['pid']} {words}: {view.trouble}", "node-stopped")


def _not_running(home: Home, name: str) -> View:
    room = os.statvfs(home.path)
    free = room.f_bavail * room.f_frsize
    if free < FREE_BYTES_MIN:
        return View(name, None, f"it does not run, and its disk has {free} bytes left at {home.path}", "disk-full")
    return View(name, None, f"no node of {home.path} runs")


def _ask(url: str, name: str) -> View:
    try:
        status: dict[str, Any] = HttpClient(url, timeout_s=ANSWER_S_MAX).get("/v1/status").require()
    except MetanodeError as error:
        if error.code == "NOT_FOUND":
            cure = '[roles] api = ["http", "status"] in its settings'
            raise MetanodeError("NOT_FOUND", f"{url} does not tell its status", cure) from error
        if error.code not in ("UNREACHABLE", "TIMEOUT"):
            raise
        return View(name, None, error.message)
    return View(str(status["name"]), status)


def _network(path: Path) -> list[dict[str, Any]]:
    """Return the rows of the network.json there, none when there is none."""
    try:
        rows: list[dict[str, Any]] = json.loads((path / NETWORK_FILE).read_text())["nodes"]
    except (OSError, ValueError, KeyError):
        return []
    return rows


def _known(path: Path) -> Mapping[str, Known]:
    """Return nodes by consensus key, as the network of this home tells them."""
    rows = _network(path) or _network(path.resolve().parent)
    return {row["consensus_key"]: Known(row["name"], row["node_key"]) for row in rows}


def _process_state(pid: int) -> str:
    """Return the state letter of a process (proc(5)), empty where that is not told."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


VERB = WhyVerb()
