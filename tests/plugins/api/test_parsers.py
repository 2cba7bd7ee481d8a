"""Both request parsers: the same bytes give the same requests and the same refusals."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.plugins.api._shared.messages import (
    HEADER_BYTES_MAX,
    READ_BYTES,
    ContinueWanted,
    Incoming,
    ParserEvent,
    Refused,
    RequestParser,
)
from metanode.plugins.api._shared.parser_h11 import H11Parser
from metanode.plugins.api._shared.parser_httptools import HttptoolsParser

NewParser = Callable[[int], RequestParser]
BODY_MAX = 4096
H = b"Host: node\r\n"

ACCEPTED: dict[str, tuple[bytes, tuple[str, str, bytes]]] = {
    "get": (b"GET /health HTTP/1.1\r\n" + H + b"\r\n", ("GET", "/health", b"")),
    "http/1.0 without host": (b"GET / HTTP/1.0\r\n\r\n", ("GET", "/", b"")),
    "length": (b"POST /v1/tx HTTP/1.1\r\n" + H + b"Content-Length: 4\r\n\r\nbody", ("POST", "/v1/tx", b"body")),
    "length of nothing": (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 0\r\n\r\n", ("POST", "/", b"")),
    "chunks": (
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        ("POST", "/", b"abcde"),
    ),
    "chunks with extension and trailer": (
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
        ("POST", "/", b"abc"),
    ),
    "absolute form": (b"GET http://node:80/a?b=c HTTP/1.1\r\n" + H + b"\r\n", ("GET", "/a?b=c", b"")),
    "absolute form without path": (b"GET http://node?b HTTP/1.1\r\n" + H + b"\r\n", ("GET", "/?b", b"")),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\n" + H + b"\r\n", ("OPTIONS", "*", b"")),
    "body with get": (b"GET / HTTP/1.1\r\n" + H + b"Content-Length: 2\r\n\r\nxy", ("GET", "/", b"xy")),
}

CHUNKED = b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n"
REFUSED: dict[str, tuple[bytes, str]] = {
    "length and chunks": (
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "BAD_REQUEST"
    ),
    "chunks and length": (
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "BAD_REQUEST"
    ),
    "two lengths": (
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "BAD_REQUEST"
    ),
    "signed length": (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: +1\r\n\r\na", "BAD_REQUEST"),
    "negative length": (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: -1\r\n\r\n", "BAD_REQUEST"),
    "hexadecimal length": (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 0x1\r\n\r\na", "BAD_REQUEST"),
    "unknown coding": (b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "BAD_REQUEST"),
    "chunked not last": (b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked, x\r\n\r\n", "BAD_REQUEST"),
    "chunked twice": (
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "BAD_REQUEST",
    ),
    "coding hidden by a tab": (b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: \x0bchunked\r\n\r\n", "BAD_REQUEST"),
    "chunks in http/1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "BAD_REQUEST"),
    "bad chunk size": (CHUNKED + b"zz\r\nab\r\n", "BAD_REQUEST"),
    "chunk size past 64 bits": (CHUNKED + b"f" * 24 + b"\r\nab\r\n", "BAD_REQUEST"),
    "negative chunk size": (CHUNKED + b"-1\r\nab\r\n", "BAD_REQUEST"),
    "chunk longer than said": (CHUNKED + b"2\r\nabcd\r\n0\r\n\r\n", "BAD_REQUEST"),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", "BAD_REQUEST"),
    "two hosts": (b"GET / HTTP/1.1\r\n" + H + H + b"\r\n", "BAD_REQUEST"),
    "space before colon": (b"GET / HTTP/1.1\r\nHost : node\r\n\r\n", "BAD_REQUEST"),
    "no header name": (b"GET / HTTP/1.1\r\n" + H + b": x\r\n\r\n", "BAD_REQUEST"),
    "no colon": (b"GET / HTTP/1.1\r\n" + H + b"nothing\r\n\r\n", "BAD_REQUEST"),
    "nul in value": (b"GET / HTTP/1.1\r\n" + H + b"X: a\0b\r\n\r\n", "BAD_REQUEST"),
    "nul in name": (b"GET / HTTP/1.1\r\n" + H + b"X\0: a\r\n\r\n", "BAD_REQUEST"),
    "nul in target": (b"GET /\0 HTTP/1.1\r\n" + H + b"\r\n", "BAD_REQUEST"),
    "control byte in value": (b"GET / HTTP/1.1\r\n" + H + b"X: a\x01b\r\n\r\n", "BAD_REQUEST"),
    "lone carriage return": (b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "BAD_REQUEST"),
    "utf-8 in target": ("GET /é HTTP/1.1\r\nHost: node\r\n\r\n".encode(), "BAD_REQUEST"),
    "fragment in target": (b"GET /a#b HTTP/1.1\r\n" + H + b"\r\n", "BAD_REQUEST"),
    "relative target": (b"GET health HTTP/1.1\r\n" + H + b"\r\n", "BAD_REQUEST"),
    "foreign scheme": (b"GET ftp://node/ HTTP/1.1\r\n" + H + b"\r\n", "BAD_REQUEST"),
    "asterisk with get": (b"GET * HTTP/1.1\r\n" + H + b"\r\n", "BAD_REQUEST"),
    "unknown method": (b"FETCH / HTTP/1.1\r\n" + H + b"\r\n", "BAD_REQUEST"),
    "lower-case method": (b"get / HTTP/1.1\r\n" + H + b"\r\n", "BAD_REQUEST"),
    "connect": (b"CONNECT node:80 HTTP/1.1\r\n" + H + b"\r\n", "BAD_REQUEST"),
    "version 2": (b"GET / HTTP/2.0\r\n" + H + b"\r\n", "BAD_REQUEST"),
    "version 1.2": (b"GET / HTTP/1.2\r\n" + H + b"\r\n", "BAD_REQUEST"),
    "version 0.9": (b"GET /\r\n\r\n", "BAD_REQUEST"),
    "http/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "BAD_REQUEST"),
    "tls hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), "BAD_REQUEST"),
    "noise": (bytes(range(128, 256)) * 2 + b"\r\n\r\n", "BAD_REQUEST"),
    "unknown expectation": (b"POST / HTTP/1.1\r\n" + H + b"Expect: 200-ok\r\nContent-Length: 1\r\n\r\n", "BAD_REQUEST"),
    "body by length too large": (
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 4097\r\n\r\n", "BODY_TOO_LARGE"
    ),
    "body by chunks too large": (CHUNKED + (b"400\r\n" + bytes(1024) + b"\r\n") * 5, "BODY_TOO_LARGE"),
    "length past 64 bits": (
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 99999999999999999999999\r\n\r\n", "BAD_REQUEST"
    ),
    "huge header": (
        b"GET / HTTP/1.1\r\n" + H + b"X: " + b"a" * 2 * HEADER_BYTES_MAX + b"\r\n\r\n", "HEADERS_TOO_LARGE"
    ),
    "huge target": (b"GET /" + b"a" * 2 * HEADER_BYTES_MAX + b" HTTP/1.1\r\n" + H + b"\r\n", "HEADERS_TOO_LARGE"),
    "many headers": (b"GET / HTTP/1.1\r\n" + H + b"X: a\r\n" * 200 + b"\r\n", "HEADERS_TOO_LARGE"),
    "endless headers": (b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: a\r\n" % i for i in range(5000)), "HEADERS_TOO_LARGE"),
    "endless trailer": (CHUNKED + b"0\r\nX: " + b"a" * 4 * HEADER_BYTES_MAX, "HEADERS_TOO_LARGE"),
}  # fmt: skip


def feed(parser: RequestParser, data: bytes, step: int = READ_BYTES) -> list[ParserEvent]:
    """Feed `data` in pieces."""
    events: list[ParserEvent] = []
    for at in range(0, len(data), step):
        events += parser.feed(data[at : at + step])
    return events


def shown(events: list[ParserEvent]) -> list[object]:
    """What can be compared: requests by method, target and body, refusals by code."""
    found: list[object] = []
    for event in events:
        if isinstance(event, Incoming):
            found.append((event.head.method, event.head.target, event.body))
        elif isinstance(event, Refused):
            found.append(event.error.code)
        else:
            found.append("continue")
    return found


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_request_is_read_whole_byte_by_byte_and_with_a_tail(new_parser: NewParser, name: str) -> None:
    """How the network cuts the bytes must not matter."""
    data, expected = ACCEPTED[name]
    assert shown(feed(new_parser(BODY_MAX), data)) == [expected]
    assert shown(feed(new_parser(BODY_MAX), data, 1)) == [expected]
    parser = new_parser(BODY_MAX)
    assert shown(feed(parser, data + b"GE")) == [expected]
    if b"HTTP/1.1" in data:
        assert parser.in_request


@pytest.mark.parametrize("name", REFUSED)
def test_a_malformed_request_is_refused_with_its_code(new_parser: NewParser, name: str) -> None:
    """What two readers could understand differently, or what has no bound, never becomes a request."""
    data, code = REFUSED[name]
    assert shown(feed(new_parser(BODY_MAX), data)) == [code]
    assert shown(feed(new_parser(BODY_MAX), data, 1)) == [code]


def test_requests_before_a_malformed_one_are_given_first(new_parser: NewParser) -> None:
    """A client that sent three good requests and a bad one gets three answers and a refusal."""
    good = ACCEPTED["length"][0]
    events = feed(new_parser(BODY_MAX), good * 3 + b"nonsense\r\n\r\n" + good)
    assert shown(events) == [ACCEPTED["length"][1]] * 3 + ["BAD_REQUEST"]


def test_nothing_is_read_after_a_request_that_ends_the_connection(new_parser: NewParser) -> None:
    """RFC 9112 section 9.6: what follows `close` is not a request."""
    data = b"GET /a HTTP/1.1\r\n" + H + b"Connection: close\r\n\r\nGET /b HTTP/1.1\r\n" + H + b"\r\n"
    (event,) = feed(new_parser(BODY_MAX), data)
    assert isinstance(event, Incoming)
    assert not event.head.keep_alive


@pytest.mark.parametrize(
    ("connection", "version", "kept"),
    [("", "1.1", True), ("close", "1.1", False), ("Keep-Alive, Close", "1.1", False), ("", "1.0", False)],
)
def test_a_connection_is_kept_as_its_client_asks(
    new_parser: NewParser, connection: str, version: str, kept: bool
) -> None:
    """RFC 9112 section 9.3."""
    data = f"GET / HTTP/{version}\r\nHost: node\r\nConnection: {connection}\r\n\r\n"
    (event,) = feed(new_parser(BODY_MAX), data.encode())
    assert isinstance(event, Incoming)
    assert event.head.keep_alive is kept


def test_headers_are_lower_case_joined_and_stripped(new_parser: NewParser) -> None:
    """A handler looks a header up in one spelling."""
    (event,) = feed(new_parser(BODY_MAX), b"GET / HTTP/1.1\r\nHOST:node \r\nX-A: 1\r\nx-a:\t2\r\n\r\n")
    assert isinstance(event, Incoming)
    assert event.head.headers == {"host": "node", "x-a": "1, 2"}


def test_a_client_that_waits_for_leave_is_told_once(new_parser: NewParser) -> None:
    """RFC 9110 section 10.1.1; not again while the body comes in pieces."""
    parser = new_parser(BODY_MAX)
    head = b"POST / HTTP/1.1\r\n" + H + b"Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n"
    assert [type(event) for event in feed(parser, head)] == [ContinueWanted]
    assert shown(feed(parser, b"ab", 1)) == [("POST", "/", b"ab")]
    assert shown(feed(new_parser(BODY_MAX), head + b"ab")) == [("POST", "/", b"ab")]


def test_a_body_too_large_is_refused_before_leave_is_given(new_parser: NewParser) -> None:
    """The client learns it without sending the body."""
    head = b"POST / HTTP/1.1\r\n" + H + b"Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n"
    assert shown(feed(new_parser(BODY_MAX), head)) == ["BODY_TOO_LARGE"]


def test_a_head_is_remembered_only_for_its_like(new_parser: NewParser) -> None:
    """A client that repeats itself is read the same way again; any other head is read for itself."""
    again = ("GET", "/a", "h")
    wanted = [again, again, ("GET", "/b", "h"), ("HEAD", "/a", "h"), ("GET", "/a", "i"), again]
    parser = new_parser(10)
    sent = [f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() for method, target, host in wanted]
    heads = [event.head for part in sent for event in feed(parser, part) if isinstance(event, Incoming)]
    assert [(head.method, head.target, head.headers["host"]) for head in heads] == wanted
    posted = [b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size for size in (3, 3, 11)]
    parser = new_parser(10)
    assert [type(feed(parser, head + b"abc")[0]).__name__ for head in posted] == ["Incoming", "Incoming", "Refused"]


def test_an_upgrade_keeps_the_bytes_that_follow(new_parser: NewParser) -> None:
    """They belong to the new protocol, even when they look like HTTP."""
    parser = new_parser(BODY_MAX)
    head = b"GET /v1/events HTTP/1.1\r\n" + H + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    (event,) = feed(parser, head + b"GET / HTTP/1.1\r\n\r\n")
    assert isinstance(event, Incoming)
    assert event.head.upgrade
    assert parser.tail == b"GET / HTTP/1.1\r\n\r\n"


def test_an_upgrade_header_alone_asks_for_nothing(new_parser: NewParser) -> None:
    """RFC 9110 section 7.8: it must be named in Connection."""
    data = b"GET / HTTP/1.1\r\n" + H + b"Upgrade: websocket\r\n\r\n"
    events = feed(new_parser(BODY_MAX), data * 2)
    assert shown(events) == [("GET", "/", b"")] * 2


def test_the_parser_says_how_far_a_request_has_come(new_parser: NewParser) -> None:
    """The connection's deadlines rest on it."""
    parser = new_parser(BODY_MAX)
    seen = [(parser.in_request, parser.body_received)]
    for part in (b"POST / HTTP/1.1\r\n" + H, b"Content-Length: 4\r\n\r\nab", b"c", b"d"):
        feed(parser, part)
        seen.append((parser.in_request, parser.body_received))
    assert seen == [(False, 0), (True, 0), (True, 2), (True, 3), (False, 0)]


