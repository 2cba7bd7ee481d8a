"""The hook of transport.quic."""

from __future__ import annotations

from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.model.errors import PluginError
from metanode.core.roles import Transport

AIOQUIC = "aioquic==1.7.2"
"""What must be importable."""


@hookimpl
def register_transport(context: PluginContext) -> Transport:
    """Return the way to other nodes over UDP.

    :raises SettingsError: a place to listen on has another form than HOST:PORT.
    :raises PluginError: PLUGIN_BROKEN, aioquic is not installed.
    """
    try:
        # Only now: it brings what is built with Rust, and a node without QUIC runs where that does not exist.
        from metanode.plugins.transport._shared.engine import check_version
        from metanode.plugins.transport.quic.transport import QuicTransport

        check_version()
    except ImportError as error:
        message = f"transport.quic needs aioquic, which is not importable: {error}"
        cure = f'pip install "{AIOQUIC}" (Python 3.11 or later), or [roles] transport = ["noise"]'
        raise PluginError("PLUGIN_BROKEN", message, cure) from None
    return QuicTransport(context)
