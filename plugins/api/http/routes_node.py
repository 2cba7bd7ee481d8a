"""Routes about the node itself: is it well, where does its chain stand, what just happened."""

from __future__ import annotations

import json
from collections.abc import Mapping

import trio

from metanode.core.hooks import PluginContext
from metanode.core.http import EventStream, Request, Response, Route, json_response
from metanode.core.version import VERSION
from metanode.plugins.api._shared.fields import ok
from metanode.plugins.api._shared.openapi import openapi
from metanode.plugins.api.http.events import event_texts, parse_types

STORAGE_HEALTH_S = 1.0
"""How long an answer of storage about its health is passed on: asking may write to disk."""
TIP_AGE_SLOTS_MAX = 2
"""A newest block older than this many slots means that the chain stands still."""


class NodeRoutes:
    """Handlers of the routes below; all O(1) in the length of the chain."""

    def __init__(self, context: PluginContext) -> None:
        self._context = context
        self._started = context.clock.monotonic()
        self._storage_health: Mapping[str, bool | int | float] = {}
        self._storage_asked: float | None = None
        self._asking = trio.Lock()
        self._genesis: Response | None = None
        self._health: Response | None = None
        self._health_of: tuple[bool, bool, int] = (False, False, -1)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes."""
        return (
            Route("GET", "/health", self.health, "whether the node works, in constant time; status 200 or 503"),
            Route("GET", "/ready", self.ready, "whether the node serves, with reasons if not; status 200 or 503"),
            Route("GET", "/openapi.json", self.describe, "every route of this node as an OpenAPI document"),
            Route("GET", "/v1/head", self.head, "the newest final block"),
            Route("GET", "/v1/genesis", self.genesis, "the genesis this chain starts from and its hash"),
            Route("GET", "/v1/events", self.events, "what happens, as server-sent events or WebSocket; ?types=a,b"),
        )

    async def health(self, request: Request) -> Response:
        """The six fields that RustChain's tools read as well; `notes` only when a part has something to say.

        An answer serves for the rest of its second, unless the node stops or starts to be well meanwhile.
        """
        storage = await self._ask_storage()
        db_rw = bool(storage["db_rw"])
        well = db_rw and self._context.health.ok
        uptime_s = int(self._context.clock.monotonic() - self._started)
        if self._health is None or self._health_of != (well, db_rw, uptime_s):
            self._health = self._tell_health(storage, well, uptime_s)
            self._health_of = well, db_rw, uptime_s
        return self._health

    def _tell_health(self, storage: Mapping[str, bool | int | float], well: bool, uptime_s: int) -> Response:
        notes = [f"{name}: {row.detail}" for name, row in self._context.health.snapshot().items() if row.detail]
        value: dict[str, bool | int | float | str | list[str]] = {
            "ok": well,
            "version": VERSION,
            "uptime_s": uptime_s,
            "db_rw": bool(storage["db_rw"]),
            "backup_age_hours": storage["backup_age_hours"],
            "tip_age_slots": self._tip_age_slots(),
        }
        if notes:
            value["notes"] = notes
        return json_response(value, status=200 if well else 503)

    async def ready(self, request: Request) -> Response:
        """Every reason at once, so that one look is enough."""
        storage = await self._ask_storage()
        reasons = [] if storage["db_rw"] else ["storage cannot write"]
        for name, row in self._context.health.snapshot().items():
            if not row.ok:
                reasons.append(f"{name}: {row.detail or 'not well'}")
        age = self._tip_age_slots()
        if age > TIP_AGE_SLOTS_MAX:
            reasons.append(f"the newest block is {age} slots old")
        return json_response({"ok": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    async def describe(self, request: Request) -> Response:
        """Made anew each time: plugins may have been restarted with other routes."""
        return json_response(openapi(self._context.http.routes()))

    async def head(self, request: Request) -> Response:
        """Height 0 is genesis."""
        genesis = self._context.genesis
        head = self._context.roles.consensus.head
        slot = max(0, head.time_ms - genesis.genesis_ms) // genesis.params.slot_ms
        return ok(
            chain_name=genesis.chain_name,
            chain_id=genesis.chain_id,
            genesis_hash=genesis.hash.hex(),
            height=head.height,
            header_hash=head.header_hash.hex(),
            time_ms=head.time_ms,
            state_root=head.state.root.hex(),
            slot=slot,
            epoch=slot // genesis.params.slots_per_epoch,
        )

    async def genesis(self, request: Request) -> Response:
        """Made once: it never changes."""
        if self._genesis is None:
            genesis = self._context.genesis
            self._genesis = ok(genesis_hash=genesis.hash.hex(), genesis=json.loads(genesis.to_json()))
        return self._genesis

    async def events(self, request: Request) -> EventStream:
        """From now on, until the client goes."""
        wanted = parse_types(request.query.get("types", ""))
        return EventStream(event_texts(self._context.bus, wanted, self._hello))

    def _hello(self) -> Mapping[str, int | str]:
        return {
            "genesis_hash": self._context.genesis.hash.hex(),
            "height": self._context.roles.consensus.head.height,
        }

    def _tip_age_slots(self) -> int:
        age_ms = self._context.clock.now_ms() - self._context.roles.consensus.head.time_ms
        return max(0, age_ms) // self._context.genesis.params.slot_ms

    async def _ask_storage(self) -> Mapping[str, bool | int | float]:
        """Return what storage says, at most `STORAGE_HEALTH_S` old; one request asks, the others wait for it."""
        if not self._fresh():
            async with self._asking:
                if not self._fresh():
                    self._storage_health = await self._context.roles.storage.health()
                    self._storage_asked = self._context.clock.monotonic()
        return self._storage_health

    def _fresh(self) -> bool:
        return (
            self._storage_asked is not None
            and self._context.clock.monotonic() - self._storage_asked < STORAGE_HEALTH_S
        )
