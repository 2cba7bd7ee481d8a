"""List trees: one root for an ordered list, with a path for each item.

The shape is that of RFC 9162 section 2.1 (an odd last node moves up unchanged, nothing is
duplicated), the bytes are not: leaf = H(leaf, item), parent = H(node, left || right).
The shape alone does not bind how many items there are, so the root does:
root = H(root, u64_be(count) || top), and H(root, u64_be(0)) for the empty list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from metanode.core.model.hashing import H, H_many, list_tree
from metanode.core.model.limits import HASH_BYTES, LIST_ITEMS_MAX


def list_root(items: Sequence[bytes]) -> bytes:
    """Return the 32-byte root of `items` in their order."""
    tree = list_tree()
    if tree is not None:
        return tree.root(items)
    top = b""
    for level in _levels(items):
        top = level[0]
    return _bind(len(items), top)


def prove(items: Sequence[bytes], index: int) -> list[bytes]:
    """Return the path of `items[index]`: the sibling hashes from the leaf upwards.

    A level at which the node has no sibling adds nothing.

    :raises IndexError: there is no such item.
    """
    if not 0 <= index < len(items):
        raise IndexError(f"item {index} of {len(items)}")
    tree = list_tree()
    if tree is not None:
        return tree.path(items, index)
    path: list[bytes] = []
    for level in _levels(items):
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        index >>= 1
    return path


def verify_path(root: bytes, item: bytes, index: int, count: int, path: Sequence[bytes]) -> bool:
    """Return whether `path` shows that `item` is number `index` of the `count` items under `root`.

    The path's length must be exactly what `index` and `count` demand.
    Any malformed argument gives False, nothing raises.
    """
    if not 0 <= index < count <= LIST_ITEMS_MAX or any(len(sibling) != HASH_BYTES for sibling in path):
        return False
    current = H("leaf", item)
    used = 0
    width = count
    while width > 1:
        if index ^ 1 < width:
            if used == len(path):
                return False
            sibling = path[used]
            used += 1
            current = H("node", sibling + current if index & 1 else current + sibling)
        index >>= 1
        width = (width + 1) >> 1
    return used == len(path) and _bind(count, current) == root


def _levels(items: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The hashes of each level, leaves first; nothing for an empty list."""
    if not items:
        return
    level = H_many("leaf", items)
    yield level
    while len(level) > 1:
        parents = H_many("node", [level[at] + level[at + 1] for at in range(0, len(level) - 1, 2)])
        if len(level) & 1:
            parents.append(level[-1])
        level = parents
        yield level


def _bind(count: int, top: bytes) -> bytes:
    return H("root", count.to_bytes(8, "big") + top)