SHORT = [data for data, _ in (*ACCEPTED.values(), *REFUSED.values()) if len(data) < 999]
PIECES = st.sampled_from(SHORT)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.lists(st.one_of(PIECES, st.binary(max_size=40)), max_size=4).map(b"".join), step=st.integers(1, 99))
def test_no_bytes_make_a_parser_raise_or_change_its_mind(data: bytes, step: int) -> None:
    """Cut anywhere, the same bytes give the same events."""
    for parser in (HttptoolsParser, H11Parser):
        whole = shown(feed(parser(BODY_MAX), data))
        cut = [event for event in shown(feed(parser(BODY_MAX), data, step)) if event != "continue"]
        assert [event for event in whole if event != "continue"] == cut


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.lists(PIECES, max_size=4).map(b"".join))
def test_both_parsers_read_the_same_requests(data: bytes) -> None:
    """A node with h11 must not take what a node with httptools refuses."""
    assert shown(feed(HttptoolsParser(BODY_MAX), data)) == shown(feed(H11Parser(BODY_MAX), data))


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: 2\r\n\r\n", b"{}"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
    ],
    ids=["length", "chunks"],
)
@pytest.mark.parametrize("size", [1, 7, READ_BYTES])
def test_the_body_of_a_request_that_offers_an_upgrade_is_read(
    new_parser: NewParser, framing: bytes, body: bytes, size: int
) -> None:
    """Some clients offer HTTP/2 with every request they send; declining it must not cost them the body."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
    data = b"POST /v1/tx HTTP/1.1\r\n" + H + offer + framing + body + b"GET /later HTTP/1.1\r\n" + H + b"\r\n"
    parser = new_parser(BODY_MAX)
    events = [event for at in range(0, len(data), size) for event in parser.feed(data[at : at + size])]
    (event,) = events
    assert isinstance(event, Incoming)
    assert (event.head.target, event.body) == ("/v1/tx", b"{}")
    assert not parser.in_request


def test_a_bad_body_of_a_request_that_offers_an_upgrade_is_refused(new_parser: NewParser) -> None:
    """The same bounds and the same grammar as for any other body."""
    offer = b"POST / HTTP/1.1\r\n" + H + b"Connection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    too_much = b"%x\r\n" % (BODY_MAX + 1) + b"x" * (BODY_MAX + 1)
    for body, code in ((b"zz\r\n", "BAD_REQUEST"), (too_much, "BODY_TOO_LARGE")):
        events = new_parser(BODY_MAX).feed(offer + body)
        assert isinstance(events[-1], Refused)
        assert events[-1].error.code == code
