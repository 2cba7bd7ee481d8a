"""`metanode plugins`: every plugin of this machine, what it fills, and how it is doing.  Imports none of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from metanode.core.cli.console import Console
from metanode.core.cli.verbs import EXIT_OK
from metanode.core.discovery import Discovery, discover
from metanode.core.home import Home
from metanode.core.roles import MANY_ROLES, SINGLE_ROLES
from metanode.platforms.process import read_dump

_COLORS = {
    **dict.fromkeys(("broken", "blocking", "quarantined"), "red"), "restarting": "yellow",
    **dict.fromkeys(("selected", "running"), "green"),
}  # fmt: skip


class Row(NamedTuple):
    """One line of the list."""

    name: str
    role: str
    state: str
    """selected, available or broken; of a running node also running, restarting, quarantined or blocking."""
    summary: str


class Plugins:
    """The verb."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the options of `plugins`."""
        parser.add_argument("--role", choices=SINGLE_ROLES + MANY_ROLES, help="only plugins of this role")
        parser.add_argument("--plugins-dir", type=Path, metavar="DIR", help="also list single-file plugins of DIR")
        parser.add_argument("--safe-mode", action="store_true", help="list built-in plugins only")

    def run(self, args: argparse.Namespace) -> int:
        """List them."""
        console: Console = args.console
        home = Home(args.home)
        discovery = discover(plugins_dir=args.plugins_dir, safe_mode=args.safe_mode)
        # Without a home nothing is selected, but what could be is still worth a list.
        selected = home.settings().selected if home.settings_file.is_file() else ()
        running = home.read_running() or {}
        live = running.get("plugins", {})
        # Whoever keeps the node from running keeps it from saying so: the stacks it left tell.
        culprit, place = read_dump(home.running_file.parent, running.get("pid", 0))
        if culprit in live:
            live[culprit] = {"state": "blocking", "detail": f"nothing else runs while it is in {place}"}
        rows = [row for row in list_rows(discovery, selected, live) if args.role in (None, row.role)]
        shown = [(row.name, row.role, row.state, row.summary) for row in rows]
        lines = console.table(["name", "role", "state", "summary"], shown)
        for i, row in enumerate(rows, start=1):
            if row.state in _COLORS:
                lines[i] = lines[i].replace(f"  {row.state}", "  " + console.style(row.state, _COLORS[row.state]), 1)
        value = {"ok": True, "home": str(home.path), "plugins": [row._asdict() for row in rows]}
        console.result(value, lines)
        return EXIT_OK


def list_rows(
    discovery: Discovery, selected: tuple[str, ...], live: dict[str, dict[str, str]]
) -> list[Row]:
    """Return a row per plugin, selected ones first, in the order in which roles are filled.

    :param live: state and detail by name, of a node that runs now.
    """
    rows: list[Row] = []
    broken = {row.name: row for row in discovery.broken}
    for name in selected:
        role = name.partition(".")[0]
        state, detail = live.get(name, {}).get("state", "selected"), live.get(name, {}).get("detail", "")
        if name in discovery.manifests or name in live:
            summary = discovery.manifests[name].summary if name in discovery.manifests else ""
            rows.append(Row(name, role, state, detail or summary))
        else:
            rows.append(Row(name, role, "broken", broken[name].reason if name in broken else "not installed"))
    roles = SINGLE_ROLES + MANY_ROLES
    rest = [manifest for name, manifest in discovery.manifests.items() if name not in selected]
    rest.sort(key=lambda manifest: (roles.index(manifest.role), manifest.name))
    rows += [Row(manifest.name, manifest.role, "available", manifest.summary) for manifest in rest]
    return rows + [
        Row(row.name, row.name.partition(".")[0], "broken", row.reason)
        for row in discovery.broken
        if row.name not in selected or row.name in discovery.manifests
    ]


VERB = Plugins()
