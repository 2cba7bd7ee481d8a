"""`metanode config check|show`: the settings of a home, as the node would read them.  Imports no plugin."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from metanode.core.cli.console import Console
from metanode.core.cli.verbs import EXIT_OK
from metanode.core.discovery import Discovery, discover
from metanode.core.home import Home
from metanode.core.logs import redact
from metanode.core.model.errors import MetanodeError, PluginError
from metanode.core.roles import SINGLE_ROLES
from metanode.core.settings import Settings, not_installed


class Config:
    """The verb."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add `check` and `show`."""
        actions = parser.add_subparsers(dest="action", metavar="check|show", required=True)
        check = actions.add_parser("check", help="say what would stop a start")
        show = actions.add_parser("show", help="print every setting with its value, defaults included")
        for action in (check, show):
            action.add_argument("--plugins-dir", type=Path, metavar="DIR", help="also know single-file plugins of DIR")
            action.add_argument("--safe-mode", action="store_true", help="know built-in plugins only")

    def run(self, args: argparse.Namespace) -> int:
        """Check, and for `show` print."""
        console: Console = args.console
        home = Home(args.home)
        settings = home.settings()
        discovery = discover(plugins_dir=args.plugins_dir, safe_mode=args.safe_mode)
        tables = effective(settings, discovery)
        if args.action == "show":
            console.result({"ok": True, "source": settings.source, **tables}, as_toml(tables))
            return EXIT_OK
        genesis = home.genesis()
        missing = [path for path in (home.keys_dir / f"{name}.key" for name in _key_names()) if not path.is_file()]
        if missing:
            raise MetanodeError("FILE_MISSING", f"{missing[0]} does not exist", "the keys that `metanode init` made")
        value = {"ok": True, "source": settings.source, "plugins": list(settings.selected), "chain": genesis.chain_name}
        chosen = ", ".join(settings.selected)
        console.result(value, f"{console.style('ok', 'green')} {settings.source}: chain {genesis.chain_name}; {chosen}")
        return EXIT_OK


def effective(settings: Settings, discovery: Discovery) -> dict[str, Any]:
    """Return `node`, `roles` and `plugins` tables complete with defaults.

    :raises SettingsError: a plugin's table is wrong.
    :raises PluginError: a selected plugin is not installed or its manifest is broken.
    """
    settings.check_tables(discovery)
    plugins: dict[str, Any] = {}
    for name in settings.selected:
        if name not in discovery.manifests:
            for row in discovery.broken:
                if row.name == name:
                    raise PluginError("PLUGIN_BROKEN", f"{name}: {row.reason}", f"a working manifest in {row.source}")
            raise not_installed(name, discovery, settings.source)
        values = settings.for_plugin(discovery.manifests[name])
        if values:
            role, _, short = name.partition(".")
            plugins.setdefault(role, {})[short] = {key: redact(key, _plain(value)) for key, value in values.items()}
    roles = {role: names[0] if role in SINGLE_ROLES else list(names) for role, names in settings.roles.items()}
    tables: dict[str, Any] = {"node": asdict(settings.node), "roles": roles}
    if settings.peers.dial or settings.peers.allow:
        tables["peers"] = settings.peers.as_values()
    return {**tables, "plugins": plugins}


def as_toml(tables: Mapping[str, Any]) -> list[str]:
    """Return the tables as lines of TOML."""
    lines: list[str] = []
    flat = [(name, tables[name]) for name in ("node", "roles", "peers") if name in tables]
    flat += [(f"plugins.{role}.{name}", row) for role, rows in tables["plugins"].items() for name, row in rows.items()]
    for name, table in flat:
        lines += [*([""] if lines else []), f"[{name}]"]
        # JSON's spelling of texts, integers, booleans and lists of texts is TOML's too.
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()]
    return lines


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _key_names() -> tuple[str, ...]:
    from metanode.core.identity import KEY_NAMES  # here: it loads cryptography, which `show` does not need

    return KEY_NAMES


VERB = Config()
