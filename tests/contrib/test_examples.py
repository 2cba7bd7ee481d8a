"""The example plugin works as its text says."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from metanode.core.discovery import discover
from metanode.core.kernel import Node
from metanode.core.light.http_client import HttpClient
from metanode.core.settings import Settings

EXAMPLES = Path(__file__).resolve().parents[2] / "contrib/examples"


def test_every_example_has_a_manifest_that_can_be_read() -> None:
    """Without running it."""
    found = discover(plugins_dir=EXAMPLES)
    own = {name for name, manifest in found.manifests.items() if Path(manifest.source).parent == EXAMPLES}
    assert own == {f"api.{path.stem}" for path in EXAMPLES.glob("*.py")}
    assert not [row for row in found.broken if Path(row.source).parent == EXAMPLES]


@pytest.mark.endtoend
async def test_the_pulse_plugin_serves_its_route_and_counts_blocks() -> None:
    """A real listener and real time: one block is waited for."""
    tables = {"api.http": {"port": 0}, "api.pulse": {"late_ms": 60_000}}
    settings = Settings.devnet(api=["http", "pulse"], plugins=tables)
    async with Node.open(settings, plugins_dir=EXAMPLES) as node:
        await node.roles.consensus.wait_for_height(1)
        (address,) = node.roles.many("api")["http"].addresses
        reply = await trio.to_thread.run_sync(HttpClient(address).get, "/pulse")
        answer = reply.require()
        assert answer["ok"] is True
        assert answer["height"] >= 1
        assert node.metrics.counter("pulse_blocks_total", "Blocks that this plugin was told of").value >= 1
