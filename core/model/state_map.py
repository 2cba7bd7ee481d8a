"""The state: a persistent sparse Merkle map in compact form, with proofs both ways.

After Dahlberg, Pulls, Peeters, "Efficient Sparse Merkle Trees" (2016), in the compact form that
Jellyfish uses.  A key's place is its path H(mleaf, key), bits most significant first.

    leaf   H(mleaf, path || H(mvalue, value))
    inner  H(mnode, left || right)
    empty  32 zero bytes; a subtree with exactly one leaf *is* that leaf
    root   H(root, u64_be(count) || top)

Every version stays valid: an update shares all untouched subtrees with the map it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from metanode.core.model.hashing import H, H_many
from metanode.core.model.limits import HASH_BYTES, STATE_PATH_BITS, UINT_MAX
from metanode.core.model.sorted_map import SortedMap

EMPTY_HASH = bytes(HASH_BYTES)
"""The hash of an empty subtree."""


class _Leaf:
    __slots__ = ("hash", "path", "value_hash")

    def __init__(self, path: bytes, value_hash: bytes, leaf_hash: bytes) -> None:
        self.path = path
        self.value_hash = value_hash
        self.hash = leaf_hash


class _Inner:
    __slots__ = ("hash", "left", "right")

    hash: bytes
    """Set by `_hash_fresh` once the update that made the node is complete."""

    def __init__(self, left: _Node, right: _Node) -> None:
        self.left = left
        self.right = right


_Node: TypeAlias = "_Leaf | _Inner | None"
_Change = tuple[bytes, "_Leaf | None"]
"""A path, and the leaf to stand there or None to remove it."""
_Fresh = list[list[_Inner]]
"""Inner nodes that an update makes, by depth: one call hashes a whole level."""


@dataclass(frozen=True)
class StateProof:
    """Shows what a key holds, or that it holds nothing, under one root."""

    siblings: tuple[bytes, ...]
    """Hashes beside the path, from the top down: `siblings[i]` is across bit i of the path."""
    leaf: tuple[bytes, bytes] | None
    """(path, value hash) of the leaf where the walk ended; None where it ended at an empty subtree."""
    count: int
    """Entries of the whole map; the root binds it."""


class StateMap:
    """An immutable map from keys to values with a root hash.  Keys and values are opaque bytes."""

    __slots__ = ("_entries", "_root", "_top")

    def __init__(self, entries: SortedMap, top: _Node) -> None:
        self._entries = entries
        self._top = top
        self._root = _bind(len(entries), _hash(top))

    @classmethod
    def empty(cls) -> StateMap:
        """Return the map without entries."""
        return cls(SortedMap(), None)

    @classmethod
    def from_entries(cls, entries: Iterable[tuple[bytes, bytes]]) -> StateMap:
        """Return a map of these entries, in any order; of a key given twice the last one counts."""
        return cls.empty().update(dict(entries))

    @property
    def root(self) -> bytes:
        """The 32-byte root over all entries and their count."""
        return self._root

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`, or None.  Hashes nothing."""
        return self._entries.get(key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) by rising key."""
        return self._entries.items_from(b"")

    def items_with_prefix(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of the keys that begin with `prefix`, by rising key."""
        for key, value in self._entries.items_from(prefix):
            if not key.startswith(prefix):
                return
            yield key, value

    def update(self, changes: Mapping[bytes, bytes | None]) -> StateMap:
        """Return this map with `changes` applied: a value sets a key, None removes it.

        Removing an absent key and setting the value that stands there change nothing.
        Costs O(k log n) hashes for k changes among n entries.
        """
        real = {key: value for key, value in changes.items() if self._entries.get(key) != value}
        if not real:
            return self
        paths = H_many("mleaf", list(real))
        written = [value for value in real.values() if value is not None]
        value_hashes = iter(H_many("mvalue", written))
        staged = [(path, None if value is None else next(value_hashes))
                  for path, value in zip(paths, real.values(), strict=True)]  # fmt: skip
        leaf_hashes = iter(H_many("mleaf", [path + digest for path, digest in staged if digest is not None]))
        leaves: list[_Change] = [
            (path, None if digest is None else _Leaf(path, digest, next(leaf_hashes))) for path, digest in staged
        ]
        leaves.sort(key=_path_of)
        fresh: _Fresh = []
        top = _apply(self._top, leaves, 0, fresh)
        _hash_fresh(fresh)
        return StateMap(self._entries.update(real), top)

    def prove(self, key: bytes) -> StateProof:
        """Return the proof of what `key` holds here, be it a value or nothing."""
        path = H("mleaf", key)
        siblings: list[bytes] = []
        node = self._top
        while isinstance(node, _Inner):
            left, right = node.left, node.right
            if _bit(path, len(siblings)):
                siblings.append(_hash(left))
                node = right
            else:
                siblings.append(_hash(right))
                node = left
        leaf = None if node is None else (node.path, node.value_hash)
        return StateProof(tuple(siblings), leaf, len(self))


