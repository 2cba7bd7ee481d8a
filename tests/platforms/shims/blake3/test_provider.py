"""Hashing through the extension gives what the pure reference gives, on every path, for every kind of buffer."""

from __future__ import annotations

import mmap
import random
from array import array
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metanode.core.model import blake3 as pure
from metanode.platforms.shims import blake3 as shim
from metanode.platforms.shims.blake3 import published
from metanode.platforms.shims.blake3.buffers import split
from metanode.platforms.shims.blake3.provider import CONTEXTS_MAX, SINGLES_MAX

CONTEXT = "a context of tests"
KEY = bytes(range(32))
BLOCK, CHUNK, LANES_MAX = 64, 1024, 16
QUIET = settings(
    derandomize=True, deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
DATA = random.Random(4).randbytes(1_000_001)


def _boundaries() -> list[int]:
    """Lengths around blocks, chunks, and groups of as many chunks as a path takes at once; some up to 10^6."""
    near = {at + step for at in (0, BLOCK, 2 * BLOCK, CHUNK) for step in (-1, 0, 1)}
    near |= {lanes * CHUNK + step for lanes in range(1, 2 * LANES_MAX + 2) for step in (-1, 0, 1, BLOCK)}
    near |= {2**power + step for power in range(15, 20) for step in (-1, 0, 1)}
    return sorted(length for length in near if length >= 0) + [999_999, 1_000_000]


def test_every_length_at_a_boundary_hashes_as_the_portable_path_does(path: str, provider: shim.ShimProvider) -> None:
    """From nothing to a million bytes; the portable path is held to the pure reference below."""
    mine = [provider.digest(DATA[:length]) for length in _boundaries()]
    shim.select("portable")
    assert mine == [provider.digest(DATA[:length]) for length in _boundaries()]


def test_short_inputs_of_every_length_hash_as_the_reference_does(path: str, provider: shim.ShimProvider) -> None:
    """Every length up to five blocks, every boundary up to three chunks."""
    for length in (*range(5 * BLOCK + 2), *(at for at in _boundaries() if at <= 3 * CHUNK + BLOCK)):
        data = DATA[:length]
        assert provider.digest(data) == pure.digest(data), length
    assert provider.keyed(KEY, DATA[:2000], 200) == pure.keyed(KEY, DATA[:2000], 200)
    assert provider.derive_key(CONTEXT, DATA[:2000], 0) == b""


def test_a_million_bytes_hash_as_an_independent_implementation_says(path: str, provider: shim.ShimProvider) -> None:
    """The package of PyPI, where it is installed."""
    peer: Any = pytest.importorskip("blake3")
    for length in _boundaries():
        assert provider.digest(DATA[:length]) == peer.blake3(DATA[:length]).digest(), length
    assert provider.digest(DATA[:70_000], 5000) == peer.blake3(DATA[:70_000]).digest(5000)
    assert provider.keyed(KEY, DATA) == peer.blake3(DATA, key=KEY).digest()
    assert provider.derive_key(CONTEXT, DATA) == peer.blake3(DATA, derive_key_context=CONTEXT).digest()


def test_a_batch_of_every_length_equals_single_hashes(path: str, provider: shim.ShimProvider) -> None:
    """All lengths around blocks and lanes in one batch, in an order that fills no group at once."""
    lengths = [length for length in range(6 * BLOCK + 2) for _ in range(3)] + [CHUNK - 1, CHUNK, CHUNK + 1, 5000, 0]
    random.Random(5).shuffle(lengths)
    offsets = array("Q", accumulate(lengths, initial=7))
    items = [DATA[start:end] for start, end in zip(offsets, offsets[1:], strict=False)]
    assert split(provider.digest_packed(DATA, offsets)) == [provider.digest(item) for item in items]
    assert split(provider.keyed_packed(KEY, DATA, offsets)) == [provider.keyed(KEY, item) for item in items]
    derived = [provider.derive_key(CONTEXT, item) for item in items]
    assert split(provider.derive_key_packed(CONTEXT, DATA, offsets)) == derived
    assert provider.derive_key_many(CONTEXT, items) == derived


@pytest.mark.parametrize("count", range(2 * LANES_MAX + 3))
def test_a_batch_of_any_number_equals_single_hashes(path: str, provider: shim.ShimProvider, count: int) -> None:
    """Groups that are not full, and the lists too short for a batch."""
    assert SINGLES_MAX < LANES_MAX
    items = [DATA[at : at + 150] for at in range(count)]
    assert provider.derive_key_many(CONTEXT, items) == [pure.derive_key(CONTEXT, item) for item in items]


@QUIET
@given(st.lists(st.integers(0, 3000).map(lambda length: DATA[:length]), max_size=12), st.text(max_size=40))
def test_batches_equal_the_pure_provider(provider: shim.ShimProvider, items: list[bytes], context: str) -> None:
    """One call for many messages, empty ones among them, changes nothing but the time."""
    assert provider.derive_key_many(context, items) == [pure.derive_key(context, item) for item in items]


def test_any_contiguous_buffer_is_taken_as_its_bytes(path: str, provider: shim.ShimProvider) -> None:
    """Read-only or not, at any address, of items of any size."""
    expected = provider.digest(DATA[:4000])
    area = bytearray(b"x" * 64 + DATA[:4000])
    with mmap.mmap(-1, 4096) as mapped:
        mapped[:4000] = DATA[:4000]
        with memoryview(mapped)[:4000] as view:
            assert provider.digest(view) == expected
    for shift in range(17):
        area[shift : shift + 4000] = DATA[:4000]
        assert provider.digest(memoryview(area)[shift : shift + 4000]) == expected
    assert provider.digest(array("Q", DATA[:4000])) == expected
    assert provider.digest(memoryview(DATA[:4000]).cast("I", (10, 100))) == expected
    assert provider.derive_key(CONTEXT, bytearray(DATA[:4000])) == provider.derive_key(CONTEXT, DATA[:4000])


def test_what_is_no_contiguous_buffer_is_refused(provider: shim.ShimProvider) -> None:
    """With an error that says so."""
    for hashed in (provider.digest, lambda data: provider.derive_key(CONTEXT, data)):
        with pytest.raises(ValueError, match="data is not contiguous"):
            hashed(memoryview(DATA)[::2])
        with pytest.raises(TypeError, match="bytes-like"):
            hashed("text")
    with pytest.raises(ValueError, match="31 bytes, must have 32"):
        provider.keyed(KEY[:31], b"")
    with pytest.raises(ValueError, match="out_bytes is -1"):
        provider.digest(b"", -1)


@pytest.mark.parametrize("count", [1, SINGLES_MAX, SINGLES_MAX + 1])
def test_a_list_of_what_is_not_bytes_is_refused_or_taken_as_bytes(provider: shim.ShimProvider, count: int) -> None:
    """A view of wider items has fewer items than bytes; trusting its length would hash something else."""
    wide = memoryview(array("Q", [1, 2]))
    if count > SINGLES_MAX:
        with pytest.raises(TypeError, match="wider than bytes"):
            provider.derive_key_many(CONTEXT, [wide] * count)  # type: ignore[list-item]  # the mistake under test
    else:
        expected = [provider.derive_key(CONTEXT, bytes(wide))] * count
        assert provider.derive_key_many(CONTEXT, [wide] * count) == expected  # type: ignore[list-item]
    with pytest.raises(TypeError):
        provider.derive_key_many(CONTEXT, ["text"] * count)  # type: ignore[list-item]  # the mistake under test


def test_more_contexts_than_are_kept_still_work(provider: shim.ShimProvider) -> None:
    """The store of context keys is bounded, the answers are not."""
    fresh = shim.ShimProvider(SimpleNamespace(ffi=provider._module.ffi, lib=provider._module.lib))
    for number in range(CONTEXTS_MAX + 5):
        assert fresh.derive_key(f"context {number}", b"x") == provider.derive_key(f"context {number}", b"x")
    assert len(fresh._context_keys) == CONTEXTS_MAX
    assert fresh.derive_key("one more", b"x") == pure.derive_key("one more", b"x")


@pytest.mark.parametrize("row", published.VECTORS, ids=lambda row: str(row[0]))
def test_the_shipped_vectors_are_those_of_the_reference(row: tuple[int, str, str, str]) -> None:
    """`metanode doctor hashing` judges by them."""
    data = bytes(place % 251 for place in range(row[0]))
    derived = pure.derive_key(published.CONTEXT, data)
    assert row[1:] == (pure.digest(data).hex(), pure.keyed(published.KEY, data).hex(), derived.hex())
