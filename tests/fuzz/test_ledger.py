"""Malformed envelopes never surprise the ledger; see `fuzzkit/ledger.py` for what is tried and what must hold."""

from __future__ import annotations

from fuzzkit.ledger import LedgerHunt

BLOCKS = 160
SEED = "20251122"


def test_malformed_envelopes_of_every_kind_are_refused_and_change_nothing() -> None:
    """At the door, in a proposer's block and in the check of a block, at every position."""
    hunt = LedgerHunt(SEED)
    for _ in range(BLOCKS):
        hunt.step()
    assert hunt.outcomes["block valid"], "good blocks stand between the bad ones"
    refused = {name.partition(" ")[2] for name in hunt.outcomes} - {"valid", "taken"}
    assert {"BAD_SHAPE", "NOT_CANONICAL", "INVALID_SIGNATURE", "UNKNOWN_KIND", "REPLAYED", "WRONG_CHAIN"} <= refused
