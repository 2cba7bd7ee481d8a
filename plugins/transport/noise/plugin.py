"""The hook of transport.noise."""

from __future__ import annotations

from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.roles import Transport
from metanode.plugins.transport.noise.transport import NoiseTransport


@hookimpl
def register_transport(context: PluginContext) -> Transport:
    """Return the way to other nodes over TCP.

    :raises SettingsError: a place to listen on has another form than HOST:PORT.
    """
    return NoiseTransport(context)
