"""Clusters of whole nodes in one process on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from metanode.core.home import Home
from metanode.core.model import kinds
from metanode.core.model.bodies import Transfer
from metanode.core.model.envelope import Envelope, build_envelope
from metanode.core.testing.cluster import Cluster
from metanode.core.testing.fixtures import metanode_cluster
from metanode.plugins.consensus.qbft.guard_log import raise_guard

__all__ = ["metanode_cluster"]


@pytest.fixture
def cluster(metanode_cluster: Callable[..., Cluster]) -> Cluster:
    """Four validators without homes."""
    return metanode_cluster(4)


@pytest.fixture
def lasting(tmp_path: Path) -> Cluster:
    """Four validators with homes: guard and chain outlive a node."""
    made = Cluster(4, tmp_path, storage="sqlite")
    for index, identity in enumerate(made.identities):
        raise_guard(Home(tmp_path / f"n{index}"), identity.consensus.public_key, 0)
    return made


@pytest.fixture
def transfer() -> Callable[..., Envelope]:
    """Makes signed transfers of a validator's sponsor."""

    def make(cluster: Cluster, sender: int, nonce: int, amount: int = 1) -> Envelope:
        sponsor = cluster.identities[sender].sponsor
        return build_envelope(
            chain_id=cluster.genesis.chain_id,
            kind=kinds.TRANSFER,
            sender=sponsor.account,
            nonce=nonce,
            fee=cluster.genesis.params.min_fee,
            valid_until=1000,
            body=Transfer(b"\x07" * 20, amount).encode(),
            public_key=sponsor.public_key if nonce == 0 else b"",
            sign=sponsor.sign,
            genesis_hash=cluster.genesis.hash,
        )

    return make
