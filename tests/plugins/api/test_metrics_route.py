"""GET /metrics: the node's counters and gauges as text for a collector."""

from __future__ import annotations

from typing import Any


async def test_metrics_are_text_with_what_the_roles_know_now(serve: Any, doubles: Any) -> None:
    """Height and pool are asked when the page is; the rest is what others counted."""
    doubles.finalize(doubles.transfer(0))
    doubles.stats = lambda: {"entries": 3, "bytes": 600}
    async with serve() as server, server.connect() as client:
        server.context.metrics.counter("plugin_restarts_total", "Restarts of plugins", plugin="api.x").add()
        answer = await client.get("/metrics")
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        lines = answer.body.decode().splitlines()
        assert "chain_height_blocks 1" in lines
        assert {'mempool_size{what="entries"} 3', 'mempool_size{what="bytes"} 600'} <= set(lines)
        assert 'plugin_restarts_total{plugin="api.x"} 1' in lines


async def test_health_has_notes_only_when_a_part_has_something_to_say(serve: Any, mock_clock: Any) -> None:
    """Also of a part that works again: what it did wrong stays readable, and the status good."""
    async with serve() as server, server.connect() as client:
        assert "notes" not in (await client.get("/health")).json
        server.context.health.report("api.x", True, "restarted after OSError: gone (failure 1 of 5 allowed)")
        mock_clock.jump(1)  # an answer serves for its second
        answer = await client.get("/health")
        assert answer.status == 200
        assert answer.json["notes"] == ["api.x: restarted after OSError: gone (failure 1 of 5 allowed)"]
