"""The state map: one root per content, proofs both ways, every version alive."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model import hashing
from metanode.core.model.hashing import H
from metanode.core.model.sorted_map import CHUNK_MAX, SortedMap
from metanode.core.model.state_map import EMPTY_HASH, StateMap, StateProof, verify_state

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "state_map.json").read_text())
KEYS = st.integers(0, 60).map(lambda number: number.to_bytes(2, "big"))
CHANGES = st.dictionaries(KEYS, st.none() | st.binary(max_size=3), max_size=12)
QUIET = settings(derandomize=True, deadline=None)


def _bit(path: bytes, depth: int) -> int:
    return path[depth // 8] >> (7 - depth % 8) & 1


def _naive_top(leaves: list[tuple[bytes, bytes]], depth: int = 0) -> bytes:
    """The definition, literally: recompute every subtree from its leaves."""
    if not leaves:
        return bytes(32)
    if len(leaves) == 1:
        return H("mleaf", leaves[0][0] + leaves[0][1])
    sides = [[leaf for leaf in leaves if _bit(leaf[0], depth) == side] for side in (0, 1)]
    return H("mnode", _naive_top(sides[0], depth + 1) + _naive_top(sides[1], depth + 1))


def _naive_root(entries: dict[bytes, bytes]) -> bytes:
    leaves = [(H("mleaf", key), H("mvalue", value)) for key, value in entries.items()]
    return H("root", len(entries).to_bytes(8, "big") + _naive_top(leaves))


def _numbered(count: int) -> dict[bytes, bytes]:
    return {b"\1" + place.to_bytes(8, "big"): f"value {place}".encode() for place in range(count)}


def _apply(entries: dict[bytes, bytes], changes: dict[bytes, bytes | None]) -> dict[bytes, bytes]:
    merged = {**entries, **changes}
    return {key: value for key, value in merged.items() if value is not None}


@pytest.mark.parametrize("row", VECTORS["cases"], ids=lambda row: str(row["entries"]))
def test_roots_and_proofs_are_the_published_ones(row: dict[str, Any]) -> None:
    """Every implementation computes these bytes."""
    state = StateMap.from_entries(_numbered(row["entries"]).items())
    assert state.root.hex() == row["root"]
    for proof in row["proofs"]:
        key = bytes.fromhex(proof["key"])
        value = None if proof["value"] is None else bytes.fromhex(proof["value"])
        leaf = tuple(bytes.fromhex(part) for part in proof["leaf"]) or None
        expected = StateProof(tuple(map(bytes.fromhex, proof["siblings"])), leaf, proof["count"])  # type: ignore[arg-type]
        assert state.prove(key) == expected
        assert state.get(key) == value
        assert verify_state(state.root, key, value, expected)


@QUIET
@given(st.lists(CHANGES, max_size=6))
def test_any_history_gives_the_root_of_its_content(history: list[dict[bytes, bytes | None]]) -> None:
    """The root depends on what is in the map, never on how it came there; old versions stay as they were."""
    state, entries = StateMap.empty(), dict[bytes, bytes]()
    versions = [(state, entries)]
    for changes in history:
        state, entries = state.update(changes), _apply(entries, changes)
        versions.append((state, entries))
    for version, content in versions:
        assert version.root == _naive_root(content)
        assert len(version) == len(content)
        assert list(version.items()) == sorted(content.items())
        assert StateMap.from_entries(content.items()).root == version.root


@QUIET
@given(CHANGES, KEYS)
def test_every_key_is_proved_present_or_absent_and_not_the_contrary(
    changes: dict[bytes, bytes | None], key: bytes
) -> None:
    """A proof says what the map says."""
    state = StateMap.empty().update(changes)
    value, proof = state.get(key), state.prove(key)
    assert verify_state(state.root, key, value, proof)
    assert not verify_state(state.root, key, (value or b"") + b"x", proof)
    assert not verify_state(StateMap.from_entries([(b"other", b"")]).root, key, value, proof)
    if value is not None:
        assert not verify_state(state.root, key, None, proof)


def test_no_altered_proof_verifies() -> None:
    """Siblings, leaf and count are all bound by the root."""
    state = StateMap.from_entries(_numbered(40).items())
    for number in (0, 7, 39, 1000, 1001, 1002, 1003, 1004, 1005):
        key = b"\1" + number.to_bytes(8, "big")
        value, proof = state.get(key), state.prove(key)
        siblings = proof.siblings
        altered = [
            replace(proof, count=proof.count + 1),
            replace(proof, count=-1),
            replace(proof, count=2**64),
            replace(proof, siblings=siblings[:-1]),
            replace(proof, siblings=siblings[1:]),
            replace(proof, siblings=(*siblings, EMPTY_HASH)),
            replace(proof, siblings=siblings[::-1]),
            replace(proof, siblings=(siblings[0][:31], *siblings[1:])),
            replace(proof, siblings=siblings * 60),
            replace(proof, leaf=None if proof.leaf else (bytes(32), bytes(32))),
        ]
        if proof.leaf:
            path, digest = proof.leaf
            flipped = bytes([path[0] ^ 0x80]) + path[1:]
            pairs = ((flipped, digest), (path, bytes(32)), (path[:31], digest), (path, digest + b"\0"))
            altered += [replace(proof, leaf=pair) for pair in pairs]
        for bad in altered:
            assert not verify_state(state.root, key, value, bad)
            assert not verify_state(state.root, key, None, bad)


def test_another_keys_leaf_proves_absence_only_below_a_shared_prefix() -> None:
    """A true leaf from elsewhere in the map must not hide a key that is there."""
    entries = _numbered(200)
    state = StateMap.from_entries(entries.items())
    present = b"\1" + bytes(8)
    for other in list(entries)[1:]:
        assert not verify_state(state.root, present, None, state.prove(other))


def test_an_empty_subtree_elsewhere_does_not_prove_absence() -> None:
    """A proof that ends at an empty place is for keys of that place alone."""
    state = StateMap.from_entries(_numbered(40).items())
    absent = [b"\2" + place.to_bytes(8, "big") for place in range(400)]
    ending_empty = [key for key in absent if state.prove(key).leaf is None]
    assert ending_empty
    for key, _ in state.items():
        assert not any(verify_state(state.root, key, None, state.prove(hole)) for hole in ending_empty[:5])


def test_the_empty_map_proves_that_nothing_is_there() -> None:
    """Root over count 0 and the empty hash; absence needs no sibling."""
    state = StateMap.empty()
    assert state.root == H("root", bytes(8) + EMPTY_HASH)
    assert verify_state(state.root, b"any", None, state.prove(b"any"))
    assert not verify_state(state.root, b"any", b"", state.prove(b"any"))


def test_an_empty_value_is_not_an_absent_one() -> None:
    """A key may hold the empty string."""
    state = StateMap.from_entries([(b"key", b"")])
    assert state.get(b"key") == b""
    assert verify_state(state.root, b"key", b"", state.prove(b"key"))
    assert not verify_state(state.root, b"key", None, state.prove(b"key"))


def test_an_update_without_effect_returns_the_same_map() -> None:
    """Setting what stands and removing what does not cost nothing."""
    state = StateMap.from_entries(_numbered(5).items())
    assert state.update({}) is state
    assert state.update({**_numbered(5), b"absent": None}) is state


def test_removing_everything_leads_back_to_the_empty_root() -> None:
    """Lone leaves move up as their neighbours go."""
    state = StateMap.from_entries(_numbered(50).items())
    for key in _numbered(50):
        state = state.update({key: None})
    assert state.root == StateMap.empty().root
    assert list(state.items()) == []


def test_keys_with_a_prefix_come_in_order_and_alone() -> None:
    """A table of the state is read by its first byte."""
    entries = {bytes([table]) + place.to_bytes(2, "big"): b"v" for table in (0, 1, 2, 255) for place in range(300)}
    state = StateMap.from_entries(entries.items())
    for prefix in (b"", b"\0", b"\1", b"\2\1", b"\xff", b"\3", b"\1\0\7"):
        expected = sorted(item for item in entries.items() if item[0].startswith(prefix))
        assert list(state.items_with_prefix(prefix)) == expected


class _Counting:
    """A provider that counts hashes."""

    name = "counting"

    def __init__(self, inner: hashing.Provider) -> None:
        self.inner = inner
        self.hashes = 0

    def digest(self, data: bytes) -> bytes:
        return self.inner.digest(data)

    def derive_key(self, context: str, data: bytes) -> bytes:
        self.hashes += 1
        return self.inner.derive_key(context, data)

    def derive_key_many(self, context: str, items: Any) -> list[bytes]:
        self.hashes += len(items)
        return self.inner.derive_key_many(context, items)


def test_an_update_hashes_only_the_changed_paths() -> None:
    """k changes among n entries cost about k log2 n hashes, not n; reading costs none."""
    state = StateMap.from_entries(_numbered(4000).items())
    before = hashing.provider()
    counting = _Counting(before)
    hashing.install(counting)
    try:
        changed = state.update({b"\1" + place.to_bytes(8, "big"): b"new" for place in range(10)})
        spent = counting.hashes
        assert changed.get(b"\1" + bytes(8)) == b"new"
        assert sum(1 for _ in changed.items()) == 4000
        assert counting.hashes == spent
    finally:
        hashing.install(before)
    assert spent < 10 * (12 + 10)
    assert changed.root == _naive_root({**_numbered(4000), **dict.fromkeys(list(_numbered(10)), b"new")})


@QUIET
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 300), st.booleans()), max_size=12))
def test_the_sorted_map_equals_a_dict_through_splits_and_joins(steps: list[tuple[int, int, bool]]) -> None:
    """Runs of keys set and removed make chunks split, shrink and join; each version stays as it was."""
    current, plain = SortedMap(), dict[bytes, bytes]()
    versions = [(current, plain)]
    for number, (first, length, remove) in enumerate(steps):
        keys = [key.to_bytes(2, "big") for key in range(first, first + length)]
        changes: dict[bytes, bytes | None] = dict.fromkeys(keys, None if remove else b"%d" % number)
        current, plain = current.update(changes), _apply(plain, changes)
        versions.append((current, plain))
    for version, content in versions:
        assert list(version.items_from(b"")) == sorted(content.items())
        assert len(version) == len(content)
        assert all(0 < len(keys) <= CHUNK_MAX for keys, _ in version._chunks)
        for start in (b"\0\7", b"\0\xff\1", b"\1\x10"):
            assert list(version.items_from(start)) == sorted(item for item in content.items() if item[0] >= start)
            assert version.get(start) == content.get(start)


@pytest.mark.parametrize(("siblings", "good"), [(255, True), (256, True), (257, False)])
def test_a_path_has_at_most_as_many_siblings_as_a_path_has_bits(siblings: int, good: bool) -> None:
    """Two keys may differ in the last bit only; beyond that there is nothing to tell apart."""
    path, value_hash = H("mleaf", b"key"), H("mvalue", b"value")
    beside = tuple(H("mvalue", bytes([place % 256])) for place in range(siblings))
    current = H("mleaf", path + value_hash)
    for place in range(min(siblings, 256) - 1, -1, -1):
        bit = int.from_bytes(path, "big") >> (255 - place) & 1
        current = H("mnode", beside[place] + current if bit else current + beside[place])
    root = H("root", (2).to_bytes(8, "big") + current)
    assert verify_state(root, b"key", b"value", StateProof(beside, (path, value_hash), 2)) is good


def test_a_malformed_proof_gives_false_itself() -> None:
    """Not something that merely counts as false."""
    state = StateMap.from_entries([(b"key", b"value")])
    proof = state.prove(b"key")
    assert verify_state(state.root, b"key", b"value", proof) is True
    for bad in (replace(proof, siblings=(b"short",)), replace(proof, count=-1), replace(proof, leaf=(b"", b""))):
        assert verify_state(state.root, b"key", b"value", bad) is False
    assert verify_state(state.root, b"key", None, proof) is False
    assert verify_state(state.root, b"key", b"value", replace(proof, leaf=None)) is False
    assert not hasattr(state, "__dict__"), "a node keeps hundreds of versions"


def test_a_count_has_sixty_four_bits_and_a_leaf_two_hashes() -> None:
    """Each checked by itself; everything else of these proofs fits."""
    path, value_hash = H("mleaf", b"key"), H("mvalue", b"value")
    leaf = H("mleaf", path + value_hash)
    for count in (2**64 - 1, 2**64):
        proof = StateProof((), (path, value_hash), count)
        root = H("root", (count % 2**64).to_bytes(8, "big") + leaf)
        assert verify_state(root, b"key", b"value", proof) is (count < 2**64)
    for odd in ((b"p" * 32, b"v" * 33), (b"p" * 33, b"v" * 32)):
        root = H("root", (1).to_bytes(8, "big") + H("mleaf", odd[0] + odd[1]))
        assert verify_state(root, b"absent", None, StateProof((), odd, 1)) is False
        good = (b"p" * 32, b"v" * 32)
        root = H("root", (1).to_bytes(8, "big") + H("mleaf", good[0] + good[1]))
        assert verify_state(root, b"absent", None, StateProof((), good, 1)) is True
