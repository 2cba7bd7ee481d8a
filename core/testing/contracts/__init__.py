"""Conformance suites per role: what every plugin of a role must do, whoever wrote it.

Each module holds `CHECKS`, plain async functions whose names are sentences.  A check takes a factory
that gives the role object of a restarted node over the same data, unopened.  In a test:

    @pytest.mark.parametrize("check", storage.CHECKS, ids=lambda check: check.__name__)
    async def test_my_storage_keeps_the_contract(check, tmp_path):
        await check(lambda: MyStorage(tmp_path))

May import `core` and trio, no test framework.  A check fails with an AssertionError.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio

from metanode.core.model.errors import MetanodeError
from metanode.core.roles import Service


@contextmanager
def refused(*codes: str) -> Iterator[None]:
    """Expect the block to raise a `MetanodeError` with one of these codes, told in one line."""
    raised: MetanodeError | None = None
    try:
        yield
    except MetanodeError as error:
        raised = error
    assert raised is not None, f"was not refused, expected one of {codes}"
    assert raised.code in codes, f"refused with {raised.line()}, expected one of {codes}"
    assert "\n" not in raised.line(), "an error is one line"


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    """Run a role object around the block as the kernel does: wait for `started`, cancel at the end."""
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: service.run(task_status=task_status))
        yield
        nursery.cancel_scope.cancel()
