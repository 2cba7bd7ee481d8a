"""Requests by httptools (llhttp in C): about four times the requests per second of h11."""

from __future__ import annotations

from typing import NoReturn

import httptools

from metanode.core.model.errors import MetanodeError
from metanode.plugins.api._shared.messages import (
    HEADER_BYTES_MAX,
    HEADERS_MAX,
    ContinueWanted,
    Head,
    Incoming,
    ParserEvent,
    Refused,
    bad_request,
    body_too_large,
    headers_too_large,
    read_head,
)


class HttptoolsParser:
    """A `RequestParser`.  The methods named `on_...` are what httptools calls."""

    def __init__(self, body_bytes_max: int) -> None:
        self._body_bytes_max = body_bytes_max
        self._parser = httptools.HttpRequestParser(self)
        self._events: list[ParserEvent] = []
        self._fields: list[tuple[bytes, bytes]] = []
        self._target = b""
        self._head: Head | None = None
        self._last: tuple[tuple[object, ...], Head] | None = None
        """The last head that was accepted, beside what it was read from: clients repeat themselves."""
        self._body = bytearray()
        self._refusal: MetanodeError | None = None
        self._finished = False
        self._unproductive = 0  # bytes fed since a head or body byte was completed
        self._progress = False
        self._continue_due = False
        self._body_owed = b""  # the header that frames the body of a request to upgrade, until that is read
        self.in_request = False
        self.tail = b""

    @property
    def body_received(self) -> int:
        """Body bytes of the unfinished request so far."""
        return len(self._body)

    @property
    def body_announced(self) -> int:
        """Body bytes that the head of the unfinished request announces; 0 before it, and for chunks."""
        return self._head.body_announced if self._head is not None and self.in_request else 0

    def feed(self, data: bytes) -> list[ParserEvent]:
        """Take bytes; return what they complete."""
        if self._finished:
            return []
        self._events = []
        self._progress = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._take_rest(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            # What follows a request that ends the connection is nobody's business.
            if not self._finished:
                self._refuse(self._refusal or bad_request(f"malformed request: {_reason(error)}"))
        if self._progress:
            self._unproductive = 0
        elif self.in_request:
            self._unproductive += len(data)
            if self._unproductive > HEADER_BYTES_MAX and not self._finished:
                self._refuse(headers_too_large())
        if self._continue_due and self.in_request and not self._body:
            self._events.append(ContinueWanted())
        self._continue_due = False
        return self._events

    def _take_rest(self, rest: bytes) -> None:
        """Take what follows the head of a request to upgrade: its body first (RFC 9110 section 7.8), then the tail.

        httptools hands on everything behind such a head, the body included; so one of its parsers that knows of
        no upgrade reads the body.  Clients that offer HTTP/2 with every request send bodies this way.
        """
        framing = self._body_owed
        if not framing:
            self._finished = True
            self.tail = rest
            return
        self._body_owed = b""
        self._parser = httptools.HttpRequestParser(_BodyReader(self))
        try:
            self._parser.feed_data(b"POST / HTTP/1.1\r\nConnection: close\r\n" + framing + b"\r\n\r\n")
            self._parser.feed_data(rest)
        except httptools.HttpParserError as error:
            if not self._finished:
                self._refuse(self._refusal or bad_request(f"malformed request: {_reason(error)}"))

    def _refuse(self, error: MetanodeError) -> None:
        self._finished = True
        self.in_request = False
        self._events.append(Refused(error))

    def on_message_begin(self) -> None:
        """A request starts."""
        self.in_request = True
        self._progress = True
        self._fields = []
        self._target = b""
        self._head = None
        self._body.clear()

    def on_url(self, part: bytes) -> None:
        """Another piece of the request target."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer after a chunked body; trailers are dropped."""
        if self._head is None:
            self._fields.append((name, value))
            if len(self._fields) > HEADERS_MAX:
                self._stop(headers_too_large())

    def on_headers_complete(self) -> None:
        """The head is whole: check it before any body is kept."""
        self._progress = True
        method, version = self._parser.get_method(), self._parser.get_http_version()
        seen = (method, self._target, version, self._fields)
        if self._last is not None and self._last[0] == seen:
            self._head = self._last[1]
        else:
            try:
                self._head = read_head(method, self._target, version, self._fields, self._body_bytes_max)
            except MetanodeError as error:
                self._stop(error)
            self._last = (seen, self._head)
        self._continue_due = self._head.expects_continue
        if self._head.upgrade:
            self._body_owed = _framing(self._head)

    def on_body(self, part: bytes) -> None:
        """A piece of the body."""
        self._progress = True
        self._body += part
        if len(self._body) > self._body_bytes_max:
            self._stop(body_too_large(len(self._body), self._body_bytes_max))

    def on_message_complete(self) -> None:
        """The request is whole, unless only its head is (see `_take_rest`)."""
        if self._body_owed:
            return
        assert self._head is not None, "llhttp completes the head before the message"
        self._progress = True
        self.in_request = False
        self._finished = self._head.upgrade or not self._head.keep_alive
        self._events.append(Incoming(self._head, bytes(self._body)))
        self._body.clear()

    def _stop(self, error: MetanodeError) -> NoReturn:
        """Make the C parser give up; `feed` turns the kept error into an event."""
        self._refusal = error
        raise error


class _BodyReader:
    """What httptools calls while it reads only a body."""

    def __init__(self, parser: HttptoolsParser) -> None:
        self.on_body = parser.on_body
        self.on_message_complete = parser.on_message_complete


def _framing(head: Head) -> bytes:
    """Return the header that frames a request's body, empty when it has none."""
    if "transfer-encoding" in head.headers:
        return b"Transfer-Encoding: chunked"
    length = head.headers.get("content-length", "0")
    return b"Content-Length: " + length.encode("ascii") if int(length) else b""


def _reason(error: Exception) -> str:
    return str(error)[:80] or type(error).__name__
