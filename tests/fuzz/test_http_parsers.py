"""Both request parsers under broken, hostile and cut streams: events only, the same however the network cuts them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from fuzzkit import http_bytes

from metanode.core.http import BODY_BYTES_MAX
from metanode.plugins.api._shared.messages import (
    HEADER_BYTES_MAX,
    READ_BYTES,
    ContinueWanted,
    Incoming,
    Refused,
    RequestParser,
)
from metanode.plugins.api._shared.parser_h11 import H11Parser
from metanode.plugins.api._shared.parser_httptools import HttptoolsParser

PARSERS: dict[str, Callable[[int], RequestParser]] = {"httptools": HttptoolsParser, "h11": H11Parser}
ROUNDS = 1_500
SEED = 20_251_124

TOO_MUCH = ("refused", "HEADERS_TOO_LARGE")

Seen = list[tuple[str, str, bytes] | tuple[str, str]]


def read(new_parser: Callable[[int], RequestParser], pieces: list[bytes]) -> Seen:
    """Return what a parser makes of a connection: requests, then perhaps a refusal's code."""
    parser = new_parser(BODY_BYTES_MAX)
    seen: Seen = []
    ended = False
    for piece in pieces:
        for start in range(0, len(piece), READ_BYTES):
            for event in parser.feed(piece[start : start + READ_BYTES]):
                assert not ended, "nothing follows what ends the connection"
                if isinstance(event, Incoming):
                    head = event.head
                    seen.append((head.method, head.target, event.body))
                    assert head.target.startswith("/") or head.target == "*"
                    assert len(event.body) <= BODY_BYTES_MAX
                    ended = head.upgrade or not head.keep_alive
                elif isinstance(event, Refused):
                    assert event.error.line().isprintable()
                    assert 400 <= event.error.status < 500
                    seen.append(("refused", event.error.code))
                    ended = True
                else:
                    assert isinstance(event, ContinueWanted)
            assert parser.body_received <= BODY_BYTES_MAX + READ_BYTES
            assert not (ended and parser.in_request)
    return seen


def requests(seen: Seen) -> Seen:
    """The requests alone."""
    return [event for event in seen if event[0] != "refused"]


def cuts(chance: Random, data: bytes) -> list[bytes]:
    """Cut a stream at random places."""
    places = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randint(1, 6)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@pytest.mark.parametrize("name", PARSERS)
def test_the_cuts_of_the_network_change_nothing(name: str) -> None:
    """A request is the same in one piece, in any pieces, and byte by byte, and so is a refusal."""
    chance = Random(SEED)
    for _ in range(ROUNDS):
        data = http_bytes.stream(chance)
        whole = read(PARSERS[name], [data])
        for pieces in (cuts(chance, data), [data[n : n + 1] for n in range(min(len(data), 2 * HEADER_BYTES_MAX))]):
            cut = read(PARSERS[name], pieces)
            if sum(map(len, pieces)) < len(data) or TOO_MUCH in (*cut, *whole):
                # How much may arrive without completing anything is bounded, not exact.
                shorter = min(len(requests(cut)), len(requests(whole)))
                assert requests(cut)[:shorter] == requests(whole)[:shorter], data[:600]
            else:
                assert cut == whole, data[:600]


def test_the_two_parsers_never_frame_a_stream_differently() -> None:
    """Where both go on, they see the same requests: neither finds one that the other took for a body."""
    chance = Random(SEED)
    agreed = 0
    for _ in range(ROUNDS):
        data = http_bytes.stream(chance)
        one, other = (requests(read(parser, [data])) for parser in PARSERS.values())
        shorter = min(len(one), len(other))
        assert one[:shorter] == other[:shorter], data[:600]
        agreed += shorter
    assert agreed > ROUNDS / 4


@pytest.mark.parametrize("data", http_bytes.SMUGGLING, ids=range(len(http_bytes.SMUGGLING)))
@pytest.mark.parametrize("name", PARSERS)
def test_no_framing_trick_hides_a_request_in_a_body(name: str, data: bytes) -> None:
    """A hidden request is refused with what carries it, or is read as the separate request that it plainly is."""
    for event in read(PARSERS[name], [data]):
        if len(event) == 3:
            assert b"/hidden" not in event[2]
