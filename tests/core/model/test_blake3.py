"""The pure BLAKE3 against vectors and the PyPI package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.model import blake3

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "blake3.json").read_text())
KEY = VECTORS["key"].encode()
CONTEXT = VECTORS["context"]


def _input(length: int) -> bytes:
    return bytes(place % 251 for place in range(length))


@pytest.mark.parametrize("row", VECTORS["cases"], ids=lambda row: str(row["input_len"]))
def test_all_three_modes_give_the_published_output(row: dict[str, Any]) -> None:
    """Inputs around every block, chunk and tree edge; output beyond one block."""
    data = _input(row["input_len"])
    assert blake3.digest(data, 131).hex() == row["hash"]
    assert blake3.keyed(KEY, data, 131).hex() == row["keyed_hash"]
    assert blake3.derive_key(CONTEXT, data, 131).hex() == row["derive_key"]


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.integers(0, 4200), st.integers(0, 200), st.text(max_size=80))
def test_the_pypi_package_agrees(length: int, out_bytes: int, context: str) -> None:
    """An independent implementation gives the same bytes for any length and context."""
    oracle = pytest.importorskip("blake3").blake3
    data = _input(length)
    assert blake3.digest(data, out_bytes) == oracle(data).digest(length=out_bytes)
    assert blake3.keyed(KEY, data, out_bytes) == oracle(data, key=KEY).digest(length=out_bytes)
    assert blake3.derive_key(context, data) == oracle(data, derive_key_context=context).digest()


def test_shorter_output_is_a_prefix_of_longer() -> None:
    """The digest is the first 32 bytes of the stream."""
    stream = blake3.digest(b"metanode", 200)
    for size in (0, 1, 32, 63, 64, 65, 128, 199):
        assert blake3.digest(b"metanode", size) == stream[:size]


def test_a_key_of_another_length_is_refused() -> None:
    """A short key must not be padded in silence."""
    with pytest.raises(ValueError, match="key of 31 bytes"):
        blake3.keyed(bytes(31), b"")


def test_the_provider_offers_the_same_functions() -> None:
    """What `hashing` installs by default is this module."""
    pure = blake3.PureProvider()
    assert pure.name == "pure"
    assert pure.digest(b"a") == blake3.digest(b"a")
    assert pure.derive_key("c", b"a") == blake3.derive_key("c", b"a")
    assert pure.derive_key_many("c", [b"a", b""]) == [blake3.derive_key("c", b"a"), blake3.derive_key("c", b"")]
