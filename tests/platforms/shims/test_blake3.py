"""The BLAKE3 extension: the same vectors as the pure code, bounds checked, refused when wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model import blake3 as pure
from metanode.platforms.shims import blake3 as shim

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "blake3.json").read_text())
CONTEXT = VECTORS["context"]
OK, NULL, RANGE = 0, 1, 2


@pytest.fixture(scope="module")
def provider() -> shim.ShimProvider:
    """The provider, or a skip that says why there is none."""
    loaded = shim.load()
    if loaded is None:
        pytest.skip(shim.problem())
    return loaded


def _input(length: int) -> bytes:
    return bytes(place % 251 for place in range(length))


def _out(provider: shim.ShimProvider, size: int) -> Any:
    return provider._ffi.new("uint8_t[]", max(size, 1))


@pytest.mark.parametrize("row", VECTORS["cases"], ids=lambda row: str(row["input_len"]))
def test_all_three_modes_give_the_published_output(provider: shim.ShimProvider, row: dict[str, Any]) -> None:
    """C and Python share one file of vectors."""
    lib, ffi, data = provider._lib, provider._ffi, _input(row["input_len"])
    out = _out(provider, 131)
    assert lib.mn_blake3_hash(data, len(data), out, 131) == OK
    assert ffi.buffer(out, 131)[:].hex() == row["hash"]
    assert lib.mn_blake3_keyed(VECTORS["key"].encode(), 32, data, len(data), out, 131) == OK
    assert ffi.buffer(out, 131)[:].hex() == row["keyed_hash"]
    key = _out(provider, 32)
    assert lib.mn_blake3_context_key(CONTEXT.encode(), len(CONTEXT), key, 32) == OK
    assert lib.mn_blake3_derive(key, 32, data, len(data), out, 131) == OK
    assert ffi.buffer(out, 131)[:].hex() == row["derive_key"]
    assert provider.digest(data).hex() == row["hash"][:64]
    assert provider.derive_key(CONTEXT, data).hex() == row["derive_key"][:64]


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 3000).map(_input), max_size=8), st.text(max_size=40))
def test_batches_equal_the_pure_provider(items: list[bytes], context: str) -> None:
    """One call for many messages, empty ones among them, changes nothing but the time."""
    loaded = shim.load()
    if loaded is None:
        pytest.skip(shim.problem())
    assert loaded.derive_key_many(context, items) == [pure.derive_key(context, item) for item in items]


def test_more_contexts_than_are_kept_still_work(provider: shim.ShimProvider) -> None:
    """The store of context keys is bounded, the answers are not."""
    fresh = shim.ShimProvider(SimpleNamespace(ffi=provider._ffi, lib=provider._lib))
    for number in range(shim.CONTEXTS_MAX + 5):
        assert fresh.derive_key(f"context {number}", b"x") == provider.derive_key(f"context {number}", b"x")
    assert len(fresh._context_keys) == shim.CONTEXTS_MAX
    assert fresh.derive_key("one more", b"x") == pure.derive_key("one more", b"x")


@pytest.mark.parametrize(
    ("offsets", "length", "count", "out_len", "status"),
    [
        ([0, 3, 8], 8, 2, 64, OK),
        ([2, 2, 2], 8, 2, 64, OK),
        ([0], 8, 0, 0, OK),
        ([0, 3, 9], 8, 2, 64, RANGE),
        ([0, 5, 4], 8, 2, 64, RANGE),
        ([9, 3, 8], 8, 2, 64, RANGE),
        ([0, 2**64 - 1, 8], 8, 2, 64, RANGE),
        ([0, 3, 2**64 - 1], 8, 2, 64, RANGE),
        ([0, 3, 8], 8, 2, 63, RANGE),
        ([0, 3, 8], 8, 2, 96, RANGE),
        ([0, 3, 8], 8, 2**59, 0, RANGE),
    ],
)
def test_batch_bounds_are_checked_before_anything_is_written(
    provider: shim.ShimProvider, offsets: list[int], length: int, count: int, out_len: int, status: int
) -> None:
    """Offsets that fall or leave the buffer, and a wrong output size, touch no byte."""
    ffi = provider._ffi
    out = ffi.new("uint8_t[96]", b"\xaa" * 96)
    data = _input(length)
    listed = ffi.new("uint64_t[]", offsets)
    assert provider._lib.mn_blake3_derive_many(bytes(32), 32, data, length, listed, count, out, out_len) == status
    written = 0 if status else 32 * count
    assert ffi.buffer(out)[written:] == b"\xaa" * (96 - written)


def test_null_pointers_and_wrong_key_lengths_are_refused(provider: shim.ShimProvider) -> None:
    """A pointer may be null only where its length is 0."""
    lib, null, out = provider._lib, provider._ffi.NULL, _out(provider, 32)
    listed = provider._ffi.new("uint64_t[]", [0, 1])
    assert lib.mn_blake3_hash(null, 0, out, 32) == OK
    assert lib.mn_blake3_hash(null, 0, null, 0) == OK
    assert lib.mn_blake3_hash(null, 1, out, 32) == NULL
    assert lib.mn_blake3_hash(b"", 0, null, 1) == NULL
    assert lib.mn_blake3_keyed(null, 32, b"", 0, out, 32) == NULL
    assert lib.mn_blake3_keyed(bytes(31), 31, b"", 0, out, 32) == RANGE
    assert lib.mn_blake3_derive(null, 32, b"", 0, out, 32) == NULL
    assert lib.mn_blake3_derive(bytes(33), 33, b"", 0, out, 32) == RANGE
    assert lib.mn_blake3_context_key(b"c", 1, out, 31) == RANGE
    assert lib.mn_blake3_context_key(null, 1, out, 32) == NULL
    assert lib.mn_blake3_derive_many(null, 32, b"a", 1, listed, 1, out, 32) == NULL
    assert lib.mn_blake3_derive_many(bytes(32), 32, null, 1, listed, 1, out, 32) == NULL
    assert lib.mn_blake3_derive_many(bytes(32), 32, b"a", 1, null, 1, out, 32) == NULL
    assert lib.mn_blake3_derive_many(bytes(32), 32, b"a", 1, listed, 1, null, 32) == NULL
    assert lib.mn_blake3_derive_many(bytes(16), 16, b"a", 1, listed, 1, out, 32) == RANGE


def test_a_refused_call_raises_in_python(provider: shim.ShimProvider) -> None:
    """A status is never dropped."""
    with pytest.raises(ValueError, match="status 2"):
        provider._check(RANGE)


def test_a_missing_extension_is_none_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a compiler the wheel has no extension; the caller uses Python and can say why."""
    monkeypatch.setitem(sys.modules, "metanode.platforms.shims._blake3", None)
    assert shim.load() is None
    assert "not built" in shim.problem()


@pytest.mark.parametrize("broken", ["mn_blake3_hash", "mn_blake3_derive", "mn_blake3_derive_many"])
def test_an_extension_that_hashes_wrongly_is_not_handed_out(
    provider: shim.ShimProvider, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """A miscompiled library must never reach consensus: the self-test covers every entry Python uses."""

    class Wrong:
        """The library with one function that answers OK and writes nothing."""

        def __getattr__(self, name: str) -> Any:
            return (lambda *arguments: OK) if name == broken else getattr(provider._lib, name)

    module = SimpleNamespace(ffi=provider._ffi, lib=Wrong())
    monkeypatch.setitem(sys.modules, "metanode.platforms.shims._blake3", module)
    assert shim.load() is None
    assert "wrong digests" in shim.problem()
