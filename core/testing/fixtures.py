"""Fixtures for pytest: `pytest_plugins = ["metanode.core.testing.fixtures"]` in your top conftest.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from metanode.core.testing.cluster import Cluster


@pytest.fixture
def metanode_cluster() -> Callable[..., Cluster]:
    """Makes clusters: `metanode_cluster(4)` is a BFT chain of four validators on a virtual clock.

    The test itself must take `autojump_clock` of pytest-trio, or it runs in real time.
    """
    return Cluster
