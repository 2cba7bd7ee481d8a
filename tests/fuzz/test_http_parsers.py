"""Both request parsers under broken, hostile and cut streams; see `fuzzkit/parsers.py` for what must hold."""

from __future__ import annotations

from random import Random

import pytest

from fuzzkit import http_bytes
from fuzzkit.parsers import PARSERS, check_stream, read

ROUNDS = 700
SEED = 20_251_124


def test_broken_streams_are_read_alike_by_both_parsers_however_they_are_cut() -> None:
    """Requests and a refusal, nothing else, the same in one piece, in any pieces and byte by byte."""
    chance = Random(SEED)
    seen = sum(check_stream(chance, http_bytes.stream(chance)) for _ in range(ROUNDS))
    assert seen > ROUNDS / 4, "good requests stand between the broken ones"


@pytest.mark.parametrize("data", http_bytes.SMUGGLING, ids=range(len(http_bytes.SMUGGLING)))
@pytest.mark.parametrize("name", PARSERS)
def test_no_framing_trick_hides_a_request_in_a_body(name: str, data: bytes) -> None:
    """A hidden request is refused with what carries it, or is read as the separate request that it plainly is."""
    for event in read(PARSERS[name], [data]):
        if len(event) == 3:
            assert b"/hidden" not in event[2]
