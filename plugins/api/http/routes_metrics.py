"""`GET /metrics`: every counter and gauge of the node for a collector.

A route of the listener and not a plugin of its own: what is measured lives in the kernel's registry, so all that is
missing is a page, and a role for it would be one more setting to get wrong.
"""

from __future__ import annotations

from metanode.core.hooks import PluginContext
from metanode.core.http import Request, Response, Route
from metanode.core.metrics import CONTENT_TYPE


class MetricsRoutes:
    """The handler; its cost grows with the number of series, never with the chain."""

    def __init__(self, context: PluginContext) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        """Return the route."""
        return (Route("GET", "/metrics", self.metrics, "counters and gauges, Prometheus text exposition 0.0.4"),)

    async def metrics(self, request: Request) -> Response:
        """What only a role knows is asked now; the rest is kept current by whoever counts."""
        metrics, roles = self._context.metrics, self._context.roles
        metrics.gauge("chain_height_blocks", "Height of the newest final block").set(roles.consensus.head.height)
        for name, value in roles.mempool.stats().items():
            metrics.gauge("mempool_size", "Waiting envelopes and their bytes, by lane", what=name).set(value)
        return Response(200, metrics.exposition().encode(), CONTENT_TYPE)
