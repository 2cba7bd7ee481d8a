"""Settings of a node: TOML or a mapping in, frozen and checked values out.

Every refusal names file, key, value, what is allowed, and the nearest known key.
A plugin's own table is checked against its manifest, so no plugin checks types itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from metanode.core.discovery import Discovery
from metanode.core.manifests import Manifest, SettingSpec, read_toml, shown
from metanode.core.model.errors import PluginError, SettingsError
from metanode.core.peer_settings import PEERS_SETTINGS, PeersSettings
from metanode.core.roles import MANY_ROLES, SINGLE_ROLES

NODE_SETTINGS: dict[str, SettingSpec] = {
    "name": SettingSpec("text", "metanode", help="what this node calls itself in logs"),
    "log_level": SettingSpec("text", "info", choices=("debug", "info", "warning", "error"), help="lowest level logged"),
    "start_timeout_s": SettingSpec("int", 30, min=1, max=3600, help="start deadline of a plugin that names none"),
    "stop_timeout_s": SettingSpec("int", 10, min=1, max=600, help="how long to wait for a plugin to stop"),
    "failures_max": SettingSpec("int", 5, min=0, max=100, help="failures within failure_window_s before quarantine"),
    "failure_window_s": SettingSpec("int", 600, min=1, max=86400, help="how long a failure of a plugin counts"),
    "blocked_ms": SettingSpec("int", 2000, min=0, max=60000, help="name what blocks the loop for longer; 0 is off"),
}
"""The `[node]` table."""

DEVNET_ROLES: dict[str, str | list[str]] = {
    "storage": "memory", "ledger": "attested", "mempool": "fifo", "consensus": "solo", "transport": [], "api": [],
}
"""The roles of `Settings.devnet()`: a whole node in memory."""


@dataclass(frozen=True)
class NodeSettings:
    """The `[node]` table; keys and limits are in `NODE_SETTINGS`."""

    name: str
    log_level: str
    start_timeout_s: int
    stop_timeout_s: int
    failures_max: int
    failure_window_s: int
    blocked_ms: int


@dataclass(frozen=True)
class Settings:
    """A node's configuration, its shape checked; plugin tables are checked by `for_plugin`."""

    node: NodeSettings
    roles: Mapping[str, tuple[str, ...]]
    """Short plugin names per role; exactly one for a single role."""
    plugins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Raw tables by full plugin name."""
    source: str = "settings"
    """The file, for error messages."""
    peers: PeersSettings = PeersSettings()

    @classmethod
    def from_file(cls, path: Path) -> Settings:
        """Read a TOML file.

        :raises SettingsError: it cannot be read, or a value cannot work.
        """
        return cls.from_mapping(read_toml(path), source=str(path))

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any], *, source: str = "settings") -> Settings:
        """Check a mapping shaped like the TOML file: `node`, `roles`, `peers`, `plugins`.

        :raises SettingsError: a key is unknown, or a value is not allowed.
        """
        _known(table, ("node", "roles", "peers", "plugins"), source, "top level")
        node = complete(_table(table, "node", source), NODE_SETTINGS, source, "node")
        roles = _roles(_table(table, "roles", source), source)
        peers = complete(_table(table, "peers", source), PEERS_SETTINGS, source, "peers")
        peers_settings = PeersSettings.from_values(peers, source)
        return cls(NodeSettings(**node), roles, _plugins(table, source), source, peers_settings)

    @classmethod
    def devnet(cls, *, api: Iterable[str] = (), plugins: Mapping[str, Mapping[str, Any]] | None = None) -> Settings:
        """Settings of a whole node in memory: one validator, nothing on disk.

        :param api: listeners to start, e.g. `["http"]`.
        :param plugins: tables by full plugin name, e.g. `{"api.http": {"port": 0}}`.
        """
        tables: dict[str, dict[str, Any]] = {}
        for name, values in (plugins or {}).items():
            role, _, short = name.partition(".")
            tables.setdefault(role, {})[short] = values
        roles = {**DEVNET_ROLES, "api": list(api)}
        return cls.from_mapping({"roles": roles, "plugins": tables}, source="Settings.devnet()")

    @property
    def selected(self) -> tuple[str, ...]:
        """Full names of the configured plugins, in the order in which the kernel fills roles."""
        return tuple(f"{role}.{name}" for role in SINGLE_ROLES + MANY_ROLES for name in self.roles[role])

    def for_plugin(self, manifest: Manifest) -> Mapping[str, Any]:
        """Return a plugin's settings, complete with defaults, read-only.

        :raises SettingsError: a key is unknown or missing, or a value is not allowed.
        """
        given = self.plugins.get(manifest.name, {})
        return MappingProxyType(complete(given, manifest.settings, self.source, f"plugins.{manifest.name}"))

    def check_tables(self, discovery: Discovery) -> None:
        """Check every `[plugins...]` table against its manifest, also those of plugins not selected.

        :raises SettingsError: a table is wrong or belongs to no installed plugin.
        """
        known = set(discovery.manifests) | {row.name for row in discovery.broken} | set(self.selected)
        for name in self.plugins:
            if name not in known:
                raise _unknown(name, known, self.source, "plugins")
            if name in discovery.manifests:
                self.for_plugin(discovery.manifests[name])


def complete(given: Mapping[str, Any], specs: Mapping[str, SettingSpec], source: str, table: str) -> dict[str, Any]:
    """Return `given` with defaults filled in, in the order of `specs`.

    :raises SettingsError: a key is unknown or missing, or a value is not allowed.
    """
    _known(given, specs, source, f"[{table}]")
    values: dict[str, Any] = {}
    for key, spec in specs.items():
        if key not in given:
            if spec.required:
                raise SettingsError("BAD_SETTING", f"{source}: [{table}] lacks {key}", spec.allowed())
            value = spec.default
        else:
            value = given[key]
            if fault := spec.fault(value):
                raise SettingsError("BAD_SETTING", f"{source}: [{table}] {key} = {shown(value)} is not allowed", fault)
        # A tuple: a plugin must not be able to change what another node of this process reads.
        values[key] = tuple(value) if isinstance(value, list) else value
    return values


def not_installed(name: str, discovery: Discovery, source: str) -> PluginError:
    """Return the error for a plugin that `[roles]` names and nobody offers."""
    role, _, asked = name.partition(".")
    rivals = [known for known in discovery.manifests if known.startswith(f"{role}.")]
    near = difflib.get_close_matches(name, rivals, n=1)
    short = [rival.partition(".")[2] for rival in (near or sorted(rivals))]
    expected = f"did you mean {short[0]!r}?" if near else f"one of {', '.join(short) or 'none installed'}"
    message = f"{source}: [roles] {role} names {asked!r}, which is not installed"
    return PluginError("PLUGIN_UNKNOWN", message, expected)


def _roles(table: Mapping[str, Any], source: str) -> dict[str, tuple[str, ...]]:
    _known(table, SINGLE_ROLES + MANY_ROLES, source, "[roles]")
    roles: dict[str, tuple[str, ...]] = {}
    for role in SINGLE_ROLES + MANY_ROLES:
        single = role in SINGLE_ROLES
        if single and role not in table:
            # No default: a node that forgot its storage must not quietly run in memory.
            raise SettingsError("BAD_SETTING", f"{source}: [roles] lacks {role}", f"the name of a {role} plugin")
        value = table.get(role, [])
        if fault := SettingSpec("text" if single else "list").fault(value):
            raise SettingsError("BAD_SETTING", f"{source}: [roles] {role} = {shown(value)} is not allowed", fault)
        names = (value,) if single else tuple(value)
        if len(set(names)) != len(names):
            message = f"{source}: [roles] {role} = {shown(value)} names a plugin twice"
            raise SettingsError("BAD_SETTING", message, "each name once")
        roles[role] = names
    return roles


def _plugins(table: Mapping[str, Any], source: str) -> dict[str, Mapping[str, Any]]:
    plugins: dict[str, Mapping[str, Any]] = {}
    by_role = _table(table, "plugins", source)
    _known(by_role, SINGLE_ROLES + MANY_ROLES, source, "[plugins]")
    for role in by_role:
        for name in _table(by_role, role, source):
            plugins[f"{role}.{name}"] = dict(_table(by_role[role], name, source))
    return plugins


def _table(parent: Mapping[str, Any], key: str, source: str) -> Mapping[str, Any]:
    table = parent.get(key, {})
    if not isinstance(table, Mapping):
        named = key if key.isprintable() else shown(key)
        raise SettingsError(
            "BAD_SETTING", f"{source}: {named} = {shown(table)} is not a table", f"a table such as [{named}]"
        )
    return table


def _known(given: Mapping[str, Any], known: Iterable[str], source: str, where: str) -> None:
    for key in given:
        if key not in set(known):
            raise _unknown(key, known, source, where)


def _unknown(key: str, known: Iterable[str], source: str, where: str) -> SettingsError:
    names = sorted(known)
    near = difflib.get_close_matches(key, names, n=1)
    expected = f"did you mean {near[0]!r}?" if near else "one of " + (", ".join(names) or "none: it has no settings")
    return SettingsError("BAD_SETTING", f"{source}: {where} has no key {shown(key)}", expected)
