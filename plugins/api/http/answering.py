"""From a complete request to its answer's bytes: route, call, sign, and turn every failure into a reply.

The boundary to handlers of all plugins: what they raise is answered and logged under their plugin's
name, and neither the connection nor the node notices.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from metanode.core.current import REQUEST
from metanode.core.hooks import PluginContext
from metanode.core.http import EventStream, Request, Response
from metanode.core.model.errors import MetanodeError
from metanode.plugins.api._shared.messages import Head, Incoming, bad_request
from metanode.plugins.api._shared.replies import (
    DateHeader,
    Headers,
    encode_response,
    encode_stream_head,
    error_response,
)
from metanode.plugins.api._shared.router import Match, Router
from metanode.plugins.api._shared.sources import Origins, Sources
from metanode.plugins.api.http.signing import ReplySigner

QUERY_FIELDS_MAX = 32
"""Fields of one query string."""

JSON_TYPE = "application/json"
"""The one type that a POST may carry."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PLUGIN_MODULE = re.compile(r"metanode\.plugins\.(\w+\.\w+)")


class Answer(NamedTuple):
    """What goes back to the client."""

    data: bytes
    """The whole answer, or the head of a stream of server-sent events."""
    keep_alive: bool
    stream: EventStream | None = None
    headers: Headers = ()
    """What the listener added, for the reply that opens a WebSocket."""


class Answerer:
    """Answers requests; shared by all connections of a listener."""

    def __init__(
        self, context: PluginContext, router: Router, signer: ReplySigner, sources: Sources, origins: Origins
    ) -> None:
        self._router = router
        self._signer = signer
        self._log = context.log
        self._sources = sources
        self._origins = origins
        self.date = DateHeader(context.clock.now_ms)
        self._id_prefix = context.randomness.bytes(4).hex()
        self._count = 0
        self._counters = {
            family: context.metrics.counter("http_requests_total", "requests answered, by status", status=f"{family}xx")
            for family in range(1, 6)
        }

    async def answer(self, incoming: Incoming, peer: str, *, keep_alive: bool) -> Answer:
        """Answer one request.  Never raises but for cancellation.

        :param peer: the address the connection comes from.
        :param keep_alive: whether the connection may be kept afterwards.
        """
        head = incoming.head
        request_id = self._request_id(head)
        REQUEST.set(request_id)  # until this connection's next request: what a stream logs later belongs to it too
        extra: Headers = (("x-request-id", request_id), *self._origins.headers(head.headers))
        match: Match | None = None
        try:
            path, _, query = head.target.partition("?")
            if head.method == "OPTIONS":
                return self._finish(self._options(head, path), extra[:1], head, keep_alive)
            match = self._router.match(head.method, path)
            content = await self._call(match, incoming, path, query, peer, request_id)
            if isinstance(content, EventStream):
                return await self._open(content, extra, head)
            return self._finish(content, self._signed(match, incoming, content, extra), head, keep_alive)
        except MetanodeError as error:
            if error.status == 500:
                self._log.error("request %s: %s", request_id, error.line())
            refusal = error_response(error)
        except Exception as error:  # noqa: BLE001 - the boundary to handlers of any plugin
            plugin = "api.http" if match is None else match.route.plugin or plugin_of(match.route.handler)
            self._log.error("plugin %s failed to answer request %s: %r", plugin, request_id, error, exc_info=error)
            failure = f"plugin {plugin} failed to answer request {request_id}"
            refusal = error_response(MetanodeError("INTERNAL", failure))
        return self._finish(refusal, self._signed(match, incoming, refusal, extra), head, keep_alive)

    def refuse(self, error: MetanodeError) -> Answer:
        """Answer bytes that made no request; the connection ends."""
        response = error_response(error)
        self._counters[response.status // 100].add()
        extra = (("x-request-id", self._next_id()),)
        return Answer(encode_response(response, extra, date=self.date(), version="1.1", keep_alive=False), False)

    async def _call(
        self, match: Match, incoming: Incoming, path: str, query: str, peer: str, request_id: str
    ) -> Response | EventStream:
        head = incoming.head
        if head.method == "POST" and not is_json(head):
            # A web page may send any other type to any address without asking (the Fetch standard's simple
            # requests), to this node too; before it sends JSON its browser asks, and is told no.
            given = head.headers.get("content-type", "")
            raise bad_request(f"a POST with Content-Type {given[:40]!r}", "Content-Type: application/json")
        if is_websocket(head) and not self._origins.admits_socket(head.headers):
            raise MetanodeError("ORIGIN_REFUSED", f"a WebSocket from a page of {head.headers['origin'][:80]!r}")
        request = Request(
            method=head.method,
            path=path,
            query=parse_query(query) if query else {},
            headers=head.headers,
            body=incoming.body,
            source=self._sources.source(peer, head.headers),
            request_id=request_id,
            params=match.params,
        )
        content = await match.route.handler(request)
        if not isinstance(content, (Response, EventStream)):
            raise TypeError(f"handler of {match.route.path} returned {type(content).__name__}")
        return content

    def _options(self, head: Head, path: str) -> Response:
        allow = self._router.allowed(path)
        return Response(204, b"", headers=(("Allow", allow), *self._origins.preflight(head.headers, allow)))

    def _signed(self, match: Match | None, incoming: Incoming, response: Response, extra: Headers) -> Headers:
        if match is None or not match.route.signed:
            return extra
        target = f"{incoming.head.method} {incoming.head.target}"
        return (*extra, *self._signer.headers(target, incoming.body, response.body))

    def _finish(self, response: Response, extra: Headers, head: Head, keep_alive: bool) -> Answer:
        data = encode_response(
            response,
            extra,
            date=self.date(),
            version=head.version,
            keep_alive=keep_alive,
            with_body=head.method != "HEAD",
        )
        self._counters[response.status // 100].add()
        return Answer(data, keep_alive)

    async def _open(self, content: EventStream, extra: Headers, head: Head) -> Answer:
        data = encode_stream_head(extra, date=self.date())
        self._counters[2].add()
        if head.method == "HEAD":
            await close_events(content)
            return Answer(data, False)
        return Answer(data, False, content, extra)

    def _request_id(self, head: Head) -> str:
        given = head.headers.get("x-request-id")
        return given if given is not None and _REQUEST_ID.fullmatch(given) else self._next_id()

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._id_prefix}-{self._count}"


def is_json(head: Head) -> bool:
    """Whether the request says that its body is JSON, whatever parameters follow."""
    return head.headers.get("content-type", "").partition(";")[0].strip().lower() == JSON_TYPE


def is_websocket(head: Head) -> bool:
    """Whether the client asks to go on as a WebSocket."""
    return head.upgrade and head.headers["upgrade"].lower() == "websocket"


def parse_query(text: str) -> dict[str, str]:
    """Return the fields of a query string, each name once.

    :raises PeerError: BAD_REQUEST.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_MAX)
    except ValueError as error:
        allowed = f"at most {QUERY_FIELDS_MAX} fields of percent-encoded UTF-8"
        raise bad_request("the query cannot be read", allowed) from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise bad_request("a query field is given twice", "each field once")
    return fields


def plugin_of(handler: Callable[..., Any]) -> str:
    """Return the name of the plugin that a handler comes from; its module when it is no plugin of the tree."""
    module = getattr(handler, "__module__", None) or type(handler).__module__
    found = _PLUGIN_MODULE.match(module)
    return found.group(1) if found else module


async def close_events(content: EventStream) -> None:
    """End an event stream that nobody will read on; an async generator frees what it holds."""
    aclose = getattr(content.events, "aclose", None)
    if aclose is not None:
        await aclose()
