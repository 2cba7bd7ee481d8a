"""The ledger keeps the contract of its role."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from metanode.core import crypto
from metanode.core.testing.contracts import ledger
from metanode.plugins.ledger.attested.ledger import AttestedLedger

Check = Callable[[ledger.Factory], Awaitable[None]]

crypto.install()


@pytest.mark.parametrize("check", ledger.CHECKS, ids=lambda check: check.__name__)
async def test_attested_keeps_the_contract(check: Check) -> None:
    """See `metanode.core.testing.contracts.ledger`."""
    await check(AttestedLedger)
