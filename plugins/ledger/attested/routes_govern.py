"""Read-only routes about governing: open proposals and what they wait for, and calibrated models."""

from __future__ import annotations

from typing import Any

from metanode.core.hooks import PluginContext
from metanode.core.http import Request, Response, Route, json_response
from metanode.core.model import codec
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.bodies import CALIBRATE, SEAT
from metanode.core.model.state_tables import Table
from metanode.plugins.ledger.attested import govern
from metanode.plugins.ledger.attested.entries import Calibrated, Proposal
from metanode.plugins.ledger.attested.fields import page_of
from metanode.plugins.ledger.attested.ledger import AttestedLedger
from metanode.plugins.ledger.attested.state import LedgerState

TYPES = {CALIBRATE: "calibrate", SEAT: "seat"}
"""Names of the types of proposals."""


class GovernRoutes:
    """Handlers of the routes below."""

    def __init__(self, context: PluginContext, ledger: AttestedLedger) -> None:
        self._context = context
        self._schedule = ledger.rules.schedule

    def routes(self) -> tuple[Route, ...]:
        """Return the routes."""
        return (
            Route("GET", "/v1/proposals", self.proposals, "open proposals: who approved, whose approval is missing"),
            Route("GET", "/v1/models", self.models, "calibrated models, by name, and what they measure; ?limit&offset"),
        )

    async def proposals(self, _request: Request) -> Response:
        """Return every open proposal; they are few."""
        head = self._context.roles.consensus.head
        state = LedgerState(head.state)
        shown = [self._proposal(state, ident, each) for ident, each in state.proposals()]
        members = sorted(map(to_bech32m, govern.members(state)))
        epoch_end = self._schedule.epoch_start_ms(self._schedule.epoch(head.time_ms) + 1)
        facts = {"height": head.height, "needed": govern.needed(state), "members": members, "epoch_end_ms": epoch_end}
        return json_response({"ok": True, **facts, "proposals": shown})

    async def models(self, request: Request) -> Response:
        """Return a page of the calibrated models."""
        limit, offset = page_of(request.query)
        found = list(self._context.roles.consensus.head.state.items_with_prefix(bytes((Table.CALIBRATED,))))
        shown = [_model(key[1:].decode(), Calibrated.decode(value)) for key, value in found[offset : offset + limit]]
        page = {"count": len(found), "limit": limit, "offset": offset}
        return json_response({"ok": True, **page, "models": shown})

    def _proposal(self, state: LedgerState, ident: bytes, proposal: Proposal) -> dict[str, Any]:
        members, needed = govern.members(state), govern.needed(state)
        approved = members.intersection(proposal.approvals)
        return {
            "id": ident.hex(),
            "type": TYPES[proposal.type],
            "subject": proposal.subject,
            "ratios": _ratios(proposal.effect) if proposal.type == CALIBRATE else [],
            "sender": to_bech32m(proposal.sender),
            "height": proposal.height,
            "epoch": proposal.epoch,
            "last_epoch": proposal.epoch + govern.PROPOSAL_EPOCHS,
            "approvals": sorted(map(to_bech32m, approved)),
            "not_yet": sorted(map(to_bech32m, members - approved)),
            "missing": max(0, needed - len(approved)),
        }


def _model(name: str, known: Calibrated) -> dict[str, Any]:
    return {"model": name, "since_height": known.height, "ratios": _ratios(known.ranges)}


def _ratios(ranges: bytes) -> list[dict[str, Any]]:
    """Return the ranges of a calibration: what all its reports measured, in thousandths."""
    rows = codec.expect_list(codec.decode(ranges), "ranges")
    triples = (codec.expect_list(row, "range", size=3) for row in rows)
    return [{"name": name, "lowest": lowest, "highest": highest} for name, lowest, highest in triples]
