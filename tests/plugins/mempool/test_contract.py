"""mempool.fifo keeps the contract of the role."""

from __future__ import annotations

import pytest

from metanode.core.testing.contracts import mempool
from metanode.core.testing.contracts.pool_bench import Bench


@pytest.mark.parametrize("check", mempool.CHECKS, ids=lambda check: check.__name__)
async def test_fifo_keeps_the_contract(check: mempool.Check, bench: Bench) -> None:
    """Each check is a sentence about every pool."""
    await check(bench)
