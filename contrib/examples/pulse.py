# /// metanode
# name = "api.pulse"
# role = "api"
# summary = "Whether blocks keep coming, at GET /pulse"
# failure = "restart"
# ram_mib = 1
#
# [api]
# http = 1
# events = 1
#
# [settings.late_ms]
# type = "int"
# default = 5000
# min = 100
# max = 3600000
# help = "Age of the newest block from which the chain counts as late, milliseconds."
# ///
"""A whole plugin in one file: it serves one route and is told of every block.

The comment block above is its manifest, read without running this file.  To try it, name it in
metanode.toml, `[roles] api = ["http", "pulse"]`, and run `metanode run --plugins-dir contrib/examples`.
"""

from __future__ import annotations

from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.http import Request, Response, Route, json_response


@hookimpl
def register_routes(context: PluginContext) -> tuple[Route, ...]:
    """Serve GET /pulse.  What it needs it takes from its context: two nodes may share this module."""

    async def pulse(request: Request) -> Response:
        head = context.roles.consensus.head
        age_ms = context.clock.now_ms() - head.time_ms
        late = age_ms > context.settings["late_ms"]
        return json_response({"ok": not late, "height": head.height, "age_ms": age_ms}, status=503 if late else 200)

    return (Route("GET", "/pulse", pulse, "whether blocks keep coming; status 200 or 503"),)


@hookimpl
def on_block_finalized(context: PluginContext, height: int, header_hash: bytes) -> None:
    """Count and log; an exception here would be logged and go no further."""
    context.metrics.counter("pulse_blocks_total", "Blocks that this plugin was told of").add()
    context.log.debug("block %d is %s", height, header_hash.hex()[:16])
