"""The hook of storage.memory."""

from __future__ import annotations

from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.roles import Storage
from metanode.plugins.storage.memory.store import MemoryStorage


@hookimpl
def provide_storage(context: PluginContext) -> Storage:
    """Return an empty store."""
    return MemoryStorage()