def verify_state(root: bytes, key: bytes, value: bytes | None, proof: StateProof) -> bool:
    """Return whether `proof` shows that `key` holds `value` under `root`; value None: holds nothing.

    Inclusion needs the key's own leaf.  Non-inclusion at depth d (the number of siblings) needs an
    empty subtree there, or a leaf with another path that shares the first d bits with the key's.
    Any malformed proof gives False, nothing raises.
    """
    depth = len(proof.siblings)
    if depth > STATE_PATH_BITS or any(len(sibling) != HASH_BYTES for sibling in proof.siblings):
        return False
    if not 0 <= proof.count <= UINT_MAX:
        return False
    path = H("mleaf", key)
    if proof.leaf is None:
        if value is not None:
            return False
        current = EMPTY_HASH
    else:
        leaf_path, value_hash = proof.leaf
        if len(leaf_path) != HASH_BYTES or len(value_hash) != HASH_BYTES:
            return False
        if value is None:
            if leaf_path == path or not _share(leaf_path, path, depth):
                return False
        elif leaf_path != path or value_hash != H("mvalue", value):
            return False
        current = H("mleaf", leaf_path + value_hash)
    for place in range(depth - 1, -1, -1):
        sibling = proof.siblings[place]
        current = H("mnode", sibling + current if _bit(path, place) else current + sibling)
    return _bind(proof.count, current) == root


def _apply(node: _Node, changes: Sequence[_Change], depth: int, fresh: _Fresh) -> _Node:
    """The subtree at `depth` after `changes`, which all lie in it and rise by path."""
    if len(changes) < 2:
        return _apply_one(node, *changes[0], depth, fresh) if changes else node
    if isinstance(node, _Inner):
        split = _split(changes, depth)
        left = _apply(node.left, changes[:split], depth + 1, fresh)
        right = _apply(node.right, changes[split:], depth + 1, fresh)
        return _join(left, right, depth, fresh)
    leaves = {path: leaf for path, leaf in changes if leaf is not None}
    if node is not None and all(path != node.path for path, _ in changes):
        leaves[node.path] = node
    return _build([leaves[path] for path in sorted(leaves)], depth, fresh)


def _apply_one(node: _Node, path: bytes, leaf: _Leaf | None, depth: int, fresh: _Fresh) -> _Node:
    """`_apply` for a single change: down to its place and up again, which is most of the way for most changes."""
    above: list[_Inner] = []
    while isinstance(node, _Inner):
        above.append(node)
        node = node.right if _bit(path, depth) else node.left
        depth += 1
    below: _Node = leaf
    if node is not None and node.path != path:
        below = node if leaf is None else _build(sorted((node, leaf), key=lambda each: each.path), depth, fresh)
    for inner in reversed(above):
        depth -= 1
        left, right = (inner.left, below) if _bit(path, depth) else (below, inner.right)
        below = _join(left, right, depth, fresh)
    return below


def _build(leaves: Sequence[_Leaf], depth: int, fresh: _Fresh) -> _Node:
    """The subtree at `depth` that holds exactly `leaves`, which rise by path."""
    if len(leaves) < 2:
        return leaves[0] if leaves else None
    split = _split([(leaf.path, leaf) for leaf in leaves], depth)
    return _inner(_build(leaves[:split], depth + 1, fresh), _build(leaves[split:], depth + 1, fresh), depth, fresh)


def _join(left: _Node, right: _Node, depth: int, fresh: _Fresh) -> _Node:
    """The parent of two subtrees; a lone leaf takes its parent's place."""
    if left is None and not isinstance(right, _Inner):
        return right
    if right is None and not isinstance(left, _Inner):
        return left
    return _inner(left, right, depth, fresh)


def _inner(left: _Node, right: _Node, depth: int, fresh: _Fresh) -> _Inner:
    node = _Inner(left, right)
    while len(fresh) <= depth:
        fresh.append([])
    fresh[depth].append(node)
    return node


def _hash_fresh(fresh: _Fresh) -> None:
    for level in reversed(fresh):
        hashes = H_many("mnode", [_hash(node.left) + _hash(node.right) for node in level])
        for node, digest in zip(level, hashes, strict=True):
            node.hash = digest


def _split(changes: Sequence[_Change], depth: int) -> int:
    """How many of the changes, which rise by path, go left at `depth`."""
    low, high = 0, len(changes)
    while low < high:
        middle = (low + high) >> 1
        if _bit(changes[middle][0], depth):
            high = middle
        else:
            low = middle + 1
    return low


def _path_of(change: _Change) -> bytes:
    return change[0]


def _bit(path: bytes, place: int) -> int:
    """Bit number `place` of a path, the most significant of the first byte being 0."""
    return path[place >> 3] >> (7 - (place & 7)) & 1


def _share(one: bytes, other: bytes, bits: int) -> bool:
    """Whether two paths agree in their first `bits` bits."""
    difference = int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
    return difference >> (STATE_PATH_BITS - bits) == 0


def _hash(node: _Node) -> bytes:
    return EMPTY_HASH if node is None else node.hash


def _bind(count: int, top: bytes) -> bytes:
    return H("root", count.to_bytes(8, "big") + top)
