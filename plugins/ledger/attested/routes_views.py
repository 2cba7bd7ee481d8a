"""Read-only routes about machines and epochs, from the views and the head's state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metanode.core.hooks import PluginContext
from metanode.core.http import Request, Response, Route, json_response
from metanode.core.model.accounts import account_id, parse_account, to_bech32m
from metanode.core.model.amounts import amount_json
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import PUBLIC_KEY_BYTES, UINT_MAX
from metanode.core.roles import Head
from metanode.plugins.ledger.attested import replies
from metanode.plugins.ledger.attested.fields import LIMIT_MAX, OFFSET_MAX, hex_bytes, page_of, whole_number
from metanode.plugins.ledger.attested.ledger import AttestedLedger
from metanode.plugins.ledger.attested.records import Records
from metanode.plugins.ledger.attested.settlement import lifted
from metanode.plugins.ledger.attested.state import LedgerState
from metanode.plugins.ledger.attested.tables import Global

INDEX_DIGITS_MAX = 12
"""A longer run of digits is no machine index."""


class ViewRoutes:
    """Handlers of the routes below."""

    def __init__(self, context: PluginContext, ledger: AttestedLedger, records: Records) -> None:
        self._context = context
        self._rules = ledger.rules
        self._records = records

    def routes(self) -> tuple[Route, ...]:
        """Return the routes."""
        return (
            Route("GET", "/v1/miners", self.miners, "machines on record, newest first; ?owner&limit&offset"),
            Route("GET", "/v1/miners/{machine}", self.miner, "one machine by account, key or index, with its checks"),
            Route("GET", "/v1/epochs", self.epochs, "the running epoch and settled ones, newest first; ?limit&offset"),
            Route("GET", "/v1/epochs/{epoch}", self.epoch, "one epoch and its rewards; ?page&limit&offset"),
        )

    async def miners(self, request: Request) -> Response:
        """Return a page of the view `miners`, of one owner where that is asked for."""
        limit, offset = page_of(request.query)
        owner = request.query.get("owner")
        where: dict[str, int | str] = {} if owner is None else {"owner": to_bech32m(parse_account(owner))}
        rows = await self._context.roles.storage.rows("miners", where=where, limit=limit, offset=offset)
        shown = [
            {
                **row,
                "multiplier": replies.multiplier_text(row["weight"]),
                "reward_total": amount_json(row["reward_total"]),
            }
            for row in rows
        ]
        count = LedgerState(self._head.state).number(Global.MACHINES)
        return json_response({"ok": True, "count": count, "limit": limit, "offset": offset, "miners": shown})

    async def miner(self, request: Request) -> Response:
        """Return one machine as the state holds it, and why it counts for what it does."""
        head = self._head
        state = LedgerState(head.state)
        index = self._index(state, request.params["machine"])
        value = replies.machine_json(self._rules, head, index)
        machine = state.machine(index)
        known = await self._records.of(index, machine)
        evidence = replies.evidence_json(known, lifted(state, machine))
        return json_response({"ok": True, "height": head.height, **value, **evidence})

    async def epochs(self, request: Request) -> Response:
        """Return the running epoch and a page of the view `epochs`."""
        limit, offset = page_of(request.query)
        rows = await self._context.roles.storage.rows("epochs", where={}, limit=limit, offset=offset)
        settled = [_epoch_json(row) for row in rows]
        page = {"limit": limit, "offset": offset, "epochs": settled}
        return json_response({"ok": True, "running": self._running(), **page})

    async def epoch(self, request: Request) -> Response:
        """Return one epoch; rewards are paged by block of the settlement, then by limit and offset."""
        text = request.params["epoch"]
        running = self._running()
        epoch = whole_number(text, "epoch", UINT_MAX >> 1) if text != "running" else running["epoch"]
        if epoch == running["epoch"]:
            return json_response({"ok": True, **running, "rewards": []})
        storage = self._context.roles.storage
        rows = await storage.rows("epochs", where={"epoch": epoch}, limit=1, offset=0)
        if not rows:
            why = "has not begun" if epoch > running["epoch"] else "held no block, so nothing was settled"
            raise Rejection("NOT_FOUND", f"epoch {epoch} {why}", f"an epoch up to {running['epoch']} that held a block")
        # A row tells the height of its newest page: pages lie in consecutive blocks.
        limit, offset = page_of(request.query)
        page = whole_number(request.query.get("page", "0"), "page", OFFSET_MAX)
        rewards: list[dict[str, Any]] = []
        height = rows[0]["settled_height"] - page
        if height > 0:
            rewards = await self._rewards(epoch, height, limit, offset)
        return json_response({"ok": True, **_epoch_json(rows[0]), "page": page, "rewards": rewards})

    async def _rewards(self, epoch: int, height: int, limit: int, offset: int) -> list[dict[str, Any]]:
        """Return a page of an epoch's rewards that were paid at a height.

        A block that ends one epoch's settlement may begin the next one's.  Rows of one block come in the order
        of their ids, which begin with the epoch: those of another epoch stand all before or all behind.
        """
        asked: dict[str, int | str] = {"kind": "reward", "height": height}
        mine = f"epoch:{epoch}:"
        storage = self._context.roles.storage
        before, step = 0, 1
        while rows := await storage.rows("transfers", where=asked, limit=step, offset=before):
            others = next((place for place, row in enumerate(rows) if row["envelope_id"].startswith(mine)), None)
            if others is not None:
                before += others
                break
            before, step = before + len(rows), LIMIT_MAX
        paid = await storage.rows("transfers", where=asked, limit=limit, offset=before + offset)
        return [_reward_json(row) for row in paid if row["envelope_id"].startswith(mine)]

    @property
    def _head(self) -> Head:
        return self._context.roles.consensus.head

    def _running(self) -> dict[str, Any]:
        head = self._head
        state = LedgerState(head.state)
        schedule = self._rules.schedule
        epoch = schedule.epoch(head.time_ms)
        settlement = state.settlement()
        expected = self._rules.params.pot_per_epoch + state.number(Global.CARRIED) + state.number(Global.FEES)
        return {
            "status": "running",
            "epoch": epoch,
            "start_ms": schedule.epoch_start_ms(epoch),
            "end_ms": schedule.epoch_start_ms(epoch + 1),
            "head_time_ms": head.time_ms,
            "pot_expected": amount_json(expected),
            "fees": amount_json(state.number(Global.FEES)),
            "carried": amount_json(state.number(Global.CARRIED)),
            "machines": state.number(Global.MACHINES),
            "settling_epoch": None if settlement is None else settlement.epoch,
        }

    def _index(self, state: LedgerState, text: str) -> int:
        """Return the index of a machine named by index, account (either form) or key in hex."""
        index: int | None
        if text.isascii() and text.isdigit() and len(text) <= INDEX_DIGITS_MAX:
            index = int(text) if int(text) < state.number(Global.MACHINES) else None
        elif len(text) == 2 * PUBLIC_KEY_BYTES:
            index = state.machine_index(account_id(hex_bytes(text, "machine")))
        else:
            index = state.machine_index(parse_account(text))
        if index is None:
            expected = "an index, account or key of GET /v1/miners"
            raise Rejection("MACHINE_UNKNOWN", f"{text} is not a machine on record", expected)
        return index


def _epoch_json(row: Mapping[str, Any]) -> dict[str, Any]:
    amounts = {name: amount_json(row[name]) for name in ("pot", "paid")}
    return {**row, "status": "settled", **amounts}


def _reward_json(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["envelope_id"],
        "height": row["height"],
        "machine": row["sender"],
        "owner": row["receiver"],
        "amount": amount_json(row["amount"]),
    }
