"""Joins the parts: the ledger role from the genesis, and the routes that miners and people use."""

from __future__ import annotations

from collections.abc import Sequence

from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.http import Route
from metanode.core.roles import Ledger
from metanode.plugins.ledger.attested.ledger import AttestedLedger
from metanode.plugins.ledger.attested.records import Records
from metanode.plugins.ledger.attested.routes import AttestRoutes
from metanode.plugins.ledger.attested.routes_govern import GovernRoutes
from metanode.plugins.ledger.attested.routes_stake import StakeRoutes
from metanode.plugins.ledger.attested.routes_views import ViewRoutes


@hookimpl
def provide_ledger(context: PluginContext) -> Ledger:
    """Answer the hook with the rules of the chain."""
    return AttestedLedger(context.genesis, verdicts_max=context.settings["verdicts_max"])


@hookimpl
def register_routes(context: PluginContext) -> Sequence[Route]:
    """Answer the hook with the miner's routes and the read-only ones."""
    ledger = context.roles.ledger
    assert isinstance(ledger, AttestedLedger), "only the active ledger plugin is asked for its routes"
    records = Records(context.roles.storage, ledger.rules, context.workers)
    parts = (
        AttestRoutes(context, ledger, records),
        ViewRoutes(context, ledger, records),
        GovernRoutes(context, ledger),
        StakeRoutes(context, ledger),
    )
    return [route for part in parts for route in part.routes()]
