"""The provider on every path of this machine, and the inputs of the published vectors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from metanode.platforms.shims import blake3 as shim

USABLE = [state.name for state in shim.status().paths if state.usable]


@pytest.fixture(scope="session")
def provider() -> shim.ShimProvider:
    """The provider on its best path, or a skip that says why there is none."""
    loaded = shim.load()
    if loaded is None:
        pytest.skip(shim.problem())
    return loaded


@pytest.fixture(params=USABLE or ["portable"])
def path(request: pytest.FixtureRequest, provider: shim.ShimProvider) -> Iterator[str]:
    """Each usable path in turn, selected; the best one again afterwards."""
    before = shim.status().selected
    shim.select(request.param)
    yield request.param
    shim.select(before)
