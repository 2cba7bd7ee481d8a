"""The context of one plugin without a node around it: for tests of a role object alone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metanode.core.bus import Bus
from metanode.core.health import HealthRegistry
from metanode.core.home import solo_genesis
from metanode.core.hooks import PluginContext
from metanode.core.http import Route
from metanode.core.identity import fresh_identity
from metanode.core.metrics import MetricRegistry
from metanode.core.model.genesis import Genesis
from metanode.core.roles import Roles
from metanode.core.testing.clock import START_MS, SeededRandomness, VirtualClock
from metanode.core.testing.no_peers import NoPeers
from metanode.core.testing.workers import InlineWorkers


class _NoRoutes:
    def routes(self) -> Sequence[Route]:
        return ()


def context_of(
    plugin: str, *, seed: int, genesis: Genesis | None = None, data_dir: Path | None = None, **settings: Any
) -> PluginContext:
    """Return the context of a plugin in a node of its own, on trio's time.

    :param plugin: full name, `<role>.<name>`.
    :param seed: decides keys and chance.
    :param genesis: the chain; that of this node alone when none is given.
    :param settings: the plugin's own, complete.
    """
    randomness = SeededRandomness(seed)
    identity = fresh_identity(randomness)
    return PluginContext(
        plugin=plugin,
        settings=settings,
        data_dir=data_dir,
        genesis=genesis or solo_genesis(identity, genesis_ms=START_MS),
        identity=identity,
        roles=Roles(),
        clock=VirtualClock(),
        randomness=randomness,
        workers=InlineWorkers(),
        peers=NoPeers(),
        bus=Bus(),
        health=HealthRegistry(),
        metrics=MetricRegistry(),
        log=logging.getLogger(f"metanode.{plugin}"),
        http=_NoRoutes(),
    )
