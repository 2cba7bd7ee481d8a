"""Every hook of metanode, in the order in which the kernel calls them.

Hooks are synchronous and return role objects, whose async methods the kernel then runs.
The verb fixes the rule: `provide_` is answered by exactly the one configured plugin,
`register_` answers are joined, `on_` is told after the fact and cannot refuse.
Every hook takes one keyword-only `context`.  Each group has its own api version
(`HOOK_API`); a manifest names the versions it was written for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

from metanode.core.roles import Api, Consensus, Ledger, Mempool, Peers, Roles, Storage, Transport

if TYPE_CHECKING:
    import logging

    from metanode.core.bus import Bus
    from metanode.core.clock import Clock, Randomness
    from metanode.core.health import HealthRegistry
    from metanode.core.http import Route
    from metanode.core.identity import Identity
    from metanode.core.metrics import MetricRegistry
    from metanode.core.model.genesis import Genesis
    from metanode.core.workers import Workers

hookspec = pluggy.HookspecMarker("metanode")
hookimpl = pluggy.HookimplMarker("metanode")

HOOK_API: dict[str, int] = {"roles": 1, "http": 1, "events": 1}
"""Version of each hook group: `provide_*`/`register_<role>`, `register_routes`, `on_*`."""


class RouteSource(Protocol):
    """Where a listener asks for the routes of all plugins."""

    def routes(self) -> Sequence[Route]:
        """Return the joined answers of `register_routes`, checked for duplicates."""


@dataclass(frozen=True)
class PluginContext:
    """What a plugin may use.  Everything else it must be given through its settings."""

    plugin: str
    """Full name, `<role>.<name>`."""
    settings: Mapping[str, Any]
    """The plugin's own table, complete with defaults, read-only."""
    data_dir: Path | None
    """A directory of the plugin's own below the node's home; None for a node without a home."""
    genesis: Genesis
    identity: Identity
    """The node's keys (`node`, `consensus`, `vrf`, `sponsor`)."""
    roles: Roles
    """Role objects filled so far; all of them once `run` is called."""
    clock: Clock
    randomness: Randomness
    workers: Workers
    """Where blocking work runs."""
    peers: Peers
    bus: Bus
    health: HealthRegistry
    metrics: MetricRegistry
    log: logging.Logger
    http: RouteSource


class HookSpecs:
    """The hooks.  A plugin implements the ones its manifest's role asks for."""

    @hookspec(firstresult=True)
    def provide_storage(self, context: PluginContext) -> Storage | None:
        """Return the node's storage, unopened.

        Called once, before any other role, on the one plugin that `[roles] storage` names.
        The kernel calls `open` before it fills the next role, and closes it last.

        :raises SettingsError: a setting is missing or out of range.
        Provided by: `plugins/storage/memory`, `plugins/storage/sqlite`.
        """

    @hookspec(firstresult=True)
    def provide_ledger(self, context: PluginContext) -> Ledger | None:
        """Return the rules of accounts and machines for `context.genesis`.

        Called after storage is open, on the one plugin that `[roles] ledger` names.
        Consensus-critical: reads neither clock nor randomness.

        Provided by: `plugins/ledger/attested`.
        """

    @hookspec(firstresult=True)
    def provide_mempool(self, context: PluginContext) -> Mempool | None:
        """Return the pool of waiting envelopes.

        Called after the ledger is filled, on the one plugin that `[roles] mempool` names.

        Provided by: `plugins/mempool/fifo`.
        """

    @hookspec(firstresult=True)
    def provide_consensus(self, context: PluginContext) -> Consensus | None:
        """Return the engine that makes blocks final.

        Called after the mempool is filled, on the one plugin that `[roles] consensus` names.
        The engine restores the head from storage in `run` before it reports `started`.

        Provided by: `plugins/consensus/solo`.
        """

    @hookspec
    def register_transport(self, context: PluginContext) -> Transport | None:
        """Return a way to reach other nodes.

        Called once per plugin named in `[roles] transport`, after all single roles have started.

        Provided by: `plugins/transport/memory`, `plugins/transport/noise`.
        """

    @hookspec
    def register_api(self, context: PluginContext) -> Api | None:
        """Return a listener.

        Called once per plugin named in `[roles] api`, after all single roles have started.

        Provided by: `plugins/api/http`.
        """

    @hookspec
    def register_routes(self, context: PluginContext) -> Sequence[Route] | None:
        """Return HTTP routes that the listener of this node shall serve.

        Called once on every active plugin when the listener starts.  Two plugins may not
        register the same method and path: the node refuses to start and names both.

        Provided by: `plugins/api/http`, `plugins/ledger/attested`.
        """

    @hookspec
    def on_block_finalized(self, context: PluginContext, height: int, header_hash: bytes) -> None:
        """A block is final and durable.

        Told to every active plugin, in no promised order.  Must return quickly; an exception
        is logged with the plugin's name, counted, and goes no further.

        Provided by: example plugins in `contrib/`.
        """
