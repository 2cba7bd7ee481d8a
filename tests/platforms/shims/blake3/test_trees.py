"""List trees in one call each: the roots and paths of `core.model.merkle`, and proofs that hold for one place only."""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator
from itertools import accumulate

import pytest

from metanode.core.model import hashing, merkle
from metanode.core.model.blake3 import PureProvider
from metanode.platforms.shims import blake3 as shim
from metanode.platforms.shims.blake3.buffers import split
from metanode.platforms.shims.blake3.trees import ListTree

CONTEXTS = tuple(hashing.CONTEXT_PREFIX + purpose for purpose in ("leaf", "node", "root"))
COUNTS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 127)


@pytest.fixture
def tree(provider: shim.ShimProvider) -> ListTree:
    """Trees of the chain."""
    return provider.list_tree(*CONTEXTS)


@pytest.fixture
def reference() -> Iterator[None]:
    """The pure code of `merkle`, which makes no use of the extension."""
    before = hashing.provider()
    hashing.install(PureProvider())
    yield
    hashing.install(before)


def _items(count: int) -> list[bytes]:
    chance = random.Random(count)
    return [chance.randbytes(chance.choice((0, 32, 64, 65, 150, 250))) for _ in range(count)]


def _packed(items: list[bytes]) -> tuple[bytes, array[int]]:
    return b"".join(items), array("Q", accumulate(map(len, items), initial=0))


@pytest.mark.parametrize("count", COUNTS)
def test_roots_and_paths_are_those_of_the_model(path: str, tree: ListTree, reference: None, count: int) -> None:
    """For every number of items around the lanes of a path, and every place."""
    items = _items(count)
    assert tree.root(items) == merkle.list_root(items)
    assert tree.root_packed(*_packed(items)) == merkle.list_root(items)
    nodes = tree.nodes_packed(*_packed(items))
    paths, starts = tree.paths_packed(nodes, count, array("Q", range(count)))
    hashes = split(paths)
    for index in range(count):
        expected = merkle.prove(items, index)
        assert hashes[starts[index] : starts[index + 1]] == expected
        assert tree.path(items, index) == expected


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 65, 127])
def test_all_proofs_of_a_list_hold_at_their_place(path: str, tree: ListTree, count: int) -> None:
    """In one call; in any order, and twice if asked twice."""
    items = _items(count)
    root = tree.root(items)
    nodes = tree.nodes_packed(*_packed(items))
    asked = [*range(count), 0, count - 1]
    random.Random(1).shuffle(asked)
    indexes = array("Q", asked)
    paths, starts = tree.paths_packed(nodes, count, indexes)
    data, offsets = _packed([items[index] for index in asked])
    assert tree.verify_packed(root, count, data, offsets, indexes, paths, starts) == b"\x01" * len(asked)


def test_a_proof_of_anything_else_does_not_hold(path: str, tree: ListTree) -> None:
    """Another item, place, count, root, sibling or length; the proofs beside it still do."""
    items = [b"item %d" % i for i in range(11)]
    root, nodes = tree.root(items), tree.nodes_packed(*_packed(items))
    indexes = array("Q", range(11))
    paths, starts = tree.paths_packed(nodes, 11, indexes)

    def verify(**changed: object) -> list[int]:
        given = {"root": root, "count": 11, "items": items, "indexes": indexes, "paths": paths, "starts": starts}
        given |= changed
        data, offsets = _packed(given["items"])  # type: ignore[arg-type]  # the cases below know their types
        return list(
            tree.verify_packed(
                given["root"], given["count"], data, offsets, given["indexes"],  # type: ignore[arg-type]
                given["paths"], given["starts"],  # type: ignore[arg-type]
            )
        )  # fmt: skip

    right = [1] * 11
    assert verify() == right
    for i in range(11):
        but_one = [int(at != i) for at in range(11)]
        assert verify(items=[*items[:i], b"other", *items[i + 1:]]) == but_one
        moved = array("Q", indexes)
        moved[i] = (i + 1) % 11
        assert verify(indexes=moved) == but_one
        moved[i] = 11
        assert verify(indexes=moved) == but_one
        moved[i] = 2**64 - 1
        assert verify(indexes=moved) == but_one
    for place in range(0, len(paths), 32):
        damaged = bytearray(paths)
        damaged[place] ^= 1
        (owner,) = (i for i in range(11) if starts[i] <= place // 32 < starts[i + 1])
        assert verify(paths=damaged) == [int(at != owner) for at in range(11)]
    assert verify(root=bytes(32)) == [0] * 11
    assert verify(count=12) == [0] * 11
    assert verify(count=0) == [0] * 11
    shifted = array("Q", [starts[0], *(at - 1 for at in starts[1:])])
    assert sum(verify(starts=shifted)) == 0


def test_numbers_that_do_not_fit_together_are_refused(tree: ListTree) -> None:
    """Each is named; nothing is read beyond a buffer."""
    items = _items(5)
    data, offsets = _packed(items)
    root, nodes = tree.root(items), tree.nodes_packed(data, offsets)
    indexes = array("Q", range(5))
    paths, starts = tree.paths_packed(nodes, 5, indexes)
    with pytest.raises(ValueError, match="5 items, 4 indexes and 5 paths do not fit"):
        tree.verify_packed(root, 5, data, offsets, indexes[:4], paths, starts)
    with pytest.raises(ValueError, match="5 items, 5 indexes and 4 paths do not fit"):
        tree.verify_packed(root, 5, data, offsets, indexes, paths, starts[:5])
    with pytest.raises(ValueError, match=r"path_offsets\[5\] is 99, beyond the \d+ there are"):
        tree.verify_packed(root, 5, data, offsets, indexes, paths, array("Q", [*starts[:5], 99]))
    with pytest.raises(ValueError, match=r"offsets\[5\] is \d+, beyond"):
        tree.verify_packed(root, 5, data, array("Q", [*offsets[:5], len(data) + 1]), indexes, paths, starts)
    with pytest.raises(ValueError, match="refused its arguments"):
        tree.verify_packed(root[:31], 5, data, offsets, indexes, paths, starts)
    with pytest.raises(ValueError, match="a list of -1 items"):
        tree.verify_packed(root, -1, data, offsets, indexes, paths, starts)
    with pytest.raises(ValueError, match="a list of 4294967297 items"):
        tree.paths_packed(nodes, 2**32 + 1, indexes)
    with pytest.raises(ValueError, match="refused its arguments"):
        tree.paths_packed(nodes, 5, array("Q", [5]))
    with pytest.raises(ValueError, match="refused its arguments"):
        tree.paths_packed(nodes, 6, indexes)
    with pytest.raises(ValueError, match="out has 31 bytes"):
        tree.nodes_packed(data, offsets, bytearray(31))
    with pytest.raises(TypeError, match="indexes must hold unsigned 64-bit"):
        tree.paths_packed(nodes, 5, array("I", [1]))


def test_levels_go_into_the_buffer_that_is_given(tree: ListTree) -> None:
    """For callers that keep one; it may not overlap the items."""
    items = _items(9)
    data, offsets = _packed(items)
    nodes = tree.nodes_packed(data, offsets)
    out = bytearray(len(bytes(nodes)))
    assert tree.nodes_packed(data, offsets, out) is out
    assert out == nodes
    area = bytearray(len(data) + len(out))
    area[: len(data)] = data
    with memoryview(area) as view, pytest.raises(ValueError, match="out overlaps an input"):
        tree.nodes_packed(view[: len(data)], offsets, view[len(data) - 1 : -1])
