"""The hook of transport.memory for a node that selects it by name; see `transport.MemoryTransportPlugin`."""

from __future__ import annotations

from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.model.errors import SettingsError
from metanode.core.roles import Transport


@hookimpl
def register_transport(context: PluginContext) -> Transport:
    """Refuse: settings are text and cannot name a network that lives in a program.

    :raises SettingsError: always.
    """
    raise SettingsError(
        "BAD_SETTING",
        "[roles] transport names 'memory', but no network was passed to this node",
        "Node.open(..., plugins=[MemoryTransportPlugin(network, address)]) in the embedding program",
    )
