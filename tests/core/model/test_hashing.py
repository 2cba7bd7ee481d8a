"""H(purpose, data): the registry of purposes and the provider behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from metanode.core.model import hashing
from metanode.core.model.blake3 import PureProvider
from metanode.platforms.shims import blake3 as shim

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "hashing.json").read_text())


@pytest.fixture(params=["pure", "shim"])
def installed(request: pytest.FixtureRequest) -> Iterator[hashing.Provider]:
    """Each provider in turn, the previous one restored afterwards."""
    chosen: hashing.Provider | None = PureProvider() if request.param == "pure" else shim.load()
    if chosen is None:
        pytest.skip(shim.problem())
    before = hashing.provider()
    hashing.install(chosen)
    yield chosen
    hashing.install(before)


def test_every_purpose_has_the_published_digests(installed: hashing.Provider) -> None:
    """Whatever provider serves, the chain's hashes are these."""
    assert hashing.provider() is installed
    for row in VECTORS["cases"]:
        assert hashing.H(row["purpose"], bytes.fromhex(row["data"])).hex() == row["digest"], row["purpose"]


def test_many_hashes_equal_single_ones(installed: hashing.Provider) -> None:
    """The batch is only faster; it keeps order and takes nothing and the empty item."""
    items = [bytes(size) for size in (0, 1, 64, 0, 2000)]
    assert hashing.H_many("leaf", items) == [hashing.H("leaf", item) for item in items]
    assert hashing.H_many("leaf", []) == []


def test_purposes_are_unique_and_each_has_a_vector() -> None:
    """One purpose, one use: a digest never passes for another kind of object."""
    assert len(set(hashing.PURPOSES)) == len(hashing.PURPOSES)
    listed: list[Any] = list(dict.fromkeys(row["purpose"] for row in VECTORS["cases"]))
    assert listed == list(hashing.PURPOSES)


def test_the_same_data_hashes_differently_for_each_purpose() -> None:
    """Domains are separate."""
    digests = {hashing.H(purpose, b"same") for purpose in hashing.PURPOSES}
    assert len(digests) == len(hashing.PURPOSES)


@pytest.mark.parametrize("purpose", ["", "TX", "tx ", "metanode/v1/tx", "unknown"])
def test_an_unregistered_purpose_is_a_mistake_of_the_caller(purpose: str) -> None:
    """No input can choose a purpose, so this is a KeyError and not a refusal."""
    with pytest.raises(KeyError):
        hashing.H(purpose, b"")
    with pytest.raises(KeyError):
        hashing.H_many(purpose, [b""])
