"""Escrow: what a machine earned above the cap of a model that is not calibrated yet.

Amounts lie in buckets of ESCROW_BUCKET_EPOCHS epochs.  Global 8 has the sum of each bucket, table 10 each machine's
part of it.  A bucket runs out whole: its sum joins the pot, and the parts, still listed, count for nothing from then
on and go when their entry is next written.  So no block ever looks at the machines for it.
Source: protocol.md section 5; docs/decisions/0012-escrow-and-calibration.md.
"""

from __future__ import annotations

from metanode.plugins.ledger.attested.entries import Buckets
from metanode.plugins.ledger.attested.state import LedgerState

ESCROW_EPOCHS = 90
"""Epochs for which an amount waits at least, after the one that it was earned in."""
ESCROW_BUCKET_EPOCHS = 10
"""Epochs that share a bucket: an amount waits up to so many epochs less one longer."""
ESCROW_BUCKETS_MAX = ESCROW_EPOCHS // ESCROW_BUCKET_EPOCHS + 1
"""Most buckets of one entry."""

assert ESCROW_EPOCHS % ESCROW_BUCKET_EPOCHS == 0, "else one bucket more would be alive at times"


def hold(state: LedgerState, index: int, epoch: int, amount: int) -> None:
    """Escrow an amount that a machine earned in an epoch."""
    bucket = epoch // ESCROW_BUCKET_EPOCHS
    state.put_claims(index, _moved(claims(state, index), bucket, amount))
    state.put_escrow(_moved(state.escrow(), bucket, amount))


def claims(state: LedgerState, index: int) -> Buckets:
    """Return what is escrowed for a machine, without the buckets that have run out."""
    alive = {bucket for bucket, _ in state.escrow().amounts}
    return Buckets(tuple((bucket, amount) for bucket, amount in state.claims(index).amounts if bucket in alive))


def release(state: LedgerState, index: int) -> int:
    """Take all that is escrowed for a machine out of escrow and return the sum."""
    found = claims(state, index)
    for bucket, amount in found.amounts:
        state.put_escrow(_moved(state.escrow(), bucket, -amount))
    state.put_claims(index, Buckets())
    return found.total


def run_out(state: LedgerState, epoch: int) -> int:
    """Drop the buckets that an epoch's settlement no longer waits for and return their sum, for the pot."""
    before = state.escrow()
    first = (epoch - ESCROW_EPOCHS) // ESCROW_BUCKET_EPOCHS
    kept = Buckets(tuple((bucket, amount) for bucket, amount in before.amounts if bucket >= first))
    state.put_escrow(kept)
    return before.total - kept.total


def _moved(entry: Buckets, bucket: int, amount: int) -> Buckets:
    amounts = dict(entry.amounts)
    amounts[bucket] = amounts.get(bucket, 0) + amount
    return Buckets(tuple(sorted((number, left) for number, left in amounts.items() if left)))
