"""Topologies: how many nodes of which kind a network on one machine has, read from a preset or a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metanode.core.manifests import SettingSpec, read_toml, shown
from metanode.core.model.errors import SettingsError
from metanode.core.settings import complete

NODES_MAX = 100
"""Most nodes of either kind: more processes than any one machine should run."""
PRESETS_FILE = Path(__file__).parent / "data" / "topologies.toml"
KEYS: dict[str, SettingSpec] = {
    "network": SettingSpec("text", "devnet", choices=("devnet", "testnet", "mainnet")),
    "validators": SettingSpec("int", 4, min=1, max=NODES_MAX),
    "watchers": SettingSpec("int", 0, min=0, max=NODES_MAX),
}


@dataclass(frozen=True)
class Topology:
    """A network to start."""

    network: str
    """Whose genesis parameters."""
    validators: int
    watchers: int
    """Nodes without a vote."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Genesis parameters that differ from the network's."""
    settings: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    """Plugin tables for every node: role, plugin, values."""

    @property
    def names(self) -> tuple[str, ...]:
        """Validators v0, v1, ... by their index in the set, then watchers w0, w1, ..."""
        return (*(f"v{i}" for i in range(self.validators)), *(f"w{i}" for i in range(self.watchers)))


def presets() -> dict[str, Topology]:
    """Return the topologies that come with metanode."""
    return {name: _topology(row, f"{PRESETS_FILE.name} [{name}]") for name, row in read_toml(PRESETS_FILE).items()}


def load_topology(text: str) -> Topology:
    """Return a preset by its name, or what a file says.

    :raises SettingsError: neither, or a value cannot work.
    """
    known = presets()
    if text in known:
        return known[text]
    path = Path(text)
    if not path.suffix and not path.exists():
        raise SettingsError("BAD_SETTING", f"there is no topology {text!r}", f"{', '.join(known)}, or a TOML file")
    return _topology(read_toml(path), text)


def _topology(table: Mapping[str, Any], source: str) -> Topology:
    settings = table.get("settings", {})
    named = isinstance(settings, dict) and all(
        isinstance(role, dict) and all(isinstance(values, dict) for values in role.values())
        for role in settings.values()
    )
    if not named:
        raise SettingsError("BAD_SETTING", f"{source}: settings = {shown(settings)}", "tables [settings.ROLE.PLUGIN]")
    params = table.get("params", {})
    if not isinstance(params, dict):
        raise SettingsError("BAD_SETTING", f"{source}: params = {shown(params)}", "a table [params]")
    given = {key: value for key, value in table.items() if key not in ("params", "settings")}
    return Topology(**complete(given, KEYS, source, "topology"), params=params, settings=settings)
