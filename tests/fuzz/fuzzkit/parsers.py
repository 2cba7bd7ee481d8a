"""What must hold of both request parsers on one connection's bytes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

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
TOO_MUCH = ("refused", "HEADERS_TOO_LARGE")
CUT_BYTES_MAX = 2 * HEADER_BYTES_MAX
"""Longer streams are not tried byte by byte: it takes long and shows nothing new."""

Seen = list[tuple[str, str, bytes] | tuple[str, str]]
"""(method, target, body) of each request, then perhaps ("refused", code)."""


def check_stream(chance: Random, data: bytes) -> int:
    """Hold both parsers to their promises on one stream; return how many requests both saw.

    However the network cuts it, a parser sees the same; and where both go on, they see the same requests: neither
    finds one where the other found a body.
    """
    for parser in PARSERS.values():
        check_cuts(parser, chance, data)
    one, other = (requests(read(parser, [data])) for parser in PARSERS.values())
    shorter = min(len(one), len(other))
    assert one[:shorter] == other[:shorter], data[:600]
    return shorter


def check_cuts(new_parser: Callable[[int], RequestParser], chance: Random, data: bytes) -> None:
    """A stream is the same in one piece, in any pieces and byte by byte."""
    whole = read(new_parser, [data])
    for pieces in (cuts(chance, data), [data[n : n + 1] for n in range(min(len(data), CUT_BYTES_MAX))]):
        cut = read(new_parser, pieces)
        if sum(map(len, pieces)) < len(data) or TOO_MUCH in (*cut, *whole):
            # How much may arrive without completing anything is bounded, not exact.
            shorter = min(len(requests(cut)), len(requests(whole)))
            assert requests(cut)[:shorter] == requests(whole)[:shorter], data[:600]
        else:
            assert cut == whole, data[:600]


def read(new_parser: Callable[[int], RequestParser], pieces: list[bytes]) -> Seen:
    """Return what a parser makes of a connection that arrives in these pieces."""
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
