"""List trees: the shape of RFC 9162, a root that binds the count, paths that prove a place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model import hashing
from metanode.core.model.blake3 import PureProvider
from metanode.core.model.hashing import H
from metanode.core.model.merkle import list_root, prove, verify_path
from metanode.platforms.shims import blake3 as shim

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "merkle.json").read_text())
LISTS = st.lists(st.binary(max_size=4), min_size=1, max_size=40)
QUIET = settings(derandomize=True, deadline=None)


@pytest.fixture(scope="module", params=["pure", "shim"], autouse=True)
def installed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Trees of single hashes, and those that a provider makes in one call; the previous provider afterwards."""
    chosen: hashing.Provider | None = PureProvider() if request.param == "pure" else shim.load()
    if chosen is None:
        pytest.skip(shim.problem())
    before = hashing.provider()
    hashing.install(chosen)
    assert (hashing.list_tree() is None) == (request.param == "pure")
    yield
    hashing.install(before)


def _items(count: int) -> list[bytes]:
    return [f"item {place}".encode() for place in range(count)]


def _top(items: list[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1, literally."""
    if len(items) == 1:
        return H("leaf", items[0])
    split = 1
    while split * 2 < len(items):
        split *= 2
    return H("node", _top(items[:split]) + _top(items[split:]))


@pytest.mark.parametrize("row", VECTORS["cases"], ids=lambda row: str(row["count"]))
def test_roots_and_paths_are_the_published_ones(row: dict[str, Any]) -> None:
    """Every implementation computes these bytes."""
    items = _items(row["count"])
    root = list_root(items)
    assert root.hex() == row["root"]
    for proof in row["paths"]:
        path = [bytes.fromhex(sibling) for sibling in proof["path"]]
        assert prove(items, proof["index"]) == path
        assert verify_path(root, items[proof["index"]], proof["index"], row["count"], path)


@QUIET
@given(LISTS)
def test_the_root_is_the_recursive_definition_under_the_count(items: list[bytes]) -> None:
    """Level by level gives what the RFC's recursion gives."""
    assert list_root(items) == H("root", len(items).to_bytes(8, "big") + _top(items))


@QUIET
@given(LISTS, st.data())
def test_every_item_is_proved_at_its_place_and_nowhere_else(items: list[bytes], data: st.DataObject) -> None:
    """A path holds for its index and count only, and for its own item only."""
    index = data.draw(st.integers(0, len(items) - 1))
    root, path = list_root(items), prove(items, index)
    assert verify_path(root, items[index], index, len(items), path)
    assert not verify_path(root, items[index] + b"x", index, len(items), path)
    for other in range(len(items)):
        if items[other] != items[index]:
            assert not verify_path(root, items[index], other, len(items), path)
    for count in range(1, len(items) + 10):
        if count != len(items):
            assert not verify_path(root, items[index], index, count, path)


def test_a_path_that_is_longer_shorter_or_changed_proves_nothing() -> None:
    """The length follows from index and count; every byte counts."""
    items = _items(11)
    root = list_root(items)
    for index in range(11):
        path = prove(items, index)
        assert not verify_path(root, items[index], index, 11, path[:-1])
        assert not verify_path(root, items[index], index, 11, [*path, bytes(32)])
        assert not verify_path(root, items[index], index, 11, [*path, *path])
        for place in range(len(path)):
            changed = [bytes([sibling[0] ^ 1]) + sibling[1:] if at == place else sibling
                       for at, sibling in enumerate(path)]  # fmt: skip
            assert not verify_path(root, items[index], index, 11, changed)
            cut = [sibling[:31] if at == place else sibling for at, sibling in enumerate(path)]
            assert not verify_path(root, items[index], index, 11, cut)


def test_an_odd_last_item_is_not_counted_twice() -> None:
    """Doubling the last item, the classic forgery, changes the root (CVE-2012-2459)."""
    assert list_root(_items(3)) != list_root([*_items(3), b"item 2"])


def test_an_inner_node_cannot_pass_for_an_item() -> None:
    """Leaves and parents hash under different purposes, and the count is bound."""
    items = _items(4)
    joined = H("leaf", items[0]) + H("leaf", items[1])
    assert not verify_path(list_root(items), joined, 0, 2, [prove(items, 0)[1]])


@pytest.mark.parametrize(("index", "count"), [(-1, 3), (3, 3), (0, 0), (0, -1), (0, 2**70)])
def test_an_impossible_place_is_false_and_never_a_crash(index: int, count: int) -> None:
    """Verifiers read numbers from strangers."""
    assert not verify_path(list_root(_items(3)), b"item 0", index, count, prove(_items(3), 0))


@pytest.mark.parametrize("index", [-1, 3])
def test_proving_an_absent_item_is_a_mistake_of_the_caller(index: int) -> None:
    """Negative indexes do not wrap around."""
    with pytest.raises(IndexError):
        prove(_items(3), index)


def test_the_last_item_is_not_also_number_minus_one() -> None:
    """Below zero every bit is set, so the path of the last item would fit."""
    items = [b"a", b"b", b"c", b"d"]
    path = prove(items, 3)
    assert verify_path(list_root(items), b"d", 3, 4, path) is True
    assert verify_path(list_root(items), b"d", -1, 4, path) is False
    assert verify_path(list_root(items), b"d", 3, 4, path[:1]) is False
    with pytest.raises(IndexError, match="item -1 of 4"):
        prove(items, -1)


@pytest.mark.parametrize(("index", "count"), [(1, 1), (2, 1), (0, 0), (1, 0), (-1, 1), (0, 2**32 + 1), (0, -1)])
def test_an_only_item_is_number_zero_of_one(index: int, count: int) -> None:
    """Its path is empty, which would fit any number."""
    root = list_root([b"only"])
    assert verify_path(root, b"only", 0, 1, [])
    assert not verify_path(root, b"only", index, count, [])
    assert not verify_path(root, b"only", 0, 1, [bytes(32)])


@pytest.mark.parametrize(("count", "good"), [(2**32, True), (2**32 + 1, False)])
def test_a_list_has_at_most_two_to_the_32_items(count: int, good: bool) -> None:
    """The first item's path, with made-up neighbours."""
    path = [H("leaf", bytes([level])) for level in range((count - 1).bit_length())]
    top = H("leaf", b"first")
    for sibling in path:
        top = H("node", top + sibling)
    root = H("root", count.to_bytes(8, "big") + top)
    assert verify_path(root, b"first", 0, count, path) is good
