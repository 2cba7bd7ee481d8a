"""Headers: one form, one hash, no round."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from metanode.core.model.errors import CodecError, MetanodeError
from metanode.core.model.header import Header, Roots, decode_header, header_hash
from metanode.core.model.limits import HEADER_BYTES_MAX

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "header.json").read_text())


def header_of(fields: dict[str, Any]) -> Header:
    """Return the header that a vector's fields spell."""
    roots = Roots(**{name: bytes.fromhex(value) for name, value in fields["roots"].items()})
    plain: dict[str, Any] = {
        name: bytes.fromhex(value) if isinstance(value, str) else value for name, value in fields.items()
    }
    return Header(**{**plain, "roots": roots})


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_a_vector_is_encoded_and_read_back(case: dict[str, Any]) -> None:
    """Fields, bytes and hash are the same everywhere."""
    data = bytes.fromhex(case["header"])
    header = header_of(case["fields"])
    assert header.encode() == data
    assert decode_header(data) == header
    assert header_hash(data).hex() == case["hash"]
    assert len(data) <= HEADER_BYTES_MAX


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=lambda case: case["name"])
def test_an_invalid_vector_is_refused(case: dict[str, Any]) -> None:
    """Each with its stable code; a root of a feature that is off is an unknown key."""
    with pytest.raises(MetanodeError) as caught:
        decode_header(bytes.fromhex(case["header"]))
    assert caught.value.code == case["code"]


def test_every_prefix_of_a_header_is_refused() -> None:
    """No truncation is mistaken for a whole header."""
    data = bytes.fromhex(VECTORS["cases"][0]["header"])
    for end in range(len(data)):
        with pytest.raises(CodecError):
            decode_header(data[:end])
