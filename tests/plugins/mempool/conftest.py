"""A bench for the pool with the defaults of its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metanode.core.crypto import install
from metanode.core.manifests import read_manifest
from metanode.core.testing.contracts.pool_bench import Bench
from metanode.plugins.mempool.fifo import plugin
from metanode.plugins.storage.memory.store import MemoryStorage


@pytest.fixture(scope="session", autouse=True)
def _crypto() -> None:
    """The fastest implementations."""
    install()


@pytest.fixture
def settings() -> dict[str, Any]:
    """The settings of a node that configures nothing."""
    manifest = read_manifest(Path(plugin.__file__).with_name("plugin.toml"))
    return {name: spec.default for name, spec in manifest.settings.items()}


@pytest.fixture
def bench(settings: dict[str, Any]) -> Bench:
    """A pool to be, with what stands around it."""
    return Bench(provide=plugin.provide_mempool, storage=MemoryStorage(), settings=settings)
