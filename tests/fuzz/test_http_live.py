"""A real node under random requests on every route and broken streams: it answers as it promises and stays well."""

from __future__ import annotations

from pathlib import Path

from fuzzkit.http_live import HttpHunt
from fuzzkit.node import Node
from metanode.core.crypto import install

STEPS = 600
SEED = "20251125"


def test_every_route_answers_what_it_promises(tmp_path: Path) -> None:
    """No 5xx but documented 503s, the right Content-Type, code, message and expected in every error."""
    install()
    with Node(tmp_path / "home") as node:
        hunt = HttpHunt(node, SEED)
        for _ in range(STEPS):
            hunt.step()
        node.check_well()
    reached = {outcome.partition(" ")[2] for outcome in hunt.outcomes}
    assert {"BAD_REQUEST", "NOT_FOUND", "BAD_SHAPE", "BAD_JSON", "BAD_HEX", "METHOD_NOT_ALLOWED"} <= reached
    assert hunt.outcomes["202"], "good envelopes stand between the bad ones"
