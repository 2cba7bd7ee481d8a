"""Routes about the node itself."""

from __future__ import annotations

import json
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from metanode.core.model.genesis import genesis_from_json


async def test_health_has_exactly_the_six_fields(serve: Any, doubles: Any, mock_clock: Any) -> None:
    """Tools of other projects read them by name."""
    async with serve() as server:
        mock_clock.jump(3.5)
        reply = await server.get("/health")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json == {
        "ok": True, "version": "0.1.0", "uptime_s": 3, "db_rw": True, "backup_age_hours": -1, "tip_age_slots": 2,
    }  # fmt: skip


async def test_health_says_503_when_something_is_wrong(serve: Any, doubles: Any, mock_clock: Any) -> None:
    """A load balancer looks at the status only."""
    async with serve() as server, server.connect() as client:
        server.context.health.report("transport.noise", False, "quarantined")
        reply = await client.get("/health")
        assert (reply.status, reply.json["ok"], reply.json["db_rw"]) == (503, False, True)
        server.context.health.report("transport.noise", True)
        doubles.db_rw = False
        mock_clock.jump(1.5)
        reply = await client.get("/health")
        assert (reply.status, reply.json["ok"], reply.json["db_rw"]) == (503, False, False)


async def test_health_asks_storage_at_most_once_a_second(serve: Any, doubles: Any, mock_clock: Any) -> None:
    """Asking may write to disk; a hundred monitors must not."""
    async with serve() as server, server.connect() as client:
        for _ in range(20):
            await client.get("/health")
            await client.get("/ready")
        assert doubles.asked == 1
        mock_clock.jump(1)
        await client.get("/health")
        assert doubles.asked == 2


async def test_requests_for_health_at_one_moment_share_one_question(serve: Any, doubles: Any, mock_clock: Any) -> None:
    """The second one waits for the first one's answer."""
    async with serve() as server, trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(server.get, "/health")
    assert doubles.asked == 1


async def test_ready_gives_every_reason(serve: Any, doubles: Any, mock_clock: Any) -> None:
    """So that one look is enough."""
    async with serve(idle_timeout_s=600) as server, server.connect() as client:
        doubles.finalize()
        reply = await client.get("/ready")
        assert (reply.status, reply.json) == (200, {"ok": True, "reasons": []})
        server.context.health.report("mempool.fifo", False, "starting")
        doubles.db_rw = False
        await wait_all_tasks_blocked()  # the listener waits for the next request: no deadline of the last one is left
        mock_clock.jump(60)
        reply = await client.get("/ready")
        assert reply.status == 503
        assert reply.json == {
            "ok": False,
            "reasons": ["storage cannot write", "mempool.fifo: starting", "the newest block is 30 slots old"],
        }


async def test_head_is_genesis_and_then_the_newest_block(serve: Any, doubles: Any) -> None:
    """Slot and epoch are those of the block's own time."""
    async with serve() as server, server.connect() as client:
        reply = await client.get("/v1/head")
        assert (reply.json["height"], reply.json["header_hash"]) == (0, doubles.genesis.hash.hex())
        for _ in range(23):
            doubles.finalize()
        reply = await client.get("/v1/head")
        assert reply.json == {
            "ok": True,
            "chain_name": "devnet",
            "chain_id": 31337,
            "genesis_hash": doubles.genesis.hash.hex(),
            "height": 23,
            "header_hash": doubles.head.header_hash.hex(),
            "time_ms": doubles.head.time_ms,
            "state_root": doubles.head.state.root.hex(),
            "slot": 11,
            "epoch": 1,
        }


async def test_genesis_is_given_whole_with_its_hash(serve: Any, doubles: Any) -> None:
    """A stranger can rebuild the hash from it."""
    async with serve() as server:
        reply = await server.get("/v1/genesis")
    assert genesis_from_json(json.dumps(reply.json["genesis"])).hash.hex() == reply.json["genesis_hash"]


async def test_openapi_names_every_route(serve: Any) -> None:
    """Those of other plugins too."""
    async with serve() as server:
        document = (await server.get("/openapi.json")).json
        assert set(document["paths"]) == {route.path for route in server.routes}
