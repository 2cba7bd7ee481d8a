"""The hook of mempool.fifo."""

from __future__ import annotations

from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.roles import Mempool
from metanode.plugins.mempool.fifo.mempool import FifoMempool


@hookimpl
def provide_mempool(context: PluginContext) -> Mempool:
    """Return an empty pool; it works once consensus has called `recover`."""
    return FifoMempool(context)
