"""Tells peers what this node waits for, keeps what they tell, and answers `GET /v1/status` from both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import trio

from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.http import Request, Response, Route
from metanode.core.model import codec
from metanode.core.model.errors import MetanodeError
from metanode.core.model.limits import VALIDATOR_SET_BYTES_MAX
from metanode.core.model.state_tables import Table
from metanode.core.model.validators import Validator, decode_set
from metanode.core.peers import PeerChanged
from metanode.core.roles import Api
from metanode.core.wire.frames import Lane
from metanode.plugins.api._shared.fields import ok
from metanode.plugins.api.status.report import PEERS_MAX, Report, decode_report

REPORT_S = 2.0
"""How often a node tells its peers what it waits for, seconds."""
NAME_DIGITS = 8
"""Digits of its key that name a node without a name."""


@dataclass(frozen=True)
class Heard:
    """A peer's newest report."""

    report: Report
    at: float
    """When it came, by this node's monotonic clock."""
    clock_off_ms: int
    """How far its clock was ahead of ours then, the way to us left out."""


class StatusApi:
    """One for each node: the hooks below reach it through the roles."""

    addresses: Sequence[str] = ()

    def __init__(self, context: PluginContext) -> None:
        self._context = context
        self._heard: dict[bytes, Heard] = {}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Tell and hear until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear)
            nursery.start_soon(self._greet)
            task_status.started()
            while True:
                self._context.peers.broadcast(Lane.CONTROL, self._own().encode())
                await trio.sleep(REPORT_S)

    def describe(self) -> dict[str, Any]:
        """Return what this node knows of itself and its peers, for JSON."""
        context, own = self._context, self._own()
        identity, head = context.identity, context.roles.consensus.head
        now_ms, params = context.clock.now_ms(), context.genesis.params
        return {
            "name": own.name,
            "node_key": identity.node.public_key.hex(),
            "genesis_hash": context.genesis.hash.hex(),
            "head": {"height": head.height, "header_hash": head.header_hash.hex(), "age_ms": now_ms - head.time_ms},
            "block_ms": params.block_ms,
            "empty_block_ms": params.empty_block_ms,
            "clock_ms": now_ms,
            "pool": context.roles.mempool.stats()["entries"],
            "consensus": dict(context.roles.consensus.status()),
            "validators": [self._validator(index, row) for index, row in enumerate(self._validators())],
            "peers": [self._peer(key, heard) for key, heard in sorted(self._heard.items())],
            "connected": [key.hex() for key in context.peers.connected()],
            "health": {
                name: {"ok": row.ok, "detail": row.detail} for name, row in context.health.snapshot().items()
            },
        }

    async def _hear(self) -> None:
        async for peer, payload in self._context.peers.subscribe(Lane.CONTROL):
            try:
                report = decode_report(payload)
            except MetanodeError as error:
                self._context.log.info("peer %s sent no report: %s", peer.hex()[:16], error)
                continue
            self._heard.pop(peer, None)
            while len(self._heard) >= PEERS_MAX:
                del self._heard[next(iter(self._heard))]  # who has been silent for longest
            off_ms = report.clock_ms - self._context.clock.now_ms()
            self._heard[peer] = Heard(report, self._context.clock.monotonic(), off_ms)

    async def _greet(self) -> None:
        """Whoever comes learns at once who this is."""
        async with self._context.bus.subscribe(PeerChanged) as changes:
            async for change in changes:
                if change.connected:
                    self._context.peers.send(change.peer, Lane.CONTROL, self._own().encode())

    def _own(self) -> Report:
        context = self._context
        identity, status = context.identity, context.roles.consensus.status()
        return Report(
            name=context.settings["name"] or identity.node.public_key.hex()[:NAME_DIGITS],
            consensus_key=identity.consensus.public_key,
            height=int(status.get("height", 0)),
            round=int(status.get("round", 0)),
            cause=str(status.get("cause", "")),
            words=str(status.get("waiting", "")),
            clock_ms=context.clock.now_ms(),
            well=context.health.ok,
            peers=tuple(context.peers.connected()),
        )

    def _validators(self) -> tuple[Validator, ...]:
        """The acting set: the state keeps it once a block changed it, the ledger knows the first."""
        entry = self._context.roles.consensus.head.state.get(bytes([Table.VALIDATOR_SET]))
        if entry is None:
            return decode_set(self._context.roles.ledger.genesis_validator_set())
        (value,) = codec.expect_list(codec.decode(entry, bytes_max=VALIDATOR_SET_BYTES_MAX), "state set", size=1)
        return decode_set(codec.expect_bytes(value, "state set"))

    def _validator(self, index: int, row: Validator) -> dict[str, Any]:
        """Which node this validator is, as far as its report says."""
        identity, name, node_key = self._context.identity, "", ""
        me = row.consensus_key == identity.consensus.public_key
        if me:
            name, node_key = self._own().name, identity.node.public_key.hex()
        for key, heard in self._heard.items():
            if heard.report.consensus_key == row.consensus_key:
                name, node_key = heard.report.name, key.hex()
        return {
            "index": index, "consensus_key": row.consensus_key.hex(), "name": name, "node_key": node_key, "me": me
        }  # fmt: skip

    def _peer(self, key: bytes, heard: Heard) -> dict[str, Any]:
        report = heard.report
        return {
            "node_key": key.hex(),
            "name": report.name,
            "height": report.height,
            "round": report.round,
            "cause": report.cause,
            "waiting": report.words,
            "well": report.well,
            "age_ms": int((self._context.clock.monotonic() - heard.at) * 1000),
            "clock_off_ms": heard.clock_off_ms,
            "connected": [peer.hex() for peer in report.peers],
        }


@hookimpl
def register_api(context: PluginContext) -> Api:
    """Answer the hook with the exchange of reports; it listens nowhere itself."""
    return StatusApi(context)


@hookimpl
def register_routes(context: PluginContext) -> Sequence[Route]:
    """Answer the hook with the one route."""

    async def status(request: Request) -> Response:
        """What this node and its peers wait for, as `metanode why` reads it."""
        api: StatusApi | None = context.roles.many("api").get("status")
        if api is None:
            raise MetanodeError("NOT_READY", "api.status does not run", "a moment: it is being restarted")
        return ok(**api.describe())

    return [Route("GET", "/v1/status", status, "what this node and its peers wait for; input of `metanode why`")]
