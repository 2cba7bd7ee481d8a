"""Requests by h11 (pure Python), for machines without a built httptools.

Forgives what RFC 9112 section 2.2 and 5.2 allow and httptools refuses: bare line feeds and folded headers.
"""

from __future__ import annotations

import h11

from metanode.core.model.errors import MetanodeError
from metanode.plugins.api._shared.messages import (
    HEADER_BYTES_MAX,
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

# h11 goes on to the next request only after it was shown an answer; ours are written elsewhere.
_ANSWER = h11.Response(status_code=200, headers=[("Content-Length", "0")])


class H11Parser:
    """A `RequestParser`."""

    def __init__(self, body_bytes_max: int) -> None:
        self._body_bytes_max = body_bytes_max
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES_MAX)
        self._head: Head | None = None
        self._body = bytearray()
        self._begun = False
        self._finished = False
        self._continue_due = False
        self.tail = b""

    @property
    def in_request(self) -> bool:
        """A request has begun and is not complete."""
        return self._begun and not self._finished

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
        events: list[ParserEvent] = []
        if self._finished:
            return events
        try:
            self._connection.receive_data(data)
            while self._step(events):
                pass
        except h11.RemoteProtocolError as error:
            malformed = bad_request(f"malformed request: {str(error)[:80]}")
            self._refuse(events, headers_too_large() if error.error_status_hint == 431 else malformed)
        except MetanodeError as error:
            self._refuse(events, error)
        if self._continue_due and self.in_request and not self._body:
            events.append(ContinueWanted())
        self._continue_due = False
        return events

    def _refuse(self, events: list[ParserEvent], error: MetanodeError) -> None:
        self._finished = True
        events.append(Refused(error))

    def _step(self, events: list[ParserEvent]) -> bool:
        """Take one h11 event; False when it needs more bytes or none count any more."""
        event = self._connection.next_event()
        if event is h11.NEED_DATA:
            self._begun = self._head is not None or bool(self._connection.trailing_data[0])
            return False
        if isinstance(event, h11.Request):
            fields = [(bytes(name), bytes(value)) for name, value in event.headers.raw_items()]
            version = event.http_version.decode("ascii")
            head = read_head(bytes(event.method), bytes(event.target), version, fields, self._body_bytes_max)
            # h11 never keeps an HTTP/1.0 connection.
            self._head = head if version == "1.1" else head._replace(keep_alive=False)
            self._continue_due = head.expects_continue
        elif isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) > self._body_bytes_max:
                raise body_too_large(len(self._body), self._body_bytes_max)
        elif isinstance(event, h11.EndOfMessage):
            self._complete(events)
        return not self._finished

    def _complete(self, events: list[ParserEvent]) -> None:
        head = self._head
        assert head is not None, "h11 gives the request before its end"
        events.append(Incoming(head, bytes(self._body)))
        self._head = None
        self._begun = False
        self._body.clear()
        if head.upgrade or not head.keep_alive:
            self._finished = True
            self.tail = self._connection.trailing_data[0]
            return
        self._connection.send(_ANSWER)
        self._connection.send(h11.EndOfMessage())
        self._connection.start_next_cycle()
