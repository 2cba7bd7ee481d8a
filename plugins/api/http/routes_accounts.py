"""Routes about accounts: balance, nonce, history, and the proof of what the state says of one."""

from __future__ import annotations

from typing import Any

from metanode.core.hooks import PluginContext
from metanode.core.http import Request, Response, Route
from metanode.core.model.accounts import parse_account, to_bech32m, to_rtc
from metanode.core.model.amounts import amount_json
from metanode.core.model.bundle import Bundle, StateItem
from metanode.core.model.errors import MetanodeError
from metanode.core.model.state_tables import Table
from metanode.core.roles import Head
from metanode.plugins.api._shared.fields import code_name, flag, ok, whole_number
from metanode.plugins.api.http.validator_sets import validator_set

HISTORY_DEFAULT = 20
HISTORY_MAX = 100
"""Entries of one answer."""
OFFSET_MAX = 900
"""Entries that may be skipped: two sorted lists are merged, so skipping costs reading."""


class AccountRoutes:
    """Handlers of the routes below."""

    def __init__(self, context: PluginContext) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        """Return the routes."""
        path = "/v1/accounts/{account}"
        return (
            Route("GET", path, self.account, "balance and nonce of an account; ?proof=1 proves them"),
            Route("GET", f"{path}/history", self.history, "transfers and rewards, newest first; ?limit&offset"),
        )

    async def account(self, request: Request) -> Response:
        """An account nobody paid yet is all zero: the state does not tell it from one that never was."""
        account = parse_account(request.params["account"])
        roles = self._context.roles
        head = roles.consensus.head
        view = roles.ledger.account(head.state, account)
        value: dict[str, Any] = {
            "account": to_bech32m(account),
            "rtc": to_rtc(account),
            "balance": amount_json(view.balance),
            "nonce": view.nonce,
            "next_nonce": roles.mempool.next_nonce(account),
            "public_key": view.public_key.hex(),
            "height": head.height,
        }
        if flag(request.query, "proof"):
            value["proof"] = self._proof(head, bytes([Table.ACCOUNT]) + account).hex()
        return ok(**value)

    async def history(self, request: Request) -> Response:
        """Sent and received are two reads of one view, merged."""
        account = to_bech32m(parse_account(request.params["account"]))
        limit = whole_number(request.query, "limit", HISTORY_DEFAULT, HISTORY_MAX)
        offset = whole_number(request.query, "offset", 0, OFFSET_MAX)
        found: dict[tuple[Any, Any], dict[str, Any]] = {}
        for column in ("sender", "receiver"):
            rows = await self._context.roles.storage.rows(
                "transfers", where={column: account}, limit=offset + limit, offset=0
            )
            found.update({(row["envelope_id"], row["position"]): row for row in rows})
        # The order of the view itself: newest first, never two that compare equal.
        newest_first = sorted(
            found.values(), key=lambda row: (row["height"], row["position"], row["envelope_id"] or ""), reverse=True
        )
        page = newest_first[offset : offset + limit]
        return ok(account=account, limit=limit, offset=offset, history=[_entry(row) for row in page])

    def _proof(self, head: Head, key: bytes) -> bytes:
        if head.header is None or head.certificate is None:
            raise MetanodeError("NOT_READY", "no block is final yet, so nothing certifies the state", "the first block")
        item = StateItem(key, head.state.get(key), head.state.prove(key))
        certifying = validator_set(self._context, head.header.validator_set_hash)
        genesis_hash = self._context.genesis.hash
        return Bundle(genesis_hash, head.header.encode(), head.certificate.encode(), certifying, (item,)).encode()


def _entry(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["envelope_id"],
        "position": row["position"],
        "height": row["height"],
        "kind": row["kind"],
        "sender": row["sender"],
        "receiver": row["receiver"],
        "amount": amount_json(row["amount"]),
        "fee": amount_json(row["fee"]),
        "code": code_name(row["code"]),
    }
